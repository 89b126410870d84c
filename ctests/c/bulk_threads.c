/* One call of hnx_add with several threads: every row is in, every row is found, whatever the order; and labels that
 * occur in several rows end as one of these rows. */
#include "index.h"

enum { DIM = 12 };

int main(void)
{
    const size_t count = check_pick(300, 2000);
    float *rows = check_vectors(count, DIM, 47), back[DIM];
    uint64_t *labels = check_labels(count, 0);
    const uint32_t threads[] = {0, 2, 7};
    for (size_t way = 0; way < 3; way++) {
        const hnx_add_options options = {sizeof options, threads[way], 0};
        int32_t *row_status = (int32_t *)check_alloc(count, sizeof *row_status);
        hnx_index *index = index_make(HNX_METRIC_L2, DIM, way == 1 ? count : 0);
        size_t found = 0;
        for (size_t at = 0; at < count; at++)
            row_status[at] = 99;
        CHECK_OK(hnx_add(index, rows, labels, count, &options, row_status));
        CHECK(hnx_count(index) == count);
        for (uint64_t label = 0; label < count; label++) {
            CHECK(row_status[label] == HNX_OK);
            CHECK_OK(hnx_get(index, &label, 1, back));
            CHECK(memcmp(back, rows + label * DIM, sizeof back) == 0);
            found += index_nearest(index, rows + label * DIM, 200) == label;
        }
        CHECK(found * 1000 >= count * 995);
        hnx_free(index);
        free(row_status);

        /* Ten labels only, each in many rows. */
        for (size_t at = 0; at < count; at++)
            labels[at] = at % 10;
        index = index_make(HNX_METRIC_L2, DIM, 10);
        CHECK_OK(hnx_add(index, rows, labels, count / 2, &options, NULL));
        CHECK(hnx_count(index) == 10);
        for (uint64_t label = 0; label < 10; label++) {
            int is_one_of_them = 0;
            CHECK_OK(hnx_get(index, &label, 1, back));
            for (size_t at = label; at < count / 2; at += 10)
                is_one_of_them |= memcmp(back, rows + at * DIM, sizeof back) == 0;
            CHECK(is_one_of_them);
            CHECK(index_nearest(index, back, 100) == label);
        }
        hnx_free(index);
        for (size_t at = 0; at < count; at++)
            labels[at] = at;
    }
    free(rows);
    free(labels);
    return 0;
}
