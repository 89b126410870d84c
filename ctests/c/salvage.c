/* hnx_salvage: what can be read of a damaged index is kept, what cannot is counted, and the new index finds it. */
#include "graph_file.h"
#include "load.h"
#include "salvage.h"

enum { DIM = 8, COUNT = 600, M = 6, DELETED = 30, RECORD = 4 + 8 * M + 4 * DIM + 8, K = 10, QUERIES = 60 };

static float *rows;

static hnx_index *original(uint32_t metric)
{
    hnx_options options = index_options(metric, DIM, 0);
    uint64_t *labels = check_labels(COUNT, 1000);
    hnx_index *index = NULL;
    options.m = M;
    options.ef_construction = 60;
    CHECK_OK(hnx_init(&options, &index));
    CHECK_OK(index_add(index, rows, labels, COUNT));
    for (uint64_t at = 0; at < DELETED; at++)
        CHECK_OK(hnx_mark_deleted(index, 1000 + 20 * at));
    free(labels);
    return index;
}

/* Writes the index as a directory "directory" without checksums, a file "hnswlib" and a file "chroma", in place of those
 * there. */
static void write_all(uint32_t metric)
{
    hnx_index *index = original(metric);
    files_remove("directory");
    CHECK_OK(hnx_save(index, "directory", HNX_FORMAT_CHROMA_DIRECTORY));
    CHECK(rename("directory/hnx.sums", "sums") == 0);
    CHECK_OK(hnx_save(index, "hnswlib", HNX_FORMAT_HNSWLIB));
    CHECK_OK(hnx_save(index, "chroma", HNX_FORMAT_CHROMA));
    hnx_free(index);
}

/* Live labels are readable as they were added, and queries find the exact nearest of them. */
static void check_index(const hnx_index *index, uint32_t metric, int lengths)
{
    unsigned char live[COUNT];
    uint64_t labels[K];
    size_t found = 0, wanted = 0, kept = 0;
    for (size_t row = 0; row < COUNT; row++) {
        const uint64_t label = 1000 + row;
        float back[DIM];
        live[row] = hnx_get(index, &label, 1, back) == HNX_OK;
        kept += live[row];
        for (size_t at = 0; live[row] && lengths && at < DIM; at++)
            CHECK(fabsf(back[at] - rows[row * DIM + at]) <= 2e-6f * (1 + fabsf(back[at])));
    }
    CHECK(kept == hnx_count(index) - hnx_deleted_count(index));
    for (size_t query = 0; query < QUERIES; query++) {
        const float *vector = rows + query * DIM;
        const size_t count = index_query(index, vector, K, 200, labels, NULL);
        CHECK(count == (kept < K ? kept : K));
        for (size_t at = 0; at < count; at++) {
            /* As near as the at-th nearest of all, or nearer. */
            const double mine = index_distance(metric, vector, rows + (labels[at] - 1000) * DIM, DIM);
            size_t nearer = 0;
            CHECK(live[labels[at] - 1000]);
            for (size_t row = 0; row < COUNT; row++)
                nearer += live[row] && index_distance(metric, vector, rows + row * DIM, DIM) < mine - 1e-5;
            found += nearer <= at;
            wanted++;
        }
    }
    if (found < wanted - wanted / 100)
        fprintf(stderr, "metric %u: %zu of %zu found\n", (unsigned)metric, found, wanted);
    CHECK(found >= wanted - wanted / 100);
}

static hnx_salvage_info salvaged(const char *path, uint32_t metric, uint32_t flags, int lengths)
{
    hnx_salvage_options options = salvage_options(metric, DIM, flags);
    hnx_salvage_info info;
    hnx_index *index;
    options.threads = 1; /* the same graph in every run */
    index = salvage(path, &options, &info);
    check_index(index, metric, lengths);
    CHECK(index_stats(index).m == M);
    hnx_free(index);
    return info;
}

/* All is kept, and this is what was found to be wrong. */
static hnx_salvage_info all_kept(const char *path, uint32_t metric, uint32_t damage)
{
    const hnx_salvage_info info = salvaged(path, metric, 0, (damage & HNX_DAMAGE_LENGTHS) == 0);
    CHECK(info.kept == COUNT && info.deleted == DELETED);
    if (info.damage != damage)
        fprintf(stderr, "%s: damage %u\n", path, info.damage);
    CHECK(info.damage == damage);
    return info;
}

