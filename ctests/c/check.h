/* Checks and deterministic numbers for the test programs, in C99 and C++11. */
#ifndef HNX_CHECK_H
#define HNX_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#include "hnx.h"

/* Ends the program with file, line, condition and the library's own words. */
#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))
#define CHECK_STATUS(expected, call) check_status(__FILE__, __LINE__, #call, (expected), (call))
#define CHECK_OK(call) CHECK_STATUS(HNX_OK, call)

static inline void check_failed(const char *file, int line, const char *what)
{
    char text[512] = "";
    hnx_last_error(text, sizeof text);
    fprintf(stderr, "%s:%d: failed: %s\n    last error of this thread: \"%s\"\n", file, line, what, text);
    fflush(stderr);
    _Exit(1); /* other threads may be running: no destructors under their feet */
}

static inline void check_status(const char *file, int line, const char *call, int32_t expected, int32_t got)
{
    if (expected != got) {
        fprintf(stderr, "%s:%d: expected %s, got %s\n", file, line, hnx_status_name(expected), hnx_status_name(got));
        check_failed(file, line, call);
    }
}

/* Whether sizes should be small: under valgrind, where everything is slow. */
static inline int check_quick(void)
{
    return getenv("HNX_TEST_QUICK") != NULL;
}

static inline size_t check_pick(size_t quick, size_t full)
{
    return check_quick() ? quick : full;
}

/* xorshift64*: the same numbers on every machine. The state must not be 0. */
static inline uint64_t check_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717u;
}

/* Between -1 and 1. */
static inline float check_float(uint64_t *state)
{
    return (float)(check_next(state) >> 40) / 8388608.0f - 1.0f;
}

static inline void check_fill(float *floats, size_t count, uint64_t seed)
{
    uint64_t state = seed * 2 + 1;
    for (size_t at = 0; at < count; at++)
        floats[at] = check_float(&state);
}

static inline void *check_alloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    CHECK(memory != NULL);
    return memory;
}

/* Rows of random floats; free() them. */
static inline float *check_vectors(size_t count, size_t dim, uint64_t seed)
{
    float *rows = (float *)check_alloc(count * dim, sizeof *rows);
    check_fill(rows, count * dim, seed);
    return rows;
}

/* first, first + 1, ...; free() them. */
static inline uint64_t *check_labels(size_t count, uint64_t first)
{
    uint64_t *labels = (uint64_t *)check_alloc(count, sizeof *labels);
    for (size_t at = 0; at < count; at++)
        labels[at] = first + at;
    return labels;
}

#endif
