/* Several indexes in one process share nothing: metrics, dims, deletions, candidate lists, files are their own. */
#include "index.h"

enum { MOST = 12, COUNT = 60 };

int main(void)
{
    /* An index that grows reserves addresses, of which there are few under valgrind. */
    const size_t count = check_pick(4, MOST);
    hnx_index *indexes[MOST];
    float *rows[MOST];
    size_t found = 0;
    for (size_t at = 0; at < count; at++) {
        rows[at] = check_vectors(COUNT, at + 2, at);
        indexes[at] = index_make((uint32_t)(at % 3), at + 2, at % 2 ? COUNT : 0);
    }
    for (size_t row = 0; row < COUNT; row++) /* in turns */
        for (size_t at = 0; at < count; at++)
            CHECK_OK(index_add_one(indexes[at], rows[at] + row * (at + 2), row));
    for (size_t at = 0; at < count; at++) {
        CHECK_OK(hnx_set_ef(indexes[at], 100 + at));
        CHECK_OK(hnx_mark_deleted(indexes[at], at));
    }
    for (size_t at = 0; at < count; at++) {
        CHECK(hnx_dim(indexes[at]) == at + 2 && index_stats(indexes[at]).ef == 100 + at &&
              index_stats(indexes[at]).metric == at % 3);
        CHECK(hnx_deleted_count(indexes[at]) == 1);
        CHECK_STATUS(HNX_ERR_ALREADY_DELETED, hnx_mark_deleted(indexes[at], at));
    }
    for (size_t at = 0; at < count; at += 2) /* some go, the others do not notice */
        hnx_free(indexes[at]);
    for (size_t at = 1; at < count; at += 2) {
        for (size_t row = 0; row < COUNT; row++)
            found +=
                row == at || at % 3 == HNX_METRIC_IP || index_nearest(indexes[at], rows[at] + row * (at + 2), 0) == row;
        hnx_free(indexes[at]);
    }
    CHECK(found * 100 >= count / 2 * COUNT * 99);
    for (size_t at = 0; at < count; at++)
        free(rows[at]);
    return 0;
}
