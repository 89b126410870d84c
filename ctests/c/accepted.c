/* Oddities that real writers leave in files: each is opened in every way, used, saved and opened again. What must be
 * refused is in lies.c. */
#include "graph_file.h"
#include "load.h"

enum { DIM = 4, COUNT = 80, M = 3, RECORD = 4 + 8 * M + 4 * DIM + 8, LIST = 4 + 4 * M };

static float *rows;
static graph_file file; /* an index as a file of hnswlib's */

static const uint32_t CHECKS[] = {HNX_CHECK_DEFAULT, HNX_CHECK_FAST, HNX_CHECK_DEEP};
static const uint32_t WAYS[] = {0, HNX_LOAD_READ_ONLY, HNX_LOAD_MMAP, HNX_ALLOW_REPLACE_DELETED};

static hnx_index *open_one(const char *path, uint32_t flags, uint32_t check)
{
    hnx_load_options options = load_options(HNX_METRIC_L2, DIM, flags);
    hnx_index *index = NULL;
    options.check = check;
    CHECK_OK(hnx_load(path, &options, &index));
    return index;
}

static void use(hnx_index *index, size_t records)
{
    const size_t live = records - hnx_deleted_count(index);
    const uint64_t new_label = 5000;
    float back[DIM];
    uint64_t labels[8];
    CHECK(hnx_count(index) == records);
    CHECK(index_query(index, rows, 8, 200, labels, NULL) <= live);
    CHECK_OK(index_add_one(index, rows + DIM, new_label));
    CHECK_OK(hnx_get(index, &new_label, 1, back));
    CHECK(memcmp(back, rows + DIM, sizeof back) == 0);
    CHECK_OK(hnx_mark_deleted(index, new_label));
    CHECK_OK(index_add_one(index, rows, new_label));
    for (uint64_t label = 0; label < 10 && label < records; label++)
        index_add_one(index, rows + 2 * DIM, label);
    index_query(index, rows, 8, 200, labels, NULL);
}

/* Opens "odd" in every way; deep: whether the deep check takes it, too. */
static void accepted(const char *path, size_t records, int deep)
{
    for (size_t way = 0; way < 4; way++)
        for (size_t check = 0; check < (deep ? 3u : 2u); check++) {
            hnx_index *index = open_one(path, WAYS[way], CHECKS[check]), *again;
            if (WAYS[way] != HNX_LOAD_READ_ONLY)
                use(index, records);
            files_remove("again");
            CHECK_OK(hnx_save(index, "again", HNX_FORMAT_HNSWLIB));
            again = open_one("again", 0, HNX_CHECK_FAST);
            CHECK(hnx_count(again) == hnx_count(index) && hnx_deleted_count(again) == hnx_deleted_count(index));
            hnx_free(again);
            hnx_free(index);
        }
}

static unsigned char *copy(void)
{
    unsigned char *bytes = (unsigned char *)check_alloc(file.size, 1);
    memcpy(bytes, file.bytes, file.size);
    return bytes;
}

static void put(unsigned char *bytes, size_t at, uint64_t value, size_t len)
{
    memcpy(bytes + at, &value, len);
}

/* Writes the bytes as a file and has it accepted. */
static void odd(unsigned char *bytes, int deep)
{
    files_write("odd", bytes, file.size);
    accepted("odd", COUNT, deep);
    free(bytes);
}

static void headers(void)
{
    unsigned char *bytes = copy();
    const size_t level = (size_t)file.max_level;
    size_t id = 0;
    put(bytes, 8, (uint64_t)1 << 62, 8); /* a capacity that nobody can have is no allocation */
    odd(bytes, 1);
    bytes = copy();
    put(bytes, 8, COUNT, 8); /* full */
    odd(bytes, 1);
    bytes = copy();
    put(bytes, 88, 1, 8); /* ef_construction below M */
    odd(bytes, 1);
    /* A record above the highest level: an add that was given up leaves one. */
    CHECK(level >= 2);
    while (graph_u32(&file, file.upper[id]) != LIST * (level - 1))
        id++;
    bytes = copy();
    put(bytes, 48, level - 1, 4);
    put(bytes, 52, id, 4);
    odd(bytes, 1);
}

