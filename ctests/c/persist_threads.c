/* Persisting and saving while other threads add, delete and query: each state on disk is one the index was in, and
 * the last one is complete. */
#include <pthread.h>

#include "graph_file.h"
#include "load.h"

enum { DIM = 8, WRITERS = 2, STATES = 12 };

#define EACH check_pick(100, 2000)
#define TOTAL (WRITERS * EACH)

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

/* An index that was written in the midst of it: whole records, each with its own vector, as many as there were then
 * or a few more. */
typedef struct state {
    hnx_index *index;
    size_t at_least, at_most;
} state;

static state open_state(const hnx_index *index, const char *path, size_t at_least)
{
    const state opened = {load_index(path, HNX_METRIC_L2, DIM, HNX_LOAD_READ_ONLY), at_least, hnx_count(index)};
    return opened;
}

static void check_state(const state *state, const float *rows)
{
    const size_t count = hnx_count(state->index);
    size_t seen = 0, found = 0;
    float vector[DIM];
    CHECK(count >= state->at_least && count <= state->at_most);
    for (uint64_t label = 0; seen < count - hnx_deleted_count(state->index); label++) {
        CHECK(label < TOTAL);
        if (hnx_get(state->index, &label, 1, vector) == HNX_OK) {
            CHECK(memcmp(vector, rows + label * DIM, sizeof vector) == 0);
            seen++;
            found += index_nearest(state->index, vector, 100) == label;
        }
    }
    CHECK(found * 100 >= seen * 98);
    hnx_free(state->index);
}

int main(void)
{
    char folder[FILES_PATH];
    float *rows = check_vectors(TOTAL, DIM, 46);
    hnx_options options = index_options(HNX_METRIC_L2, DIM, 0);
    hnx_index *index = NULL, *opened;
    pthread_t threads[WRITERS];
    job jobs[WRITERS];
    state states[STATES];
    size_t kept = 0;
    files_enter(folder);
    options.persist_path = "index";
    options.m = 8;
    CHECK_OK(hnx_init(&options, &index));
    for (size_t at = 0; at < WRITERS; at++) {
        const job job = {index, rows, at * EACH, (at + 1) * EACH};
        jobs[at] = job;
        CHECK(pthread_create(&threads[at], NULL, add_rows, &jobs[at]) == 0);
    }
    /* What is on disk is opened at once and looked at afterwards: looking takes longer than adding. */
    for (size_t round = 0; hnx_count(index) < TOTAL; round++) {
        const size_t before = hnx_count(index);
        const int save = round % 2;
        state state;
        CHECK_OK(save ? hnx_save(index, "saved", HNX_FORMAT_CHROMA) : hnx_persist_dirty(index, NULL, NULL));
        state = open_state(index, save ? "saved" : "index", before);
        if (kept < STATES && before * STATES > kept * TOTAL)
            states[kept++] = state;
        else
            hnx_free(state.index);
    }
    for (size_t at = 0; at < WRITERS; at++)
        CHECK(pthread_join(threads[at], NULL) == 0);
    for (size_t at = 0; at < kept; at++)
        check_state(&states[at], rows);

    CHECK_OK(hnx_persist_dirty(index, NULL, NULL));
    opened = load_index("index", HNX_METRIC_L2, DIM, 0);
    CHECK(hnx_count(opened) == TOTAL && hnx_deleted_count(opened) == hnx_deleted_count(index));
    CHECK_OK(hnx_save(index, "memory", HNX_FORMAT_HNSWLIB));
    CHECK_OK(hnx_save(opened, "disk", HNX_FORMAT_HNSWLIB));
    CHECK(graph_same("memory", "disk"));
    hnx_free(opened);
    hnx_free(index);
    files_leave(folder);
    free(rows);
    return 0;
}
