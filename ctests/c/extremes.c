/* L2 and inner product of values whose distances overflow, cancel or vanish: ordered answers, no crash, and an
 * infinite distance never looks like the tail of a row. */
#include "index.h"

enum { DIM = 4, COUNT = 6 };

static void values(uint32_t metric, float size, int overflows)
{
    float rows[COUNT * DIM];
    uint64_t labels[COUNT];
    float distances[COUNT];
    size_t count = 0;
    hnx_index *index;
    for (size_t at = 0; at < COUNT * DIM; at++)
        rows[at] = ((at * 7) % 5 > 2 ? -size : size) * (1 + (float)(at % 3));
    index = index_of(metric, DIM, rows, COUNT, 0);
    for (size_t query = 0; query < COUNT; query++) {
        const hnx_query_options options = index_ef(100);
        CHECK_OK(hnx_query(index, rows + query * DIM, 1, COUNT, &options, labels, distances, &count));
        CHECK(count == COUNT);
        for (size_t at = 0; at < count; at++) {
            CHECK(labels[at] < COUNT);
            /* Terms of an inner product may overflow to both infinities, whose sum is no number: no order then. */
            CHECK((metric == HNX_METRIC_IP && overflows) ||
                  (!isnan(distances[at]) && (at == 0 || distances[at - 1] <= distances[at])));
            for (size_t before = 0; before < at; before++)
                CHECK(labels[before] != labels[at]);
        }
        CHECK(metric != HNX_METRIC_L2 || distances[0] == 0);
    }
    hnx_free(index);
}

int main(void)
{
    const float sizes[] = {1e-45f, 1e-30f, 1e-20f, 1, 1e15f, 1e18f, 3e19f, 1e25f, 1e38f};
    for (size_t at = 0; at < sizeof sizes / sizeof *sizes; at++) {
        values(HNX_METRIC_L2, sizes[at], sizes[at] > 1e18f);
        values(HNX_METRIC_IP, sizes[at], sizes[at] > 1e18f);
    }
    return 0;
}
