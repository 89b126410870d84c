/* Shorthand for what nearly every test program does with an index, and the answers it should give. */
#ifndef HNX_TEST_INDEX_H
#define HNX_TEST_INDEX_H

#include <math.h>
#include <string.h>

#include "check.h"

/* The call fails with this status, and the words have `part` in them. */
#define CHECK_TEXT(expected, part, call) check_text(__FILE__, __LINE__, #call, (expected), (call), (part))

static inline void check_text(const char *file, int line, const char *call, int32_t expected, int32_t got, const char *part)
{
    char text[513] = "";
    check_status(file, line, call, expected, got);
    hnx_last_error(text, sizeof text);
    if (strstr(text, part) == NULL)
        check_failed(file, line, part);
}

static inline hnx_options index_options(uint32_t metric, size_t dim, size_t max_elements)
{
    hnx_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.metric = metric;
    options.dim = dim;
    options.max_elements = max_elements;
    return options;
}

static inline hnx_index *index_make(uint32_t metric, size_t dim, size_t max_elements)
{
    const hnx_options options = index_options(metric, dim, max_elements);
    hnx_index *index = NULL;
    CHECK_OK(hnx_init(&options, &index));
    CHECK(index != NULL);
    return index;
}

/* Adds rows in order, in this thread: the graph is the same in every run. */
static inline hnx_status index_add_flags(hnx_index *index, const float *rows, const uint64_t *labels, size_t count,
                                         uint32_t flags)
{
    hnx_add_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.threads = 1;
    options.flags = flags;
    return hnx_add(index, rows, labels, count, &options, NULL);
}

static inline hnx_status index_add(hnx_index *index, const float *rows, const uint64_t *labels, size_t count)
{
    return index_add_flags(index, rows, labels, count, 0);
}

static inline hnx_status index_add_one(hnx_index *index, const float *row, uint64_t label)
{
    return index_add(index, row, &label, 1);
}

/* An index of random rows with labels first, first + 1, ... */
static inline hnx_index *index_of(uint32_t metric, size_t dim, const float *rows, size_t count, uint64_t first)
{
    hnx_index *index = index_make(metric, dim, 0);
    uint64_t *labels = check_labels(count, first);
    CHECK_OK(index_add(index, rows, labels, count));
    free(labels);
    return index;
}

static inline hnx_query_options index_ef(size_t ef)
{
    hnx_query_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.ef = ef;
    options.threads = 1;
    return options;
}

/* One query; the number of answers. */
static inline size_t index_query(const hnx_index *index, const float *query, size_t k, size_t ef, uint64_t *labels,
                                 float *distances)
{
    const hnx_query_options options = index_ef(ef);
    size_t count = 0;
    CHECK_OK(hnx_query(index, query, 1, k, &options, labels, distances, &count));
    CHECK(count <= k);
    return count;
}

/* The nearest label, with a candidate list of ef. */
static inline uint64_t index_nearest(const hnx_index *index, const float *query, size_t ef)
{
    uint64_t label = 0;
    CHECK(index_query(index, query, 1, ef, &label, NULL) == 1);
    return label;
}

/* Whether the label is among the k nearest. */
static inline int index_finds(const hnx_index *index, const float *query, uint64_t label, size_t k, size_t ef)
{
    uint64_t *labels = (uint64_t *)check_alloc(k, sizeof *labels);
    const size_t count = index_query(index, query, k, ef, labels, NULL);
    int found = 0;
    for (size_t at = 0; at < count; at++)
        found += labels[at] == label;
    CHECK(found <= 1);
    free(labels);
    return found;
}

/* A row of answers as documented: nearest first, no label twice, the tail UINT64_MAX and +INFINITY. */
static inline void index_check_row(const uint64_t *labels, const float *distances, size_t count, size_t k)
{
    for (size_t at = 0; at < k; at++) {
        if (at >= count) {
            CHECK(labels[at] == UINT64_MAX);
            CHECK(isinf(distances[at]) && distances[at] > 0);
            continue;
        }
        CHECK(isfinite(distances[at]));
        for (size_t before = 0; before < at; before++)
            CHECK(labels[before] != labels[at]);
        if (at > 0) {
            CHECK(distances[at - 1] <= distances[at]);
            CHECK(distances[at - 1] < distances[at] || labels[at - 1] < labels[at]);
        }
    }
}

/* The distance as the header defines it, in double. */
static inline double index_distance(uint32_t metric, const float *a, const float *b, size_t dim)
{
    double square = 0, dot = 0, aa = 0, bb = 0;
    for (size_t at = 0; at < dim; at++) {
        const double x = a[at], y = b[at];
        square += (x - y) * (x - y);
        dot += x * y;
        aa += x * x;
        bb += y * y;
    }
    if (metric == HNX_METRIC_L2)
        return square;
    if (metric == HNX_METRIC_IP)
        return 1 - dot;
    return aa > 0 && bb > 0 ? 1 - dot / (sqrt(aa) * sqrt(bb)) : 1;
}

/* Both indexes answer the queries with the same labels and the same bits of distances: exactly, since codes depend on
 * when they were made. */
static inline void index_check_same(const hnx_index *a, const hnx_index *b, const float *queries, size_t count,
                                    size_t k, size_t ef)
{
    hnx_query_options options = index_ef(ef);
    uint64_t *la = (uint64_t *)check_alloc(count * k, sizeof *la), *lb = (uint64_t *)check_alloc(count * k, sizeof *lb);
    float *da = (float *)check_alloc(count * k, sizeof *da), *db = (float *)check_alloc(count * k, sizeof *db);
    options.exactness = HNX_EXACTNESS_F32;
    CHECK_OK(hnx_query(a, queries, count, k, &options, la, da, NULL));
    CHECK_OK(hnx_query(b, queries, count, k, &options, lb, db, NULL));
    CHECK(memcmp(la, lb, count * k * sizeof *la) == 0);
    CHECK(memcmp(da, db, count * k * sizeof *da) == 0);
    free(la);
    free(lb);
    free(da);
    free(db);
}

static inline hnx_stats_info index_stats(const hnx_index *index)
{
    hnx_stats_info stats;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_OK(hnx_stats(index, &stats));
    return stats;
}

#endif