static void intact(uint32_t metric)
{
    write_all(metric);
    CHECK(all_kept("directory", metric, 0).records == COUNT);
    CHECK(all_kept("chroma", metric, 0).stated == COUNT);
    if (metric == HNX_METRIC_COSINE) { /* hnswlib's file has no lengths: none are lost */
        const hnx_salvage_info info = salvaged("hnswlib", metric, 0, 0);
        CHECK(info.kept == COUNT && info.damage == 0 && info.lengths_lost == 0);
    } else {
        all_kept("hnswlib", metric, 0);
    }
}

static void overwrite(const char *path, size_t at, const void *bytes, size_t size)
{
    const int file = open(path, O_WRONLY);
    CHECK(file >= 0 && pwrite(file, bytes, size, (off_t)at) == (ssize_t)size);
    close(file);
}

static void fill(const char *path, size_t at, int byte, size_t size)
{
    void *bytes = check_alloc(size, 1);
    memset(bytes, byte, size);
    overwrite(path, at, bytes, size);
    free(bytes);
}

static void lists(void)
{
    const uint32_t torn = 0x3F8A1234;
    write_all(HNX_METRIC_L2);
    overwrite("directory/link_lists.bin", 40, &torn, 4);
    all_kept("directory", HNX_METRIC_L2, HNX_DAMAGE_LISTS);
    CHECK(truncate("directory/link_lists.bin", (off_t)400 << 30) == 0);
    all_kept("directory", HNX_METRIC_L2, HNX_DAMAGE_LISTS);
    CHECK(truncate("directory/link_lists.bin", 50) == 0);
    all_kept("directory", HNX_METRIC_L2, HNX_DAMAGE_LISTS);
    files_remove("directory/link_lists.bin");
    all_kept("directory", HNX_METRIC_L2, HNX_DAMAGE_LISTS);
    files_remove("directory/length.bin"); /* of no use for this metric */
    all_kept("directory", HNX_METRIC_L2, HNX_DAMAGE_LISTS);
    files_remove("directory/header.bin"); /* the records alone */
    all_kept("directory", HNX_METRIC_L2, HNX_DAMAGE_LISTS | HNX_DAMAGE_HEADER);
    write_all(HNX_METRIC_L2);
    files_remove("directory/header.bin"); /* lists are not damaged because nothing says how many there are */
    all_kept("directory", HNX_METRIC_L2, HNX_DAMAGE_HEADER);
}

static void lying_headers(void)
{
    const uint64_t lies[] = {0, 1, 7, UINT64_MAX, 1000000};
    const uint32_t version = 0x80000001u;
    unsigned char *bytes;
    size_t size;
    write_all(HNX_METRIC_L2);
    bytes = files_read("directory/header.bin", &size);
    overwrite("directory/header.bin", 0, &version, 4);
    all_kept("directory", HNX_METRIC_L2, HNX_DAMAGE_HEADER);
    for (size_t at = 4; at < size; at += check_pick(16, 8))
        for (size_t lie = at / 16 % check_pick(4, 1); lie < sizeof lies / sizeof *lies; lie += check_pick(4, 1)) {
            hnx_salvage_info info;
            const size_t len = size - at < 8 ? size - at : 8;
            files_write("directory/header.bin", bytes, size);
            overwrite("directory/header.bin", at, lies + lie, len);
            info = salvaged("directory", HNX_METRIC_L2, HNX_SALVAGE_BEYOND_COUNT, 1);
            CHECK(info.kept == COUNT && info.deleted == DELETED);
        }
    /* A header that agrees with itself on another size of records. */
    files_write("directory/header.bin", bytes, size);
    for (uint64_t m = 2; m < check_pick(4, 20); m += M == m + 1 ? 2 : 1) {
        const uint64_t vector = 4 + 8 * m, label = vector + 4 * DIM, stride = label + 8, twice = 2 * m;
        overwrite("directory/header.bin", 28, &stride, 8);
        overwrite("directory/header.bin", 36, &label, 8);
        overwrite("directory/header.bin", 44, &vector, 8);
        overwrite("directory/header.bin", 60, &m, 8);
        overwrite("directory/header.bin", 68, &twice, 8);
        overwrite("directory/header.bin", 76, &m, 8);
        all_kept("directory", HNX_METRIC_L2, HNX_DAMAGE_HEADER);
    }
    /* Fewer records than there are: the others are kept when they are asked for. */
    files_write("directory/header.bin", bytes, size);
    {
        const uint64_t half = COUNT / 2;
        hnx_salvage_info info;
        overwrite("directory/header.bin", 20, &half, 8);
        overwrite("directory/header.bin", 56, "\0\0\0", 4);
        info = salvaged("directory", HNX_METRIC_L2, 0, 1);
        CHECK(info.kept == half && info.records == half && info.stated == half);
        info = salvaged("directory", HNX_METRIC_L2, HNX_SALVAGE_BEYOND_COUNT, 1);
        CHECK(info.kept == COUNT && info.deleted == DELETED);
    }
    files_write("directory/header.bin", bytes, 60);
    all_kept("directory", HNX_METRIC_L2, HNX_DAMAGE_HEADER);
    free(bytes);
}

