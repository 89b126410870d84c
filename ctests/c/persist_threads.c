/* Persisting and saving while other threads add, delete and query: each state on disk is one the index was in, and
 * the last one is complete. */
#include <pthread.h>

#include "graph_file.h"
#include "load.h"

enum { DIM = 8, WRITERS = 2 };

typedef struct job {
    hnx_index *index;
    const float *rows;
    size_t from, to;
} job;

static void *add_rows(void *argument)
{
    const job *job = (const struct job *)argument;
    for (uint64_t label = job->from; label < job->to; label++) {
        CHECK_OK(index_add_one(job->index, job->rows + label * DIM, label));
        if (label % 5 == 0)
            CHECK_OK(hnx_mark_deleted(job->index, label));
    }
    return NULL;
}

/* An index that was written in the midst of it: whole records, each with its own vector. */
static void check_state(const char *path, const float *rows, size_t at_least, size_t at_most)
{
    hnx_index *opened = load_index(path, HNX_METRIC_L2, DIM, HNX_LOAD_READ_ONLY);
    const size_t count = hnx_count(opened);
    size_t seen = 0, found = 0;
    float vector[DIM];
    CHECK(count >= at_least && count <= at_most);
    for (uint64_t label = 0; label < at_most; label++)
        if (hnx_get(opened, &label, 1, vector) == HNX_OK) {
            CHECK(memcmp(vector, rows + label * DIM, sizeof vector) == 0);
            seen++;
            found += index_nearest(opened, vector, 200) == label;
        }
    CHECK(seen == count - hnx_deleted_count(opened));
    CHECK(found * 100 >= seen * 98);
    hnx_free(opened);
}

int main(void)
{
    const size_t each = check_pick(100, 3000), total = WRITERS * each;
    char folder[FILES_PATH];
    float *rows = check_vectors(total, DIM, 46);
    hnx_options options = index_options(HNX_METRIC_L2, DIM, 0);
    hnx_index *index = NULL, *opened;
    pthread_t threads[WRITERS];
    job jobs[WRITERS];
    size_t before = 0;
    files_enter(folder);
    options.persist_path = "index";
    options.m = 8;
    CHECK_OK(hnx_init(&options, &index));
    for (size_t at = 0; at < WRITERS; at++) {
        const job job = {index, rows, at * each, (at + 1) * each};
        jobs[at] = job;
        CHECK(pthread_create(&threads[at], NULL, add_rows, &jobs[at]) == 0);
    }
    for (size_t round = 0; hnx_count(index) < total; round++) { /* mostly persisting, so that much falls into it */
        before = hnx_count(index);
        CHECK_OK(hnx_persist_dirty(index, NULL, NULL));
        if (round % 16 == 3)
            check_state("index", rows, before, total);
        if (round % 16 == 11) {
            before = hnx_count(index);
            CHECK_OK(hnx_save(index, "saved", HNX_FORMAT_CHROMA));
            check_state("saved", rows, before, total);
        }
    }
    for (size_t at = 0; at < WRITERS; at++)
        CHECK(pthread_join(threads[at], NULL) == 0);
    CHECK_OK(hnx_persist_dirty(index, NULL, NULL));
    check_state("index", rows, total, total);
    opened = load_index("index", HNX_METRIC_L2, DIM, 0);
    CHECK_OK(hnx_save(index, "memory", HNX_FORMAT_HNSWLIB));
    CHECK_OK(hnx_save(opened, "disk", HNX_FORMAT_HNSWLIB));
    CHECK(graph_same("memory", "disk"));
    hnx_free(opened);
    hnx_free(index);
    files_leave(folder);
    free(rows);
    return 0;
}
