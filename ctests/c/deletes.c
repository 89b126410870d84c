/* Deleting and taking it back: statuses, counts, and that a deleted label is never an answer. */
#include "index.h"

enum { DIM = 8 };

static void statuses(void)
{
    const float row[DIM] = {1};
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, row, 1, 5);
    const uint64_t label = 5;
    float back[DIM];
    CHECK_TEXT(HNX_ERR_NOT_FOUND, "77", hnx_mark_deleted(index, 77));
    CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_unmark_deleted(index, 77));
    CHECK_STATUS(HNX_ERR_NOT_DELETED, hnx_unmark_deleted(index, 5));
    CHECK_OK(hnx_get(index, &label, 1, back));
    CHECK_OK(hnx_mark_deleted(index, 5));
    CHECK_STATUS(HNX_ERR_ALREADY_DELETED, hnx_mark_deleted(index, 5));
    CHECK(hnx_count(index) == 1 && hnx_deleted_count(index) == 1 && index_stats(index).deleted == 1);
    CHECK_TEXT(HNX_ERR_NOT_FOUND, "label 5 is deleted", hnx_get(index, &label, 1, back));
    CHECK_OK(hnx_unmark_deleted(index, 5));
    CHECK(hnx_count(index) == 1 && hnx_deleted_count(index) == 0 && index_stats(index).deleted == 0);
    CHECK_OK(hnx_get(index, &label, 1, back));
    CHECK(memcmp(back, row, sizeof row) == 0);
    CHECK(index_nearest(index, row, 10) == 5);
    hnx_free(index);
}

static void never_found(void)
{
    const size_t count = check_pick(150, 2000);
    float *rows = check_vectors(count, DIM, 4);
    uint64_t *labels = (uint64_t *)check_alloc(count, sizeof *labels);
    float *distances = (float *)check_alloc(count, sizeof *distances);
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, rows, count, 0);
    size_t deleted = 0, found = 0;
    for (uint64_t label = 0; label < count; label++)
        if (label % 3 == 1) {
            CHECK_OK(hnx_mark_deleted(index, label));
            CHECK(hnx_deleted_count(index) == ++deleted);
        }
    CHECK(hnx_count(index) == count);
    for (uint64_t label = 0; label < count; label++) {
        const size_t got = index_query(index, rows + label * DIM, 10, 200, labels, distances);
        CHECK(got == 10);
        index_check_row(labels, distances, got, 10);
        for (size_t at = 0; at < got; at++)
            CHECK(labels[at] % 3 != 1);
        found += label % 3 != 1 && labels[0] == label;
    }
    CHECK(found * 1000 >= (count - deleted) * 995);
    /* With every record in the candidate list all live ones are found, and only they. */
    CHECK(index_query(index, rows, count, count, labels, distances) >= (count - deleted) * 995 / 1000);
    for (uint64_t label = 1; label < count; label += 3)
        CHECK_OK(hnx_unmark_deleted(index, label));
    CHECK(hnx_deleted_count(index) == 0);
    CHECK(index_nearest(index, rows + DIM, 200) == 1);
    hnx_free(index);
    free(rows);
    free(labels);
    free(distances);
}

/* The entry point and everything around it may go: what is left is found all the same. */
static void all_but_one(void)
{
    enum { COUNT = 300 };
    float *rows = check_vectors(COUNT, DIM, 5);
    const float added[DIM] = {9, 9, 9, 9, 9, 9, 9, 9};
    uint64_t labels[4];
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, rows, COUNT, 0);
    for (uint64_t label = 0; label < COUNT; label++)
        if (label != 123)
            CHECK_OK(hnx_mark_deleted(index, label));
    CHECK(index_query(index, rows + 7 * DIM, 4, COUNT, labels, NULL) == 1 && labels[0] == 123);
    CHECK_OK(hnx_mark_deleted(index, 123));
    CHECK(index_query(index, rows, 4, COUNT, labels, NULL) == 0);
    /* A record added among deleted ones only is reachable. */
    CHECK_OK(index_add_one(index, added, 1000));
    CHECK(index_query(index, added, 4, COUNT, labels, NULL) == 1 && labels[0] == 1000);
    hnx_free(index);
    free(rows);
}

int main(void)
{
    statuses();
    never_found();
    all_but_one();
    return 0;
}
