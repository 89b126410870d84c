/* The same seed and the same adds from one thread give the same graph, another seed another one. */
#include "graph_file.h"

enum { DIM = 6, COUNT = 400 };

static void build(uint64_t seed, const char *path)
{
    float *rows = check_vectors(COUNT, DIM, 20);
    uint64_t *labels = check_labels(COUNT, 0);
    hnx_options options = index_options(HNX_METRIC_L2, DIM, 0);
    hnx_index *index = NULL;
    options.random_seed = seed;
    options.m = 5;
    CHECK_OK(hnx_init(&options, &index));
    CHECK_OK(index_add(index, rows, labels, COUNT / 2));
    for (size_t at = COUNT / 2; at < COUNT; at++)
        CHECK_OK(index_add_one(index, rows + at * DIM, labels[at]));
    CHECK_OK(hnx_mark_deleted(index, 17));
    CHECK_OK(index_add_one(index, rows, 33)); /* an update */
    CHECK_OK(hnx_save(index, path, HNX_FORMAT_HNSWLIB));
    hnx_free(index);
    free(rows);
    free(labels);
}

int main(void)
{
    char folder[FILES_PATH];
    files_enter(folder);
    build(7, "seven");
    build(7, "seven again");
    build(8, "eight");
    build(0, "default");
    build(100, "hundred");
    CHECK(files_equal("seven", "seven again"));
    CHECK(graph_same("seven", "seven again"));
    CHECK(!graph_same("seven", "eight"));
    CHECK(files_equal("default", "hundred"));
    files_leave(folder);
    return 0;
}
