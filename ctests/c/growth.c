/* Growing on demand, a fixed capacity that is used up, and changing it. */
#include "index.h"

enum { DIM = 4 };

static void on_demand(void)
{
    const size_t count = check_pick(600, 12000);
    float *rows = check_vectors(count, DIM, 13);
    hnx_options options = index_options(HNX_METRIC_L2, DIM, 0);
    hnx_index *index = NULL;
    size_t found = 0;
    options.m = 6;
    options.ef_construction = 40;
    CHECK_OK(hnx_init(&options, &index));
    for (uint64_t label = 0; label < count; label++) {
        CHECK_OK(index_add_one(index, rows + label * DIM, label));
        CHECK(hnx_count(index) == label + 1 && hnx_capacity(index) >= label + 1);
    }
    for (uint64_t label = 0; label < count; label++)
        found += index_nearest(index, rows + label * DIM, 50) == label;
    CHECK(found * 1000 >= count * 995);
    /* A capacity set by hand does not end the growth. */
    CHECK_OK(hnx_resize(index, count));
    CHECK_OK(index_add_one(index, rows, count));
    CHECK(hnx_count(index) == count + 1);
    hnx_free(index);
    free(rows);
}

static void fixed(void)
{
    float *rows = check_vectors(60, DIM, 14), back[DIM];
    uint64_t *labels = check_labels(60, 0);
    hnx_index *index = index_make(HNX_METRIC_L2, DIM, 50);
    CHECK(hnx_capacity(index) == 50);
    CHECK_STATUS(HNX_ERR_FULL, index_add(index, rows, labels, 60));
    CHECK(hnx_count(index) == 50);
    for (size_t round = 0; round < 3; round++) {
        CHECK_STATUS(HNX_ERR_FULL, index_add(index, rows + 55 * DIM, labels + 55, 1));
        CHECK(hnx_count(index) == 50);
    }
    CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_get(index, labels + 55, 1, back));
    for (uint64_t label = 0; label < 50; label++)
        CHECK(index_nearest(index, rows + label * DIM, 50) == label);
    CHECK_OK(hnx_mark_deleted(index, 3));
    CHECK_OK(hnx_unmark_deleted(index, 3));

    CHECK_OK(hnx_resize(index, 55));
    CHECK(hnx_capacity(index) == 55);
    CHECK_STATUS(HNX_ERR_FULL, index_add(index, rows + 50 * DIM, labels + 50, 10));
    CHECK(hnx_count(index) == 55);
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_resize(index, 54));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_resize(index, 0));
    CHECK(hnx_capacity(index) == 55);
    CHECK_OK(hnx_resize(index, 1000));
    CHECK(hnx_capacity(index) == 1000);
    CHECK_OK(index_add(index, rows + 55 * DIM, labels + 55, 5));
    CHECK_OK(hnx_resize(index, 60)); /* down again, to what is there */
    CHECK(hnx_capacity(index) == 60 && hnx_count(index) == 60);
    CHECK_STATUS(HNX_ERR_FULL, index_add_one(index, rows, 60));
    for (uint64_t label = 0; label < 60; label++)
        CHECK(index_nearest(index, rows + label * DIM, 60) == label);
    hnx_free(index);
    free(rows);
    free(labels);
}

/* Resizing far beyond what the first capacity suggested: it works, or says why not, and nothing is lost. */
static void far_up(void)
{
    const float row[DIM] = {1, 2, 3, 4};
    hnx_index *index = index_make(HNX_METRIC_L2, DIM, 10);
    hnx_status status;
    CHECK_OK(index_add_one(index, row, 1));
    for (size_t capacity = 100; capacity <= 100000000; capacity *= 10) {
        status = hnx_resize(index, capacity);
        CHECK(status == HNX_OK || status == HNX_ERR_OUT_OF_MEMORY);
        CHECK(hnx_capacity(index) >= (status == HNX_OK ? capacity : 10));
    }
    status = hnx_resize(index, SIZE_MAX);
    CHECK(status == HNX_ERR_INVALID_ARGUMENT || status == HNX_ERR_OUT_OF_MEMORY);
    CHECK(hnx_count(index) == 1 && index_nearest(index, row, 10) == 1);
    CHECK_OK(index_add_one(index, row, 2));
    hnx_free(index);
}

/* A large capacity is a limit, not an allocation: memory is used for what is there. */
static void large_capacity(void)
{
    const float row[DIM] = {1, 2, 3, 4};
    hnx_index *index = index_make(HNX_METRIC_L2, DIM, 50000000);
    CHECK(hnx_capacity(index) == 50000000);
    CHECK_OK(index_add_one(index, row, 1));
    CHECK(index_nearest(index, row, 10) == 1);
    hnx_free(index);
}

int main(void)
{
    on_demand();
    fixed();
    far_up();
    large_capacity();
    return 0;
}
