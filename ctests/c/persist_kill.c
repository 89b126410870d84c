/* A process that persists is killed at random moments, while it opens and recovers, too. Whoever opens the folder next finds
 * what the last persist left that had returned, or the next one: whole, and with the right checksums. HNX_KILLS: how
 * many (60). */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "load.h"

enum { DIM = 24, STEP = 3, ANEW = 150 };

static uint64_t random_state = 12345;

static uint64_t pick(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

static void row_of(uint64_t label, float row[DIM])
{
    check_fill(row, DIM, 1000 + label);
}

/* One persist more: STEP new labels, and one of the old ones deleted. Deletions tell the persists apart, too. */
static void step(hnx_index *index, uint64_t number)
{
    float row[DIM];
    for (uint64_t label = number * STEP; label < (number + 1) * STEP; label++) {
        row_of(label, row);
        CHECK_OK(index_add_one(index, row, label));
    }
    CHECK_OK(hnx_mark_deleted(index, number * STEP));
}

/* Opens the folder and persists until it is killed; tells each persist that has returned. */
static void work(int report, uint32_t flags)
{
    hnx_index *index = load_index("index", HNX_METRIC_COSINE, DIM, flags);
    for (uint64_t number = hnx_count(index) / STEP;; number++) {
        step(index, number);
        CHECK_OK(hnx_persist_dirty(index, NULL, NULL));
        number++;
        CHECK(write(report, &number, sizeof number) == (ssize_t)sizeof number);
        number--;
    }
}

static void wait_microseconds(uint64_t microseconds)
{
    struct timespec time;
    time.tv_sec = (time_t)(microseconds / 1000000);
    time.tv_nsec = (long)(microseconds % 1000000 * 1000);
    nanosleep(&time, NULL);
}

/* A process that works in the folder until it is killed; the number of persists that had returned. */
static uint64_t killed(uint64_t persists)
{
    int pipe_ends[2], status;
    uint64_t told;
    pid_t child;
    CHECK(pipe(pipe_ends) == 0);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        close(pipe_ends[0]);
        work(pipe_ends[1], pick(2) ? HNX_LOAD_MMAP : 0);
        _Exit(1);
    }
    close(pipe_ends[1]);
    /* Often before the first persist: in recovery. Else after some, at a moment of the next. */
    for (uint64_t wait = pick(4); wait > 0; wait--) {
        CHECK(read(pipe_ends[0], &told, sizeof told) == (ssize_t)sizeof told);
        persists = told;
    }
    wait_microseconds(pick(4000));
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    while (read(pipe_ends[0], &told, sizeof told) == (ssize_t)sizeof told)
        persists = told;
    close(pipe_ends[0]);
    return persists;
}

/* The folder holds this many persists, or one more; returns how many. */
static uint64_t check_folder(uint64_t persists)
{
    hnx_load_options options = load_options(HNX_METRIC_COSINE, DIM, HNX_LOAD_READ_ONLY);
    hnx_verify_info info;
    hnx_index *index;
    uint64_t found;
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    CHECK_OK(hnx_verify("index", &info)); /* as it would be recovered */
    options.check = HNX_CHECK_DEEP;
    CHECK_OK(hnx_load("index", &options, &index)); /* reads what is half-applied as it will be */
    found = hnx_count(index) / STEP;
    CHECK(hnx_count(index) == found * STEP && info.records == found * STEP && info.checked == info.records);
    CHECK(found == persists || found == persists + 1);
    CHECK(hnx_deleted_count(index) == found);
    for (uint64_t label = 0; label < found * STEP; label++) {
        float row[DIM], stored[DIM];
        row_of(label, row);
        if (label % STEP == 0) {
            CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_get(index, &label, 1, stored));
            continue;
        }
        CHECK_OK(hnx_get(index, &label, 1, stored));
        for (size_t at = 0; at < DIM; at++)
            CHECK(stored[at] - row[at] < 1e-4f && row[at] - stored[at] < 1e-4f);
    }
    hnx_free(index);
    return found;
}

static void begin(void)
{
    hnx_options options = index_options(HNX_METRIC_COSINE, DIM, 0);
    hnx_index *index;
    options.persist_path = "index";
    options.m = 6;
    CHECK_OK(hnx_init(&options, &index));
    hnx_free(index);
}

int main(void)
{
    const char *wanted = getenv("HNX_KILLS");
    const uint64_t kills = wanted != NULL ? strtoull(wanted, NULL, 10) : check_pick(5, 60);
    char folder[FILES_PATH];
    uint64_t persists = 0, ahead = 0, all = 0;
    files_enter(folder);
    begin();
    for (uint64_t number = 0; number < kills; number++) {
        const uint64_t told = killed(persists);
        if (number % ANEW == ANEW - 1) {
            all += check_folder(told);
            files_remove("index");
            begin();
            persists = 0;
            continue;
        }
        /* Mostly the next process finds it as it was left; a reader looks every now and then. */
        persists = told;
        if (pick(3) == 0) {
            persists = check_folder(told);
            ahead += persists > told;
        } else {
            hnx_load_options options = load_options(HNX_METRIC_COSINE, DIM, HNX_LOAD_READ_ONLY);
            hnx_index *index;
            CHECK_OK(hnx_load("index", &options, &index));
            persists = hnx_count(index) / STEP;
            CHECK(persists == told || persists == told + 1);
            hnx_free(index);
        }
    }
    all += check_folder(persists);
    printf("%llu kills, %llu persists, %llu found that had not returned\n", (unsigned long long)kills,
           (unsigned long long)all, (unsigned long long)ahead);
    files_leave(folder);
    return 0;
}
