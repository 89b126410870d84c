/* struct_size: hosts with an older or a newer header are understood, or refused with a clear status. */
#include "index.h"

/* Bytes of a struct followed by a tail that only a newer header knows. */
#define TAIL 24
#define NEWER(type, value, name) \
    union { \
        type known; \
        unsigned char bytes[sizeof(type) + TAIL]; \
    } name; \
    memset(&name, 0, sizeof name); \
    name.known = (value); \
    name.known.struct_size = sizeof name

/* The same five sizes for every struct of options: call uses `options` and gives a status. */
#define SIZES(type, value, older, call) \
    do { \
        NEWER(type, value, box); \
        const type *options = &box.known; \
        const size_t refused[] = {0, 1, sizeof(size_t) - 1, SIZE_MAX, (size_t)1 << 40}; \
        CHECK_OK(call); \
        for (size_t at = sizeof(type); at < sizeof box; at++) { \
            box.bytes[at] = 0x80; \
            CHECK_STATUS(HNX_ERR_UNSUPPORTED, call); \
            box.bytes[at] = 0; \
        } \
        memset(box.bytes + (older), 0xEE, sizeof box - (older)); \
        box.known.struct_size = (older); \
        CHECK_OK(call); \
        for (size_t at = 0; at < sizeof refused / sizeof *refused; at++) { \
            box.known.struct_size = refused[at]; \
            CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, call); \
        } \
    } while (0)

static hnx_status init_and_free(const hnx_options *options)
{
    hnx_index *index = NULL;
    const hnx_status status = hnx_init(options, &index);
    CHECK((status == HNX_OK) == (index != NULL));
    if (index != NULL)
        CHECK(hnx_dim(index) == 2 && index_stats(index).m == 16 && index_stats(index).ef_construction == 200);
    hnx_free(index);
    return status;
}

static hnx_status load_and_free(const hnx_load_options *options)
{
    hnx_index *index = NULL;
    const hnx_status status = hnx_load("struct_size.file", options, &index);
    CHECK((status == HNX_OK) == (index != NULL));
    hnx_free(index);
    return status;
}

static hnx_status salvage_and_free(const hnx_salvage_options *options, hnx_salvage_info *info)
{
    hnx_index *index = NULL;
    const hnx_status status = hnx_salvage("struct_size.file", options, &index, info);
    CHECK((status == HNX_OK) == (index != NULL));
    hnx_free(index);
    return status;
}

static void options_structs(hnx_index *index)
{
    const float vector[2] = {1, 2};
    const uint64_t label = 7;
    uint64_t found;
    const hnx_options init = index_options(HNX_METRIC_L2, 2, 0);
    const hnx_load_options load = {sizeof load, HNX_METRIC_L2, 0, 2, 0, HNX_CHECK_DEFAULT, 0};
    const hnx_add_options add = {sizeof add, 1, 0};
    const hnx_query_options query = index_ef(0);
    const hnx_persist_options persist = {sizeof persist, 0, 0};
    const hnx_salvage_options salvage = {sizeof salvage, HNX_METRIC_L2, 0, 2, 0, 0, 0, 0};

    SIZES(hnx_options, init, offsetof(hnx_options, max_elements), init_and_free(options));
    SIZES(hnx_add_options, add, offsetof(hnx_add_options, threads), hnx_add(index, vector, &label, 1, options, NULL));
    SIZES(hnx_query_options, query, offsetof(hnx_query_options, threads),
          hnx_query(index, vector, 1, 1, options, &found, NULL, NULL));
    SIZES(hnx_persist_options, persist, offsetof(hnx_persist_options, flags), hnx_persist_dirty(index, options, NULL));
    CHECK_OK(hnx_save(index, "struct_size.file", HNX_FORMAT_HNSWLIB));
    SIZES(hnx_load_options, load, offsetof(hnx_load_options, max_elements), load_and_free(options));
    SIZES(hnx_salvage_options, salvage, offsetof(hnx_salvage_options, m), salvage_and_free(options, NULL));

    /* A size that ends before dim leaves dim 0, which is no default. */
    {
        hnx_options small = init;
        small.struct_size = offsetof(hnx_options, dim);
        CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, init_and_free(&small));
    }
}