static void links(void)
{
    unsigned char *bytes = copy();
    for (size_t id = 0; id < COUNT; id++) { /* stale slots behind the end of each list */
        const size_t list = graph_record(&file, id), links = bytes[list];
        for (size_t slot = links; slot < 2 * M; slot++)
            put(bytes, list + 4 + 4 * slot, 0xFFFFFFFFu, 4);
    }
    odd(bytes, 1);
    bytes = copy();
    for (size_t slot = 0; slot < 2 * M; slot++) /* the same link again and again, and links to itself */
        put(bytes, graph_record(&file, 9) + 4 + 4 * slot, slot % 2 ? 9 : 4, 4);
    put(bytes, graph_record(&file, 9), 2 * M, 2);
    files_write("odd", bytes, file.size);
    {
        float near[DIM];
        hnx_index *index = open_one("odd", 0, 0);
        memcpy(near, rows + 9 * DIM, sizeof near);
        near[0] += 1e-3f;
        CHECK_OK(index_add_one(index, near, 900));
        CHECK_OK(hnx_save(index, "again", HNX_FORMAT_HNSWLIB));
        hnx_free(index);
        graph_file again = graph_open("again");
        const size_t list = graph_record(&again, 9);
        CHECK(again.bytes[list] >= 2 && again.bytes[list] <= 3);
        for (size_t a = 0; a < again.bytes[list]; a++) /* a full list is chosen from anew, and each counts once */
            for (size_t b = 0; b < a; b++)
                CHECK(graph_u32(&again, list + 4 + 4 * a) != graph_u32(&again, list + 4 + 4 * b));
        graph_close(&again);
    }
    odd(bytes, 1);
    bytes = copy();
    for (size_t id = 0; id < COUNT; id += 3) /* records without links */
        put(bytes, graph_record(&file, id), 0, 2);
    odd(bytes, 1);
    bytes = copy();
    for (size_t id = 0; id < COUNT; id++) /* nobody links to record 11: it is not found, and not lost */
        for (size_t slot = 0, list = graph_record(&file, id); slot < bytes[list]; slot++)
            if (graph_u32(&file, list + 4 + 4 * slot) == 11)
                put(bytes, list + 4 + 4 * slot, id == 0 ? 1 : 0, 4);
    put(bytes, graph_record(&file, 11) + 2, 1, 1); /* and it is deleted */
    odd(bytes, 1);
}

static void marks(void)
{
    unsigned char *bytes = copy();
    for (size_t id = 0; id < COUNT; id++)
        put(bytes, graph_record(&file, id) + 2, 1, 1); /* all deleted */
    odd(bytes, 1);
    bytes = copy();
    for (size_t id = 0; id < COUNT; id++)
        put(bytes, graph_record(&file, id) + 2, 0xA4F0 + id % 2, 2); /* flags of somebody else's */
    files_write("odd", bytes, file.size);
    accepted("odd", COUNT, 1);
    {
        hnx_index *index = open_one("odd", 0, 0);
        CHECK(hnx_deleted_count(index) == COUNT / 2);
        CHECK_OK(hnx_unmark_deleted(index, 1));
        CHECK_OK(hnx_save(index, "again", HNX_FORMAT_HNSWLIB));
        hnx_free(index);
        graph_file again = graph_open("again");
        CHECK(again.bytes[graph_record(&again, 1) + 2] == 0xF0 && again.bytes[graph_record(&again, 1) + 3] == 0xA4);
        graph_close(&again);
    }
    free(bytes);
}

static void labels_and_vectors(void)
{
    const uint64_t label = 20;
    float back[DIM];
    unsigned char *bytes = copy();
    put(bytes, graph_record(&file, 60) + file.label_offset, label, 8); /* a label twice: the last has it */
    files_write("odd", bytes, file.size);
    accepted("odd", COUNT, 1);
    {
        hnx_index *index = open_one("odd", 0, 0);
        CHECK_OK(hnx_get(index, &label, 1, back));
        CHECK(memcmp(back, rows + 60 * DIM, sizeof back) == 0);
        CHECK_OK(hnx_mark_deleted(index, label));
        CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_get(index, &label, 1, back));
        hnx_free(index);
    }
    put(bytes, graph_record(&file, 61) + file.label_offset, UINT64_MAX, 8);
    odd(bytes, 1);
    bytes = copy();
    for (size_t id = 0; id < COUNT; id += 5) /* values that are not finite: only the deep check minds */
        put(bytes, graph_record(&file, id) + file.data_offset + 4, id % 2 ? 0x7FC00001u : 0xFF800000u, 4);
    odd(bytes, 0);
}

