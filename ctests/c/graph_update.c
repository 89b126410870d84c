/* Records of a graph that change: other data, other label, back to life; lists that a host has made anew. */
#include "graph.h"

enum { COUNT = 300, K = 10, FIRST = 100 };

static struct graph_found found;

static hnx_graph_point new_point(const float *data, uint64_t label)
{
    hnx_graph_point point = graph_point(data, label, 0, COUNT);
    point.flags = HNX_GRAPH_DELETIONS;
    return point;
}

/* Every record moves; afterwards all of them are found where they are. */
static void moves(hnx_graph *graph, const float *rows)
{
    const hnx_graph_memory at = graph_memory(graph);
    for (uint32_t id = 0; id < COUNT; id++) {
        const float *data = rows + (size_t)id * GRAPH_DIM;
        const hnx_graph_point point = new_point(data, FIRST + id);
        const int32_t level = at.levels[id];
        size_t draws = 0, links, all = 0;
        uint32_t ids[2 * GRAPH_M];
        for (int32_t up = 0; up <= level; up++) {
            CHECK_OK(hnx_graph_links(graph, id, (uint32_t)up, ids, 2 * GRAPH_M, &links));
            all += links;
        }
        CHECK_OK(hnx_graph_update(graph, id, &point, &draws));
        CHECK(draws == all); /* one for each neighbour on each level */
        CHECK(at.levels[id] == level && graph_label(&at, id) == FIRST + id);
        CHECK(memcmp(graph_data(&at, id), data, GRAPH_DIM * sizeof *data) == 0);
    }
    for (size_t at_row = 0; at_row < COUNT; at_row += 7)
        graph_check_exact(graph, rows, NULL, COUNT, FIRST, rows + at_row * GRAPH_DIM, K);
    {
        const hnx_graph_point point = new_point(rows, 1);
        CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_graph_update(graph, COUNT, &point, NULL));
    }
}

struct drawn {
    size_t calls;
    float value;
};

static float draw(void *context)
{
    struct drawn *drawn = (struct drawn *)context;
    drawn->calls++;
    return drawn->value;
}

/* Above the probability nobody is relinked; the record itself always is. */
static void draws(hnx_graph *graph, const float *rows)
{
    struct drawn drawn = {0, 0.75f};
    hnx_graph_point point = new_point(rows, FIRST);
    uint32_t before[2 * GRAPH_M], after[2 * GRAPH_M];
    size_t count = 0, other = 0, asked = 0;
    point.draw = draw, point.context = &drawn;
    point.probability = 0.5f;
    CHECK_OK(hnx_graph_links(graph, 0, 0, before, 2 * GRAPH_M, &count));
    CHECK_OK(hnx_graph_update(graph, 0, &point, &asked));
    CHECK(asked == drawn.calls && asked >= count);
    CHECK_OK(hnx_graph_links(graph, 0, 0, after, 2 * GRAPH_M, &other));
    CHECK(other > 0 && other <= GRAPH_M);
    point.probability = 0.75f; /* not above: relinked */
    CHECK_OK(hnx_graph_update(graph, 0, &point, NULL));
    graph_check_exact(graph, rows, NULL, COUNT, FIRST, rows, K);
}

/* A deleted record gets other data and another label, and lives. */
static void revives(hnx_graph *graph, float *rows)
{
    const hnx_graph_memory at = graph_memory(graph);
    uint64_t state = 5;
    for (uint32_t id = 0; id < COUNT; id += 5) {
        float *data = rows + (size_t)id * GRAPH_DIM;
        hnx_graph_point point = new_point(data, FIRST + id);
        CHECK_OK(hnx_graph_set_deleted(graph, id, 1));
        for (size_t value = 0; value < GRAPH_DIM; value++)
            data[value] = check_float(&state);
        CHECK_OK(hnx_graph_update(graph, id, &point, NULL));
        CHECK_STATUS(HNX_ERR_ALREADY_DELETED, hnx_graph_set_deleted(graph, id, 1)); /* still */
        point.flags |= HNX_GRAPH_REVIVE;
        CHECK_OK(hnx_graph_update(graph, id, &point, NULL));
        CHECK_STATUS(HNX_ERR_NOT_DELETED, hnx_graph_set_deleted(graph, id, 0));
        CHECK(graph_label(&at, id) == FIRST + id);
    }
    for (size_t row = 0; row < COUNT; row += 11)
        graph_check_exact(graph, rows, NULL, COUNT, FIRST, rows + row * GRAPH_DIM, K);
}

/* The data may be that of a record, of this one even. */
static void data_of_a_record(hnx_graph *graph, float *rows)
{
    const hnx_graph_memory at = graph_memory(graph);
    hnx_graph_point point = new_point(NULL, FIRST + 3);
    point.data = graph_data(&at, 3);
    CHECK_OK(hnx_graph_update(graph, 3, &point, NULL));
    CHECK(memcmp(graph_data(&at, 3), rows + 3 * GRAPH_DIM, GRAPH_DIM * sizeof *rows) == 0);
    point.data = graph_data(&at, 4);
    CHECK_OK(hnx_graph_update(graph, 3, &point, NULL));
    CHECK(memcmp(graph_data(&at, 3), graph_data(&at, 4), GRAPH_DIM * sizeof *rows) == 0);
    point.data = rows + 3 * GRAPH_DIM;
    CHECK_OK(hnx_graph_update(graph, 3, &point, NULL));
    graph_check_exact(graph, rows, NULL, COUNT, FIRST, rows, K);
}

