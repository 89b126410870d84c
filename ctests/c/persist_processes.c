/* One writer at a time: another process is refused and told who it is; a dead one is no obstacle; a child of fork is not
 * its parent; a program that takes no lock is noticed before anything is overwritten; readers see whole states. */
#include <signal.h>
#include <sys/wait.h>

#include "load.h"

enum { DIM = 16, COUNT = 200 };

static hnx_index *make(const float *rows, size_t count)
{
    hnx_options options = index_options(HNX_METRIC_L2, DIM, 0);
    uint64_t *labels = check_labels(count, 0);
    hnx_index *index;
    options.persist_path = "index";
    CHECK_OK(hnx_init(&options, &index));
    CHECK_OK(index_add(index, rows, labels, count));
    CHECK_OK(hnx_persist_dirty(index, NULL, NULL));
    free(labels);
    return index;
}

static void in_child(void (*body)(hnx_index *, const float *), hnx_index *index, const float *rows)
{
    int status = -1;
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60);
        body(index, rows);
        _Exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Another process must not write, but may read. */
static void stranger(hnx_index *parents, const float *rows)
{
    hnx_load_options options = load_options(HNX_METRIC_L2, DIM, 0);
    char text[512], holder[32];
    hnx_index *index;
    (void)parents;
    load_refused(HNX_ERR_LOCKED, "index", &options);
    hnx_last_error(text, sizeof text);
    snprintf(holder, sizeof holder, "process %ld", (long)getppid());
    CHECK(strstr(text, holder) != NULL);
    options.flags = HNX_LOAD_READ_ONLY;
    CHECK_OK(hnx_load("index", &options, &index));
    CHECK(index_nearest(index, rows + DIM, 50) == 1);
    hnx_free(index);
    options.flags = HNX_LOAD_READ_ONLY | HNX_LOAD_MMAP; /* copies: the writer may write */
    CHECK_OK(hnx_load("index", &options, &index));
    CHECK(index_stats(index).flags == HNX_LOAD_READ_ONLY);
    hnx_free(index);
}

/* A child has its parent's index, but not its parent's right to write; nor does it take it away. */
static void child(hnx_index *parents, const float *rows)
{
    CHECK(index_nearest(parents, rows + DIM, 50) == 1);
    CHECK_OK(hnx_mark_deleted(parents, 1));
    CHECK_STATUS(HNX_ERR_LOCKED, hnx_persist_dirty(parents, NULL, NULL));
    hnx_free(parents);
}

static void writers(const float *rows)
{
    hnx_index *index = make(rows, COUNT), *second;
    hnx_load_options options = load_options(HNX_METRIC_L2, DIM, 0);
    in_child(stranger, index, rows);
    in_child(child, index, rows);
    in_child(stranger, index, rows); /* still held */
    CHECK_OK(hnx_mark_deleted(index, 5));
    CHECK_OK(hnx_persist_dirty(index, NULL, NULL));

    /* Two handles of one process: who holds the folder persists. */
    CHECK_OK(hnx_load("index", &options, &second));
    CHECK_OK(hnx_mark_deleted(second, 6));
    CHECK_STATUS(HNX_ERR_LOCKED, hnx_persist_dirty(second, NULL, NULL));
    CHECK_OK(hnx_mark_deleted(index, 7));
    CHECK_OK(hnx_persist_dirty(index, NULL, NULL));
    hnx_free(index);
    /* It could now, but the folder is not what it has read. */
    CHECK_STATUS(HNX_ERR_CONFLICT, hnx_persist_dirty(second, NULL, NULL));
    CHECK(index_stats(second).dirty_records == 1);
    hnx_free(second);
    index = load_index("index", HNX_METRIC_L2, DIM, 0);
    CHECK(hnx_deleted_count(index) == 2);
    hnx_free(index);
    CHECK(!files_exists("index/hnx.journal"));
    files_remove("index");
}

