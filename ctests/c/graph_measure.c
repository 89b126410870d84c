/* Distances of the host's: any data, any measure; the built-in one through a callback gives the built-in's graph. */
#include "graph.h"

enum { COUNT = 250, K = 10, FIRST = 1, WORD = 12 };

static struct graph_found found;

/* A host's measure, and when it is to end the call. */
struct host {
    size_t calls;
    size_t distances;
    size_t cancel_at; /* the call that ends; 0: none */
    struct graph_found *found;
};

static int32_t measure_l2(void *context, const void *query, const void *const *rows, size_t count, int64_t *out_keys)
{
    struct host *host = (struct host *)context;
    const size_t dim = GRAPH_DIM;
    host->calls++;
    host->distances += count;
    CHECK(count > 0);
    for (size_t at = 0; at < count; at++)
        out_keys[at] = graph_key(hnx_distance_l2(rows[at], query, &dim));
    return host->calls == host->cancel_at ? -1 : 0;
}

static int32_t emit(void *context, const hnx_hit *hits, size_t count)
{
    return graph_emit(((struct host *)context)->found, hits, count);
}

static hnx_graph *make_with_callback(hnx_measure_fn measure, size_t data_size)
{
    hnx_graph_options options = graph_options(COUNT);
    options.distance = HNX_DISTANCE_CALLBACK;
    options.dim = 0;
    options.data_size = data_size;
    options.measure = measure;
    options.max_key = INT32_MAX;
    return graph_make(&options);
}

static void insert(hnx_graph *graph, struct host *host, const void *data, uint64_t label, int32_t level)
{
    hnx_graph_point point = graph_point(data, label, level, COUNT);
    uint32_t id;
    point.context = host;
    CHECK_OK(hnx_graph_insert(graph, &point, &id));
}

/* The same records and the same links, byte for byte, and the same answers. */
static void as_built_in(const float *rows, const float *queries)
{
    const hnx_graph_options options = graph_options(COUNT);
    hnx_graph *built_in = graph_make(&options), *called = make_with_callback(measure_l2, GRAPH_DIM * sizeof(float));
    static struct graph_found other;
    struct host host = {0, 0, 0, &other};
    hnx_graph_memory a, b;
    uint64_t state = 99;
    graph_fill(built_in, rows, COUNT, FIRST, COUNT);
    for (size_t row = 0; row < COUNT; row++)
        insert(called, &host, rows + row * GRAPH_DIM, FIRST + row, graph_level(&state));
    CHECK(host.calls > COUNT && host.distances > host.calls); /* several rows at a time */
    a = graph_memory(built_in), b = graph_memory(called);
    CHECK(a.stride == b.stride && memcmp(a.records, b.records, COUNT * a.stride) == 0);
    for (uint32_t id = 0; id < COUNT; id++) {
        CHECK(a.levels[id] == b.levels[id]);
        CHECK(a.levels[id] == 0 || memcmp(a.lists[id], b.lists[id], (size_t)a.levels[id] * a.list_size) == 0);
    }
    for (uint32_t id = 0; id < COUNT; id += 3) {
        hnx_graph_point point = graph_point(queries + (id % 8) * GRAPH_DIM, FIRST + id, 0, COUNT);
        point.context = &host;
        CHECK_OK(hnx_graph_update(built_in, id, &point, NULL));
        CHECK_OK(hnx_graph_update(called, id, &point, NULL));
    }
    CHECK(memcmp(a.records, b.records, COUNT * a.stride) == 0);
    for (size_t at = 0; at < 8; at++) {
        hnx_graph_query one = graph_query(rows + at * GRAPH_DIM, K, 50, &found), two = one;
        two.emit = emit, two.context = &host;
        graph_search(built_in, &one, &found);
        other.calls = 0;
        graph_search(called, &two, &other);
        CHECK(found.count == K && other.count == K && memcmp(found.hits, other.hits, K * sizeof *found.hits) == 0);
        CHECK(one.out_hops == two.out_hops && one.out_distances == two.out_distances);
    }
    hnx_graph_free(built_in);
    hnx_graph_free(called);
}

