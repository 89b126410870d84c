/*
 * A first program with libhnx: build an index on real vectors, search it, delete, persist, close and reopen.
 *
 *     cc -std=c99 quickstart.c -lhnx -o quickstart && ./quickstart [DATA-FOLDER]
 */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <hnx.h>

enum { K = 10, BATCH = 1000, DELETED = 100, MORE = 10 };

/* ---- helpers that have nothing to do with the library ---- */

static void fail(const char *what, const char *why) {
    fprintf(stderr, "quickstart: %s: %s\n", what, why);
    exit(1);
}

static void *allocate(size_t bytes) {
    void *memory = malloc(bytes ? bytes : 1);
    if (!memory) fail("malloc", "out of memory");
    return memory;
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Reads a .bvecs (width 1) or .ivecs (width 4) file: rows of an int32 length and that many values. */
static unsigned char *read_rows(const char *folder, const char *name, size_t width, size_t *rows, size_t *row_len) {
    char path[4096];
    int32_t length;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file) fail(path, "cannot be opened; give the folder that holds it as the argument");
    if (fread(&length, sizeof length, 1, file) != 1 || length <= 0) fail(path, "has no first row");
    fseek(file, 0, SEEK_END);
    size_t bytes = (size_t)ftell(file), stride = sizeof length + (size_t)length * width;
    if (bytes % stride != 0) fail(path, "does not hold whole rows");
    unsigned char *all = allocate(bytes);
    rewind(file);
    if (fread(all, 1, bytes, file) != bytes) fail(path, "cannot be read");
    fclose(file);
    *rows = bytes / stride;
    *row_len = (size_t)length;
    for (size_t i = 0; i < *rows; i++) /* close the gaps that the lengths leave */
        memmove(all + i * (stride - sizeof length), all + i * stride + sizeof length, stride - sizeof length);
    return all;
}

static float *read_vectors(const char *folder, const char *name, size_t *rows, size_t *dim) {
    unsigned char *bytes = read_rows(folder, name, 1, rows, dim);
    float *vectors = allocate(*rows * *dim * sizeof(float));
    for (size_t i = 0; i < *rows * *dim; i++) vectors[i] = (float)bytes[i];
    free(bytes);
    return vectors;
}

/* examples/data, seen from the current directory or from the program's place in build/examples/. */
static const char *find_data(const char *program) {
    static char beside[4096];
    const char *slash = strrchr(program, '/');
    if (access("examples/data", R_OK) == 0 || !slash) return "examples/data";
    snprintf(beside, sizeof beside, "%.*s/../../examples/data", (int)(slash - program), program);
    return beside;
}

/* A new directory in TMPDIR or /tmp, removed when the program ends. */
static char directory[4096];

