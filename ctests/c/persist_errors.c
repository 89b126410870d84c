/* Where an index may persist: not over another index, not without a folder; a failure to write is told, and the
 * index goes on. */
#include "load.h"

enum { DIM = 4 };

static hnx_status init_at(const char *path, hnx_index **index)
{
    hnx_options options = index_options(HNX_METRIC_L2, DIM, 0);
    options.persist_path = path;
    *index = NULL;
    return hnx_init(&options, index);
}

static void occupied(const float *row)
{
    hnx_index *index, *other;
    size_t size, size_after;
    unsigned char *before, *after;
    CHECK_OK(init_at("index", &index));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, init_at("index", &other));
    CHECK(other == NULL);
    CHECK_OK(index_add_one(index, row, 5));
    CHECK_OK(hnx_persist_dirty(index, NULL, NULL));
    before = files_read("index/data_level0.bin", &size);
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, init_at("index", &other));
    hnx_free(index);
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, init_at("index", &other));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, init_at("index/", &other));
    after = files_read("index/data_level0.bin", &size_after);
    CHECK(size == size_after && memcmp(before, after, size) == 0);
    index = load_index("index", HNX_METRIC_L2, DIM, 0);
    CHECK(hnx_count(index) == 1);
    hnx_free(index);
    files_remove("index");
    free(before);
    free(after);
}

static void places(const float *row)
{
    hnx_index *index;
    CHECK(init_at("absent/index", &index) != HNX_OK && index == NULL);
    CHECK(!files_exists("absent"));
    CHECK_TEXT(HNX_ERR_INVALID_ARGUMENT, "persist_path is empty", init_at("", &index));
    CHECK(index == NULL);
    files_write("file", "kept", 4);
    CHECK(init_at("file", &index) != HNX_OK && index == NULL);
    /* An empty folder will do, as will a name that is no UTF-8. */
    CHECK(mkdir("empty", 0777) == 0);
    CHECK_OK(init_at("empty", &index));
    hnx_free(index);
    CHECK_OK(init_at("\xff\xfe", &index));
    CHECK_OK(index_add_one(index, row, 5));
    CHECK_OK(hnx_persist_dirty(index, NULL, NULL));
    hnx_free(index);
    hnx_free(load_index("\xff\xfe", HNX_METRIC_L2, DIM, 0));
    /* Options that are refused leave no folder. */
    {
        hnx_options options = index_options(HNX_METRIC_L2, 0, 0);
        options.persist_path = "refused";
        CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_init(&options, &index));
        CHECK(!files_exists("refused"));
    }
}

/* In memory only, or opened from a single file: there is nowhere to persist. */
static void without_folder(const float *row)
{
    hnx_persist_info info = {sizeof info, 99, 99, 99};
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, row, 1, 5);
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_persist_dirty(index, NULL, &info));
    CHECK_OK(hnx_save(index, "saved", HNX_FORMAT_CHROMA));
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_persist_dirty(index, NULL, &info));
    hnx_free(index);
    index = load_index("saved", HNX_METRIC_L2, DIM, 0);
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_persist_dirty(index, NULL, &info));
    CHECK(info.generation == 99 && info.records_written == 99 && info.bytes_written == 99);
    hnx_free(index);
}

static void options_unknown(void)
{
    hnx_persist_options options = {sizeof options, 1, 0};
    hnx_index *index;
    CHECK_OK(init_at("options", &index));
    CHECK_STATUS(HNX_ERR_UNSUPPORTED, hnx_persist_dirty(index, &options, NULL));
    options.flags = 0;
    options.reserved = 1;
    CHECK_STATUS(HNX_ERR_UNSUPPORTED, hnx_persist_dirty(index, &options, NULL));
    hnx_free(index);
}

/* The folder disappears and comes back: the status says so, the index keeps what is dirty and writes it then. */
static void folder_gone(const float *row)
{
    const float other[DIM] = {9, 9, 9, 9};
    hnx_persist_info info = {sizeof info, 99, 99, 99};
    hnx_index *index, *opened;
    uint64_t dirty;
    CHECK_OK(init_at("moved", &index));
    CHECK_OK(index_add_one(index, row, 5));
    CHECK_OK(hnx_persist_dirty(index, NULL, NULL));
    CHECK_OK(index_add_one(index, other, 6));
    dirty = index_stats(index).dirty_records;
    CHECK(rename("moved", "away") == 0);
    if (hnx_persist_dirty(index, NULL, &info) != HNX_OK) {
        /* It opens its files by name: nothing is lost. A library that holds them open would go on writing there. */
        CHECK(info.generation == 99 && info.records_written == 99);
        CHECK(index_stats(index).dirty_records == dirty);
        CHECK(index_nearest(index, row, 10) == 5);
        CHECK(rename("away", "moved") == 0);
        CHECK_OK(hnx_persist_dirty(index, NULL, &info));
        CHECK(info.records_written == dirty);
    } else {
        CHECK(rename("away", "moved") == 0);
    }
    opened = load_index("moved", HNX_METRIC_L2, DIM, 0);
    CHECK(hnx_count(opened) == 2);
    hnx_free(opened);
    hnx_free(index);
}

int main(void)
{
    const float row[DIM] = {1, 2, 3, 4};
    char folder[FILES_PATH];
    files_enter(folder);
    occupied(row);
    places(row);
    without_folder(row);
    options_unknown();
    folder_gone(row);
    files_leave(folder);
    return 0;
}