static void torn_records(void)
{
    const char *const file = "directory/data_level0.bin";
    hnx_salvage_info info;
    write_all(HNX_METRIC_L2);
    fill(file, 101 * RECORD, 0, 9 * RECORD);
    fill(file, 201 * RECORD, 0xFF, 7 * RECORD);
    fill(file, 301 * RECORD, 0xFF, 4 + 8 * M); /* links alone: the vector is whole */
    overwrite(file, 402 * RECORD + RECORD - 8, &(uint64_t){1403}, 8);
    info = salvaged("directory", HNX_METRIC_L2, 0, 1);
    CHECK(info.unwritten == 9 && info.not_finite == 7 && info.duplicates == 1 && info.kept == COUNT - 17);
    CHECK(info.damage == HNX_DAMAGE_RECORDS);
    CHECK(truncate(file, 500 * RECORD - 10) == 0);
    info = salvaged("directory", HNX_METRIC_L2, 0, 1);
    CHECK(info.missing == COUNT - 499 && info.kept == 499 - 17);
    files_remove("directory/header.bin");
    info = salvaged("directory", HNX_METRIC_L2, 0, 1);
    CHECK(info.kept == 499 - 18 && info.implausible == 8 && info.stated == 0); /* the record without links, too */
    CHECK(truncate(file, (off_t)300 << 30) == 0); /* nearly all a hole */
    info = salvaged("directory", HNX_METRIC_L2, 0, 1);
    CHECK(info.kept == 499 - 18);
    fill(file, 0, 0xFF, 500 * RECORD);
    {
        hnx_salvage_options options = salvage_options(HNX_METRIC_L2, DIM, 0);
        salvage_refused(HNX_ERR_CORRUPT, "directory", &options);
        options.m = M;
        salvage_refused(HNX_ERR_CORRUPT, "directory", &options);
        files_remove(file);
        salvage_refused(HNX_ERR_NOT_FOUND, "directory", &options);
        salvage_refused(HNX_ERR_NOT_FOUND, "absent", &options);
    }
}

static void cosine(void)
{
    const float half = 0.5f;
    hnx_salvage_info info;
    write_all(HNX_METRIC_COSINE);
    overwrite("directory/data_level0.bin", 50 * RECORD + 4 + 8 * M, &half, 4); /* not of length 1 any more */
    info = salvaged("directory", HNX_METRIC_COSINE, 0, 1);
    CHECK(info.implausible == 1 && info.damage == HNX_DAMAGE_RECORDS);
    write_all(HNX_METRIC_COSINE);
    fill("directory/length.bin", 4 * 10, 0xFF, 4 * 5);
    CHECK(truncate("directory/length.bin", 4 * (COUNT - 3)) == 0);
    info = salvaged("directory", HNX_METRIC_COSINE, 0, 0);
    CHECK(info.lengths_lost == 8 && info.damage == HNX_DAMAGE_LENGTHS && info.kept == COUNT);
    files_remove("directory/length.bin");
    info = salvaged("directory", HNX_METRIC_COSINE, 0, 0);
    CHECK(info.lengths_lost == COUNT && info.damage == HNX_DAMAGE_LENGTHS);
}

static void single_files(void)
{
    const size_t records = GRAPH_HEADER + COUNT * RECORD;
    hnx_salvage_info info;
    write_all(HNX_METRIC_COSINE);
    fill("chroma", records + 4 * COUNT + 8, 0xEE, 100); /* lists: lengths are told from them */
    all_kept("chroma", HNX_METRIC_COSINE, HNX_DAMAGE_LISTS);
    fill("hnswlib", records + 8, 0xEE, 100);
    info = salvaged("hnswlib", HNX_METRIC_COSINE, 0, 0);
    CHECK(info.kept == COUNT && info.lengths_lost == COUNT);
    CHECK(truncate("chroma", (off_t)(GRAPH_HEADER + 400 * RECORD + 20)) == 0);
    info = salvaged("chroma", HNX_METRIC_COSINE, 0, 0);
    CHECK(info.kept == 400 && info.missing == COUNT - 400);
    write_all(HNX_METRIC_L2);
    fill("hnswlib", 0, 0xAB, GRAPH_HEADER);
    info = salvaged("hnswlib", HNX_METRIC_L2, 0, 1);
    CHECK(info.kept == COUNT && info.deleted == DELETED && (info.damage & HNX_DAMAGE_HEADER));
    fill("chroma", 0, 0, GRAPH_HEADER);
    info = salvaged("chroma", HNX_METRIC_L2, 0, 1);
    CHECK(info.kept == COUNT && info.deleted == DELETED);
    CHECK(truncate("chroma", GRAPH_HEADER) == 0);
    {
        const hnx_salvage_options options = salvage_options(HNX_METRIC_L2, DIM, 0);
        salvage_refused(HNX_ERR_CORRUPT, "chroma", &options);
        CHECK(truncate("chroma", 10) == 0);
        salvage_refused(HNX_ERR_CORRUPT, "chroma", &options);
        salvage_refused(HNX_ERR_INVALID_ARGUMENT, "/dev/null", &options);
    }
}