static hnx_status filtered(const hnx_index *index, const hnx_filter *filter)
{
    const float vector[2] = {1, 2};
    hnx_query_options options = index_ef(0);
    uint64_t found;
    options.filter = filter;
    return hnx_query(index, vector, 1, 1, &options, &found, NULL, NULL);
}

static int32_t accept_all(void *context, uint64_t label)
{
    (void)context, (void)label;
    return 1;
}

static int32_t add_or_remove(void *context, uint64_t label, const void *data, int64_t key)
{
    (void)context, (void)label, (void)data, (void)key;
    return 0;
}

static int32_t no(void *context, int64_t candidate, int64_t bound)
{
    (void)context, (void)candidate, (void)bound;
    return 0;
}

static int32_t keep(void *context)
{
    (void)context;
    return 0;
}

static int32_t ignore(void *context, const hnx_hit *hits, size_t count)
{
    (void)context, (void)hits, (void)count;
    return 0;
}

static hnx_status stopped(const hnx_graph *graph, const hnx_stop *stop)
{
    const float vector[2] = {1, 2};
    hnx_graph_query query;
    memset(&query, 0, sizeof query);
    query.struct_size = sizeof query;
    query.query = vector, query.start = HNX_GRAPH_TOP, query.stop = stop, query.emit = ignore;
    return hnx_graph_search(graph, &query);
}

static hnx_status graph_init_and_free(const hnx_graph_options *options)
{
    hnx_graph *graph = NULL;
    const hnx_status status = hnx_graph_init(options, &graph);
    CHECK((status == HNX_OK) == (graph != NULL));
    hnx_graph_free(graph);
    return status;
}

static hnx_graph_options graph_options(void)
{
    hnx_graph_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.dim = 2, options.data_size = 8, options.max_elements = 4, options.m = 4;
    return options;
}

static void graph_structs(const hnx_index *index)
{
    const float vector[2] = {1, 2};
    char header_bytes[100], records[200], lengths[16], lists[100];
    const hnx_filter filter = {sizeof filter, accept_all, NULL, NULL, 0, 0, 0};
    hnx_stop stop = {sizeof stop, NULL, add_or_remove, add_or_remove, no, no, keep};
    const hnx_graph_options init = graph_options();
    const hnx_graph_header header = {sizeof header, 4, 0, 10, 0.5, 0, 0};
    const hnx_graph_buffers buffers = {sizeof buffers, header_bytes, 100, records, 200, lengths, 16, lists, 100};
    hnx_graph_point point;
    hnx_graph_query query;
    hnx_graph *graph = NULL;
    uint32_t id;
    memset(&point, 0, sizeof point);
    point.struct_size = sizeof point;
    point.data = vector, point.ef = 10, point.max_elements = 4;
    CHECK_OK(hnx_graph_init(&init, &graph));
    CHECK_OK(hnx_graph_insert(graph, &point, &id));

    SIZES(hnx_filter, filter, offsetof(hnx_filter, context), filtered(index, options));
    SIZES(hnx_stop, stop, sizeof stop, stopped(graph, options));
    SIZES(hnx_graph_options, init, offsetof(hnx_graph_options, measure), graph_init_and_free(options));
    SIZES(hnx_graph_point, point, offsetof(hnx_graph_point, flags), hnx_graph_update(graph, 0, options, NULL));
    SIZES(hnx_graph_header, header, offsetof(hnx_graph_header, format), hnx_graph_save(graph, "g", 0, options));
    SIZES(hnx_graph_buffers, buffers, sizeof buffers, hnx_graph_save_buffers(graph, &header, options));

    /* A filter or a stop condition that lacks a function is no filter. */
    stop.struct_size = offsetof(hnx_stop, should_remove);
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, stopped(graph, &stop));
    {
        const hnx_filter empty = {sizeof empty, NULL, NULL, NULL, 0, 0, 0};
        CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, filtered(index, &empty));
    }

    /* The query has fields that are written: it is as long as this library's, or longer. */
    memset(&query, 0, sizeof query);
    query.query = vector, query.k = 1, query.start = HNX_GRAPH_TOP, query.emit = ignore;
    for (query.struct_size = 0; query.struct_size < sizeof query; query.struct_size++)
        CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_graph_search(graph, &query));
    CHECK_OK(hnx_graph_search(graph, &query));
    hnx_graph_free(graph);
}

