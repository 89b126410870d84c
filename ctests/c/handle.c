/* Memory that is visibly no handle is refused by every function, and hnx_free leaves it alone. */
#include "index.h"

static void refused(void *memory)
{
    hnx_index *index = (hnx_index *)memory;
    const float row[2] = {1, 2};
    const uint64_t label = 1;
    uint64_t found = 99;
    float back[2] = {99, 99};
    hnx_stats_info stats;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_add(index, row, &label, 1, NULL, NULL));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_query(index, row, 1, 1, NULL, &found, NULL, NULL));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_get(index, &label, 1, back));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_mark_deleted(index, 1));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_unmark_deleted(index, 1));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_resize(index, 10));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_set_ef(index, 10));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_stats(index, &stats));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_save(index, "handle.file", HNX_FORMAT_HNSWLIB));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_persist_dirty(index, NULL, NULL));
    CHECK(found == 99 && back[0] == 99 && stats.dim == 0);
    CHECK(hnx_count(index) == 0 && hnx_deleted_count(index) == 0 && hnx_capacity(index) == 0 && hnx_dim(index) == 0);
    hnx_free(index);
}

/* Arrays of the wrong alignment are refused, not read. */
static void misaligned(void)
{
    float rows[4] = {1, 2, 3, 4}, distances[4];
    uint64_t labels[3] = {1, 2, 3};
    size_t counts[3];
    int32_t row_status[3];
    hnx_index *index = index_of(HNX_METRIC_L2, 2, rows, 2, 1);
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_add(index, (float *)(void *)((char *)rows + 1), labels, 1, NULL, NULL));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT,
                 hnx_add(index, rows, (uint64_t *)(void *)((char *)labels + 4), 1, NULL, NULL));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT,
                 hnx_add(index, rows, labels, 1, NULL, (int32_t *)(void *)((char *)row_status + 2)));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT,
                 hnx_query(index, (float *)(void *)((char *)rows + 2), 1, 1, NULL, labels, NULL, NULL));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT,
                 hnx_query(index, rows, 1, 1, NULL, (uint64_t *)(void *)((char *)labels + 1), NULL, NULL));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT,
                 hnx_query(index, rows, 1, 1, NULL, labels, (float *)(void *)((char *)distances + 1), NULL));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT,
                 hnx_query(index, rows, 1, 1, NULL, labels, NULL, (size_t *)(void *)((char *)counts + 4)));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_get(index, labels, 1, (float *)(void *)((char *)distances + 3)));
    CHECK(hnx_count(index) == 2);
    hnx_free(index);
}

int main(void)
{
    enum { SIZE = 1 << 16 };
    unsigned char *memory = (unsigned char *)check_alloc(SIZE, 1), *before = (unsigned char *)check_alloc(SIZE, 1);
    uint64_t state = 39;
    refused(NULL);
    refused(memory);
    refused(memory + 1);
    refused(memory + 4);
    for (int round = 0; round < 10; round++) {
        for (size_t at = 0; at < SIZE; at++)
            memory[at] = (unsigned char)check_next(&state);
        memcpy(before, memory, SIZE);
        refused(memory);
        refused(memory + 64);
        CHECK(memcmp(before, memory, SIZE) == 0);
    }
    misaligned();
    free(memory);
    free(before);
    return 0;
}
