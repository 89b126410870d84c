/* A label that is added again moves to its new vector; a deleted label that is added again lives again. */
#include "index.h"

enum { DIM = 6 };

static void moves(void)
{
    const size_t count = check_pick(200, 2000), moved = count / 4;
    float *rows = check_vectors(count, DIM, 6), *places = check_vectors(moved, DIM, 7), back[DIM];
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, rows, count, 0);
    size_t found = 0;
    for (size_t at = 0; at < moved * DIM; at++)
        places[at] += 3; /* away from all others */
    for (uint64_t label = 0; label < moved; label++) {
        CHECK_OK(index_add_one(index, places + label * DIM, label));
        CHECK(hnx_count(index) == count);
    }
    for (uint64_t label = 0; label < moved; label++) {
        CHECK_OK(hnx_get(index, &label, 1, back));
        CHECK(memcmp(back, places + label * DIM, sizeof back) == 0);
        found += index_nearest(index, places + label * DIM, 200) == label;
        /* Not at the old place: the 50 nearest there are others. */
        CHECK(!index_finds(index, rows + label * DIM, label, 50, 200));
    }
    CHECK(found * 100 >= moved * 99);
    for (uint64_t label = moved; label < count; label++)
        found += index_nearest(index, rows + label * DIM, 200) == label;
    CHECK(found * 100 >= count * 99);
    hnx_free(index);
    free(rows);
    free(places);
}

/* The only record, the same vector again, one label several times in one call: the last row wins. */
static void small_cases(void)
{
    const float rows[3 * DIM] = {1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3};
    const uint64_t same[3] = {8, 8, 8}, label = 8;
    float back[DIM];
    uint64_t labels[3];
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, rows, 1, 8);
    CHECK_OK(index_add_one(index, rows + DIM, 8));
    CHECK_OK(hnx_get(index, &label, 1, back));
    CHECK(back[0] == 2 && hnx_count(index) == 1);
    CHECK_OK(index_add_one(index, rows + DIM, 8));
    CHECK_OK(index_add(index, rows, same, 3));
    CHECK_OK(hnx_get(index, &label, 1, back));
    CHECK(back[0] == 3 && hnx_count(index) == 1);
    CHECK(index_query(index, rows, 3, 10, labels, NULL) == 1 && labels[0] == 8);
    hnx_free(index);
}

static void revive(void)
{
    enum { COUNT = 100 };
    float *rows = check_vectors(COUNT, DIM, 8), place[DIM] = {5, 5, 5, 5, 5, 5}, back[DIM];
    const uint64_t label = 42;
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, rows, COUNT, 0);
    CHECK_OK(hnx_mark_deleted(index, label));
    CHECK(!index_finds(index, rows + 42 * DIM, label, 10, COUNT));
    CHECK_OK(index_add_one(index, place, label));
    CHECK(hnx_count(index) == COUNT && hnx_deleted_count(index) == 0);
    CHECK(index_nearest(index, place, COUNT) == label);
    CHECK(!index_finds(index, rows + 42 * DIM, label, 10, COUNT));
    CHECK_OK(hnx_get(index, &label, 1, back));
    CHECK(memcmp(back, place, sizeof back) == 0);
    CHECK_STATUS(HNX_ERR_NOT_DELETED, hnx_unmark_deleted(index, label));
    hnx_free(index);
    free(rows);
}

/* With a capacity that is used up, updates and revivals still work: they need no new record. */
static void when_full(void)
{
    float *rows = check_vectors(10, DIM, 9), place[DIM] = {5, 5, 5, 5, 5, 5};
    uint64_t *labels = check_labels(10, 0);
    hnx_index *index = index_make(HNX_METRIC_L2, DIM, 10);
    CHECK_OK(index_add(index, rows, labels, 10));
    CHECK_STATUS(HNX_ERR_FULL, index_add_one(index, place, 10));
    CHECK_OK(index_add_one(index, place, 4));
    CHECK(index_nearest(index, place, 10) == 4);
    CHECK_OK(hnx_mark_deleted(index, 5));
    CHECK_STATUS(HNX_ERR_FULL, index_add_one(index, place, 10));
    CHECK_OK(index_add_one(index, rows, 5));
    CHECK(hnx_count(index) == 10 && hnx_deleted_count(index) == 0);
    hnx_free(index);
    free(rows);
    free(labels);
}

int main(void)
{
    moves();
    small_cases();
    revive();
    when_full();
    return 0;
}
