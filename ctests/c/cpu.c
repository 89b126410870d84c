/* HNX_CPU lowers the instruction set; all sets give the same bits: graphs, distances, stored cosine vectors. */
#include <sys/wait.h>

#include "load.h"

enum { DIM = 37, COUNT = 300, K = 10 };

/* In a process of its own: HNX_CPU is read once. */
static void write_answers(const char *name)
{
    const uint32_t metrics[] = {HNX_METRIC_L2, HNX_METRIC_IP, HNX_METRIC_COSINE};
    float *rows = check_vectors(COUNT, DIM, 41), *queries = check_vectors(COUNT, DIM, 42);
    for (size_t at = 0; at < 3; at++) {
        char path[FILES_PATH];
        hnx_index *index = index_of(metrics[at], DIM, rows, COUNT, 0);
        struct {
            uint64_t labels[COUNT * K];
            float distances[COUNT * K];
        } *answers = check_alloc(1, sizeof *answers);
        const hnx_query_options options = index_ef(20);
        CHECK_OK(hnx_query(index, queries, COUNT, K, &options, answers->labels, answers->distances, NULL));
        snprintf(path, sizeof path, "%s.%zu.answers", name, at);
        files_write(path, answers, sizeof *answers);
        snprintf(path, sizeof path, "%s.%zu.graph", name, at);
        CHECK_OK(hnx_save(index, path, HNX_FORMAT_CHROMA));
        hnx_free(index);
        free(answers);
    }
    snprintf((char *)rows, 64, "%s", hnx_cpu_name());
    {
        char path[FILES_PATH];
        snprintf(path, sizeof path, "%s.name", name);
        files_write(path, rows, strlen((char *)rows));
    }
    free(rows);
    free(queries);
}

static void run_with(const char *name)
{
    int status = -1;
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(setenv("HNX_CPU", name, 1) == 0);
        write_answers(name);
        _Exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The set that was in use, for each name asked for. */
static int used(const char *name, const char *expected)
{
    char path[FILES_PATH];
    size_t size;
    unsigned char *text;
    int is;
    snprintf(path, sizeof path, "%s.name", name);
    text = files_read(path, &size);
    is = size == strlen(expected) && memcmp(text, expected, size) == 0;
    free(text);
    return is;
}

int main(void)
{
    const char *const names[] = {"scalar", "avx2", "avx512", "neon", "unheard of"};
    char folder[FILES_PATH];
    files_enter(folder);
    for (size_t at = 0; at < sizeof names / sizeof *names; at++)
        run_with(names[at]); /* nothing of the library has run in this process: the child reads HNX_CPU afresh */
    CHECK(used("scalar", "scalar"));
    CHECK(!used("avx2", "avx512"));
    for (size_t at = 1; at < sizeof names / sizeof *names; at++)
        for (size_t metric = 0; metric < 3; metric++) {
            char a[FILES_PATH], b[FILES_PATH];
            snprintf(a, sizeof a, "scalar.%zu.answers", metric);
            snprintf(b, sizeof b, "%s.%zu.answers", names[at], metric);
            CHECK(files_equal(a, b));
            snprintf(a, sizeof a, "scalar.%zu.graph", metric);
            snprintf(b, sizeof b, "%s.%zu.graph", names[at], metric);
            CHECK(files_equal(a, b));
        }
    files_leave(folder);
    return 0;
}
