/* A mapped file: whatever is done to the index, the bytes of the file stay; and the file may go away. */
#include "load.h"

enum { DIM = 16 };

static void writes_stay_private(uint32_t format)
{
    const size_t count = check_pick(60, 300);
    float *rows = check_vectors(count, DIM, 27), *fresh = check_vectors(count, DIM, 28);
    hnx_index *index = index_of(HNX_METRIC_COSINE, DIM, rows, count, 0), *mapped, *again;
    const uint64_t replacing = 5000;
    CHECK_OK(hnx_save(index, "file", format));
    CHECK_OK(hnx_save(index, "copy", format));
    CHECK(files_equal("file", "copy"));
    mapped = load_index("file", HNX_METRIC_COSINE, DIM, HNX_LOAD_MMAP | HNX_ALLOW_REPLACE_DELETED);
    CHECK((index_stats(mapped).flags & HNX_LOAD_MMAP) != 0);
    for (uint64_t at = 0; at < count; at++) {
        if (at % 3 == 0)
            CHECK_OK(index_add_one(mapped, fresh + at * DIM, 1000 + at)); /* new */
        else if (at % 3 == 1)
            CHECK_OK(index_add_one(mapped, fresh + at * DIM, at)); /* moved */
        else
            CHECK_OK(hnx_mark_deleted(mapped, at));
    }
    CHECK_OK(index_add_flags(mapped, fresh, &replacing, 1, HNX_ADD_REPLACE_DELETED));
    CHECK_OK(hnx_resize(mapped, 10 * count));
    CHECK(files_equal("file", "copy"));

    /* What was changed is in the index, and in what it saves. */
    CHECK_OK(hnx_save(mapped, "changed", format));
    again = load_index("changed", HNX_METRIC_COSINE, DIM, 0);
    index_check_same(mapped, again, fresh, count, 5, 50);
    CHECK(hnx_count(mapped) == count + count / 3);
    hnx_free(again);

    /* Without its name the file lives on as long as it is mapped. */
    files_remove("file");
    CHECK_OK(index_add_one(mapped, rows, 9999));
    CHECK(hnx_count(mapped) == count + count / 3 + 1);
    index_check_same(mapped, mapped, rows, count, 5, 50);
    hnx_free(mapped);
    hnx_free(index);
    files_remove("copy");
    files_remove("changed");
    free(rows);
    free(fresh);
}

/* Codes on request: the records stay in the file. */
static void guided(uint32_t flags)
{
    const size_t count = 1200;
    float *rows = check_vectors(count, DIM, 31);
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, rows, count, 0), *mapped, *loaded;
    CHECK_OK(hnx_save(index, "file", HNX_FORMAT_HNSWLIB));
    CHECK_OK(hnx_save(index, "copy", HNX_FORMAT_HNSWLIB));
    mapped = load_index("file", HNX_METRIC_L2, DIM, HNX_LOAD_MMAP | flags);
    CHECK(index_stats(mapped).exactness == HNX_EXACTNESS_F32 && index_stats(mapped).code_bytes == 0);
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_set_exactness(mapped, 4));
    CHECK_OK(hnx_set_exactness(mapped, HNX_EXACTNESS_DEFAULT));
    CHECK(index_stats(mapped).code_bytes == 0);
    CHECK_OK(hnx_set_exactness(mapped, HNX_EXACTNESS_GUIDED));
    CHECK(index_stats(mapped).exactness == HNX_EXACTNESS_GUIDED && index_stats(mapped).code_bytes >= count * DIM);
    loaded = load_index("copy", HNX_METRIC_L2, DIM, 0);
    CHECK(index_stats(loaded).exactness == HNX_EXACTNESS_GUIDED);
    index_check_same(mapped, loaded, rows, count, 5, 50);
    CHECK_OK(hnx_set_exactness(mapped, HNX_EXACTNESS_F32));
    CHECK(index_stats(mapped).exactness == HNX_EXACTNESS_F32 && index_stats(mapped).code_bytes == 0);
    CHECK(files_equal("file", "copy"));
    hnx_free(loaded);
    hnx_free(mapped);
    hnx_free(index);
    files_remove("file");
    files_remove("copy");
    free(rows);
}

