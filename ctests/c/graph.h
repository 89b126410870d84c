/* Shorthand for graphs: made, filled with random records, searched, and compared with what looking at all finds. */
#ifndef HNX_TEST_GRAPH_H
#define HNX_TEST_GRAPH_H

#include <math.h>
#include <string.h>

#include "check.h"

enum { GRAPH_DIM = 8, GRAPH_M = 6, GRAPH_EF = 60 };

static inline hnx_graph_options graph_options(size_t max_elements)
{
    hnx_graph_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.distance = HNX_DISTANCE_L2;
    options.dim = GRAPH_DIM;
    options.data_size = GRAPH_DIM * sizeof(float);
    options.max_elements = max_elements;
    options.m = GRAPH_M;
    return options;
}

static inline hnx_graph *graph_make(const hnx_graph_options *options)
{
    hnx_graph *graph = NULL;
    CHECK_OK(hnx_graph_init(options, &graph));
    CHECK(graph != NULL);
    return graph;
}

static inline hnx_graph_point graph_point(const void *data, uint64_t label, int32_t level, size_t max_elements)
{
    hnx_graph_point point;
    memset(&point, 0, sizeof point);
    point.struct_size = sizeof point;
    point.data = data;
    point.label = label;
    point.level = level;
    point.ef = GRAPH_EF;
    point.max_elements = max_elements;
    return point;
}

/* Levels with the distribution that a host of M = GRAPH_M draws; the same in every run. */
static inline int32_t graph_level(uint64_t *state)
{
    int32_t level = 0;
    while (level < 10 && check_next(state) >> 32 < UINT32_MAX / GRAPH_M)
        level++;
    return level;
}

/* Adds rows with labels first, first + 1, ...; ids count up from where the graph stands. */
static inline void graph_fill(hnx_graph *graph, const float *rows, size_t count, uint64_t first, size_t max_elements)
{
    uint64_t state = 99;
    uint32_t before = 0;
    for (size_t row = 0; row < count; row++) {
        const float *data = rows + row * GRAPH_DIM;
        const hnx_graph_point point = graph_point(data, first + row, graph_level(&state), max_elements);
        uint32_t id = UINT32_MAX;
        CHECK_OK(hnx_graph_insert(graph, &point, &id));
        CHECK(row == 0 || id == before + 1);
        before = id;
    }
}

static inline hnx_graph_memory graph_memory(const hnx_graph *graph)
{
    hnx_graph_memory memory;
    memset(&memory, 0, sizeof memory);
    memory.struct_size = sizeof memory;
    CHECK_OK(hnx_graph_memory_of(graph, &memory));
    return memory;
}

static inline const void *graph_data(const hnx_graph_memory *memory, uint32_t id)
{
    return memory->records + id * memory->stride + memory->data_offset;
}

/* Labels stand on any address. */
static inline uint64_t graph_label(const hnx_graph_memory *memory, uint32_t id)
{
    uint64_t label;
    memcpy(&label, memory->records + id * memory->stride + memory->label_offset, sizeof label);
    return label;
}

/* The float that a key stands for: its bits, mapped so that keys order as floats do. */
static inline float graph_float(int64_t key)
{
    const int32_t bits = (int32_t)key ^ ((int32_t)key >> 31 & INT32_MAX);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline int64_t graph_key(float value)
{
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits ^ (bits >> 31 & INT32_MAX);
}

/* What a search found. */
struct graph_found {
    size_t count;
    size_t calls;
    hnx_hit hits[2000];
};

static inline int32_t graph_emit(void *context, const hnx_hit *hits, size_t count)
{
    struct graph_found *found = (struct graph_found *)context;
    CHECK(count <= sizeof found->hits / sizeof *found->hits);
    memcpy(found->hits, hits, count * sizeof *hits);
    found->count = count;
    found->calls++;
    return 0;
}

static inline hnx_graph_query graph_query(const void *data, size_t k, size_t ef, struct graph_found *found)
{
    hnx_graph_query query;
    memset(&query, 0, sizeof query);
    query.struct_size = sizeof query;
    query.query = data;
    query.k = k;
    query.ef = ef;
    query.flags = HNX_GRAPH_DELETIONS;
    query.start = HNX_GRAPH_TOP;
    query.emit = graph_emit;
    query.context = found;
    found->count = found->calls = 0;
    return query;
}

/* Searches, and checks what every search promises. */
static inline void graph_search(const hnx_graph *graph, hnx_graph_query *query, struct graph_found *found)
{
    CHECK_OK(hnx_graph_search(graph, query));
    CHECK(found->calls == 1);
    for (size_t at = 1; at < found->count; at++) {
        const hnx_hit *a = found->hits + at - 1, *b = found->hits + at;
        CHECK(a->key < b->key || (a->key == b->key && a->label < b->label));
    }
}

/* Whether a search finds exactly the k nearest of the records for which `live` is not 0 (NULL: all), by built-in L2. */
static inline void graph_check_exact(const hnx_graph *graph, const float *rows, const char *live, size_t count,
                                     uint64_t first, const float *query, size_t k)
{
    static struct graph_found found; /* large */
    const size_t dim = GRAPH_DIM;
    hnx_graph_query asked = graph_query(query, k, count, &found);
    size_t nearer, alive = 0;
    graph_search(graph, &asked, &found);
    for (size_t row = 0; row < count; row++)
        alive += !live || live[row];
    CHECK(found.count == (k < alive ? k : alive));
    for (size_t at = 0; at < found.count; at++) {
        const size_t row = (size_t)(found.hits[at].label - first);
        const float distance = hnx_distance_l2(rows + row * dim, query, &dim);
        CHECK(row < count && (!live || live[row]));
        CHECK(graph_float(found.hits[at].key) == distance);
        nearer = 0;
        for (size_t other = 0; other < count; other++)
            nearer += (!live || live[other]) && hnx_distance_l2(rows + other * dim, query, &dim) < distance;
        CHECK(nearer == at); /* random rows do not tie */
    }
}

#endif
