/* Graphs without labels: records added and found, marks, memory that a host reads, capacity, the host's own cells. */
#include "graph.h"

enum { COUNT = 300, K = 10, QUERIES = 8, FIRST = 5000 };

static struct graph_found found;

static void finds_the_nearest(hnx_graph *graph, const float *rows, const float *queries)
{
    char live[COUNT];
    for (size_t at = 0; at < QUERIES; at++)
        graph_check_exact(graph, rows, NULL, COUNT, FIRST, queries + at * GRAPH_DIM, K);
    memset(live, 1, sizeof live);
    for (uint32_t id = 0; id < COUNT; id += 3) {
        CHECK_OK(hnx_graph_set_deleted(graph, id, 1));
        CHECK_STATUS(HNX_ERR_ALREADY_DELETED, hnx_graph_set_deleted(graph, id, 1));
        live[id] = 0;
    }
    CHECK_STATUS(HNX_ERR_NOT_DELETED, hnx_graph_set_deleted(graph, 1, 0));
    CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_graph_set_deleted(graph, COUNT, 1));
    for (size_t at = 0; at < QUERIES; at++)
        graph_check_exact(graph, rows, live, COUNT, FIRST, queries + at * GRAPH_DIM, K);
    for (uint32_t id = 0; id < COUNT; id += 3)
        CHECK_OK(hnx_graph_set_deleted(graph, id, 0));
    graph_check_exact(graph, rows, NULL, COUNT, FIRST, queries, K);
}

static int32_t odd_labels(void *context, uint64_t label)
{
    int *calls = (int *)context;
    ++*calls;
    return label % 2 == 1;
}

static int32_t second_call_ends(void *context, uint64_t label)
{
    int *calls = (int *)context;
    (void)label;
    return ++*calls == 2 ? -7 : 1;
}

static void filters(const hnx_graph *graph, const float *rows, const float *queries)
{
    int calls = 0;
    hnx_filter filter = {sizeof filter, odd_labels, &calls, NULL, 0, 0, 0};
    const size_t dim = GRAPH_DIM;
    for (size_t at = 0; at < QUERIES; at++) {
        const float *query = queries + at * GRAPH_DIM;
        hnx_graph_query asked = graph_query(query, K, COUNT, &found);
        asked.filter = &filter;
        graph_search(graph, &asked, &found);
        CHECK(found.count == K && calls > 0);
        for (size_t hit = 0; hit < K; hit++) {
            size_t nearer = 0;
            for (size_t row = 1; row < COUNT; row += 2)
                nearer += hnx_distance_l2(rows + row * dim, query, &dim) < graph_float(found.hits[hit].key);
            CHECK(found.hits[hit].label % 2 == 1 && nearer == hit);
        }
    }
    filter.accept = second_call_ends;
    calls = 0;
    {
        hnx_graph_query asked = graph_query(queries, K, COUNT, &found);
        asked.filter = &filter;
        CHECK_STATUS(HNX_ERR_CANCELLED, hnx_graph_search(graph, &asked));
        CHECK(calls == 2 && found.calls == 0);
    }
    graph_check_exact(graph, rows, NULL, COUNT, FIRST, queries, K);
}

/* Records stand where hnswlib has them; links that are copied are those that stand there. */
static void memory(hnx_graph *graph, const float *rows)
{
    const hnx_graph_memory at = graph_memory(graph);
    uint32_t links[2 * GRAPH_M];
    uint64_t state = 99;
    size_t count, upper = 0;
    CHECK(at.stride == 4 + 8 * GRAPH_M + GRAPH_DIM * 4 + 8 && at.list_size == 4 + 4 * GRAPH_M);
    CHECK(at.data_offset == 4 + 8 * GRAPH_M && at.label_offset == at.data_offset + GRAPH_DIM * 4);
    CHECK(at.lengths == NULL);
    for (uint32_t id = 0; id < COUNT; id++) {
        const char *record = at.records + id * at.stride;
        uint16_t stored;
        CHECK(graph_label(&at, id) == FIRST + id);
        CHECK(memcmp(graph_data(&at, id), rows + id * GRAPH_DIM, GRAPH_DIM * sizeof *rows) == 0);
        CHECK(at.levels[id] == graph_level(&state));
        CHECK((at.lists[id] != NULL) == (at.levels[id] > 0));
        memcpy(&stored, record, sizeof stored);
        CHECK_OK(hnx_graph_links(graph, id, 0, links, 2 * GRAPH_M, &count));
        CHECK(count == stored && count > 0 && memcmp(links, record + 4, count * sizeof *links) == 0);
        CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_links(graph, id, 0, links, count - 1, &count));
        for (int32_t level = 1; level <= at.levels[id]; level++, upper++) {
            const char *list = at.lists[id] + (size_t)(level - 1) * at.list_size;
            memcpy(&stored, list, sizeof stored);
            CHECK_OK(hnx_graph_links(graph, id, (uint32_t)level, links, 2 * GRAPH_M, &count));
            CHECK(count == stored && count <= GRAPH_M && memcmp(links, list + 4, count * sizeof *links) == 0);
        }
        CHECK_STATUS(HNX_ERR_NOT_FOUND,
                     hnx_graph_links(graph, id, (uint32_t)at.levels[id] + 1, links, 2 * GRAPH_M, &count));
    }
    CHECK(upper > COUNT / 10);
    CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_graph_links(graph, COUNT, 0, links, 2 * GRAPH_M, &count));

    /* The host writes a list while nothing else runs; the search goes by what stands there. */
    {
        char saved[4 + 8 * GRAPH_M], *record;
        hnx_graph_query asked;
        record = at.records;
        memcpy(saved, record, sizeof saved);
        asked = graph_query(rows, 1, COUNT, &found);
        asked.start = 0;
        record[0] = record[1] = 0;
        CHECK_OK(hnx_graph_search(graph, &asked));
        CHECK(found.count == 1 && found.hits[0].id == 0);
        record[0] = 1;
        links[0] = 7;
        memcpy(record + 4, links, 4);
        CHECK_OK(hnx_graph_search(graph, &asked));
        CHECK(found.count > COUNT / 2);
        memcpy(record, saved, sizeof saved);
    }
}

