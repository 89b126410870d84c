/* NULL for every pointer of every function: the documented status, outputs untouched, no crash.
 * Each line names function and parameter first; the caller compares these names with the header. */
#include "check.h"

#define CASE(function, parameter, expected, call) CHECK_STATUS(expected, call)
/* For functions that return a value, and for those that return nothing. */
#define VALUE(function, parameter, condition) CHECK(condition)
#define NOTHING(function, parameter, call) call

static hnx_index *index_of_dim_2(void)
{
    hnx_options options = {sizeof options, HNX_METRIC_L2, 0, 2, 0, 0, 0, 0, NULL};
    hnx_index *index = NULL;
    CHECK_OK(hnx_init(&options, &index));
    return index;
}

static void making_and_opening(void)
{
    const hnx_options options = {sizeof options, HNX_METRIC_L2, 0, 2, 0, 0, 0, 0, NULL};
    const hnx_load_options load = {sizeof load, HNX_METRIC_L2, 0, 2, 0, HNX_CHECK_DEFAULT, 0};
    char place;
    hnx_index *const before = (hnx_index *)(void *)&place;
    hnx_index *out = before;
    CASE(hnx_init, options, HNX_ERR_INVALID_ARGUMENT, hnx_init(NULL, &out));
    CASE(hnx_init, out_index, HNX_ERR_INVALID_ARGUMENT, hnx_init(&options, NULL));
    CASE(hnx_load, path, HNX_ERR_INVALID_ARGUMENT, hnx_load(NULL, &load, &out));
    CASE(hnx_load, options, HNX_ERR_INVALID_ARGUMENT, hnx_load("absent", NULL, &out));
    CASE(hnx_load, out_index, HNX_ERR_INVALID_ARGUMENT, hnx_load("absent", &load, NULL));
    CHECK(out == before);
}

static void writing(hnx_index *index)
{
    const float vector[2] = {1, 2};
    const uint64_t label = 7;
    int32_t row = 99;
    CASE(hnx_add, index, HNX_ERR_INVALID_ARGUMENT, hnx_add(NULL, vector, &label, 1, NULL, &row));
    CASE(hnx_add, vectors, HNX_ERR_INVALID_ARGUMENT, hnx_add(index, NULL, &label, 1, NULL, &row));
    CASE(hnx_add, labels, HNX_ERR_INVALID_ARGUMENT, hnx_add(index, vector, NULL, 1, NULL, &row));
    CHECK(row == 99);
    CHECK(hnx_count(index) == 0);
    CHECK_OK(hnx_add(index, NULL, NULL, 0, NULL, NULL));
    CASE(hnx_add, options, HNX_OK, hnx_add(index, vector, &label, 1, NULL, &row));
    CASE(hnx_add, out_row_status, HNX_OK, hnx_add(index, vector, &label, 1, NULL, NULL));
    CASE(hnx_mark_deleted, index, HNX_ERR_INVALID_ARGUMENT, hnx_mark_deleted(NULL, 7));
    CASE(hnx_unmark_deleted, index, HNX_ERR_INVALID_ARGUMENT, hnx_unmark_deleted(NULL, 7));
    CASE(hnx_resize, index, HNX_ERR_INVALID_ARGUMENT, hnx_resize(NULL, 10));
    CASE(hnx_set_ef, index, HNX_ERR_INVALID_ARGUMENT, hnx_set_ef(NULL, 10));
}

static void searching(const hnx_index *index)
{
    const float query[2] = {1, 2};
    const uint64_t label = 7;
    uint64_t found = 99;
    float distance = 99, vector[2] = {99, 99};
    size_t count = 99;
    CASE(hnx_query, index, HNX_ERR_INVALID_ARGUMENT, hnx_query(NULL, query, 1, 1, NULL, &found, &distance, &count));
    CASE(hnx_query, queries, HNX_ERR_INVALID_ARGUMENT, hnx_query(index, NULL, 1, 1, NULL, &found, &distance, &count));
    CASE(hnx_query, out_labels, HNX_ERR_INVALID_ARGUMENT, hnx_query(index, query, 1, 1, NULL, NULL, &distance, &count));
    CHECK(found == 99 && count == 99 && distance > 98);
    CASE(hnx_query, options, HNX_OK, hnx_query(index, query, 1, 1, NULL, &found, &distance, &count));
    CASE(hnx_query, out_distances, HNX_OK, hnx_query(index, query, 1, 1, NULL, &found, NULL, &count));
    CASE(hnx_query, out_counts, HNX_OK, hnx_query(index, query, 1, 1, NULL, &found, &distance, NULL));
    CHECK_OK(hnx_query(index, NULL, 0, 1, NULL, NULL, NULL, NULL));
    CASE(hnx_get, index, HNX_ERR_INVALID_ARGUMENT, hnx_get(NULL, &label, 1, vector));
    CASE(hnx_get, labels, HNX_ERR_INVALID_ARGUMENT, hnx_get(index, NULL, 1, vector));
    CASE(hnx_get, out_vectors, HNX_ERR_INVALID_ARGUMENT, hnx_get(index, &label, 1, NULL));
    CHECK(vector[0] > 98 && vector[1] > 98);
}

