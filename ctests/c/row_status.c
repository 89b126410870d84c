/* hnx_add row by row: with out_row_status the rows are independent, without it adding ends at the first failure. */
#include "index.h"

enum { DIM = 3, ROWS = 6 };

static hnx_status add(hnx_index *index, const float *rows, const uint64_t *labels, uint32_t threads,
                      int32_t *row_status)
{
    const hnx_add_options options = {sizeof options, threads, 0};
    return hnx_add(index, rows, labels, ROWS, &options, row_status);
}

static const uint64_t LABELS[ROWS] = {10, 11, 12, 13, 14, 15};

static void independent(uint32_t threads)
{
    float rows[ROWS * DIM];
    int32_t row_status[ROWS + 1] = {99, 99, 99, 99, 99, 99, 99};
    uint64_t labels[ROWS];
    hnx_index *index = index_make(HNX_METRIC_L2, DIM, 0);
    check_fill(rows, ROWS * DIM, 15);
    rows[2 * DIM + 1] = NAN;
    rows[4 * DIM] = -INFINITY;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, add(index, rows, LABELS, threads, row_status));
    for (size_t row = 0; row < ROWS; row++)
        CHECK(row_status[row] == (row == 2 || row == 4 ? HNX_ERR_INVALID_ARGUMENT : HNX_OK));
    CHECK(row_status[ROWS] == 99);
    CHECK(hnx_count(index) == 4);
    check_fill(rows, ROWS * DIM, 15);
    CHECK(index_query(index, rows, ROWS, 100, labels, NULL) == 4 && labels[0] == 10);
    CHECK_OK(add(index, rows, LABELS, threads, row_status));
    for (size_t row = 0; row < ROWS; row++)
        CHECK(row_status[row] == HNX_OK);
    CHECK(hnx_count(index) == ROWS);
    hnx_free(index);
}

/* Capacity for some of the rows only: as many as fit are in, the others say FULL. */
static void some_fit(uint32_t threads)
{
    float rows[ROWS * DIM];
    int32_t row_status[ROWS];
    size_t added = 0, full = 0;
    hnx_index *index = index_make(HNX_METRIC_L2, DIM, 4);
    check_fill(rows, ROWS * DIM, 16);
    CHECK_STATUS(HNX_ERR_FULL, add(index, rows, LABELS, threads, row_status));
    for (size_t row = 0; row < ROWS; row++) {
        const int is_in = index_finds(index, rows + row * DIM, LABELS[row], 4, 100);
        CHECK(is_in == (row_status[row] == HNX_OK));
        added += row_status[row] == HNX_OK;
        full += row_status[row] == HNX_ERR_FULL;
        CHECK(threads != 1 || is_in == (row < 4));
    }
    CHECK(added == 4 && full == 2 && hnx_count(index) == 4);
    hnx_free(index);
}

static void first_failure(void)
{
    const hnx_add_options options = {sizeof options, 1, HNX_ADD_INSERT_ONLY};
    float rows[ROWS * DIM];
    int32_t row_status[ROWS];
    hnx_index *index = index_make(HNX_METRIC_L2, DIM, 0);
    check_fill(rows, ROWS * DIM, 17);
    /* Not a single row is added when one holds a value that is not finite: that is found before. */
    rows[4 * DIM + 2] = INFINITY;
    CHECK_TEXT(HNX_ERR_INVALID_ARGUMENT, "row 4", add(index, rows, LABELS, 1, NULL));
    CHECK(hnx_count(index) == 0);
    /* A label that exists is found on the way: the rows before it are in, those behind it are not. */
    check_fill(rows, ROWS * DIM, 17);
    CHECK_OK(index_add_one(index, rows, 13));
    CHECK_TEXT(HNX_ERR_EXISTS, "row 3", hnx_add(index, rows, LABELS, ROWS, &options, NULL));
    CHECK(hnx_count(index) == 4);
    CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_mark_deleted(index, 14));
    /* With row_status the others are in, and the status is that of the first failing row. */
    CHECK_STATUS(HNX_ERR_EXISTS, hnx_add(index, rows, LABELS, ROWS, &options, row_status));
    for (size_t row = 0; row < ROWS; row++)
        CHECK(row_status[row] == (row < 4 ? HNX_ERR_EXISTS : HNX_OK));
    CHECK(hnx_count(index) == ROWS);
    hnx_free(index);
}

/* Two reasons in one call: the first row's counts. */
static void first_reason(void)
{
    const hnx_add_options options = {sizeof options, 1, HNX_ADD_UPDATE_ONLY};
    float rows[ROWS * DIM];
    int32_t row_status[ROWS];
    hnx_index *index = index_make(HNX_METRIC_L2, DIM, 0);
    check_fill(rows, ROWS * DIM, 18);
    CHECK_OK(index_add_one(index, rows, 10));
    rows[3 * DIM] = rows[5 * DIM] = NAN;
    CHECK_TEXT(HNX_ERR_NOT_FOUND, "row 1:", hnx_add(index, rows, LABELS, ROWS, &options, row_status));
    CHECK(row_status[0] == HNX_OK && row_status[1] == HNX_ERR_NOT_FOUND && row_status[2] == HNX_ERR_NOT_FOUND);
    CHECK(row_status[3] == HNX_ERR_INVALID_ARGUMENT && row_status[4] == HNX_ERR_NOT_FOUND);
    CHECK(row_status[5] == HNX_ERR_INVALID_ARGUMENT);
    CHECK(hnx_count(index) == 1);
    hnx_free(index);
}

int main(void)
{
    for (uint32_t threads = 0; threads < 4; threads++) {
        independent(threads);
        some_fit(threads);
    }
    first_failure();
    first_reason();
    return 0;
}
