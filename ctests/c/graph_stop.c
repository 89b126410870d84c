/* Stop conditions: what they are asked and told, what they keep, and that each of them can end the call. */
#include "graph.h"

enum { COUNT = 400, FIRST = 100, QUERIES = 6 };

static struct graph_found found;

/* Keeps what is within `radius`, and `least` at least; with a radius below 0 the nearest `least`. */
struct condition {
    float radius;
    size_t least;
    size_t kept;
    size_t added, removed, asked;
    size_t cancel_in; /* which function is to end the call: 1 to 5; 0: none */
    size_t cancel_at; /* at which of its calls */
    size_t calls[6];
    const hnx_graph_memory *memory;
};

static int ends(struct condition *condition, size_t function)
{
    condition->calls[function]++;
    return condition->cancel_in == function && condition->calls[function] == condition->cancel_at;
}

/* The data is the record's, where it stands. */
static void check_record(const struct condition *condition, uint64_t label, const void *data)
{
    CHECK(label >= FIRST && label < FIRST + COUNT);
    CHECK(data == graph_data(condition->memory, (uint32_t)(label - FIRST)));
}

static int32_t add(void *context, uint64_t label, const void *data, int64_t key)
{
    struct condition *condition = (struct condition *)context;
    check_record(condition, label, data);
    CHECK(graph_float(key) >= 0);
    condition->added++;
    condition->kept++;
    return ends(condition, 1) ? -1 : 0;
}

static int32_t drop(void *context, uint64_t label, const void *data, int64_t key)
{
    struct condition *condition = (struct condition *)context;
    check_record(condition, label, data);
    CHECK(graph_float(key) >= 0);
    condition->removed++;
    condition->kept--;
    return ends(condition, 2) ? -1 : 0;
}

/* A little farther than the radius, so that a detour does not hide what is within. */
static float reach(const struct condition *condition)
{
    return condition->radius < 0 ? -1 : 2 * condition->radius + 1;
}

static int32_t should_stop(void *context, int64_t candidate, int64_t bound)
{
    struct condition *condition = (struct condition *)context;
    condition->asked++;
    if (ends(condition, 3))
        return -1;
    if (condition->radius < 0)
        return candidate > bound && condition->kept >= condition->least;
    return graph_float(candidate) > reach(condition) && condition->kept >= condition->least;
}

static int32_t should_consider(void *context, int64_t candidate, int64_t bound)
{
    struct condition *condition = (struct condition *)context;
    if (ends(condition, 4))
        return -1;
    return condition->kept < condition->least || candidate < bound || graph_float(candidate) <= reach(condition);
}

static int32_t should_remove(void *context)
{
    struct condition *condition = (struct condition *)context;
    if (ends(condition, 5))
        return -1;
    return condition->radius < 0 && condition->kept > condition->least;
}

static hnx_status search(const hnx_graph *graph, const float *data, struct condition *condition,
                         const hnx_filter *filter)
{
    const hnx_stop stop = {sizeof stop, condition, add, drop, should_stop, should_consider, should_remove};
    hnx_graph_query query = graph_query(data, 0, 0, &found);
    condition->kept = condition->added = condition->removed = condition->asked = 0;
    memset(condition->calls, 0, sizeof condition->calls);
    query.stop = &stop;
    query.filter = filter;
    return hnx_graph_search(graph, &query);
}

/* Everything within a radius, nearest first. */
static void radius(const hnx_graph *graph, const float *rows, const float *query, const hnx_graph_memory *memory)
{
    const size_t dim = GRAPH_DIM;
    for (float limit = 1; limit < 6; limit++) {
        struct condition condition = {limit, COUNT / 4, 0, 0, 0, 0, 0, 0, {0}, memory};
        size_t within = 0, hits = 0;
        CHECK_OK(search(graph, query, &condition, NULL));
        CHECK(found.calls == 1 && found.count == condition.kept && condition.removed == 0 && condition.asked > 0);
        for (size_t row = 0; row < COUNT; row++)
            within += hnx_distance_l2(rows + row * dim, query, &dim) <= limit;
        while (hits < found.count && graph_float(found.hits[hits].key) <= limit)
            hits++;
        CHECK(hits == within);
        for (size_t at = 1; at < found.count; at++)
            CHECK(found.hits[at - 1].key <= found.hits[at].key);
    }
}

