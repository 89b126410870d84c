/* Files of the right size that contradict themselves: each check finds what it promises, in each way of opening. */
#include "graph_file.h"
#include "load.h"

enum { DIM = 4, COUNT = 60, M = 4, STRIDE = 4 + 4 * 2 * M + 4 * DIM + 8 };

static const uint32_t CHECKS[] = {HNX_CHECK_DEFAULT, HNX_CHECK_FAST, HNX_CHECK_DEEP};
static const uint32_t WAYS[] = {0, HNX_LOAD_READ_ONLY, HNX_LOAD_MMAP};

static hnx_status open_and_free(uint32_t flags, uint32_t check)
{
    const float query[DIM] = {1, 2, 3, 4};
    hnx_load_options options = load_options(HNX_METRIC_L2, DIM, flags);
    hnx_index *index = NULL;
    hnx_status status;
    options.check = check;
    status = hnx_load("lie", &options, &index);
    if (status == HNX_OK) { /* it may be used, whatever is wrong with it */
        uint64_t labels[5];
        index_query(index, query, 5, COUNT, labels, NULL);
    }
    hnx_free(index);
    return status;
}

/* Every check refuses it. */
static void refused(void)
{
    for (size_t way = 0; way < 3; way++)
        for (size_t check = 0; check < 3; check++)
            CHECK_STATUS(HNX_ERR_CORRUPT, open_and_free(WAYS[way], CHECKS[check]));
}

static void write_u64(const unsigned char *bytes, size_t size, size_t at, size_t len, uint64_t value)
{
    unsigned char *copy = (unsigned char *)check_alloc(size, 1);
    memcpy(copy, bytes, size);
    memcpy(copy + at, &value, len);
    files_write("lie", copy, size);
    free(copy);
}

static void header(const graph_file *file)
{
    const uint64_t no_number = 0x7FF8000000000000u, negative = 0xBFE0000000000000u;
    const struct {
        size_t at, len;
        uint64_t value;
    } lies[] = {
        {0, 8, 4},         /* records do not begin at 0 */
        {8, 8, COUNT - 1}, /* more records than places */
        {16, 8, COUNT - 1},
        {16, 8, COUNT + 1},
        {16, 8, UINT64_MAX}, /* another number of records */
        {24, 8, STRIDE - 4},
        {24, 8, STRIDE + 4},
        {24, 8, 0},
        {24, 8, (uint64_t)1 << 60}, /* their size */
        {32, 8, STRIDE - 9},
        {32, 8, STRIDE},
        {32, 8, UINT64_MAX}, /* where labels are */
        {40, 8, 4},
        {40, 8, STRIDE},
        {40, 8, UINT64_MAX - 3}, /* where vectors are */
        {48, 4, (uint64_t)file->max_level + 1},
        {48, 4, UINT32_MAX}, /* levels */
        {52, 4, COUNT},
        {52, 4, UINT32_MAX}, /* entry point */
        {56, 8, M + 1},
        {56, 8, 0},
        {56, 8, 1}, /* hnswlib gives such an index infinitely many levels */
        {56, 8, 40000}, /* a list's number of links has 16 bits */
        {56, 8, UINT64_MAX}, /* links on the upper levels */
        {64, 8, 2 * M + 1},
        {64, 8, 0},
        {64, 8, UINT64_MAX}, /* links on the ground */
        {72, 8, M + 1},
        {72, 8, 0}, /* links made */
        {80, 8, 0},
        {80, 8, no_number},
        {80, 8, negative}, /* scale of levels */
        {88, 8, 0},
        {88, 8, UINT64_MAX}, /* ef_construction */
    };
    for (size_t at = 0; at < sizeof lies / sizeof *lies; at++) {
        write_u64(file->bytes, file->size, lies[at].at, lies[at].len, lies[at].value);
        refused();
    }
    for (size_t id = 0; id < COUNT; id++) { /* an entry point from below the highest level */
        if (graph_u32(file, file->upper[id]) / (4 + 4 * M) == (uint32_t)file->max_level)
            continue;
        write_u64(file->bytes, file->size, 52, 4, id);
        refused();
    }
}

/* Sizes of the upper lists: no multiple of a list, or more of them than there are bytes. */
static void levels(const graph_file *file)
{
    const uint64_t sizes[] = {
        1, 4, 4 + 4 * M + 1, 64 * (4 + 4 * M), UINT32_MAX, UINT32_MAX / (4 + 4 * M) * (4 + 4 * M)};
    for (size_t at = 0; at < sizeof sizes / sizeof *sizes; at++) {
        write_u64(file->bytes, file->size, file->upper[0], 4, sizes[at]);
        refused();
        write_u64(file->bytes, file->size, file->upper[COUNT - 1], 4, sizes[at]);
        refused();
    }
}

