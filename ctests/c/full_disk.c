/* No room for a file: the status says so, what was there stays, nothing is left lying about, and once there is room
 * the call can be made again. A limit on the size of files stands for the disk. */
#include <signal.h>
#include <sys/resource.h>

#include "graph_file.h"
#include "load.h"

enum { DIM = 64, COUNT = 300 };

static void limit(rlim_t bytes)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void save(const hnx_index *index, const hnx_index *larger, uint32_t format)
{
    hnx_index *loaded;
    CHECK_OK(hnx_save(index, "file", format));
    CHECK_OK(hnx_save(index, "copy", format));
    for (rlim_t bytes = 0; bytes < 40000; bytes += 13000) {
        limit(bytes);
        CHECK_STATUS(HNX_ERR_IO, hnx_save(larger, "file", format));
        CHECK_STATUS(HNX_ERR_IO, hnx_save(larger, "other", format));
        limit(RLIM_INFINITY);
        CHECK(files_equal("file", "copy"));
        CHECK(files_count(".") == 2);
    }
    CHECK_OK(hnx_save(larger, "file", format));
    loaded = load_index("file", HNX_METRIC_COSINE, DIM, 0);
    CHECK(hnx_count(loaded) == hnx_count(larger));
    hnx_free(loaded);
    files_remove("file");
    files_remove("copy");
}

static void persist(const float *rows)
{
    hnx_options options = index_options(HNX_METRIC_COSINE, DIM, 0);
    uint64_t *labels = check_labels(COUNT, 0);
    hnx_index *index = NULL, *opened;
    hnx_persist_info info = {sizeof info, 99, 99, 99};
    options.persist_path = "index";
    CHECK_OK(hnx_init(&options, &index));
    CHECK_OK(index_add(index, rows, labels, COUNT / 2));
    CHECK_OK(hnx_persist_dirty(index, NULL, NULL));
    CHECK_OK(index_add(index, rows + COUNT / 2 * DIM, labels + COUNT / 2, COUNT - COUNT / 2));
    for (rlim_t bytes = 0; bytes < 80000; bytes += 11000) {
        const uint64_t dirty = index_stats(index).dirty_records;
        limit(bytes);
        CHECK_STATUS(HNX_ERR_IO, hnx_persist_dirty(index, NULL, &info));
        limit(RLIM_INFINITY);
        CHECK(info.generation == 99 && info.records_written == 99 && info.bytes_written == 99);
        CHECK(index_stats(index).dirty_records == dirty);
        CHECK(index_nearest(index, rows + 7 * DIM, 100) == 7);
        CHECK_OK(index_add_one(index, rows + DIM, bytes % COUNT)); /* it goes on in memory */
    }
    CHECK_OK(hnx_persist_dirty(index, NULL, &info));
    CHECK(info.records_written > COUNT / 2 && index_stats(index).dirty_records == 0);
    opened = load_index("index", HNX_METRIC_COSINE, DIM, 0);
    CHECK_OK(hnx_save(index, "memory", HNX_FORMAT_HNSWLIB));
    CHECK_OK(hnx_save(opened, "disk", HNX_FORMAT_HNSWLIB));
    CHECK(graph_same("memory", "disk"));
    hnx_free(opened);
    hnx_free(index);
    free(labels);
}

int main(void)
{
    char folder[FILES_PATH];
    float *rows = check_vectors(COUNT, DIM, 48);
    hnx_index *index = index_of(HNX_METRIC_COSINE, DIM, rows, 20, 0);
    hnx_index *larger = index_of(HNX_METRIC_COSINE, DIM, rows, COUNT, 0);
    struct sigaction ignore;
    memset(&ignore, 0, sizeof ignore);
    ignore.sa_handler = SIG_IGN;
    CHECK(sigaction(SIGXFSZ, &ignore, NULL) == 0);
    files_enter(folder);
    save(index, larger, HNX_FORMAT_HNSWLIB);
    save(index, larger, HNX_FORMAT_CHROMA);
    persist(rows);
    files_leave(folder);
    hnx_free(index);
    hnx_free(larger);
    free(rows);
    return 0;
}