static void writing_files(hnx_index *memory_only)
{
    const hnx_options options = {sizeof options, HNX_METRIC_L2, 0, 2, 0, 0, 0, 0, "null.directory"};
    const hnx_persist_options persist = {sizeof persist, 0, 0};
    hnx_persist_info info = {sizeof info, 99, 99, 99};
    hnx_index *index = NULL;
    CHECK_OK(hnx_init(&options, &index));
    CASE(hnx_persist_dirty, index, HNX_ERR_INVALID_ARGUMENT, hnx_persist_dirty(NULL, &persist, &info));
    CHECK(info.generation == 99 && info.records_written == 99 && info.bytes_written == 99);
    CASE(hnx_persist_dirty, options, HNX_OK, hnx_persist_dirty(index, NULL, &info));
    CASE(hnx_persist_dirty, out_info, HNX_OK, hnx_persist_dirty(index, &persist, NULL));
    hnx_free(index);
    CASE(hnx_save, index, HNX_ERR_INVALID_ARGUMENT, hnx_save(NULL, "null.file", HNX_FORMAT_HNSWLIB));
    CASE(hnx_save, path, HNX_ERR_INVALID_ARGUMENT, hnx_save(memory_only, NULL, HNX_FORMAT_HNSWLIB));
}

static void salvaging(void)
{
    const hnx_salvage_options options = {sizeof options, HNX_METRIC_L2, 0, 2, 0, 0, 0, 0};
    hnx_salvage_info info = {0};
    char place;
    hnx_index *const before = (hnx_index *)(void *)&place;
    hnx_index *out = before;
    info.struct_size = sizeof info;
    info.kept = 99;
    CASE(hnx_salvage, path, HNX_ERR_INVALID_ARGUMENT, hnx_salvage(NULL, &options, &out, &info));
    CASE(hnx_salvage, options, HNX_ERR_INVALID_ARGUMENT, hnx_salvage("null.directory", NULL, &out, &info));
    CASE(hnx_salvage, out_index, HNX_ERR_INVALID_ARGUMENT, hnx_salvage("null.directory", &options, NULL, &info));
    CHECK(out == before && info.kept == 99);
    CASE(hnx_salvage, out_info, HNX_OK, hnx_salvage("null.directory", &options, &out, NULL));
    hnx_free(out);
}

static void asking(const hnx_index *index)
{
    hnx_stats_info stats = {0};
    char text[16] = "kept";
    stats.struct_size = sizeof stats;
    CASE(hnx_stats, index, HNX_ERR_INVALID_ARGUMENT, hnx_stats(NULL, &stats));
    CHECK(stats.dim == 0 && stats.m == 0);
    CASE(hnx_stats, out_stats, HNX_ERR_INVALID_ARGUMENT, hnx_stats(index, NULL));
    VALUE(hnx_count, index, hnx_count(NULL) == 0);
    VALUE(hnx_deleted_count, index, hnx_deleted_count(NULL) == 0);
    VALUE(hnx_capacity, index, hnx_capacity(NULL) == 0);
    VALUE(hnx_dim, index, hnx_dim(NULL) == 0);
    VALUE(hnx_last_error, buffer, hnx_last_error(NULL, 0) > 0);
    CHECK(hnx_last_error(NULL, 16) > 0); /* not promised, but no reason to crash */
    CHECK(hnx_last_error(text, 0) > 0 && text[0] == 'k');
}

int main(void)
{
    hnx_index *index = index_of_dim_2();
    making_and_opening();
    writing(index);
    searching(index);
    writing_files(index);
    salvaging();
    asking(index);
    hnx_free(index);
    NOTHING(hnx_free, index, hnx_free(NULL));
    return 0;
}