/* Words, and how many letters differ: nothing that the library knows. */
static int32_t measure_words(void *context, const void *query, const void *const *rows, size_t count, int64_t *out_keys)
{
    struct host *host = (struct host *)context;
    for (size_t at = 0; at < count; at++) {
        const char *a = (const char *)query, *b = (const char *)rows[at];
        out_keys[at] = 0;
        for (size_t letter = 0; letter < WORD; letter++)
            out_keys[at] += a[letter] != b[letter];
    }
    return ++host->calls == host->cancel_at ? -3 : 0;
}

static void words(void)
{
    static char text[COUNT][WORD];
    hnx_graph *graph = make_with_callback(measure_words, WORD);
    struct host host = {0, 0, 0, &found};
    uint64_t state = 3, levels = 99;
    for (size_t row = 0; row < COUNT; row++) {
        for (size_t letter = 0; letter < WORD; letter++)
            text[row][letter] = (char)('a' + check_next(&state) % 4);
        insert(graph, &host, text[row], FIRST + row, graph_level(&levels));
    }
    for (size_t row = 0; row < COUNT; row += 9) {
        hnx_graph_query query = graph_query(text[row], K, COUNT, &found);
        int64_t nearest[COUNT];
        query.emit = emit, query.context = &host;
        graph_search(graph, &query, &found);
        CHECK(found.count == K);
        for (size_t other = 0; other < COUNT; other++) {
            const void *one = text[other];
            measure_words(&host, text[row], &one, 1, nearest + other);
            CHECK(other != found.hits[0].label - FIRST || nearest[other] == 0);
        }
        for (size_t at = 0; at < K; at++) { /* distances tie: as many are nearer as there can be */
            size_t nearer = 0;
            CHECK(found.hits[at].key == nearest[found.hits[at].label - FIRST]);
            for (size_t other = 0; other < COUNT; other++)
                nearer += nearest[other] < found.hits[at].key;
            CHECK(nearer <= at);
        }
    }
    hnx_graph_free(graph);
}

/* A search ended at any of its measurements gives no answer, and leaves the graph as it was. */
static void ends_a_search(hnx_graph *graph, const float *rows)
{
    struct host host = {0, 0, 0, &found};
    hnx_graph_query query = graph_query(rows, K, 50, &found);
    size_t calls;
    query.emit = emit, query.context = &host;
    graph_search(graph, &query, &found);
    calls = host.calls;
    CHECK(calls > 3);
    for (size_t at = 1; at <= calls; at++) {
        host.calls = 0, host.cancel_at = at, found.calls = 0;
        CHECK_STATUS(HNX_ERR_CANCELLED, hnx_graph_search(graph, &query));
        CHECK(host.calls == at && found.calls == 0);
    }
}

/* An insertion ended at any of its measurements leaves nothing, or a record that is deleted; all others are found. */
static void ends_insertions(const float *rows)
{
    enum { BASE = 60, MORE = COUNT - BASE };
    hnx_graph *graph = make_with_callback(measure_l2, GRAPH_DIM * sizeof(float));
    struct host host = {0, 0, 0, &found};
    uint64_t state = 99;
    size_t made = 0, nothing = 0, done = 0;
    hnx_graph_query query;
    for (size_t row = 0; row < BASE; row++)
        insert(graph, &host, rows + row * GRAPH_DIM, FIRST + row, graph_level(&state));
    for (size_t at = 1; at <= MORE; at++) {
        const float *data = rows + (BASE + at - 1) * GRAPH_DIM;
        hnx_graph_point point = graph_point(data, FIRST + BASE, graph_level(&state), COUNT);
        uint32_t id = 12345;
        point.context = &host, point.flags = HNX_GRAPH_DELETIONS;
        host.calls = 0, host.cancel_at = at;
        if (hnx_graph_insert(graph, &point, &id) == HNX_OK) {
            CHECK(host.calls < at && id == BASE + made); /* it took fewer measurements */
            CHECK_OK(hnx_graph_set_deleted(graph, id, 1));
            made++, done++;
        } else if (id == UINT32_MAX) {
            CHECK(host.calls == at);
            nothing++;
        } else {
            CHECK(host.calls == at && id == BASE + made);
            CHECK_STATUS(HNX_ERR_ALREADY_DELETED, hnx_graph_set_deleted(graph, id, 1));
            made++;
        }
    }
    CHECK(nothing > 0 && done > 0 && made > done);
    host.cancel_at = 0;
    query = graph_query(rows, COUNT, COUNT, &found);
    query.emit = emit, query.context = &host;
    graph_search(graph, &query, &found);
    CHECK(found.count == BASE);
    ends_a_search(graph, rows);
    hnx_graph_free(graph);
}

