/* Where hnx_save may write: a file replaces the one before it only when it is complete, a directory is never
 * written over, and a failure leaves no litter. */
#include "load.h"

enum { DIM = 4 };

static void replaces(hnx_index *index, const float *rows)
{
    hnx_index *loaded;
    files_write("kept", "something else", 14);
    CHECK_OK(hnx_save(index, "kept", HNX_FORMAT_HNSWLIB));
    CHECK_OK(index_add_one(index, rows, 100));
    CHECK_OK(hnx_save(index, "kept", HNX_FORMAT_CHROMA));
    loaded = load_index("kept", HNX_METRIC_L2, DIM, 0);
    CHECK(hnx_count(loaded) == hnx_count(index));
    /* Saving over the file an index was opened from, also when it is mapped. */
    CHECK_OK(hnx_save(loaded, "kept", HNX_FORMAT_HNSWLIB));
    hnx_free(loaded);
    loaded = load_index("kept", HNX_METRIC_L2, DIM, HNX_LOAD_MMAP);
    CHECK_OK(index_add_one(loaded, rows, 101));
    CHECK_OK(hnx_save(loaded, "kept", HNX_FORMAT_HNSWLIB));
    index_check_same(index, index, rows, 1, 5, 50);
    hnx_free(loaded);
    loaded = load_index("kept", HNX_METRIC_L2, DIM, 0);
    CHECK(hnx_count(loaded) == hnx_count(index) + 1);
    hnx_free(loaded);
    CHECK(files_count(".") == 1);
    files_remove("kept");
}

static void refused(hnx_index *index)
{
    hnx_status status;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_save(index, "file", 3));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_save(index, "file", UINT32_MAX));
    CHECK_STATUS(HNX_ERR_IO, hnx_save(index, "absent/file", HNX_FORMAT_HNSWLIB));
    CHECK(hnx_save(index, "absent/directory", HNX_FORMAT_CHROMA_DIRECTORY) != HNX_OK);
    CHECK(hnx_save(index, "", HNX_FORMAT_HNSWLIB) != HNX_OK);
    CHECK(mkdir("folder", 0777) == 0);
    CHECK(hnx_save(index, "folder", HNX_FORMAT_HNSWLIB) != HNX_OK);
    CHECK(files_count("folder") == 0);
    files_write("folder/mine", "kept", 4);
    status = hnx_save(index, "folder", HNX_FORMAT_CHROMA_DIRECTORY);
    CHECK(status == HNX_ERR_INVALID_ARGUMENT || status == HNX_ERR_IO);
    CHECK(files_count("folder") == 1);
    files_write("file", "kept", 4);
    CHECK(hnx_save(index, "file", HNX_FORMAT_CHROMA_DIRECTORY) != HNX_OK);
    CHECK(files_count(".") == 2);
    files_remove("folder");
    files_remove("file");
}

static void directory_once(hnx_index *index)
{
    hnx_status status;
    CHECK(mkdir("empty", 0777) == 0);
    CHECK_OK(hnx_save(index, "empty", HNX_FORMAT_CHROMA_DIRECTORY));
    status = hnx_save(index, "empty", HNX_FORMAT_CHROMA_DIRECTORY);
    CHECK(status == HNX_ERR_INVALID_ARGUMENT || status == HNX_ERR_IO);
    hnx_free(load_index("empty", HNX_METRIC_L2, DIM, 0));
    files_remove("empty");
}

int main(void)
{
    char folder[FILES_PATH];
    float *rows = check_vectors(40, DIM, 26);
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, rows, 40, 0);
    files_enter(folder);
    replaces(index, rows);
    refused(index);
    directory_once(index);
    CHECK(files_count(".") == 0);
    files_leave(folder);
    hnx_free(index);
    free(rows);
    return 0;
}
