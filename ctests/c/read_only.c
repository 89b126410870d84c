/* HNX_LOAD_READ_ONLY: everything that would change the index is refused, everything else works. */
#include "graph_file.h"
#include "load.h"

enum { DIM = 4, COUNT = 50 };

static void refuses(const char *path, uint32_t flags)
{
    float *rows = check_vectors(COUNT, DIM, 31), back[DIM];
    const uint64_t label = 3;
    int32_t row_status = 99;
    hnx_persist_info info = {sizeof info, 99, 99, 99};
    hnx_index *index = load_index(path, HNX_METRIC_L2, DIM, HNX_LOAD_READ_ONLY | flags);
    const hnx_add_options update = {sizeof update, 1, HNX_ADD_UPDATE_ONLY};
    CHECK((index_stats(index).flags & HNX_LOAD_READ_ONLY) != 0);
    CHECK_STATUS(HNX_ERR_READ_ONLY, index_add_one(index, rows, 1000));
    CHECK_STATUS(HNX_ERR_READ_ONLY, index_add_one(index, rows, 3));
    CHECK_STATUS(HNX_ERR_READ_ONLY, hnx_add(index, rows, &label, 1, &update, &row_status));
    CHECK_STATUS(HNX_ERR_READ_ONLY, hnx_mark_deleted(index, 3));
    CHECK_STATUS(HNX_ERR_READ_ONLY, hnx_unmark_deleted(index, 7));
    CHECK_STATUS(HNX_ERR_READ_ONLY, hnx_resize(index, 1000));
    CHECK_STATUS(HNX_ERR_READ_ONLY, hnx_persist_dirty(index, NULL, &info));
    CHECK(info.generation == 99 && info.records_written == 99 && info.bytes_written == 99);
    CHECK(hnx_count(index) == COUNT && hnx_deleted_count(index) == 1);

    CHECK_OK(hnx_set_ef(index, 50)); /* how it is searched is not what it holds */
    CHECK(index_nearest(index, rows + 3 * DIM, 0) == 3);
    CHECK_OK(hnx_get(index, &label, 1, back));
    CHECK(memcmp(back, rows + 3 * DIM, sizeof back) == 0);
    CHECK_OK(hnx_save(index, "saved", HNX_FORMAT_HNSWLIB));
    CHECK(graph_same("saved", "hnswlib"));
    hnx_free(index);
    files_remove("saved");
    free(rows);
}

int main(void)
{
    char folder[FILES_PATH];
    float *rows = check_vectors(COUNT, DIM, 31);
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, rows, COUNT, 0);
    size_t size, size_after;
    unsigned char *before, *after;
    files_enter(folder);
    CHECK_OK(hnx_mark_deleted(index, 7));
    CHECK_OK(hnx_save(index, "hnswlib", HNX_FORMAT_HNSWLIB));
    CHECK_OK(hnx_save(index, "chroma", HNX_FORMAT_CHROMA));
    CHECK_OK(hnx_save(index, "directory", HNX_FORMAT_CHROMA_DIRECTORY));
    before = files_read("directory/data_level0.bin", &size);
    refuses("hnswlib", 0);
    refuses("hnswlib", HNX_LOAD_MMAP);
    refuses("chroma", 0);
    refuses("chroma", HNX_LOAD_MMAP);
    refuses("directory", 0);
    refuses("directory", HNX_LOAD_MMAP);
    after = files_read("directory/data_level0.bin", &size_after);
    CHECK(size == size_after && memcmp(before, after, size) == 0);
    free(before);
    free(after);
    files_leave(folder);
    hnx_free(index);
    free(rows);
    return 0;
}
