/* Saving in each format and opening it again, read or mapped: the same answers, vectors, deletions; and it goes on. */
#include "load.h"

enum { DIM = 9, QUERIES = 20 };

static const char *const NAMES[] = {"hnswlib", "chroma", "directory"};

static void same_vectors(const hnx_index *a, const hnx_index *b, uint64_t label)
{
    float va[DIM], vb[DIM];
    CHECK_OK(hnx_get(a, &label, 1, va));
    CHECK_OK(hnx_get(b, &label, 1, vb));
    CHECK(memcmp(va, vb, sizeof va) == 0);
}

/* Stored unit vectors only: hnswlib's file has no place for lengths. */
static void unit_vectors(const hnx_index *index, uint64_t label)
{
    float vector[DIM];
    double square = 0;
    CHECK_OK(hnx_get(index, &label, 1, vector));
    for (size_t at = 0; at < DIM; at++)
        square += (double)vector[at] * vector[at];
    CHECK(fabs(square - 1) < 1e-5);
}

static void goes_on(hnx_index *index, uint32_t metric, const float *rows, size_t count)
{
    const float place[DIM] = {7, 7, 7, 7, 7, 7, 7, 7, 7};
    size_t found = 0;
    CHECK_OK(index_add_one(index, place, 1 << 20));
    CHECK_OK(index_add_one(index, rows, 1 << 21));
    CHECK_OK(hnx_mark_deleted(index, 1 << 21));
    CHECK(hnx_count(index) == count + 2);
    CHECK(index_nearest(index, place, 100) == 1 << 20);
    for (uint64_t label = 0; label < 50; label++) /* an inner product may be larger with another vector */
        found += label % 7 == 3 || metric == HNX_METRIC_IP || index_nearest(index, rows + label * DIM, 100) == label;
    CHECK(found >= 49);
}

static void round_trip(uint32_t metric, uint32_t format, uint32_t flags, uint32_t check)
{
    const size_t count = check_pick(80, 500);
    float *rows = check_vectors(count, DIM, 22), *queries = check_vectors(QUERIES, DIM, 23);
    hnx_index *index = index_of(metric, DIM, rows, count, 0), *loaded = NULL;
    hnx_load_options options = load_options(metric, DIM, flags);
    hnx_stats_info stats;
    options.check = check;
    for (uint64_t label = 3; label < count; label += 7)
        CHECK_OK(hnx_mark_deleted(index, label));
    CHECK_OK(hnx_save(index, NAMES[format], format));
    CHECK_OK(hnx_load(NAMES[format], &options, &loaded));
    stats = index_stats(loaded);
    CHECK(stats.metric == metric && stats.flags == flags && stats.dim == DIM && stats.ef == 10);
    CHECK(stats.count == count && stats.deleted == hnx_deleted_count(index) &&
          hnx_deleted_count(loaded) == stats.deleted);
    CHECK(stats.m == 16 && stats.ef_construction == 200 && stats.max_level == index_stats(index).max_level);
    index_check_same(index, loaded, queries, QUERIES, 10, 50);
    index_check_same(index, loaded, queries, QUERIES, count + 1, 2 * count);
    if (metric == HNX_METRIC_COSINE && format == HNX_FORMAT_HNSWLIB)
        unit_vectors(loaded, 5);
    else
        for (uint64_t label = 0; label < count; label++)
            if (label % 7 != 3)
                same_vectors(index, loaded, label);
    CHECK_OK(hnx_unmark_deleted(loaded, 3));
    CHECK_OK(hnx_mark_deleted(loaded, 3));
    goes_on(loaded, metric, rows, count);
    hnx_free(loaded);
    hnx_free(index);
    files_remove(NAMES[format]);
    free(rows);
    free(queries);
}

