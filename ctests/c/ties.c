/* Equal distances are ordered by label, however the records came in. */
#include "index.h"

enum { DIM = 4, COPIES = 12 };

static const uint64_t LABELS[COPIES] = {40, 7, UINT64_MAX - 1, 3, 1u << 31, 0, 12, 5000000000u, 41, 6, 99, 2};

static void equal_vectors(uint32_t metric)
{
    float rows[COPIES * DIM];
    uint64_t labels[COPIES];
    float distances[COPIES];
    hnx_index *index = index_make(metric, DIM, 0);
    for (size_t at = 0; at < COPIES * DIM; at++)
        rows[at] = (float)(at % DIM) + 1;
    CHECK_OK(index_add(index, rows, LABELS, COPIES));
    CHECK(index_query(index, rows, COPIES, 100, labels, distances) == COPIES);
    index_check_row(labels, distances, COPIES, COPIES);
    CHECK(labels[0] == 0 && labels[COPIES - 1] == UINT64_MAX - 1);
    CHECK(distances[0] == distances[COPIES - 1]);
    CHECK(index_query(index, rows, 5, 100, labels, distances) == 5);
    index_check_row(labels, distances, 5, 5);
    CHECK_OK(hnx_mark_deleted(index, 12));
    CHECK(index_query(index, rows, COPIES, 100, labels, distances) == COPIES - 1);
    index_check_row(labels, distances, COPIES - 1, COPIES);
    CHECK(labels[0] == 0 && labels[COPIES - 2] == UINT64_MAX - 1);
    /* Where most are deleted the search goes another way: the order is the same. */
    for (size_t at = 0; at < COPIES; at++)
        if (LABELS[at] >= 3 && LABELS[at] < 100 && LABELS[at] != 12)
            CHECK_OK(hnx_mark_deleted(index, LABELS[at]));
    CHECK(index_query(index, rows, COPIES, 100, labels, distances) == COPIES - 7);
    index_check_row(labels, distances, COPIES - 7, COPIES);
    CHECK(labels[0] == 0 && labels[1] == 2 && labels[2] == (1u << 31) && labels[COPIES - 8] == UINT64_MAX - 1);
    hnx_free(index);
}

/* Points of a small grid: many ties at every distance. */
static void grid(void)
{
    enum { SIDE = 7, COUNT = SIDE * SIDE };
    float rows[COUNT * 2];
    uint64_t labels[COUNT], shuffled[COUNT];
    float distances[COUNT];
    const float middle[2] = {3, 3};
    hnx_index *index = index_make(HNX_METRIC_L2, 2, 0);
    for (size_t at = 0; at < COUNT; at++) {
        rows[2 * at] = (float)(at % SIDE);
        rows[2 * at + 1] = (float)(at / SIDE);
        shuffled[at] = at * 30 % 49 + 100; /* 30 and 49 have no common divisor: each label once */
    }
    CHECK_OK(index_add(index, rows, shuffled, COUNT));
    CHECK(index_query(index, middle, COUNT, 1000, labels, distances) == COUNT);
    index_check_row(labels, distances, COUNT, COUNT);
    CHECK(distances[0] == 0 && distances[1] == 1 && distances[4] == 1 && distances[5] == 2 &&
          distances[COUNT - 1] == 18);
    CHECK_OK(hnx_mark_deleted(index, 100));
    CHECK(index_query(index, middle, COUNT, 1000, labels, distances) == COUNT - 1);
    index_check_row(labels, distances, COUNT - 1, COUNT);
    hnx_free(index);
}

int main(void)
{
    equal_vectors(HNX_METRIC_L2);
    equal_vectors(HNX_METRIC_IP);
    equal_vectors(HNX_METRIC_COSINE);
    grid();
    return 0;
}
