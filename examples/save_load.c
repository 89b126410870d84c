/*
 * The three file formats: save an index in each, open each again (by memory map where that is possible, with codes beside
 * the file, too), and get the same answers. hnswlib and chroma-hnswlib open these files too.
 *
 *     cc -std=c99 save_load.c -lhnx -o save_load && ./save_load [FOLDER]
 *
 * FOLDER must exist; without it the program makes one in /tmp and removes it.
 */
#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hnx.h>

enum { COUNT = 3000, DIM = 24, QUERIES = 20, K = 5 };

static void check(hnx_status status, const char *what) {
    if (status == HNX_OK) return;
    char text[512];
    hnx_last_error(text, sizeof text);
    fprintf(stderr, "save_load: %s: %s: %s\n", what, hnx_status_name(status), text);
    exit(1);
}

/* Numbers from -1 to 1 that are the same on every machine. */
static float next_number(void) {
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / 8388608.0f - 1.0f;
}

static float vectors[COUNT * DIM];
static uint64_t labels[COUNT];

typedef struct answers {
    uint64_t labels[QUERIES * K];
    float distances[QUERIES * K];
} answers;

static void search(const hnx_index *index, answers *out) {
    hnx_query_options options = {0};
    options.struct_size = sizeof options;
    options.ef = 64;
    memset(out, 0, sizeof *out);
    check(hnx_query(index, vectors, QUERIES, K, &options, out->labels, out->distances, NULL), "hnx_query");
}

/* Opens path with the flags, compares the answers and says what hnx_get() gives for label 0. */
static int reopen(const char *path, uint32_t flags, const answers *expected, const char *what) {
    answers found;
    float vector[DIM], length = 0;
    uint64_t label = 0;
    hnx_index *index = NULL;
    hnx_load_options options = {0};
    options.struct_size = sizeof options;
    options.metric = HNX_METRIC_COSINE; /* the files store neither metric nor dim */
    options.dim = DIM;
    options.flags = flags;
    check(hnx_load(path, &options, &index), path);
    search(index, &found);
    check(hnx_get(index, &label, 1, vector), "hnx_get");
    for (size_t i = 0; i < DIM; i++) length += vector[i] * vector[i];
    int same = memcmp(&found, expected, sizeof found) == 0;
    printf("%-34s %zu records, %s answers, vector of label 0 has length %.3f\n", what, hnx_count(index),
           same ? "the same" : "OTHER", sqrt((double)length));
    hnx_free(index);
    return same;
}

int main(int argc, char **argv) {
    char made[] = "/tmp/hnx-save-load-XXXXXX", path[3][4096];
    const char *folder = argc > 1 ? argv[1] : mkdtemp(made);
    static const char *const names[3] = {"hnswlib.bin", "chroma.bin", "chroma"};
    if (!folder) return perror("mkdtemp"), 1;
    for (size_t i = 0; i < 3; i++) snprintf(path[i], sizeof path[i], "%s/%s", folder, names[i]);

    for (size_t i = 0; i < (size_t)COUNT * DIM; i++) vectors[i] = 2.0f * next_number();
    for (size_t i = 0; i < COUNT; i++) labels[i] = i;
    hnx_options options = {0};
    options.struct_size = sizeof options;
    options.metric = HNX_METRIC_COSINE;
    options.dim = DIM;
    hnx_index *index = NULL;
    check(hnx_init(&options, &index), "hnx_init");
    check(hnx_add(index, vectors, labels, COUNT, NULL, NULL), "hnx_add");

    answers expected;
    search(index, &expected);
    check(hnx_save(index, path[0], HNX_FORMAT_HNSWLIB), path[0]);
    check(hnx_save(index, path[1], HNX_FORMAT_CHROMA), path[1]);
    check(hnx_save(index, path[2], HNX_FORMAT_CHROMA_DIRECTORY), path[2]);
    check(hnx_save_codes(index, path[1]), path[1]);
    hnx_free(index);

    /* hnswlib's file has no place for the lengths of vectors: hnx_get() gives unit vectors back. */
    int same = reopen(path[0], 0, &expected, "hnswlib file, read");
    same &= reopen(path[0], HNX_LOAD_MMAP | HNX_LOAD_READ_ONLY, &expected, "hnswlib file, mapped");
    same &= reopen(path[1], 0, &expected, "chroma file, read");
    same &= reopen(path[1], HNX_LOAD_MMAP | HNX_LOAD_READ_ONLY, &expected, "chroma file, mapped, codes beside");
    same &= reopen(path[2], 0, &expected, "chroma directory, read");
    same &= reopen(path[2], HNX_LOAD_MMAP | HNX_LOAD_READ_ONLY, &expected, "chroma directory, mapped");

    if (argc <= 1) {
        static const char *const files[] = {"header.bin", "data_level0.bin", "length.bin", "link_lists.bin", "hnx.sums"};
        char file[8192];
        for (size_t i = 0; i < 5; i++) {
            snprintf(file, sizeof file, "%s/%s", path[2], files[i]);
            unlink(file);
        }
        snprintf(file, sizeof file, "%s.hnx.codes", path[1]);
        unlink(file), unlink(path[0]), unlink(path[1]), rmdir(path[2]), rmdir(folder);
    }
    return same ? 0 : 1;
}