/* Structs to be filled in: an older host's memory behind its struct stays, a newer host's tail is zeroed. */
#define OUT_SIZES(type, older, call) \
    do { \
        const type zero = {0}; \
        NEWER(type, zero, box); \
        type *out = &box.known; \
        const size_t refused[] = {0, 1, sizeof(size_t) - 1, SIZE_MAX}; \
        type whole; \
        memset(box.bytes + sizeof(size_t), 0xEE, sizeof box - sizeof(size_t)); \
        CHECK_OK(call); \
        CHECK(box.known.struct_size == sizeof box); \
        for (size_t at = sizeof(type); at < sizeof box; at++) \
            CHECK(box.bytes[at] == 0); \
        whole = box.known; \
        memset(&box, 0xEE, sizeof box); \
        box.known.struct_size = (older); \
        CHECK_OK(call); \
        CHECK(box.known.struct_size == (older)); \
        CHECK(memcmp(box.bytes + sizeof(size_t), (char *)&whole + sizeof(size_t), (older) - sizeof(size_t)) == 0); \
        for (size_t at = (older); at < sizeof box; at++) \
            CHECK(box.bytes[at] == 0xEE); \
        for (size_t round = 0; round < sizeof refused / sizeof *refused; round++) { \
            memset(&box, 0xEE, sizeof box); \
            box.known.struct_size = refused[round]; \
            CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, call); \
            for (size_t at = sizeof(size_t); at < sizeof box; at++) \
                CHECK(box.bytes[at] == 0xEE); \
        } \
    } while (0)

static hnx_status load_graph(hnx_graph_header *header)
{
    const hnx_graph_options options = graph_options();
    hnx_graph *graph = NULL;
    const hnx_status status = hnx_graph_load("g", &options, &graph, header);
    CHECK((status == HNX_OK) == (graph != NULL));
    hnx_graph_free(graph);
    return status;
}

static void graph_out_structs(void)
{
    const hnx_graph_options options = graph_options();
    hnx_graph *graph = NULL;
    CHECK_OK(hnx_graph_init(&options, &graph));
    OUT_SIZES(hnx_graph_memory, offsetof(hnx_graph_memory, lists), hnx_graph_memory_of(graph, out));
    OUT_SIZES(hnx_graph_header, offsetof(hnx_graph_header, mult), load_graph(out));
    hnx_graph_free(graph);
}

int main(void)
{
    hnx_options options = index_options(HNX_METRIC_L2, 2, 0);
    hnx_index *index = NULL;
    options.persist_path = "struct_size.directory";
    CHECK_OK(hnx_init(&options, &index));
    options_structs(index);
    CHECK_OK(hnx_persist_dirty(index, NULL, NULL));
    OUT_SIZES(hnx_stats_info, offsetof(hnx_stats_info, count), hnx_stats(index, out));
    OUT_SIZES(hnx_persist_info, offsetof(hnx_persist_info, records_written), hnx_persist_dirty(index, NULL, out));
    graph_structs(index);
    graph_out_structs();
    OUT_SIZES(hnx_verify_info, offsetof(hnx_verify_info, damaged), hnx_verify("struct_size.directory", out));
    {
        const hnx_salvage_options salvage = {sizeof salvage, HNX_METRIC_L2, 0, 2, 0, 0, 0, 0};
        OUT_SIZES(hnx_salvage_info, offsetof(hnx_salvage_info, unwritten), salvage_and_free(&salvage, out));
    }
    hnx_free(index);
    return 0;
}