static void remove_directory(void) {
    char path[8192];
    struct dirent *entry;
    DIR *dir = opendir(directory);
    while (dir && (entry = readdir(dir)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        unlink(path);
    }
    if (dir) closedir(dir);
    rmdir(directory);
}

static void make_directory(void) {
    const char *parent = getenv("TMPDIR");
    snprintf(directory, sizeof directory, "%s/hnx-quickstart-XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(directory)) fail(directory, "cannot be made");
    atexit(remove_directory);
}

/* ---- the library ---- */

/* Every call that can fail returns a status; the text of the failure is the thread's last error. */
static void check(hnx_status status, const char *what) {
    if (status == HNX_OK) return;
    char text[512], why[600];
    hnx_last_error(text, sizeof text);
    snprintf(why, sizeof why, "%s: %s", hnx_status_name(status), text);
    fail(what, why);
}

/* The K nearest of every query, by one thread. */
static void search(const hnx_index *index, const float *queries, size_t count, size_t ef, uint64_t *labels,
                   float *distances) {
    hnx_query_options options = {0};
    options.struct_size = sizeof options;
    options.ef = ef;
    options.threads = 1;
    check(hnx_query(index, queries, count, K, &options, labels, distances, NULL), "hnx_query");
}

static void add(hnx_index *index, const float *vectors, const uint64_t *labels, size_t count) {
    check(hnx_add(index, vectors, labels, count, NULL, NULL), "hnx_add");
}

static void persist(hnx_index *index, const char *when) {
    hnx_persist_info info = {0};
    info.struct_size = sizeof info;
    double start = seconds();
    check(hnx_persist_dirty(index, NULL, &info), "hnx_persist_dirty");
    printf("hnx_persist_dirty %s: %llu records, %llu bytes, %.1f ms\n", when, (unsigned long long)info.records_written,
           (unsigned long long)info.bytes_written, (seconds() - start) * 1e3);
}

int main(int argc, char **argv) {
    size_t count, query_count, dim, query_dim, truth_rows, truth_len;
    const char *data = argc > 1 ? argv[1] : find_data(argv[0]);
    float *base = read_vectors(data, "sift15k.bvecs", &count, &dim);
    float *queries = read_vectors(data, "sift15k-query.bvecs", &query_count, &query_dim);
    int32_t *truth = (int32_t *)read_rows(data, "sift15k-groundtruth.ivecs", 4, &truth_rows, &truth_len);
    if (query_dim != dim || truth_rows != query_count || truth_len < K) fail(data, "its files do not fit together");

    printf("libhnx %s, CPU level %s\n", hnx_version(), hnx_cpu_name());
    printf("%zu vectors and %zu queries of %zu floats\n", count, query_count, dim);

    /* An empty index that persists into a directory. Zero means default everywhere. */
    make_directory();
    hnx_options options = {0};
    options.struct_size = sizeof options;
    options.metric = HNX_METRIC_L2;
    options.dim = dim;
    options.m = 16;
    options.ef_construction = 200;
    options.persist_path = directory;
    hnx_index *index = NULL;
    check(hnx_init(&options, &index), "hnx_init");

    /* Add in batches, on all cores. The label of a vector is its row number here; any uint64_t does. */
    uint64_t *labels = allocate(count * sizeof *labels);
    for (size_t i = 0; i < count; i++) labels[i] = i;
    double start = seconds();
    for (size_t done = 0; done < count;) {
        size_t n = count - done < BATCH ? count - done : BATCH;
        add(index, base + done * dim, labels + done, n);
        done += n;
        printf("\radded %zu of %zu, %.0f records/s", done, count, (double)done / (seconds() - start));
        fflush(stdout);
    }
    printf("\n");

    /* Recall and speed against the size of the candidate list. */
    size_t cells = query_count * K;
    uint64_t *found = allocate(cells * sizeof *found), *again = allocate(cells * sizeof *again);
    float *near = allocate(cells * sizeof *near), *near_again = allocate(cells * sizeof *near_again);
    printf("   ef  recall@%d  queries/s\n", (int)K);
    for (size_t ef = 10; ef <= 160; ef *= 2) {
        size_t hits = 0, rounds = 0;
        double elapsed;
        start = seconds();
        do {
            search(index, queries, query_count, ef, found, near);
            rounds++;
        } while ((elapsed = seconds() - start) < 0.2);
        for (size_t i = 0; i < cells; i++)
            for (size_t j = 0; j < K; j++) hits += found[i] == (uint64_t)truth[i / K * truth_len + j];
        printf("%5zu  %9.4f  %9.0f\n", ef, (double)hits / (double)cells, (double)(rounds * query_count) / elapsed);
    }

    /* Delete the best answers of the last search: they are not found any more. */
    unsigned char *deleted = allocate(count);
    memset(deleted, 0, count);
    size_t gone = 0, seen = 0;
    for (size_t i = 0; i < cells && gone < DELETED; i++) {
        if (found[i] >= count || deleted[found[i]]) continue;
        check(hnx_mark_deleted(index, found[i]), "hnx_mark_deleted");
        deleted[found[i]] = 1;
        gone++;
    }
    search(index, queries, query_count, 160, found, near);
    for (size_t i = 0; i < cells; i++) seen += found[i] < count && deleted[found[i]];
    printf("deleted %zu labels; %zu of them among the %zu answers now\n", gone, seen, cells);
    if (seen != 0) fail("hnx_query", "a deleted label came back");

    /* Write everything, add a little, write what changed. */
    persist(index, "of all");
    for (size_t i = 0; i < MORE; i++) labels[i] = 1000000 + i;
    add(index, queries, labels, MORE);
    persist(index, "after 10 more");

    /* Close and reopen: the answers are the same to the last bit. */
    search(index, queries, query_count, 100, found, near);
    hnx_free(index);
    hnx_load_options load = {0};
    load.struct_size = sizeof load;
    load.metric = HNX_METRIC_L2;
    load.dim = dim;
    check(hnx_load(directory, &load, &index), "hnx_load");
    search(index, queries, query_count, 100, again, near_again);
    if (memcmp(found, again, cells * sizeof *found) != 0 || memcmp(near, near_again, cells * sizeof *near) != 0)
        fail("hnx_load", "the answers differ from those before closing");
    printf("reopened: %zu records, %zu of them deleted, the same answers\n", hnx_count(index), hnx_deleted_count(index));

    hnx_free(index);
    free(base), free(queries), free(truth), free(labels), free(deleted);
    free(found), free(again), free(near), free(near_again);
    return 0;
}