/* With checksums: what differs is kept and counted, and they say what a lost header said. */
static void checksums(void)
{
    const char *const file = "directory/data_level0.bin";
    hnx_salvage_info info;
    write_all(HNX_METRIC_L2);
    CHECK(rename("sums", "directory/hnx.sums") == 0);
    CHECK(all_kept("directory", HNX_METRIC_L2, 0).mismatched == 0);
    fill(file, 301 * RECORD, 0xFF, 4 + 8 * M); /* links alone: the vector is whole */
    info = all_kept("directory", HNX_METRIC_L2, HNX_DAMAGE_RECORDS);
    CHECK(info.mismatched == 1 && info.stated == COUNT);
    files_remove("directory/header.bin");
    info = all_kept("directory", HNX_METRIC_L2, HNX_DAMAGE_HEADER | HNX_DAMAGE_RECORDS);
    CHECK(info.mismatched == 1 && info.stated == COUNT);
}

/* The new index is one like any other, and keeps what is asked of it. */
static void goes_on(void)
{
    hnx_salvage_options options = salvage_options(HNX_METRIC_L2, DIM, HNX_ALLOW_REPLACE_DELETED);
    hnx_salvage_info info;
    hnx_index *index, *again;
    write_all(HNX_METRIC_L2);
    options.threads = 1;
    options.ef_construction = 77;
    index = salvage("directory", &options, &info);
    CHECK(index_stats(index).ef_construction == 77);
    CHECK_OK(index_add_flags(index, rows, (const uint64_t[]){9}, 1, HNX_ADD_REPLACE_DELETED));
    CHECK(hnx_count(index) == COUNT && hnx_deleted_count(index) == DELETED - 1);
    CHECK_OK(hnx_save(index, "new", HNX_FORMAT_CHROMA_DIRECTORY));
    again = load_index("new", HNX_METRIC_L2, DIM, 0);
    index_check_same(index, again, rows, 20, 5, 50);
    hnx_free(again);
    hnx_free(index);
    index = index_make(HNX_METRIC_L2, DIM, 0);
    CHECK_OK(hnx_save(index, "empty", HNX_FORMAT_CHROMA_DIRECTORY));
    hnx_free(index);
    options = salvage_options(HNX_METRIC_L2, DIM, 0);
    index = salvage("empty", &options, &info);
    CHECK(info.kept == 0 && info.records == 0 && info.damage == 0);
    CHECK_OK(index_add_one(index, rows, 5));
    hnx_free(index);

    options.dim = 0;
    salvage_refused(HNX_ERR_INVALID_ARGUMENT, "directory", &options);
    options = salvage_options(3, DIM, 0);
    salvage_refused(HNX_ERR_INVALID_ARGUMENT, "directory", &options);
    options = salvage_options(HNX_METRIC_L2, DIM, 0x100);
    salvage_refused(HNX_ERR_INVALID_ARGUMENT, "directory", &options);
    options = salvage_options(HNX_METRIC_L2, DIM, 0);
    options.reserved = 1;
    salvage_refused(HNX_ERR_UNSUPPORTED, "directory", &options);
    options = salvage_options(HNX_METRIC_L2, DIM, 0);
    options.m = 1;
    salvage_refused(HNX_ERR_INVALID_ARGUMENT, "directory", &options);
    options.m = M; /* given, and right */
    hnx_free(salvage("directory", &options, &info));
    CHECK(info.kept == COUNT);
}

int main(void)
{
    char folder[FILES_PATH];
    files_enter(folder);
    rows = check_vectors(COUNT, DIM, 77);
    for (uint32_t metric = 0; metric < 3; metric++)
        intact(metric);
    lists();
    lying_headers();
    torn_records();
    cosine();
    single_files();
    checksums();
    goes_on();
    free(rows);
    files_leave(folder);
    return 0;
}
