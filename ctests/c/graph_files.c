/* Graphs in files, in directories and in buffers: what comes back is what was there, and other handles read it, too. */
#include "files.h"
#include "graph.h"

enum { COUNT = 200, CAPACITY = 250, FIRST = 40, K = 10 };

static hnx_graph_header header_of(size_t max_elements)
{
    const hnx_graph_header header = {sizeof header, max_elements, 0, 123, 0.75, 0, 0};
    return header;
}

static hnx_graph_options options_with(uint32_t flags)
{
    hnx_graph_options options = graph_options(0);
    options.flags = flags;
    return options;
}

/* Records of 8 floats; with lengths, record id has length id + 0.5. */
static hnx_graph *make(const float *rows, uint32_t flags)
{
    hnx_graph_options options = graph_options(CAPACITY);
    hnx_graph *graph;
    hnx_graph_memory at;
    options.flags = flags;
    graph = graph_make(&options);
    graph_fill(graph, rows, COUNT, FIRST, CAPACITY);
    at = graph_memory(graph);
    CHECK((at.lengths != NULL) == (flags != 0));
    for (uint32_t id = 0; flags && id < COUNT; id++)
        at.lengths[id] = (float)id + 0.5f;
    CHECK_OK(hnx_graph_set_deleted(graph, 7, 1));
    return graph;
}

/* Two graphs hold the same, byte for byte. */
static void check_same(const hnx_graph *one, const hnx_graph *other, int lengths)
{
    const hnx_graph_memory a = graph_memory(one), b = graph_memory(other);
    CHECK(a.stride == b.stride && a.list_size == b.list_size);
    for (uint32_t id = 0; id < COUNT; id++) {
        CHECK(memcmp(a.records + id * a.stride, b.records + id * b.stride, a.stride) == 0);
        CHECK(a.levels[id] == b.levels[id]);
        CHECK(a.levels[id] == 0 || memcmp(a.lists[id], b.lists[id], (size_t)a.levels[id] * a.list_size) == 0);
        CHECK(!lengths || a.lengths[id] == b.lengths[id]);
    }
}

static void check_loaded(const hnx_graph *graph, const hnx_graph *original, const hnx_graph_header *stated,
                         uint32_t format, const float *rows)
{
    char live[COUNT];
    memset(live, 1, sizeof live);
    live[7] = 0;
    CHECK(stated->max_elements == CAPACITY && stated->m == GRAPH_M && stated->ef_construction == 123);
    CHECK(stated->mult == 0.75 && stated->format == format);
    check_same(graph, original, format != HNX_FORMAT_HNSWLIB);
    graph_check_exact(graph, rows, live, COUNT, FIRST, rows, K);
}

static void whole_files(const hnx_graph *graph, const float *rows)
{
    static const uint32_t formats[] = {HNX_FORMAT_HNSWLIB, HNX_FORMAT_CHROMA, HNX_FORMAT_CHROMA_DIRECTORY};
    static const char *const paths[] = {"hnswlib", "chroma", "directory"};
    const hnx_graph_header header = header_of(CAPACITY);
    for (size_t at = 0; at < 3; at++) {
        const hnx_graph_options options = options_with(formats[at] == HNX_FORMAT_HNSWLIB ? 0 : HNX_GRAPH_LENGTHS);
        hnx_load_options load = {sizeof load, HNX_METRIC_L2, 0, GRAPH_DIM, 0, 0, 0};
        hnx_graph_header stated = {sizeof stated, 0, 0, 0, 0, 0, 0};
        hnx_graph *loaded = NULL;
        hnx_index *index = NULL;
        CHECK_OK(hnx_graph_save(graph, paths[at], formats[at], &header));
        CHECK_OK(hnx_graph_load(paths[at], &options, &loaded, &stated));
        check_loaded(loaded, graph, &stated, formats[at], rows);
        hnx_graph_free(loaded);
        /* It is a file like any other: an index opens it. */
        load.flags = HNX_LOAD_READ_ONLY;
        CHECK_OK(hnx_load(paths[at], &load, &index));
        CHECK(hnx_count(index) == COUNT && hnx_deleted_count(index) == 1);
        hnx_free(index);
    }
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_save(graph, "other", 3, &header));
    CHECK(!files_exists("other"));
}

static void what_does_not_fit(void)
{
    hnx_graph_options options = options_with(0);
    hnx_graph *loaded = NULL;
    CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_graph_load("absent", &options, &loaded, NULL));
    options.data_size += 4;
    CHECK_STATUS(HNX_ERR_CORRUPT, hnx_graph_load("hnswlib", &options, &loaded, NULL));
    options.data_size -= 4;
    {
        size_t size;
        unsigned char *bytes = files_read("hnswlib", &size);
        files_write("short", bytes, size - 1);
        CHECK_STATUS(HNX_ERR_CORRUPT, hnx_graph_load("short", &options, &loaded, NULL));
        bytes[96 + 4] = bytes[96 + 7] = 0xFF; /* a link to where there is nothing */
        files_write("link", bytes, size);
        CHECK_STATUS(HNX_ERR_CORRUPT, hnx_graph_load("link", &options, &loaded, NULL));
        free(bytes);
    }
    CHECK(loaded == NULL);
}