/* Codes beside the file: there at once, with the answers of the index that wrote them, and for its records only. */
static void codes_beside(uint32_t metric, const char *path, const char *codes, uint32_t format)
{
    const size_t count = 1200;
    float *rows = check_vectors(count, DIM, 33);
    hnx_index *index = index_of(metric, DIM, rows, count, 0), *mapped;
    CHECK_OK(hnx_mark_deleted(index, 17));
    CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_save_codes(index, path));
    CHECK_OK(hnx_save(index, path, format));
    CHECK_OK(hnx_save_codes(index, path));
    CHECK_OK(hnx_save_codes(index, path));
    CHECK(files_exists(codes));
    for (uint32_t flags = 0; flags <= HNX_LOAD_READ_ONLY; flags += HNX_LOAD_READ_ONLY) {
        mapped = load_index(path, metric, DIM, HNX_LOAD_MMAP | flags);
        CHECK(index_stats(mapped).exactness == HNX_EXACTNESS_GUIDED && index_stats(mapped).code_bytes >= count * DIM);
        CHECK(hnx_deleted_count(mapped) == 1);
        index_check_same(mapped, index, rows, count, 5, 50);
        CHECK_OK(hnx_set_exactness(mapped, HNX_EXACTNESS_DEFAULT));
        CHECK(index_stats(mapped).exactness == HNX_EXACTNESS_GUIDED);
        CHECK_OK(hnx_set_exactness(mapped, HNX_EXACTNESS_F32));
        CHECK(index_stats(mapped).code_bytes == 0);
        hnx_free(mapped);
    }
    CHECK_OK(hnx_mark_deleted(index, 18));
    CHECK_STATUS(HNX_ERR_CONFLICT, hnx_save_codes(index, path));
    files_remove(path);
    CHECK_OK(hnx_save(index, path, format));
    if (format != HNX_FORMAT_CHROMA_DIRECTORY)
        CHECK(files_exists(codes));
    mapped = load_index(path, metric, DIM, HNX_LOAD_MMAP | HNX_LOAD_READ_ONLY);
    CHECK(index_stats(mapped).exactness == HNX_EXACTNESS_F32 && index_stats(mapped).code_bytes == 0);
    CHECK(hnx_deleted_count(mapped) == 2);
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_save_codes(mapped, path));
    hnx_free(mapped);
    hnx_free(index);
    files_remove(path);
    files_remove(codes);
    free(rows);
}

/* Two mappings of one file do not see each other. */
static void two_mappings(void)
{
    const size_t count = check_pick(60, 300);
    float *rows = check_vectors(count, DIM, 29);
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, rows, count, 0), *first, *second;
    CHECK_OK(hnx_save(index, "file", HNX_FORMAT_HNSWLIB));
    first = load_index("file", HNX_METRIC_L2, DIM, HNX_LOAD_MMAP);
    second = load_index("file", HNX_METRIC_L2, DIM, HNX_LOAD_MMAP | HNX_LOAD_READ_ONLY);
    for (uint64_t label = 0; label < count; label++)
        CHECK_OK(hnx_mark_deleted(first, label));
    CHECK(hnx_deleted_count(first) == count && hnx_deleted_count(second) == 0);
    index_check_same(index, second, rows, count, 5, 50);
    hnx_free(first);
    index_check_same(index, second, rows, count, 5, 50);
    hnx_free(second);
    hnx_free(index);
    files_remove("file");
    free(rows);
}

/* A mapped directory persists what changed, and only then do its files change. */
static void mapped_directory(void)
{
    const size_t count = check_pick(60, 300);
    float *rows = check_vectors(count, DIM, 30);
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, rows, count - 10, 0), *mapped, *again;
    uint64_t *labels = check_labels(10, count - 10);
    CHECK_OK(hnx_save(index, "directory", HNX_FORMAT_CHROMA_DIRECTORY));
    hnx_free(index);
    mapped = load_index("directory", HNX_METRIC_L2, DIM, HNX_LOAD_MMAP);
    CHECK_OK(index_add(mapped, rows + (count - 10) * DIM, labels, 10));
    CHECK_OK(index_add_one(mapped, rows + DIM, 0));
    again = load_index("directory", HNX_METRIC_L2, DIM, HNX_LOAD_READ_ONLY);
    CHECK(hnx_count(again) == count - 10);
    hnx_free(again);
    CHECK_OK(hnx_persist_dirty(mapped, NULL, NULL));
    again = load_index("directory", HNX_METRIC_L2, DIM, HNX_LOAD_READ_ONLY);
    CHECK(hnx_count(again) == count);
    index_check_same(mapped, again, rows, count, 5, 50);
    hnx_free(again);
    /* After the persist the mapping goes on to work, and to persist. */
    CHECK_OK(hnx_mark_deleted(mapped, 7));
    CHECK_OK(hnx_persist_dirty(mapped, NULL, NULL));
    again = load_index("directory", HNX_METRIC_L2, DIM, 0);
    CHECK(hnx_deleted_count(again) == 1);
    index_check_same(mapped, again, rows, count, 5, 50);
    hnx_free(again);
    hnx_free(mapped);
    files_remove("directory");
    free(labels);
    free(rows);
}

int main(void)
{
    char folder[FILES_PATH];
    files_enter(folder);
    writes_stay_private(HNX_FORMAT_HNSWLIB);
    writes_stay_private(HNX_FORMAT_CHROMA);
    guided(0);
    guided(HNX_LOAD_READ_ONLY);
    codes_beside(HNX_METRIC_L2, "file", "file.hnx.codes", HNX_FORMAT_HNSWLIB);
    codes_beside(HNX_METRIC_COSINE, "file", "file.hnx.codes", HNX_FORMAT_CHROMA);
    codes_beside(HNX_METRIC_IP, "directory", "directory/hnx.codes", HNX_FORMAT_CHROMA_DIRECTORY);
    two_mappings();
    mapped_directory();
    files_leave(folder);
    return 0;
}