/* What is stored decides the capacity where less is asked for; 0 grows. */
static void capacity(void)
{
    float *rows = check_vectors(30, DIM, 24);
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, rows, 30, 0);
    const size_t asked[] = {5, 30, 100, 0};
    CHECK_OK(hnx_save(index, "file", HNX_FORMAT_HNSWLIB));
    hnx_free(index);
    for (size_t at = 0; at < 4; at++) {
        hnx_load_options options = load_options(HNX_METRIC_L2, DIM, 0);
        options.max_elements = asked[at];
        CHECK_OK(hnx_load("file", &options, &index));
        CHECK(hnx_count(index) == 30);
        CHECK(asked[at] == 0 ? hnx_capacity(index) >= 30 : hnx_capacity(index) == (asked[at] < 30 ? 30 : asked[at]));
        CHECK_STATUS(asked[at] == 5 || asked[at] == 30 ? HNX_ERR_FULL : HNX_OK, index_add_one(index, rows, 1000));
        hnx_free(index);
    }
    free(rows);
}

/* Empty indexes and indexes of one record can be saved and opened, too. */
static void small(uint32_t format, size_t count)
{
    const float row[DIM] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, other[DIM] = {0};
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, row, count, 5), *loaded;
    CHECK_OK(hnx_save(index, "small", format));
    loaded = load_index("small", HNX_METRIC_L2, DIM, 0);
    CHECK(hnx_count(loaded) == count);
    CHECK_OK(index_add_one(loaded, other, 6));
    CHECK(hnx_count(loaded) == count + 1 && index_nearest(loaded, row, 10) == (count ? 5 : 6));
    hnx_free(loaded);
    hnx_free(index);
    files_remove("small");
}

/* Codes are made anew on opening: they guide to the answers that those did which the index had made while it grew. */
static void guided(uint32_t metric, size_t dim, int integers)
{
    enum { PIECE = 520 }; /* codes come with the thousandth record */
    const size_t count = check_pick(2, 10) * PIECE, queries = 50, k = 10;
    float *rows = check_vectors(count + queries, dim, 26);
    hnx_index *index = index_of(metric, dim, rows, 0, 0), *loaded;
    hnx_load_options options = load_options(metric, dim, 0);
    for (size_t at = 0; integers && at < (count + queries) * dim; at++)
        rows[at] = floorf(fminf(fmaxf(100 + 25 * rows[at], 0), 255));
    for (size_t at = 0; at < count; at += PIECE) {
        uint64_t labels[PIECE];
        for (size_t row = 0; row < PIECE; row++)
            labels[row] = at + row;
        CHECK_OK(hnx_add(index, rows + at * dim, labels, PIECE, NULL, NULL));
    }
    CHECK_OK(hnx_save(index, "guided", HNX_FORMAT_CHROMA));
    CHECK_OK(hnx_load("guided", &options, &loaded));
    CHECK(index_stats(loaded).exactness == HNX_EXACTNESS_GUIDED);
    {
        const hnx_query_options asked = index_ef(20);
        uint64_t *before = check_labels(queries * k, 0), *after = check_labels(queries * k, 1);
        CHECK_OK(hnx_query(index, rows + count * dim, queries, k, &asked, before, NULL, NULL));
        CHECK_OK(hnx_query(loaded, rows + count * dim, queries, k, &asked, after, NULL, NULL));
        CHECK(memcmp(before, after, queries * k * sizeof *before) == 0);
        free(before);
        free(after);
    }
    hnx_free(loaded);
    hnx_free(index);
    files_remove("guided");
    free(rows);
}

int main(void)
{
    const uint32_t metrics[] = {HNX_METRIC_L2, HNX_METRIC_IP, HNX_METRIC_COSINE};
    char folder[FILES_PATH];
    files_enter(folder);
    for (uint32_t format = 0; format < 3; format++) {
        for (size_t metric = 0; metric < 3; metric++)
            for (uint32_t check = HNX_CHECK_DEFAULT; check <= (check_quick() ? HNX_CHECK_DEFAULT : HNX_CHECK_DEEP);
                 check++) {
                round_trip(metrics[metric], format, 0, check);
                round_trip(metrics[metric], format, HNX_LOAD_MMAP, check);
            }
        round_trip(HNX_METRIC_L2, format, HNX_ALLOW_REPLACE_DELETED, HNX_CHECK_DEFAULT);
        small(format, 0);
        small(format, 1);
    }
    capacity();
    guided(HNX_METRIC_L2, 20, 0);
    guided(HNX_METRIC_COSINE, 140, 0);
    guided(HNX_METRIC_IP, 100, 0);
    guided(HNX_METRIC_L2, 70, 1);
    files_leave(folder);
    return 0;
}