/* hnswlib's heuristic: nearest first, none that is nearer to one chosen before than to the record. */
static size_t heuristic(const float *rows, const float *base, const hnx_hit *sorted, size_t count, size_t m,
                        uint32_t *chosen)
{
    const size_t dim = GRAPH_DIM;
    size_t kept = 0;
    for (size_t at = 0; at < count && kept < m; at++) {
        const float *row = rows + sorted[at].id * dim;
        const float distance = hnx_distance_l2(row, base, &dim);
        int good = 1;
        for (size_t earlier = 0; earlier < kept; earlier++)
            good = good && !(hnx_distance_l2(rows + chosen[earlier] * dim, row, &dim) < distance);
        if (good)
            chosen[kept++] = sorted[at].id;
    }
    return kept;
}

static void selects_and_connects(hnx_graph *graph, const float *rows)
{
    enum { HITS = 40 };
    uint32_t chosen[GRAPH_M], links[2 * GRAPH_M], next = 0;
    hnx_hit hits[HITS];
    size_t count = HITS, kept, linked;
    const uint32_t id = 17;
    const float *base = rows + id * GRAPH_DIM;
    hnx_graph_query query = graph_query(base, HITS + 1, COUNT, &found);
    graph_search(graph, &query, &found);
    CHECK(found.count == HITS + 1 && found.hits[0].id == id);
    for (size_t at = 0; at < HITS; at++)
        hits[at] = found.hits[HITS - at]; /* any order */
    kept = heuristic(rows, base, found.hits + 1, HITS, GRAPH_M, chosen);
    CHECK(kept > 1);
    CHECK_OK(hnx_graph_select(graph, hits, &count, GRAPH_M, NULL));
    CHECK(count == kept);
    for (size_t at = 0; at < kept; at++)
        CHECK(hits[at].id == chosen[at] && hits[at].label == FIRST + chosen[at]);
    /* Fewer than m stay as many. */
    count = GRAPH_M - 1;
    memcpy(hits, found.hits + 1, sizeof hits);
    CHECK_OK(hnx_graph_select(graph, hits, &count, GRAPH_M, NULL));
    CHECK(count == GRAPH_M - 1);
    count = 0;
    CHECK_OK(hnx_graph_select(graph, NULL, &count, GRAPH_M, NULL));
    CHECK(count == 0);

    CHECK_OK(hnx_graph_connect(graph, id, found.hits + 1, HITS, 0, NULL, &next));
    CHECK(next == chosen[0]);
    CHECK_OK(hnx_graph_links(graph, id, 0, links, 2 * GRAPH_M, &linked));
    CHECK(linked == kept);
    for (size_t at = 0; at < kept; at++)
        CHECK(links[at] == chosen[kept - 1 - at]); /* the farthest stands first, as with hnswlib */
    for (size_t at = 0; at < kept; at++) { /* and back, unless the other had nearer ones */
        uint32_t back[2 * GRAPH_M];
        size_t backs, has = 0;
        CHECK_OK(hnx_graph_links(graph, chosen[at], 0, back, 2 * GRAPH_M, &backs));
        for (size_t link = 0; link < backs; link++)
            has += back[link] == id;
        CHECK(has == 1 || (has == 0 && backs > 1));
    }
    hits[0].id = COUNT;
    count = 1;
    CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_graph_select(graph, hits, &count, GRAPH_M, NULL));
    CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_graph_connect(graph, id, hits, 1, 0, NULL, &next));
    CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_graph_connect(graph, COUNT, found.hits, 1, 0, NULL, &next));
}

/* A record whose list a host has emptied is linked again by a repair. */
static void repairs(hnx_graph *graph, const float *rows)
{
    const hnx_graph_memory at = graph_memory(graph);
    const uint32_t id = 23;
    char *record = at.records + id * at.stride;
    const hnx_graph_point point = new_point(rows + id * GRAPH_DIM, FIRST + id);
    uint32_t links[2 * GRAPH_M], top = 0;
    size_t count = 0;
    for (uint32_t other = 0; other < COUNT; other++)
        top = at.levels[other] > at.levels[top] ? other : top;
    record[0] = record[1] = 0;
    CHECK_OK(hnx_graph_links(graph, id, 0, links, 2 * GRAPH_M, &count));
    CHECK(count == 0);
    CHECK_OK(hnx_graph_repair(graph, id, &point, top, 0, (uint32_t)at.levels[top]));
    CHECK_OK(hnx_graph_links(graph, id, 0, links, 2 * GRAPH_M, &count));
    CHECK(count > 0);
    graph_check_exact(graph, rows, NULL, COUNT, FIRST, rows + id * GRAPH_DIM, K);
    CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_graph_repair(graph, COUNT, &point, top, 0, 0));
    CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_graph_repair(graph, id, &point, COUNT, 0, 0));
}

int main(void)
{
    float *rows = check_vectors(COUNT, GRAPH_DIM, 82), *others = check_vectors(COUNT, GRAPH_DIM, 83);
    const hnx_graph_options options = graph_options(COUNT);
    hnx_graph *graph = graph_make(&options);
    graph_fill(graph, rows, COUNT, FIRST, COUNT);
    moves(graph, others);
    draws(graph, others);
    revives(graph, others);
    data_of_a_record(graph, others);
    selects_and_connects(graph, others);
    repairs(graph, others);
    hnx_graph_free(graph);
    free(rows);
    free(others);
    return 0;
}
