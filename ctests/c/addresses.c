/* Few addresses: 128 GiB for all that the process will reserve, as under valgrind and on some small machines. */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "index.h"

#define GIB ((size_t)1 << 30)
#define INDEXES 60

static void *addresses(size_t len)
{
    void *start = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}

int main(void)
{
    hnx_index *indexes[INDEXES];
    const size_t count = check_pick(50, 1000);
    float *rows = check_vectors(count, 2, 5);
    void *left = addresses(128 * GIB);
    CHECK(left != NULL);
    for (size_t len = (size_t)1 << 46; len >= GIB / 4; len /= 2)
        while (addresses(len) != NULL) {
        }
    CHECK(addresses(GIB) == NULL);
    CHECK(munmap(left, 128 * GIB) == 0);
    CHECK(addresses(129 * GIB) == NULL);

    for (size_t at = 0; at < INDEXES; at++)
        indexes[at] = index_of(HNX_METRIC_L2, 2, rows, count, 0);
    for (size_t at = 0; at < INDEXES; at++) {
        CHECK(index_nearest(indexes[at], rows, 2) == 0);
        hnx_free(indexes[at]);
    }
    free(rows);
    return 0;
}