/* Links: seen by the default check of an index that is read, and by the deep one. */
static void links(const graph_file *file)
{
    const size_t list = graph_record(file, 7);
    size_t high = 0, low = 0;
    for (size_t lie = 0; lie < 3; lie++) {
        if (lie == 0)
            write_u64(file->bytes, file->size, list, 2, 2 * M + 1); /* more than a list can hold */
        else
            write_u64(file->bytes, file->size, list + 4, 4, lie == 1 ? COUNT : UINT32_MAX); /* to nowhere */
        CHECK_STATUS(HNX_ERR_CORRUPT, open_and_free(0, HNX_CHECK_DEFAULT));
        CHECK_STATUS(HNX_ERR_CORRUPT, open_and_free(0, HNX_CHECK_DEEP));
        CHECK_STATUS(HNX_ERR_CORRUPT, open_and_free(HNX_LOAD_MMAP, HNX_CHECK_DEEP));
        CHECK_OK(open_and_free(0, HNX_CHECK_FAST));
        CHECK_OK(open_and_free(HNX_LOAD_MMAP, HNX_CHECK_DEFAULT));
        CHECK_OK(open_and_free(HNX_LOAD_MMAP, HNX_CHECK_FAST));
    }
    /* A link on an upper level to a record that does not reach up there. */
    while (high < COUNT && (graph_u32(file, file->upper[high]) == 0 || graph_u32(file, file->upper[high] + 4) == 0))
        high++;
    while (low < COUNT && graph_u32(file, file->upper[low]) != 0)
        low++;
    CHECK(high < COUNT && low < COUNT);
    write_u64(file->bytes, file->size, file->upper[high] + 8, 4, low);
    CHECK_STATUS(HNX_ERR_CORRUPT, open_and_free(0, HNX_CHECK_DEFAULT));
    CHECK_STATUS(HNX_ERR_CORRUPT, open_and_free(HNX_LOAD_MMAP, HNX_CHECK_DEEP));
    CHECK_OK(open_and_free(0, HNX_CHECK_FAST));
}

/* Values that are not finite: seen by the deep check only. */
static void vectors(const graph_file *file)
{
    const uint64_t values[] = {0x7FC00000u, 0x7F800000u, 0xFF800000u};
    for (size_t at = 0; at < 3; at++) {
        write_u64(file->bytes, file->size, graph_record(file, COUNT - 1) + file->data_offset + 4, 4, values[at]);
        for (size_t way = 0; way < 3; way++) {
            CHECK_STATUS(HNX_ERR_CORRUPT, open_and_free(WAYS[way], HNX_CHECK_DEEP));
            CHECK_OK(open_and_free(WAYS[way], HNX_CHECK_DEFAULT));
        }
    }
}

/* Files that are nearly all hole: what they say of themselves would take hundreds of times the memory of what they are. */
static void holes(const graph_file *file)
{
    const uint64_t many = (uint64_t)1 << 28, all = (uint64_t)1 << 31;
    const uint64_t counts[] = {many, all - 1};
    hnx_index *index = load_index("lie", HNX_METRIC_L2, DIM, 0);
    CHECK_OK(hnx_save(index, "holes", HNX_FORMAT_CHROMA_DIRECTORY));
    hnx_free(index);
    for (size_t at = 0; at < 2; at++) {
        const uint64_t count = counts[at];
        write_u64(file->bytes, GRAPH_HEADER + STRIDE, 16, 8, count);
        {
            unsigned char *bytes;
            size_t size;
            bytes = files_read("lie", &size);
            memcpy(bytes + 8, &count, 8);
            memset(bytes + 48, 0, 8);
            files_write("lie", bytes, size);
            free(bytes);
        }
        CHECK(truncate("lie", (off_t)(GRAPH_HEADER + count * (STRIDE + 4))) == 0);
        refused();
        {
            size_t size;
            unsigned char *bytes = files_read("holes/header.bin", &size);
            memcpy(bytes + 12, &count, 8);
            memcpy(bytes + 20, &count, 8);
            memset(bytes + 52, 0, 8);
            files_write("holes/header.bin", bytes, size);
            free(bytes);
        }
        CHECK(truncate("holes/data_level0.bin", (off_t)(count * STRIDE)) == 0);
        CHECK(truncate("holes/link_lists.bin", (off_t)(count * 4 + 100000)) == 0);
        for (size_t way = 0; way < 3; way++) {
            const hnx_load_options options = load_options(HNX_METRIC_L2, DIM, WAYS[way]);
            load_refused(HNX_ERR_CORRUPT, "holes", &options);
        }
    }
}

int main(void)
{
    char folder[FILES_PATH];
    float *rows = check_vectors(COUNT, DIM, 49);
    uint64_t *labels = check_labels(COUNT, 0);
    hnx_options options = index_options(HNX_METRIC_L2, DIM, COUNT);
    hnx_index *index = NULL;
    graph_file file;
    files_enter(folder);
    options.m = M;
    CHECK_OK(hnx_init(&options, &index));
    CHECK_OK(index_add(index, rows, labels, COUNT));
    CHECK_OK(hnx_save(index, "lie", HNX_FORMAT_HNSWLIB));
    hnx_free(index);
    file = graph_open("lie");
    CHECK(file.stride == STRIDE && file.max_level > 0);
    for (size_t way = 0; way < 3; way++)
        for (size_t check = 0; check < 3; check++)
            CHECK_OK(open_and_free(WAYS[way], CHECKS[check]));
    header(&file);
    levels(&file);
    links(&file);
    vectors(&file);
    files_write("lie", file.bytes, file.size);
    holes(&file);
    graph_close(&file);
    files_leave(folder);
    free(rows);
    free(labels);
    return 0;
}
