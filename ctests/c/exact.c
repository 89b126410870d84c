/* With a large candidate list the answers are those of brute force; threads and batches do not change them; get
 * gives the vectors back bit for bit. */
#include "index.h"

enum { DIM = 24, K = 10 };

typedef struct pair {
    double distance;
    uint64_t label;
} pair;

static int by_distance(const void *a, const void *b)
{
    const pair *x = (const pair *)a, *y = (const pair *)b;
    return x->distance != y->distance ? (x->distance < y->distance ? -1 : 1)
                                      : (x->label > y->label) - (x->label < y->label);
}

static void like_brute_force(const hnx_index *index, uint32_t metric, const float *rows, size_t count,
                             const float *query)
{
    pair *all = (pair *)check_alloc(count, sizeof *all);
    uint64_t labels[K];
    float distances[K];
    for (size_t at = 0; at < count; at++) {
        all[at].label = 1000 + at;
        all[at].distance = index_distance(metric, rows + at * DIM, query, DIM);
    }
    qsort(all, count, sizeof *all, by_distance);
    CHECK(index_query(index, query, K, count, labels, distances) == K);
    index_check_row(labels, distances, K, K);
    for (size_t at = 0; at < K; at++) {
        CHECK(fabs(distances[at] - all[at].distance) < 1e-5);
        /* Neighbours whose distances differ by rounding alone may change places. */
        CHECK(labels[at] == all[at].label ||
              fabs(all[at].distance - index_distance(metric, rows + (labels[at] - 1000) * DIM, query, DIM)) < 1e-6);
    }
    free(all);
}

/* All ways to ask the same questions. */
static void ways_to_ask(const hnx_index *index, const float *queries, size_t count)
{
    const uint32_t threads[] = {0, 1, 2, 5};
    const uint32_t exactness[] = {HNX_EXACTNESS_F32, HNX_EXACTNESS_CERTIFIED};
    uint64_t *expected = (uint64_t *)check_alloc(count * K, sizeof *expected),
             *labels = (uint64_t *)check_alloc(count * K, sizeof *labels);
    float *expected_d = (float *)check_alloc(count * K, sizeof *expected_d),
          *distances = (float *)check_alloc(count * K, sizeof *distances);
    hnx_query_options options = index_ef(50);
    options.exactness = HNX_EXACTNESS_F32;
    for (size_t at = 0; at < count; at++)
        CHECK_OK(hnx_query(index, queries + at * DIM, 1, K, &options, expected + at * K, expected_d + at * K, NULL));
    for (size_t way = 0; way < sizeof threads / sizeof *threads * 2; way++) {
        options.threads = threads[way / 2];
        options.exactness = exactness[way % 2];
        memset(labels, 0, count * K * sizeof *labels);
        CHECK_OK(hnx_query(index, queries, count, K, &options, labels, distances, NULL));
        CHECK(memcmp(labels, expected, count * K * sizeof *labels) == 0);
        CHECK(memcmp(distances, expected_d, count * K * sizeof *distances) == 0);
    }
    free(expected);
    free(labels);
    free(expected_d);
    free(distances);
}

int main(void)
{
    const uint32_t metrics[] = {HNX_METRIC_L2, HNX_METRIC_IP, HNX_METRIC_COSINE};
    const size_t count = check_pick(150, 1500), query_count = check_pick(20, 200);
    float *rows = check_vectors(count, DIM, 1), *queries = check_vectors(query_count, DIM, 2);
    for (size_t at = 0; at < 3; at++) {
        hnx_index *index = index_of(metrics[at], DIM, rows, count, 1000);
        CHECK(hnx_count(index) == count);
        for (size_t query = 0; query < query_count; query++)
            like_brute_force(index, metrics[at], rows, count, queries + query * DIM);
        ways_to_ask(index, queries, query_count);
        if (metrics[at] != HNX_METRIC_COSINE) {
            float *back = (float *)check_alloc(count * DIM, sizeof *back);
            uint64_t *labels = check_labels(count, 1000);
            CHECK_OK(hnx_get(index, labels, count, back));
            CHECK(memcmp(back, rows, count * DIM * sizeof *back) == 0);
            free(back);
            free(labels);
        }
        hnx_free(index);
    }
    free(rows);
    free(queries);
    return 0;
}