/* The holder is killed; its child, who knows nothing of it, lives on. */
static void dead_holder(const float *rows)
{
    int status = -1, ready[2];
    pid_t holder, orphan;
    hnx_index *index;
    CHECK(pipe(ready) == 0);
    holder = fork();
    CHECK(holder >= 0);
    if (holder == 0) {
        make(rows, COUNT);
        if (fork() == 0) {
            alarm(60);
            orphan = getpid();
            CHECK(write(ready[1], &orphan, sizeof orphan) == sizeof orphan);
            pause();
        }
        pause();
    }
    CHECK(read(ready[0], &orphan, sizeof orphan) == sizeof orphan);
    CHECK(kill(holder, SIGKILL) == 0);
    CHECK(waitpid(holder, &status, 0) == holder);
    index = load_index("index", HNX_METRIC_L2, DIM, 0);
    CHECK_OK(hnx_mark_deleted(index, 3));
    CHECK_OK(hnx_persist_dirty(index, NULL, NULL));
    hnx_free(index);
    CHECK(kill(orphan, SIGKILL) == 0); /* nobody waits for it, and it has this program's output open */
    files_remove("index");
    close(ready[0]);
    close(ready[1]);
}

/* A program that takes no lock changes a byte. */
static void foreign_writer(const float *rows)
{
    hnx_index *index = make(rows, COUNT), *opened;
    size_t size;
    unsigned char *before = files_read("index/data_level0.bin", &size), *after;
    before[40] ^= 1;
    files_write("index/data_level0.bin", before, size);
    CHECK_OK(hnx_mark_deleted(index, 5));
    CHECK_STATUS(HNX_ERR_CONFLICT, hnx_persist_dirty(index, NULL, NULL));
    CHECK_STATUS(HNX_ERR_CONFLICT, hnx_persist_dirty(index, NULL, NULL));
    after = files_read("index/data_level0.bin", &size);
    CHECK(memcmp(before, after, size) == 0);
    CHECK(index_stats(index).dirty_records == 1);
    CHECK_OK(hnx_save(index, "elsewhere", HNX_FORMAT_CHROMA_DIRECTORY));
    hnx_free(index);
    opened = load_index("elsewhere", HNX_METRIC_L2, DIM, 0);
    CHECK(hnx_count(opened) == COUNT && hnx_deleted_count(opened) == 1);
    hnx_free(opened);
    files_remove("elsewhere");
    files_remove("index");
    free(before);
    free(after);
}

/* A reader opens again and again while another process persists: it sees a number of whole persists, never fewer. */
static void reading_beside(const float *rows)
{
    hnx_load_options options = load_options(HNX_METRIC_L2, DIM, HNX_LOAD_READ_ONLY);
    hnx_index *index = make(rows, 10), *opened;
    size_t last = 0;
    int status;
    pid_t writer;
    hnx_free(index);
    writer = fork();
    CHECK(writer >= 0);
    if (writer == 0) {
        index = load_index("index", HNX_METRIC_L2, DIM, 0);
        for (uint64_t label = 10; label < COUNT; label++) {
            CHECK_OK(index_add_one(index, rows + label * DIM, label));
            if (label % 5 == 4)
                CHECK_OK(hnx_persist_dirty(index, NULL, NULL));
        }
        hnx_free(index);
        _Exit(0);
    }
    options.check = HNX_CHECK_DEEP;
    do {
        CHECK_OK(hnx_load("index", &options, &opened));
        CHECK(hnx_count(opened) % 5 == 0 && hnx_count(opened) >= last);
        last = hnx_count(opened);
        hnx_free(opened);
    } while (waitpid(writer, &status, WNOHANG) == 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    files_remove("index");
}

int main(void)
{
    char folder[FILES_PATH];
    float *rows = check_vectors(COUNT, DIM, 77);
    files_enter(folder);
    writers(rows);
    dead_holder(rows);
    foreign_writer(rows);
    reading_beside(rows);
    files_leave(folder);
    free(rows);
    return 0;
}