/* A condition that keeps the nearest n is a search for n, whatever is found and given up on the way. */
static void nearest(const hnx_graph *graph, const float *query, const hnx_graph_memory *memory)
{
    static struct graph_found plain;
    const size_t keep = 80;
    struct condition condition = {-1, keep, 0, 0, 0, 0, 0, 0, {0}, memory};
    hnx_graph_query asked = graph_query(query, keep, keep, &plain);
    graph_search(graph, &asked, &plain);
    CHECK_OK(search(graph, query, &condition, NULL));
    CHECK(found.count == keep && condition.kept == keep && condition.removed > 0);
    CHECK(condition.added == condition.removed + keep);
    for (size_t at = 0; at < keep; at++)
        CHECK(found.hits[at].label == plain.hits[at].label && found.hits[at].key == plain.hits[at].key);
}

static int32_t even(void *context, uint64_t label)
{
    (void)context;
    return label % 2 == 0;
}

static void with_a_filter(const hnx_graph *graph, const float *query, const hnx_graph_memory *memory)
{
    const hnx_filter filter = {sizeof filter, even, NULL, NULL, 0, 0, 0};
    struct condition condition = {2, 50, 0, 0, 0, 0, 0, 0, {0}, memory};
    CHECK_OK(search(graph, query, &condition, &filter));
    CHECK(found.count >= 50);
    for (size_t at = 0; at < found.count; at++)
        CHECK(found.hits[at].label % 2 == 0);
}

/* A condition that always gives up ends with nothing, and ends. */
static int32_t always(void *context)
{
    (void)context;
    return 1;
}

static void never_content(const hnx_graph *graph, const float *query, const hnx_graph_memory *memory)
{
    struct condition condition = {1, 5, 0, 0, 0, 0, 0, 0, {0}, memory};
    const hnx_stop stop = {sizeof stop, &condition, add, drop, should_stop, should_consider, always};
    hnx_graph_query asked = graph_query(query, 0, 0, &found);
    asked.stop = &stop;
    CHECK_OK(hnx_graph_search(graph, &asked));
    CHECK(found.count <= 1);
}

static void cancels(const hnx_graph *graph, const float *query, const hnx_graph_memory *memory)
{
    size_t ended = 0;
    for (size_t function = 1; function <= 5; function++)
        for (size_t at = 1; at <= 20; at += at < 3 ? 1 : 7) {
            struct condition condition = {-1, 40, 0, 0, 0, 0, function, at, {0}, memory};
            CHECK_STATUS(HNX_ERR_CANCELLED, search(graph, query, &condition, NULL));
            CHECK(condition.calls[function] == at && found.calls == 0);
            ended++;
        }
    CHECK(ended > 20);
    nearest(graph, query, memory);
}

int main(void)
{
    float *rows = check_vectors(COUNT, GRAPH_DIM, 86), *queries = check_vectors(QUERIES, GRAPH_DIM, 87);
    const hnx_graph_options options = graph_options(COUNT);
    hnx_graph *graph = graph_make(&options);
    hnx_graph_memory memory;
    graph_fill(graph, rows, COUNT, FIRST, COUNT);
    memory = graph_memory(graph);
    for (size_t at = 0; at < QUERIES; at++) {
        const float *query = queries + at * GRAPH_DIM;
        radius(graph, rows, query, &memory);
        nearest(graph, query, &memory);
        with_a_filter(graph, query, &memory);
        never_content(graph, query, &memory);
    }
    cancels(graph, queries, &memory);
    hnx_graph_free(graph);
    free(rows);
    free(queries);
    return 0;
}