/* Goes on where the file ended. */
static void grows_after_loading(const float *rows)
{
    hnx_graph_options options = options_with(0);
    hnx_graph *loaded = NULL;
    size_t count = 0;
    options.max_elements = COUNT + 10, options.count = &count;
    CHECK_OK(hnx_graph_load("hnswlib", &options, &loaded, NULL));
    CHECK(count == COUNT);
    CHECK_OK(hnx_graph_set_deleted(loaded, 7, 0));
    graph_fill(loaded, rows + COUNT * GRAPH_DIM, 10, FIRST + COUNT, COUNT + 10);
    CHECK(count == COUNT + 10);
    graph_check_exact(loaded, rows, NULL, COUNT + 10, FIRST, rows + (COUNT + 3) * GRAPH_DIM, K);
    hnx_graph_free(loaded);
}

/* A directory holds what was there at the last persist, and is written as far as something changed. */
static void directories(const float *rows)
{
    const hnx_graph_header header = header_of(CAPACITY);
    const hnx_graph_options options = options_with(HNX_GRAPH_LENGTHS);
    hnx_graph_header stated = {sizeof stated, 0, 0, 0, 0, 0, 0};
    hnx_graph *graph = make(rows, HNX_GRAPH_LENGTHS), *loaded = NULL;
    hnx_graph_point point = graph_point(rows + COUNT * GRAPH_DIM, FIRST + 3, 0, CAPACITY);
    point.length = 3.5f;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_persist_dirty(graph, &header)); /* has none yet */
    CHECK_OK(hnx_graph_create_directory(graph, "persisted", &header));
    CHECK(hnx_graph_dirty_count(graph) == 0 && files_count("persisted") >= 4);
    CHECK_OK(hnx_graph_load("persisted", &options, &loaded, &stated));
    check_loaded(loaded, graph, &stated, HNX_FORMAT_CHROMA_DIRECTORY, rows);
    hnx_graph_free(loaded);

    CHECK_OK(hnx_graph_update(graph, 3, &point, NULL));
    CHECK(hnx_graph_dirty_count(graph) > 0);
    CHECK_OK(hnx_graph_load("persisted", &options, &loaded, NULL)); /* not written yet */
    {
        const hnx_graph_memory at = graph_memory(loaded);
        CHECK(memcmp(graph_data(&at, 3), rows + 3 * GRAPH_DIM, GRAPH_DIM * sizeof *rows) == 0);
    }
    hnx_graph_free(loaded);
    CHECK_OK(hnx_graph_persist_dirty(graph, &header));
    CHECK(hnx_graph_dirty_count(graph) == 0);
    CHECK_OK(hnx_graph_load("persisted", &options, &loaded, NULL));
    check_same(loaded, graph, 1);
    hnx_graph_free(graph); /* one writer at a time */

    /* What a host writes into a record itself it marks; the loaded one persists where it came from. */
    {
        const hnx_graph_memory at = graph_memory(loaded);
        float value = 42;
        memcpy(at.records + 9 * at.stride + at.data_offset, &value, sizeof value);
        CHECK(hnx_graph_dirty_count(loaded) == 0);
        CHECK_OK(hnx_graph_mark_dirty(loaded, 9));
        CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_graph_mark_dirty(loaded, COUNT));
        CHECK(hnx_graph_dirty_count(loaded) == 1);
        CHECK_OK(hnx_graph_persist_dirty(loaded, &header));
        hnx_graph_free(loaded);
        CHECK_OK(hnx_graph_load("persisted", &options, &loaded, NULL));
        {
            const hnx_graph_memory again = graph_memory(loaded);
            CHECK(memcmp(graph_data(&again, 9), &value, sizeof value) == 0);
        }
    }
    hnx_graph_free(loaded);

    /* In place of an index that is there. */
    graph = make(rows + GRAPH_DIM, HNX_GRAPH_LENGTHS);
    CHECK_OK(hnx_graph_create_directory(graph, "persisted", &header));
    CHECK_OK(hnx_graph_load("persisted", &options, &loaded, NULL));
    check_same(loaded, graph, 1);
    hnx_graph_free(loaded);
    hnx_graph_free(graph);
    CHECK(files_count("persisted") >= 4);
    {
        const hnx_graph_options plain = options_with(0);
        graph = graph_make(&plain);
        CHECK_STATUS(HNX_ERR_IO, hnx_graph_create_directory(graph, "absent/persisted", &header));
        CHECK_STATUS(HNX_ERR_IO, hnx_graph_create_directory(graph, "hnswlib", &header)); /* a file */
        hnx_graph_free(graph);
    }
}