/* One level alone, from a record: what is found is linked there. Hops and distances are counted above the ground. */
static void levels(const hnx_graph *graph, const float *queries)
{
    const hnx_graph_memory at = graph_memory(graph);
    uint32_t top = 0;
    hnx_graph_query asked = graph_query(queries, 1, COUNT, &found);
    asked.out_hops = asked.out_distances = 99999;
    graph_search(graph, &asked, &found);
    CHECK(asked.out_hops > 0 && asked.out_distances > 0 && asked.out_distances < COUNT);
    for (uint32_t id = 0; id < COUNT; id++)
        top = at.levels[id] > at.levels[top] ? id : top;
    for (int32_t level = 0; level <= at.levels[top]; level++) {
        size_t reach = 0;
        asked = graph_query(queries, 1, COUNT, &found);
        asked.start = top;
        asked.level = level;
        CHECK_OK(hnx_graph_search(graph, &asked));
        for (uint32_t id = 0; id < COUNT; id++)
            reach += at.levels[id] >= level;
        CHECK(found.count >= reach - reach / 20 && found.count <= reach);
        for (size_t hit = 0; hit < found.count; hit++) {
            CHECK(at.levels[found.hits[hit].id] >= level);
            CHECK(found.hits[hit].label == FIRST + found.hits[hit].id);
            CHECK(found.hits[hit].key <= found.hits[0].key); /* hnswlib's heap has the farthest on top */
        }
    }
    asked.start = COUNT;
    CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_graph_search(graph, &asked));
    asked.start = 0, asked.level = -1;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_search(graph, &asked));
}

static int32_t refuse(void *context, const hnx_hit *hits, size_t count)
{
    (void)context, (void)hits, (void)count;
    return -1;
}

static void bad_arguments(hnx_graph *graph, const float *rows)
{
    hnx_graph_options options = graph_options(10);
    hnx_graph *out = NULL;
    hnx_graph_point point = graph_point(rows, 1, 64, COUNT + 1);
    hnx_graph_query asked = graph_query(rows, 0, 0, &found);
    uint32_t id = 99;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_insert(graph, &point, &id));
    point.level = -1;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_insert(graph, &point, &id));
    point.level = 0, point.flags = 4;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_insert(graph, &point, &id));
    point.flags = 0, point.data = NULL;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_insert(graph, &point, &id));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_search(graph, &asked));
    asked.k = 1, asked.emit = NULL;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_search(graph, &asked));
    asked.emit = refuse;
    CHECK_STATUS(HNX_ERR_CANCELLED, hnx_graph_search(graph, &asked));
    asked.query = NULL;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_search(graph, &asked));

    options.distance = 9;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_init(&options, &out));
    options.distance = HNX_DISTANCE_CALLBACK; /* without a function */
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_init(&options, &out));
    options = graph_options(10), options.data_size = GRAPH_DIM * 4 - 1;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_init(&options, &out));
    options = graph_options(10), options.m = 1;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_init(&options, &out));
    options = graph_options(SIZE_MAX);
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_init(&options, &out));
    options = graph_options(10), options.flags = 2;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_init(&options, &out));
    CHECK(out == NULL);
    /* A handle of the other kind is refused, not misread. */
    {
        const hnx_options init = {sizeof init, HNX_METRIC_L2, 0, 2, 0, 0, 0, 0, NULL};
        hnx_index *index = NULL;
        CHECK_OK(hnx_init(&init, &index));
        CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_resize((hnx_graph *)(void *)index, 5));
        CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_resize((hnx_index *)(void *)graph, 5));
        hnx_free(index);
    }
}

