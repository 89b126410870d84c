/* The shape of answers: fewer than k, tails, counts, empty indexes, no queries, no k. */
#include "index.h"

enum { DIM = 3, K = 6 };

static void fewer_than_k(void)
{
    const float rows[4 * DIM] = {0, 0, 0, 1, 0, 0, 3, 0, 0, 7, 0, 0}, queries[2 * DIM] = {0, 0, 0, 8, 0, 0};
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, rows, 4, 10);
    uint64_t labels[2 * K];
    float distances[2 * K];
    size_t counts[2] = {99, 99};
    memset(labels, 0, sizeof labels);
    memset(distances, 0, sizeof distances);
    CHECK_OK(hnx_query(index, queries, 2, K, NULL, labels, distances, counts));
    CHECK(counts[0] == 4 && counts[1] == 4);
    index_check_row(labels, distances, 4, K);
    index_check_row(labels + K, distances + K, 4, K);
    CHECK(labels[0] == 10 && labels[1] == 11 && labels[2] == 12 && labels[3] == 13);
    CHECK(labels[K] == 13 && labels[K + 1] == 12 && labels[K + 2] == 11 && labels[K + 3] == 10);
    CHECK(distances[0] == 0 && distances[1] == 1 && distances[2] == 9 && distances[3] == 49);
    CHECK(distances[K] == 1 && distances[K + 1] == 25 && distances[K + 2] == 49 && distances[K + 3] == 64);

    /* Deleted ones are not counted: two remain, then none. */
    CHECK_OK(hnx_mark_deleted(index, 10));
    CHECK_OK(hnx_mark_deleted(index, 12));
    CHECK_OK(hnx_query(index, queries, 2, K, NULL, labels, distances, counts));
    CHECK(counts[0] == 2 && counts[1] == 2 && labels[0] == 11 && labels[K] == 13);
    index_check_row(labels, distances, 2, K);
    index_check_row(labels + K, distances + K, 2, K);
    CHECK_OK(hnx_mark_deleted(index, 11));
    CHECK_OK(hnx_mark_deleted(index, 13));
    CHECK_OK(hnx_query(index, queries, 2, K, NULL, labels, distances, counts));
    CHECK(counts[0] == 0 && counts[1] == 0);
    index_check_row(labels, distances, 0, K);
    index_check_row(labels + K, distances + K, 0, K);
    hnx_free(index);
}

static void empty_index(void)
{
    const float query[DIM] = {1, 2, 3};
    hnx_index *index = index_make(HNX_METRIC_COSINE, DIM, 0);
    uint64_t labels[K];
    float distances[K];
    size_t count = 99;
    CHECK_OK(hnx_query(index, query, 1, K, NULL, labels, distances, &count));
    CHECK(count == 0);
    index_check_row(labels, distances, 0, K);
    hnx_free(index);
}

static void nothing_asked(void)
{
    const float row[DIM] = {1, 2, 3};
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, row, 1, 5);
    uint64_t label = 99;
    float distance = 99;
    size_t count = 99;
    CHECK_OK(hnx_query(index, row, 0, 1, NULL, &label, &distance, &count));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_query(index, row, 1, 0, NULL, &label, &distance, &count));
    CHECK(label == 99 && distance == 99 && count == 99);
    CHECK_OK(hnx_add(index, row, &label, 0, NULL, NULL));
    CHECK_OK(hnx_get(index, &label, 0, &distance));
    CHECK(distance == 99 && hnx_count(index) == 1);
    hnx_free(index);
}

/* Products that no array can have are refused before a pointer is looked at. */
static void impossible_sizes(void)
{
    const float row[DIM] = {1, 2, 3};
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, row, 1, 5);
    uint64_t label = 99;
    float distance = 99;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_query(index, row, SIZE_MAX, 1, NULL, &label, &distance, NULL));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_query(index, row, 1, SIZE_MAX, NULL, &label, &distance, NULL));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT,
                 hnx_query(index, row, (size_t)1 << 32, (size_t)1 << 32, NULL, &label, &distance, NULL));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_add(index, row, &label, SIZE_MAX, NULL, NULL));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_add(index, row, &label, (size_t)1 << 62, NULL, NULL));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_get(index, &label, SIZE_MAX, &distance));
    CHECK(label == 99 && distance == 99 && hnx_count(index) == 1);
    hnx_free(index);
}

/* A candidate list of any length is fine: it never needs more room than there are records. */
static void huge_ef(void)
{
    const float rows[2 * DIM] = {1, 2, 3, 4, 5, 6};
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, rows, 2, 5);
    uint64_t labels[2];
    CHECK(index_query(index, rows, 2, SIZE_MAX, labels, NULL) == 2);
    CHECK_OK(hnx_set_ef(index, SIZE_MAX));
    CHECK(index_query(index, rows, 2, 0, labels, NULL) == 2);
    CHECK(labels[0] == 5 && labels[1] == 6);
    hnx_free(index);
}

/* A candidate list shorter than k is raised to k. */
static void k_beyond_ef(void)
{
    enum { COUNT = 100, MANY = 60 };
    float *rows = check_vectors(COUNT, DIM, 50);
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, rows, COUNT, 0);
    uint64_t labels[MANY];
    float distances[MANY];
    CHECK(index_query(index, rows, MANY, 5, labels, distances) == MANY);
    index_check_row(labels, distances, MANY, MANY);
    CHECK(index_query(index, rows, MANY, 0, labels, NULL) == MANY);
    CHECK_OK(hnx_mark_deleted(index, 99));
    CHECK(index_query(index, rows, MANY, 5, labels, NULL) == MANY);
    hnx_free(index);
    free(rows);
}

static void unknown_options(void)
{
    const float row[DIM] = {1, 2, 3};
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, row, 1, 5);
    hnx_query_options options = index_ef(10);
    uint64_t label = 99;
    options.exactness = 4;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_query(index, row, 1, 1, &options, &label, NULL, NULL));
    CHECK(label == 99);
    for (options = index_ef(10); options.exactness <= HNX_EXACTNESS_GUIDED; options.exactness++) {
        CHECK_OK(hnx_query(index, row, 1, 1, &options, &label, NULL, NULL));
        CHECK(label == 5);
    }
    hnx_free(index);
}

int main(void)
{
    fewer_than_k();
    empty_index();
    nothing_asked();
    impossible_sizes();
    huge_ef();
    k_beyond_ef();
    unknown_options();
    return 0;
}