/* Buffers hold what the files of a directory hold; what is too short is named and nothing is written. */
static void buffers(const hnx_graph *graph, const float *rows)
{
    static const char *const files[] = {"directory/header.bin", "directory/data_level0.bin", "directory/length.bin",
                                        "directory/link_lists.bin"};
    static const char *const names[] = {"header", "records", "lengths", "lists"};
    const hnx_graph_header header = header_of(CAPACITY);
    const hnx_graph_options options = options_with(HNX_GRAPH_LENGTHS);
    hnx_graph_header stated = {sizeof stated, 0, 0, 0, 0, 0, 0};
    unsigned char *expected[4];
    size_t needed[4];
    char *memory[4], text[512];
    hnx_graph *loaded = NULL;
    hnx_graph_buffers all;
    for (size_t at = 0; at < 4; at++) {
        expected[at] = files_read(files[at], needed + at);
        memory[at] = (char *)check_alloc(needed[at] + 20, 1);
        memset(memory[at], 0x55, needed[at] + 20);
    }
    CHECK(needed[0] == 100);
    needed[1] = COUNT * graph_memory(graph).stride, needed[2] = COUNT * sizeof(float); /* a file may be longer */
    for (size_t round = 0; round < 4; round++) {
        size_t sizes[4];
        for (size_t at = 0; at < 4; at++)
            sizes[at] = needed[at] + 20;
        sizes[round] = needed[round] - 1;
        all = (hnx_graph_buffers){sizeof all, memory[0], sizes[0], memory[1], sizes[1], memory[2], sizes[2], memory[3],
                                  sizes[3]};
        CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_save_buffers(graph, &header, &all));
        hnx_last_error(text, sizeof text);
        CHECK(strstr(text, names[round]) != NULL);
        for (size_t at = 0; at < 4; at++)
            CHECK(memory[at][0] == 0x55 && memory[at][needed[at] - 1] == 0x55);
    }
    all = (hnx_graph_buffers){sizeof all,          memory[0],      100, memory[1], needed[1] + 20, memory[2],
                              needed[2] + 20, memory[3], needed[3] + 20};
    CHECK_OK(hnx_graph_save_buffers(graph, &header, &all));
    for (size_t at = 0; at < 4; at++) {
        CHECK(memcmp(memory[at], expected[at], needed[at]) == 0);
        for (size_t tail = needed[at]; tail < needed[at] + 20; tail++)
            CHECK(memory[at][tail] == (at == 0 ? 0x55 : 0));
    }
    CHECK_OK(hnx_graph_load_buffers(&all, &options, &loaded, &stated));
    for (size_t at = 0; at < 4; at++)
        memset(memory[at], 0x77, needed[at] + 20); /* not used any more */
    check_loaded(loaded, graph, &stated, HNX_FORMAT_CHROMA_DIRECTORY, rows);
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_persist_dirty(loaded, &header)); /* has no directory */
    hnx_graph_free(loaded);
    loaded = NULL;
    CHECK(hnx_graph_load_buffers(&all, &options, &loaded, NULL) != HNX_OK); /* nonsense */
    /* Too short in any of the four, and NULL. */
    for (size_t at = 0; at < 4; at++) {
        hnx_graph_buffers bad = {sizeof bad, (char *)expected[0], needed[0], (char *)expected[1], needed[1],
                                 (char *)expected[2], needed[2], (char *)expected[3], needed[3]};
        char **const starts[] = {&bad.header, &bad.records, &bad.lengths, &bad.lists};
        size_t *const sizes[] = {&bad.header_size, &bad.records_size, &bad.lengths_size, &bad.lists_size};
        CHECK_OK(hnx_graph_load_buffers(&bad, &options, &loaded, NULL));
        hnx_graph_free(loaded);
        loaded = NULL;
        *sizes[at] -= 1;
        CHECK_STATUS(HNX_ERR_CORRUPT, hnx_graph_load_buffers(&bad, &options, &loaded, NULL));
        *starts[at] = NULL;
        CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_load_buffers(&bad, &options, &loaded, NULL));
        CHECK(loaded == NULL);
    }
    for (size_t at = 0; at < 4; at++) {
        free(expected[at]);
        free(memory[at]);
    }
}

int main(void)
{
    char folder[FILES_PATH];
    float *rows = check_vectors(COUNT + 11, GRAPH_DIM, 88);
    hnx_graph *graph = make(rows, HNX_GRAPH_LENGTHS);
    files_enter(folder);
    whole_files(graph, rows);
    what_does_not_fit();
    grows_after_loading(rows);
    directories(rows);
    buffers(graph, rows);
    hnx_graph_free(graph);
    files_leave(folder);
    free(rows);
    return 0;
}
