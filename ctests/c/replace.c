/* HNX_ADD_REPLACE_DELETED: new labels take the places of deleted ones, existing labels are updated, and no label
 * ever appears twice. */
#include "index.h"

enum { DIM = 5, COUNT = 200 };

static hnx_index *full_index(const float *rows)
{
    hnx_options options = index_options(HNX_METRIC_L2, DIM, COUNT);
    uint64_t *labels = check_labels(COUNT, 0);
    hnx_index *index = NULL;
    options.flags = HNX_ALLOW_REPLACE_DELETED;
    CHECK_OK(hnx_init(&options, &index));
    CHECK_OK(index_add(index, rows, labels, COUNT));
    free(labels);
    return index;
}

/* Every answer to a query for everything, each label once; returns how many. */
static size_t all_labels(const hnx_index *index, uint64_t labels[2 * COUNT])
{
    const float query[DIM] = {0};
    float distances[2 * COUNT];
    const size_t count = index_query(index, query, 2 * COUNT, 4 * COUNT, labels, distances);
    index_check_row(labels, distances, count, 2 * COUNT);
    return count;
}

static void places_are_reused(const float *rows)
{
    float *fresh = check_vectors(30, DIM, 11), back[DIM];
    uint64_t labels[2 * COUNT];
    hnx_index *index = full_index(rows);
    for (uint64_t label = 0; label < 30; label++)
        CHECK_OK(hnx_mark_deleted(index, label * 5));
    CHECK_STATUS(HNX_ERR_FULL, index_add_one(index, fresh, 1000)); /* without the flag there is no place */
    for (uint64_t at = 0; at < 30; at++) {
        const uint64_t label = 1000 + at;
        CHECK_OK(index_add_flags(index, fresh + at * DIM, &label, 1, HNX_ADD_REPLACE_DELETED));
        CHECK(hnx_count(index) == COUNT && hnx_deleted_count(index) == 29 - at);
    }
    for (uint64_t at = 0; at < 30; at++) {
        const uint64_t label = 1000 + at;
        CHECK(index_nearest(index, fresh + at * DIM, COUNT) == label);
        CHECK_OK(hnx_get(index, &label, 1, back));
        CHECK(memcmp(back, fresh + at * DIM, sizeof back) == 0);
        /* The old label is gone for good. */
        CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_unmark_deleted(index, at * 5));
        CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_mark_deleted(index, at * 5));
    }
    CHECK(all_labels(index, labels) == COUNT);
    {
        const uint64_t label = 2000;
        CHECK_STATUS(HNX_ERR_FULL, index_add_flags(index, fresh, &label, 1, HNX_ADD_REPLACE_DELETED));
    }
    CHECK(hnx_count(index) == COUNT);
    hnx_free(index);
    free(fresh);
}

/* A label that lives elsewhere is updated where it is; the deleted record keeps its label. */
static void existing_label(const float *rows)
{
    const float place[DIM] = {4, 4, 4, 4, 4};
    const uint64_t label = 50;
    uint64_t labels[2 * COUNT];
    hnx_index *index = full_index(rows);
    CHECK_OK(hnx_mark_deleted(index, 7));
    CHECK_OK(index_add_flags(index, place, &label, 1, HNX_ADD_REPLACE_DELETED));
    CHECK(hnx_count(index) == COUNT && hnx_deleted_count(index) == 1);
    CHECK(index_nearest(index, place, COUNT) == label);
    CHECK(!index_finds(index, rows + 50 * DIM, label, 20, COUNT));
    CHECK(all_labels(index, labels) == COUNT - 1);
    CHECK_OK(hnx_unmark_deleted(index, 7));
    CHECK(all_labels(index, labels) == COUNT);
    CHECK(index_nearest(index, rows + 7 * DIM, COUNT) == 7);
    hnx_free(index);
}

/* A deleted label that is added again lives again, in whichever place, once. */
static void deleted_label(const float *rows)
{
    const float place[DIM] = {4, 4, 4, 4, 4};
    const uint64_t label = 9;
    uint64_t labels[2 * COUNT];
    hnx_index *index = full_index(rows);
    CHECK_OK(hnx_mark_deleted(index, 3));
    CHECK_OK(hnx_mark_deleted(index, 9));
    CHECK_OK(hnx_mark_deleted(index, 12));
    CHECK_OK(index_add_flags(index, place, &label, 1, HNX_ADD_REPLACE_DELETED));
    CHECK(hnx_count(index) == COUNT && hnx_deleted_count(index) == 2);
    CHECK(index_nearest(index, place, COUNT) == 9);
    CHECK(all_labels(index, labels) == COUNT - 2);
    CHECK_STATUS(HNX_ERR_NOT_DELETED, hnx_unmark_deleted(index, 9));
    hnx_free(index);
}

/* Without a deleted record the flag adds as usual; without HNX_ALLOW_REPLACE_DELETED it is refused. */
static void flag_rules(const float *rows)
{
    const uint64_t label = 1;
    hnx_options options = index_options(HNX_METRIC_L2, DIM, 0);
    hnx_index *index = index_make(HNX_METRIC_L2, DIM, 0);
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, index_add_flags(index, rows, &label, 1, HNX_ADD_REPLACE_DELETED));
    CHECK(hnx_count(index) == 0);
    hnx_free(index);
    options.flags = HNX_ALLOW_REPLACE_DELETED;
    CHECK_OK(hnx_init(&options, &index));
    CHECK_OK(index_add_flags(index, rows, &label, 1, HNX_ADD_REPLACE_DELETED));
    CHECK(hnx_count(index) == 1 && index_nearest(index, rows, 10) == 1);
    hnx_free(index);
}

/* Deleting and replacing many times over: the index neither grows nor loses records. */
static void churn(const float *rows)
{
    const size_t rounds = check_pick(200, 3000);
    float *fresh = check_vectors(rounds, DIM, 12), *live = check_vectors(COUNT, DIM, 10);
    uint64_t owner[COUNT], labels[2 * COUNT];
    hnx_index *index = full_index(rows);
    size_t found = 0;
    for (size_t at = 0; at < COUNT; at++)
        owner[at] = at;
    for (size_t round = 0; round < rounds; round++) {
        const size_t at = round * 77 % COUNT;
        const uint64_t label = 10000 + round;
        CHECK_OK(hnx_mark_deleted(index, owner[at]));
        CHECK_OK(index_add_flags(index, fresh + round * DIM, &label, 1, HNX_ADD_REPLACE_DELETED));
        owner[at] = label;
        memcpy(live + at * DIM, fresh + round * DIM, DIM * sizeof *live);
    }
    CHECK(hnx_count(index) == COUNT && hnx_deleted_count(index) == 0);
    CHECK(all_labels(index, labels) * 100 >= COUNT * 99);
    for (size_t at = 0; at < COUNT; at++)
        found += index_nearest(index, live + at * DIM, COUNT) == owner[at];
    CHECK(found * 100 >= COUNT * 99);
    hnx_free(index);
    free(fresh);
    free(live);
}

int main(void)
{
    float *rows = check_vectors(COUNT, DIM, 10);
    places_are_reused(rows);
    existing_label(rows);
    deleted_label(rows);
    flag_rules(rows);
    churn(rows);
    free(rows);
    return 0;
}