/* The capacity is the host's, insertion by insertion; memory grows where it is. */
static void capacity(const float *rows)
{
    const hnx_graph_options options = graph_options(5);
    hnx_graph *graph = graph_make(&options);
    const char *records = graph_memory(graph).records;
    hnx_graph_point point;
    uint32_t id = 99;
    graph_fill(graph, rows, 5, FIRST, 5);
    point = graph_point(rows, 1, 0, 5);
    CHECK_STATUS(HNX_ERR_FULL, hnx_graph_insert(graph, &point, &id));
    CHECK(id == UINT32_MAX || id == 99);
    CHECK_OK(hnx_graph_resize(graph, COUNT));
    CHECK(graph_memory(graph).records == records);
    graph_fill(graph, rows + 5 * GRAPH_DIM, COUNT - 5, FIRST + 5, COUNT);
    graph_check_exact(graph, rows, NULL, COUNT, FIRST, rows + 7, K);
    CHECK_STATUS(HNX_ERR_OUT_OF_MEMORY, hnx_graph_resize(graph, (size_t)1 << 31));
    CHECK_STATUS(HNX_ERR_OUT_OF_MEMORY, hnx_graph_resize(graph, (size_t)1 << 60));
    CHECK_STATUS(HNX_ERR_OUT_OF_MEMORY, hnx_graph_resize(graph, SIZE_MAX));
    graph_check_exact(graph, rows, NULL, COUNT, FIRST, rows + 9, K);
    hnx_graph_free(graph);
}

/* Count, highest level and entry point in cells of the host's: it reads them, and what it writes counts. */
static void cells(const float *rows)
{
    struct entry {
        int32_t level;
        uint32_t id;
    };
    union {
        int64_t aligned; /* to 8 bytes */
        struct entry entry;
    } cell = {-5};
    size_t count = 123;
    const float *query = rows;
    hnx_graph_options options = graph_options(COUNT);
    hnx_graph *graph = NULL;
    hnx_graph_memory at;
    hnx_graph_query asked = graph_query(query, 1, 10, &found);
    uint32_t links[1];
    size_t linked;
    options.count = &count;
    options.entry = (char *)&cell + 4;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_init(&options, &graph)); /* not on 8 bytes */
    options.entry = &cell;
    graph = graph_make(&options);
    CHECK(count == 0 && cell.entry.level == -1);
    graph_search(graph, &asked, &found);
    CHECK(found.count == 0);
    graph_fill(graph, rows, COUNT, FIRST, COUNT);
    at = graph_memory(graph);
    CHECK(count == COUNT && cell.entry.level > 0 && cell.entry.id < COUNT);
    CHECK(at.levels[cell.entry.id] == cell.entry.level);
    graph_check_exact(graph, rows, NULL, COUNT, FIRST, rows + 3, K);
    /* The host says there are fewer records: the others are not there. */
    count = COUNT / 2;
    cell.entry.level = 0, cell.entry.id = 1;
    asked = graph_query(query, 1, COUNT, &found);
    graph_search(graph, &asked, &found);
    CHECK(found.count == 1 && found.hits[0].id < COUNT / 2);
    CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_graph_links(graph, COUNT / 2, 0, links, 1, &linked));
    count = COUNT;
    graph_check_exact(graph, rows, NULL, COUNT, FIRST, rows + 3, K);
    /* An entry point that does not exist is not followed. */
    cell.entry.id = COUNT + 5;
    asked = graph_query(query, 1, COUNT, &found);
    CHECK_OK(hnx_graph_search(graph, &asked));
    CHECK(found.count == 0);
    cell.entry.id = 1;
    hnx_graph_free(graph);
}

int main(void)
{
    float *rows = check_vectors(COUNT + 1, GRAPH_DIM, 80), *queries = check_vectors(QUERIES, GRAPH_DIM, 81);
    const hnx_graph_options options = graph_options(COUNT);
    hnx_graph *graph = graph_make(&options);
    hnx_graph_query asked = graph_query(queries, K, K, &found);
    graph_search(graph, &asked, &found);
    CHECK(found.count == 0);
    graph_fill(graph, rows, COUNT, FIRST, COUNT);
    finds_the_nearest(graph, rows, queries);
    filters(graph, rows, queries);
    memory(graph, rows);
    levels(graph, queries);
    bad_arguments(graph, rows);
    hnx_graph_free(graph);
    capacity(rows);
    cells(rows);
    free(rows);
    free(queries);
    return 0;
}
