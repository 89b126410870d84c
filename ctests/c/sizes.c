/* Unusual dims (every rest of every kernel) and unusual m: distances are right and every record is found. */
#include "index.h"

static void dim_of(uint32_t metric, size_t dim)
{
    enum { COUNT = 30 };
    float *rows = check_vectors(COUNT, dim, dim), *query = check_vectors(1, dim, dim + 1000);
    const double tolerance = 1e-6 * (double)dim + 1e-6;
    uint64_t labels[COUNT];
    float distances[COUNT];
    hnx_index *index = index_of(metric, dim, rows, COUNT, 0);
    CHECK(index_query(index, query, COUNT, COUNT, labels, distances) == COUNT);
    index_check_row(labels, distances, COUNT, COUNT);
    for (size_t at = 0; at < COUNT; at++)
        CHECK(fabs(distances[at] - index_distance(metric, rows + labels[at] * dim, query, dim)) < tolerance);
    for (uint64_t label = 0; metric == HNX_METRIC_L2 && label < COUNT; label++) {
        CHECK(index_query(index, rows + label * dim, 1, COUNT, labels, distances) == 1);
        CHECK(labels[0] == label && distances[0] == 0);
    }
    hnx_free(index);
    free(rows);
    free(query);
}

static void m_of(size_t m, size_t ef_construction, size_t percent)
{
    enum { DIM = 8 };
    const size_t count = check_pick(150, 800);
    float *rows = check_vectors(count, DIM, m);
    uint64_t *labels = check_labels(count, 0);
    hnx_options options = index_options(HNX_METRIC_L2, DIM, 0);
    hnx_index *index = NULL;
    size_t found = 0;
    options.m = m;
    options.ef_construction = ef_construction;
    CHECK_OK(hnx_init(&options, &index));
    CHECK(index_stats(index).m == m);
    CHECK_OK(index_add(index, rows, labels, count));
    for (uint64_t label = 0; label < count; label++)
        found += index_nearest(index, rows + label * DIM, count) == label;
    CHECK(found * 100 >= count * percent);
    hnx_free(index);
    free(rows);
    free(labels);
}

int main(void)
{
    const uint32_t metrics[] = {HNX_METRIC_L2, HNX_METRIC_IP, HNX_METRIC_COSINE};
    const size_t more[] = {127, 128, 129, 255, 256, 257, 1000};
    for (size_t at = 0; at < 3; at++) {
        for (size_t dim = 1; dim <= 70; dim += check_pick(9, 1))
            dim_of(metrics[at], dim);
        for (size_t dim = 0; dim < sizeof more / sizeof *more; dim++)
            dim_of(metrics[at], more[dim]);
    }
    m_of(2, 100, 90); /* so few links leave some records hard to reach, as in hnswlib */
    m_of(5, 100, 99);
    m_of(48, 100, 99);
    m_of(200, 1, 99);
    return 0;
}
