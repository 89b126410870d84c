/* hnx_persist_dirty writes what changed, and only that; what is opened afterwards is what was in memory. */
#include "graph_file.h"
#include "load.h"

enum { DIM = 8, M = 6 };

static hnx_index *make(const char *path, uint32_t metric)
{
    hnx_options options = index_options(metric, DIM, 0);
    hnx_index *index = NULL;
    options.m = M;
    options.flags = HNX_ALLOW_REPLACE_DELETED;
    options.persist_path = path;
    CHECK_OK(hnx_init(&options, &index));
    return index;
}

static hnx_persist_info persist(hnx_index *index)
{
    hnx_persist_info info = {sizeof info, 0, 0, 0};
    const uint64_t dirty = index_stats(index).dirty_records;
    CHECK_OK(hnx_persist_dirty(index, NULL, &info));
    CHECK(info.struct_size == sizeof info && info.records_written == dirty);
    CHECK(index_stats(index).dirty_records == 0);
    return info;
}

/* The folder, opened anew, holds the graph that is in memory. */
static void check_disk(const hnx_index *index, uint32_t metric, const float *queries, size_t count)
{
    hnx_index *opened = load_index("index", metric, DIM, HNX_LOAD_READ_ONLY);
    CHECK(hnx_count(opened) == hnx_count(index) && hnx_deleted_count(opened) == hnx_deleted_count(index));
    CHECK_OK(hnx_save(index, "memory", HNX_FORMAT_HNSWLIB));
    CHECK_OK(hnx_save(opened, "disk", HNX_FORMAT_HNSWLIB));
    CHECK(graph_same("memory", "disk"));
    index_check_same(index, opened, queries, count, 5, 100);
    hnx_free(opened);
}

static void grows(uint32_t metric)
{
    const size_t count = check_pick(150, 2000);
    float *rows = check_vectors(count + 100, DIM, 34);
    uint64_t *labels = check_labels(count + 100, 0);
    hnx_index *index = make("index", metric);
    hnx_persist_info info, first;
    size_t found = 0;

    CHECK(files_exists("index"));
    info = persist(index);
    CHECK(info.records_written == 0);
    check_disk(index, metric, rows, 0);
    CHECK_OK(index_add(index, rows, labels, count));
    CHECK(index_stats(index).dirty_records == count);
    first = persist(index);
    CHECK(first.records_written == count && first.bytes_written >= count * (4 + 4 * 2 * M + 4 * DIM + 8));
    check_disk(index, metric, rows, count);

    /* Nothing changed: nothing is written. Answers are no change, refused calls are none either. */
    index_nearest(index, rows, 100);
    CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_mark_deleted(index, 1 << 20));
    info = persist(index);
    CHECK(info.records_written == 0 && info.bytes_written == 0 && info.generation == first.generation);

    /* One deletion is one record. */
    CHECK_OK(hnx_mark_deleted(index, 7));
    info = persist(index);
    CHECK(info.records_written == 1 && info.bytes_written > 0 && info.generation == first.generation + 1);
    CHECK(info.bytes_written < 20 * (4 + 4 * 2 * M + 4 * DIM + 8) + 10000);
    check_disk(index, metric, rows, 50);
    CHECK_OK(hnx_unmark_deleted(index, 7));
    CHECK(persist(index).records_written == 1);
    check_disk(index, metric, rows, 50);

    /* Ten new records touch their neighbours: at most 2 * M or so each, on each of their few levels. */
    CHECK_OK(index_add(index, rows + count * DIM, labels + count, 10));
    info = persist(index);
    CHECK(info.records_written > 10 && info.records_written <= 10 + 10 * 3 * M);
    CHECK(info.bytes_written < first.bytes_written / (check_quick() ? 1 : 2));
    check_disk(index, metric, rows, 50);

    /* One after the other, as a service would. */
    for (size_t at = count + 10; at < count + 100; at++) {
        CHECK_OK(index_add_one(index, rows + at * DIM, labels[at]));
        if (at % 9 == 0)
            CHECK(persist(index).records_written >= 9);
    }
    persist(index);
    check_disk(index, metric, rows, count + 100);
    for (uint64_t label = 0; label < count + 100; label++)
        found += index_nearest(index, rows + label * DIM, 100) == label;
    CHECK(found * 100 >= (count + 100) * 99);
    hnx_free(index);
    files_remove("index");
    free(rows);
    free(labels);
}

/* A handle that was opened from a folder goes on where the one before ended. */
static void reopened(void)
{
    const size_t count = check_pick(60, 200), step = count / 4;
    float *rows = check_vectors(2 * count, DIM, 35);
    uint64_t *labels = check_labels(2 * count, 0);
    hnx_index *index = make("index", HNX_METRIC_COSINE);
    CHECK_OK(index_add(index, rows, labels, count));
    persist(index);
    CHECK_OK(hnx_mark_deleted(index, 3)); /* not persisted: lost */
    hnx_free(index);
    for (size_t round = 0; round < 4; round++) {
        const size_t from = count + round * step;
        index = load_index("index", HNX_METRIC_COSINE, DIM, round % 2 ? HNX_LOAD_MMAP : 0);
        CHECK(hnx_count(index) == from && hnx_deleted_count(index) == round);
        CHECK(index_stats(index).dirty_records == 0);
        CHECK(persist(index).bytes_written == 0);
        CHECK_OK(index_add(index, rows + from * DIM, labels + from, step));
        CHECK_OK(hnx_mark_deleted(index, 10 + round));
        persist(index);
        check_disk(index, HNX_METRIC_COSINE, rows, count);
        hnx_free(index);
    }
    files_remove("index");
    free(rows);
    free(labels);
}

int main(void)
{
    char folder[FILES_PATH];
    files_enter(folder);
    grows(HNX_METRIC_L2);
    grows(HNX_METRIC_COSINE);
    reopened();
    files_leave(folder);
    return 0;
}