/* One record, on more levels than there are records. */
static void tower(void)
{
    enum { LEVELS = 7, SIZE = GRAPH_HEADER + RECORD + 4 + LEVELS * LIST };
    unsigned char *bytes = copy();
    put(bytes, 16, 1, 8);
    put(bytes, 48, LEVELS, 4);
    put(bytes, 52, 0, 4);
    memset(bytes + graph_record(&file, 0), 0, 4 + 8 * M);
    memset(bytes + GRAPH_HEADER + RECORD, 0, 4 + LEVELS * LIST);
    put(bytes, GRAPH_HEADER + RECORD, LEVELS * LIST, 4);
    files_write("odd", bytes, SIZE);
    accepted("odd", 1, 1);
    free(bytes);
}

/* An empty index, in the three formats: whatever stands for its entry point, capacity 0 or not. */
static void empty(void)
{
    unsigned char *bytes = copy();
    const uint64_t entries[] = {0xFFFFFFFFu, 0, 77};
    for (size_t at = 0; at < 3; at++) {
        put(bytes, 8, at == 2 ? 0 : 100, 8);
        put(bytes, 16, 0, 8);
        put(bytes, 48, at == 1 ? 0 : 0xFFFFFFFFu, 4);
        put(bytes, 52, entries[at], 4);
        files_write("odd", bytes, GRAPH_HEADER);
        accepted("odd", 0, 1);
        {
            hnx_index *index = open_one("odd", 0, 0);
            CHECK(index_stats(index).capacity == (at == 2 ? 0 : 100));
            CHECK_OK(index_add_one(index, rows, 1));
            hnx_free(index);
        }
    }
    free(bytes);
}

static void longer(const char *name, off_t more)
{
    struct stat info;
    CHECK(stat(name, &info) == 0 && truncate(name, info.st_size + more) == 0);
}

/* A directory whose files are longer than they need to be, or hold nothing that counts. */
static void directories(void)
{
    static const char *const parts[] = {"header.bin", "data_level0.bin", "length.bin", "link_lists.bin"};
    static const off_t more[] = {1, 3, RECORD, 5000, (off_t)1 << 40};
    hnx_index *index = open_one("file", 0, 0);
    char path[FILES_PATH];
    for (size_t part = 0; part < 4; part++)
        for (size_t at = 0; at < sizeof more / sizeof *more; at++) {
            files_remove("directory");
            CHECK_OK(hnx_save(index, "directory", HNX_FORMAT_CHROMA_DIRECTORY));
            snprintf(path, sizeof path, "directory/%s", parts[part]);
            longer(path, more[at]);
            accepted("directory", COUNT, 1);
        }
    files_remove("directory");
    CHECK_OK(hnx_save(index, "directory", HNX_FORMAT_CHROMA_DIRECTORY));
    files_write("directory/length.bin", "", 0); /* of no use for this metric */
    accepted("directory", COUNT, 1);
    files_write("directory/hnx.other", "?", 1); /* a file of somebody else's */
    accepted("directory", COUNT, 1);
    {
        int lists = open("directory/link_lists.bin", O_WRONLY | O_APPEND); /* what an older, longer index left */
        CHECK(lists >= 0 && write(lists, rows, 100) == 100);
        close(lists);
        accepted("directory", COUNT, 1);
        hnx_free(index);
        index = open_one("directory", 0, 0);
        CHECK_OK(index_add_one(index, rows, 700));
        CHECK_OK(hnx_persist_dirty(index, NULL, NULL)); /* over the stale bytes */
        hnx_free(index);
        index = open_one("directory", 0, HNX_CHECK_DEEP);
        CHECK(hnx_count(index) == COUNT + 1);
    }
    hnx_free(index);
}

int main(void)
{
    char folder[FILES_PATH];
    hnx_options options = index_options(HNX_METRIC_L2, DIM, 0);
    uint64_t *labels = check_labels(COUNT, 0);
    hnx_index *index = NULL;
    rows = check_vectors(COUNT, DIM, 71);
    options.m = M;
    options.random_seed = 5;
    files_enter(folder);
    CHECK_OK(hnx_init(&options, &index));
    CHECK_OK(index_add(index, rows, labels, COUNT));
    CHECK_OK(hnx_save(index, "file", HNX_FORMAT_HNSWLIB));
    hnx_free(index);
    file = graph_open("file");
    CHECK(file.stride == RECORD);
    headers();
    links();
    marks();
    labels_and_vectors();
    tower();
    empty();
    directories();
    graph_close(&file);
    free(labels);
    free(rows);
    files_leave(folder);
    return 0;
}
