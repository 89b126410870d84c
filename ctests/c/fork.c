/* A child of fork() may query, add to and free the index of its parent; the parent does not notice. */
#include <pthread.h>
#include <sys/wait.h>

#include "files.h"
#include "index.h"

enum { DIM = 12, COUNT = 400 };

static void everything(hnx_index *index, const float *rows)
{
    uint64_t *labels = (uint64_t *)check_alloc(COUNT, sizeof *labels);
    hnx_query_options all_cores = index_ef(100);
    all_cores.threads = 0;
    CHECK(index_nearest(index, rows, 100) == 0);
    CHECK_OK(hnx_query(index, rows, COUNT, 1, &all_cores, labels, NULL, NULL));
    for (size_t at = 0; at < COUNT; at++)
        CHECK(labels[at] < 2 * COUNT);
    CHECK_OK(index_add_one(index, rows + DIM, 7777));
    CHECK_OK(hnx_mark_deleted(index, 5));
    CHECK_STATUS(HNX_ERR_ALREADY_DELETED, hnx_mark_deleted(index, 5));
    CHECK_OK(hnx_add(index, rows, labels, COUNT, NULL, NULL)); /* all cores, too */
    free(labels);
}

static void in_child(hnx_index *index, const float *rows)
{
    int status = -1;
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60); /* a lock held by a thread that does not exist here would be waited for for ever */
        everything(index, rows);
        hnx_free(index);
        _Exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static volatile int stop;

static void *keep_asking(void *index)
{
    float query[DIM];
    for (uint64_t seed = 0; !stop; seed++) {
        check_fill(query, DIM, seed);
        index_nearest((const hnx_index *)index, query, 50);
    }
    return NULL;
}

/* Queries of another thread are under way at the moment of fork: in the child they never end, and nobody waits. */
static void while_querying(hnx_index *index, const float *rows)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, keep_asking, index) == 0);
    for (size_t round = 0; round < check_pick(3, 40); round++) {
        int status = -1;
        const pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            alarm(60);
            CHECK(index_nearest(index, rows, 100) == 0);
            CHECK_OK(index_add_one(index, rows + DIM, 3)); /* an update waits for queries that can see the old vector */
            CHECK_OK(index_add_one(index, rows + DIM, 7777));
            hnx_free(index);
            _Exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    stop = 1;
    CHECK(pthread_join(thread, NULL) == 0);
}

int main(void)
{
    float *rows = check_vectors(COUNT, DIM, 40);
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, rows, COUNT, 0);
    hnx_query_options all_cores = index_ef(100);
    uint64_t *labels = (uint64_t *)check_alloc(COUNT, sizeof *labels);
    all_cores.threads = 0;
    in_child(index, rows);
    /* The parent has used threads before it forks again. */
    CHECK_OK(hnx_query(index, rows, COUNT, 1, &all_cores, labels, NULL, NULL));
    in_child(index, rows);
    while_querying(index, rows);
    CHECK(hnx_count(index) == COUNT && hnx_deleted_count(index) == 0);
    CHECK(index_nearest(index, rows + 5 * DIM, 100) == 5);
    everything(index, rows);
    hnx_free(index);
    free(labels);
    free(rows);
    return 0;
}
