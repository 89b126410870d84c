/* The yardstick: what run.py asks of every language, in C. bench INDEX QUERIES DIM; then "batch N" or "single N" a line. */
#define _POSIX_C_SOURCE 200809L

#include <hnx.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { K = 10, EF = 80, BATCH = 1000 };

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 4) return 1;
    size_t dim = strtoul(argv[3], NULL, 10);
    float *queries = malloc(BATCH * dim * sizeof *queries);
    FILE *file = fopen(argv[2], "rb");
    if (!file || fread(queries, dim * sizeof *queries, BATCH, file) != BATCH) return 1;
    fclose(file);
    hnx_load_options load = {0};
    load.struct_size = sizeof load;
    load.dim = dim;
    hnx_index *index = NULL;
    if (hnx_load(argv[1], &load, &index) != HNX_OK) return 1;
    hnx_query_options options = {0};
    options.struct_size = sizeof options;
    options.ef = EF;
    options.threads = 1;
    uint64_t *labels = malloc(BATCH * K * sizeof *labels), sum = 0;
    float *distances = malloc(BATCH * K * sizeof *distances);
    size_t *counts = malloc(BATCH * sizeof *counts);
    char what[16];
    for (int times; scanf("%15s %d", what, &times) == 2; fflush(stdout)) {
        double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
        for (int i = 0; i < times; i++) {
            int single = strcmp(what, "single") == 0;
            const float *from = single ? queries + (size_t)(i % BATCH) * dim : queries;
            if (hnx_query(index, from, single ? 1 : BATCH, K, &options, labels, distances, counts) != HNX_OK) return 1;
            sum += labels[0];
        }
        printf("%.0f %.0f %llu\n", (now(CLOCK_MONOTONIC) - wall) / times, (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / times,
               (unsigned long long)sum);
    }
    hnx_free(index);
    free(queries), free(labels), free(distances), free(counts);
    return 0;
}
