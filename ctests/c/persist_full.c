/* An index grows until its disk is full, again and again: each time the status says so, the index goes on in memory, what is on
 * disk is whole, and with room again the next persist writes all of it. HNX_SMALL_DISK names a folder on a small file
 * system; without it a limit on the size of files stands for one. */
#include <signal.h>
#include <sys/resource.h>

#include "load.h"

enum { DIM = 32, STEP = 20, BALLAST = 96 * 1024 };

static const char *small_disk;

static void limit(rlim_t bytes)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void take_room(rlim_t bytes)
{
    if (small_disk == NULL) {
        limit(bytes);
        return;
    }
    {
        unsigned char *ballast = (unsigned char *)check_alloc(BALLAST, 1);
        const int file = open("ballast", O_WRONLY | O_CREAT, 0666);
        memset(ballast, 7, BALLAST);
        CHECK(file >= 0);
        CHECK(write(file, ballast, BALLAST) == BALLAST);
        CHECK(close(file) == 0);
        free(ballast);
    }
}

static void give_room(void)
{
    if (small_disk == NULL)
        limit(RLIM_INFINITY);
    else
        CHECK(unlink("ballast") == 0);
}

static void check_disk(size_t at_least, size_t at_most)
{
    hnx_load_options options = load_options(HNX_METRIC_L2, DIM, HNX_LOAD_READ_ONLY);
    hnx_index *opened;
    options.check = HNX_CHECK_DEEP;
    CHECK_OK(hnx_load("index", &options, &opened));
    CHECK(hnx_count(opened) == at_least || hnx_count(opened) == at_most);
    hnx_free(opened);
    CHECK_OK(hnx_verify("index", NULL));
}

static void grow(rlim_t bytes)
{
    hnx_options options = index_options(HNX_METRIC_L2, DIM, 0);
    float row[DIM];
    hnx_index *index;
    size_t written = 0, failures = 0;
    options.persist_path = "index";
    take_room(small_disk == NULL ? RLIM_INFINITY : 0);
    CHECK_OK(hnx_init(&options, &index));
    if (small_disk == NULL)
        limit(bytes);
    while (failures < 3) {
        hnx_status status;
        for (size_t at = 0; at < STEP; at++) {
            const uint64_t label = hnx_count(index);
            check_fill(row, DIM, label);
            CHECK_OK(index_add_one(index, row, label));
        }
        status = hnx_persist_dirty(index, NULL, NULL);
        if (status == HNX_OK) {
            written = hnx_count(index);
            continue;
        }
        {
            char text[512];
            hnx_last_error(text, sizeof text);
            CHECK(status == HNX_ERR_IO && strstr(text, "os error") != NULL);
        }
        failures++;
        CHECK(index_stats(index).dirty_records >= STEP);
        check_disk(written, hnx_count(index));
        CHECK_STATUS(HNX_ERR_IO, hnx_persist_dirty(index, NULL, NULL)); /* and again */
        check_disk(written, hnx_count(index));
        give_room();
        CHECK_OK(hnx_persist_dirty(index, NULL, NULL));
        CHECK(index_stats(index).dirty_records == 0);
        written = hnx_count(index);
        check_disk(written, written);
        if (small_disk != NULL)
            break; /* the disk is full in earnest now */
        bytes += bytes / 4;
        take_room(bytes);
    }
    limit(RLIM_INFINITY);
    hnx_free(index);
    check_disk(written, written);
    files_remove("index");
}

int main(void)
{
    char folder[FILES_PATH];
    struct sigaction ignore;
    memset(&ignore, 0, sizeof ignore);
    ignore.sa_handler = SIG_IGN;
    CHECK(sigaction(SIGXFSZ, &ignore, NULL) == 0);
    small_disk = getenv("HNX_SMALL_DISK");
    if (small_disk != NULL) {
        CHECK(chdir(small_disk) == 0);
        grow(0);
        return 0;
    }
    files_enter(folder);
    for (rlim_t bytes = 20000; bytes < check_pick(24000, 60000); bytes += 6007)
        grow(bytes);
    files_leave(folder);
    return 0;
}