/* An update ended midway: the data is new, the record is found by what it holds. */
static void ends_updates(const float *rows, const float *others)
{
    hnx_graph *graph = make_with_callback(measure_l2, GRAPH_DIM * sizeof(float));
    struct host host = {0, 0, 0, &found};
    hnx_graph_memory at;
    uint64_t state = 99;
    size_t cancelled = 0;
    for (size_t row = 0; row < COUNT; row++)
        insert(graph, &host, rows + row * GRAPH_DIM, FIRST + row, graph_level(&state));
    at = graph_memory(graph);
    for (uint32_t id = 0; id < 60; id++) {
        const float *data = others + (size_t)id * GRAPH_DIM;
        hnx_graph_point point = graph_point(data, FIRST + id, 0, COUNT);
        hnx_status status;
        point.context = &host;
        host.calls = 0, host.cancel_at = 1 + id * 5;
        status = hnx_graph_update(graph, id, &point, NULL);
        CHECK(status == HNX_OK || status == HNX_ERR_CANCELLED);
        cancelled += status == HNX_ERR_CANCELLED;
        CHECK(memcmp(graph_data(&at, id), data, GRAPH_DIM * sizeof *data) == 0);
        host.cancel_at = 0;
        CHECK_OK(hnx_graph_update(graph, id, &point, NULL)); /* made good by another */
    }
    CHECK(cancelled > 20);
    for (uint32_t id = 0; id < 60; id++) {
        hnx_graph_query query = graph_query(others + (size_t)id * GRAPH_DIM, 1, 100, &found);
        query.emit = emit, query.context = &host;
        graph_search(graph, &query, &found);
        CHECK(found.count == 1 && found.hits[0].label == FIRST + id && graph_float(found.hits[0].key) == 0);
    }
    hnx_graph_free(graph);
}

/* Bytes with the library's own distance of bytes. */
static void bytes(void)
{
    enum { DIM = 19 };
    static unsigned char data[COUNT][DIM];
    hnx_graph_options options = graph_options(COUNT);
    const size_t dim = DIM;
    uint64_t state = 8, levels = 99;
    hnx_graph *graph;
    int32_t distances[COUNT];
    options.distance = HNX_DISTANCE_L2_U8, options.dim = DIM, options.data_size = DIM;
    graph = graph_make(&options);
    for (size_t row = 0; row < COUNT; row++) {
        for (size_t at = 0; at < DIM; at++)
            data[row][at] = (unsigned char)(check_next(&state) >> 56);
        insert(graph, NULL, data[row], FIRST + row, graph_level(&levels));
    }
    for (size_t row = 0; row < COUNT; row += 10) {
        hnx_graph_query query = graph_query(data[row], K, COUNT, &found);
        graph_search(graph, &query, &found);
        CHECK_OK(hnx_distances(HNX_DISTANCE_L2_U8, DIM, data[row], data, DIM, COUNT, distances));
        for (size_t at = 0; at < K; at++) {
            const size_t other = (size_t)(found.hits[at].label - FIRST);
            int64_t plain = 0;
            size_t nearer = 0;
            for (size_t value = 0; value < DIM; value++)
                plain += (data[row][value] - data[other][value]) * (data[row][value] - data[other][value]);
            CHECK(found.hits[at].key == plain && distances[other] == plain);
            CHECK(hnx_distance_l2_u8(data[row], data[other], &dim) == plain);
            for (size_t others = 0; others < COUNT; others++)
                nearer += distances[others] < plain;
            CHECK(nearer <= at);
        }
    }
    hnx_graph_free(graph);
}

int main(void)
{
    float *rows = check_vectors(COUNT, GRAPH_DIM, 84), *others = check_vectors(COUNT, GRAPH_DIM, 85);
    as_built_in(rows, others);
    words();
    ends_insertions(rows);
    ends_updates(rows, others);
    bytes();
    free(rows);
    free(others);
    return 0;
}
