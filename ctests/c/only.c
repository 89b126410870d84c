/* HNX_ADD_INSERT_ONLY and HNX_ADD_UPDATE_ONLY, and flags that make no sense. */
#include "index.h"

int main(void)
{
    const float one[2] = {1, 1}, two[2] = {2, 2};
    const uint64_t first = 1, second = 2;
    float back[2];
    hnx_index *index = index_of(HNX_METRIC_L2, 2, one, 1, first);

    CHECK_STATUS(HNX_ERR_EXISTS, index_add_flags(index, two, &first, 1, HNX_ADD_INSERT_ONLY));
    CHECK_OK(hnx_get(index, &first, 1, back));
    CHECK(back[0] == 1 && hnx_count(index) == 1);
    CHECK_OK(index_add_flags(index, two, &second, 1, HNX_ADD_INSERT_ONLY));
    CHECK(hnx_count(index) == 2 && index_nearest(index, two, 10) == second);

    CHECK_STATUS(HNX_ERR_NOT_FOUND, index_add_flags(index, two, (const uint64_t[]){3}, 1, HNX_ADD_UPDATE_ONLY));
    CHECK(hnx_count(index) == 2);
    CHECK_OK(index_add_flags(index, two, &first, 1, HNX_ADD_UPDATE_ONLY));
    CHECK_OK(hnx_get(index, &first, 1, back));
    CHECK(back[0] == 2 && hnx_count(index) == 2);

    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT,
                 index_add_flags(index, one, &first, 1, HNX_ADD_INSERT_ONLY | HNX_ADD_UPDATE_ONLY));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, index_add_flags(index, one, &first, 1, 16));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, index_add_flags(index, one, &first, 1, 0x80000000u));
    CHECK_OK(hnx_get(index, &first, 1, back));
    CHECK(back[0] == 2 && hnx_count(index) == 2);

    /* The same label twice in one call: the second row finds it. */
    {
        const float rows[4] = {5, 5, 6, 6};
        const uint64_t same[2] = {9, 9};
        const hnx_add_options options = {sizeof options, 1, HNX_ADD_INSERT_ONLY};
        int32_t status[2] = {99, 99};
        CHECK_STATUS(HNX_ERR_EXISTS, hnx_add(index, rows, same, 2, &options, status));
        CHECK(status[0] == HNX_OK && status[1] == HNX_ERR_EXISTS);
        CHECK_OK(hnx_get(index, same, 1, back));
        CHECK(back[0] == 5 && hnx_count(index) == 3);
    }
    /* A deleted label exists: it cannot be inserted, and an update brings it back. */
    CHECK_OK(hnx_mark_deleted(index, first));
    CHECK_STATUS(HNX_ERR_EXISTS, index_add_flags(index, one, &first, 1, HNX_ADD_INSERT_ONLY));
    CHECK(hnx_deleted_count(index) == 1);
    CHECK_OK(index_add_flags(index, one, &first, 1, HNX_ADD_UPDATE_ONLY));
    CHECK(hnx_deleted_count(index) == 0 && hnx_count(index) == 3);
    CHECK(index_nearest(index, one, 10) == first);
    hnx_free(index);
    return 0;
}
