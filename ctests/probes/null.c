/* NULL for every pointer of every function: the documented status, outputs untouched, no crash.
 * Each line names function and parameter first; the caller compares these names with the header. */
#include <math.h>
#include <string.h>

#include "check.h"

#define CASE(function, parameter, expected, call) CHECK_STATUS(expected, call)
/* For functions that return a value, and for those that return nothing. */
#define VALUE(function, parameter, condition) CHECK(condition)
#define NOTHING(function, parameter, call) call

static hnx_index *index_of_dim_2(void)
{
    hnx_options options = {sizeof options, HNX_METRIC_L2, 0, 2, 0, 0, 0, 0, NULL};
    hnx_index *index = NULL;
    CHECK_OK(hnx_init(&options, &index));
    return index;
}

static void making_and_opening(void)
{
    const hnx_options options = {sizeof options, HNX_METRIC_L2, 0, 2, 0, 0, 0, 0, NULL};
    const hnx_load_options load = {sizeof load, HNX_METRIC_L2, 0, 2, 0, HNX_CHECK_DEFAULT, 0};
    char place;
    hnx_index *const before = (hnx_index *)(void *)&place;
    hnx_index *out = before;
    CASE(hnx_init, options, HNX_ERR_INVALID_ARGUMENT, hnx_init(NULL, &out));
    CASE(hnx_init, out_index, HNX_ERR_INVALID_ARGUMENT, hnx_init(&options, NULL));
    CASE(hnx_load, path, HNX_ERR_INVALID_ARGUMENT, hnx_load(NULL, &load, &out));
    CASE(hnx_load, options, HNX_ERR_INVALID_ARGUMENT, hnx_load("absent", NULL, &out));
    CASE(hnx_load, out_index, HNX_ERR_INVALID_ARGUMENT, hnx_load("absent", &load, NULL));
    CHECK(out == before);
}

static void writing(hnx_index *index)
{
    const float vector[2] = {1, 2};
    const uint64_t label = 7;
    int32_t row = 99;
    CASE(hnx_add, index, HNX_ERR_INVALID_ARGUMENT, hnx_add(NULL, vector, &label, 1, NULL, &row));
    CASE(hnx_add, vectors, HNX_ERR_INVALID_ARGUMENT, hnx_add(index, NULL, &label, 1, NULL, &row));
    CASE(hnx_add, labels, HNX_ERR_INVALID_ARGUMENT, hnx_add(index, vector, NULL, 1, NULL, &row));
    CHECK(row == 99);
    CHECK(hnx_count(index) == 0);
    CHECK_OK(hnx_add(index, NULL, NULL, 0, NULL, NULL));
    CASE(hnx_add, options, HNX_OK, hnx_add(index, vector, &label, 1, NULL, &row));
    CASE(hnx_add, out_row_status, HNX_OK, hnx_add(index, vector, &label, 1, NULL, NULL));
    CASE(hnx_mark_deleted, index, HNX_ERR_INVALID_ARGUMENT, hnx_mark_deleted(NULL, 7));
    CASE(hnx_unmark_deleted, index, HNX_ERR_INVALID_ARGUMENT, hnx_unmark_deleted(NULL, 7));
    CASE(hnx_resize, index, HNX_ERR_INVALID_ARGUMENT, hnx_resize(NULL, 10));
    CASE(hnx_set_ef, index, HNX_ERR_INVALID_ARGUMENT, hnx_set_ef(NULL, 10));
    CASE(hnx_set_exactness, index, HNX_ERR_INVALID_ARGUMENT, hnx_set_exactness(NULL, HNX_EXACTNESS_F32));
}

static void searching(const hnx_index *index)
{
    const float query[2] = {1, 2};
    const uint64_t label = 7;
    uint64_t found = 99;
    float distance = 99, vector[2] = {99, 99};
    size_t count = 99;
    CASE(hnx_query, index, HNX_ERR_INVALID_ARGUMENT, hnx_query(NULL, query, 1, 1, NULL, &found, &distance, &count));
    CASE(hnx_query, queries, HNX_ERR_INVALID_ARGUMENT, hnx_query(index, NULL, 1, 1, NULL, &found, &distance, &count));
    CASE(hnx_query, out_labels, HNX_ERR_INVALID_ARGUMENT, hnx_query(index, query, 1, 1, NULL, NULL, &distance, &count));
    CHECK(found == 99 && count == 99 && distance > 98);
    CASE(hnx_query, options, HNX_OK, hnx_query(index, query, 1, 1, NULL, &found, &distance, &count));
    CASE(hnx_query, out_distances, HNX_OK, hnx_query(index, query, 1, 1, NULL, &found, NULL, &count));
    CASE(hnx_query, out_counts, HNX_OK, hnx_query(index, query, 1, 1, NULL, &found, &distance, NULL));
    CHECK_OK(hnx_query(index, NULL, 0, 1, NULL, NULL, NULL, NULL));
    CASE(hnx_get, index, HNX_ERR_INVALID_ARGUMENT, hnx_get(NULL, &label, 1, vector));
    CASE(hnx_get, labels, HNX_ERR_INVALID_ARGUMENT, hnx_get(index, NULL, 1, vector));
    CASE(hnx_get, out_vectors, HNX_ERR_INVALID_ARGUMENT, hnx_get(index, &label, 1, NULL));
    CHECK(vector[0] > 98 && vector[1] > 98);
    count = 99;
    CASE(hnx_labels, index, HNX_ERR_INVALID_ARGUMENT, hnx_labels(NULL, HNX_LABELS_ALL, &found, 1, &count));
    CASE(hnx_labels, out_labels, HNX_ERR_INVALID_ARGUMENT, hnx_labels(index, HNX_LABELS_ALL, NULL, 1, &count));
    CHECK(count == 99);
    CASE(hnx_labels, out_count, HNX_ERR_INVALID_ARGUMENT, hnx_labels(index, HNX_LABELS_ALL, &found, 1, NULL));
    CHECK_OK(hnx_labels(index, HNX_LABELS_ALL, NULL, 0, &count));
    CHECK(count == 1);
}

static void writing_files(hnx_index *memory_only)
{
    const hnx_options options = {sizeof options, HNX_METRIC_L2, 0, 2, 0, 0, 0, 0, "null.directory"};
    const hnx_persist_options persist = {sizeof persist, 0, 0};
    hnx_persist_info info = {sizeof info, 99, 99, 99};
    hnx_index *index = NULL;
    CHECK_OK(hnx_init(&options, &index));
    CASE(hnx_persist_dirty, index, HNX_ERR_INVALID_ARGUMENT, hnx_persist_dirty(NULL, &persist, &info));
    CHECK(info.generation == 99 && info.records_written == 99 && info.bytes_written == 99);
    CASE(hnx_persist_dirty, options, HNX_OK, hnx_persist_dirty(index, NULL, &info));
    CASE(hnx_persist_dirty, out_info, HNX_OK, hnx_persist_dirty(index, &persist, NULL));
    CASE(hnx_verify, path, HNX_ERR_INVALID_ARGUMENT, hnx_verify(NULL, NULL));
    CASE(hnx_verify, out_info, HNX_OK, hnx_verify(options.persist_path, NULL));
    hnx_free(index);
    CASE(hnx_save, index, HNX_ERR_INVALID_ARGUMENT, hnx_save(NULL, "null.file", HNX_FORMAT_HNSWLIB));
    CASE(hnx_save, path, HNX_ERR_INVALID_ARGUMENT, hnx_save(memory_only, NULL, HNX_FORMAT_HNSWLIB));
    CASE(hnx_save_codes, index, HNX_ERR_INVALID_ARGUMENT, hnx_save_codes(NULL, "null.file"));
    CASE(hnx_save_codes, path, HNX_ERR_INVALID_ARGUMENT, hnx_save_codes(memory_only, NULL));
}

static void salvaging(void)
{
    const hnx_salvage_options options = {sizeof options, HNX_METRIC_L2, 0, 2, 0, 0, 0, 0};
    hnx_salvage_info info = {0};
    char place;
    hnx_index *const before = (hnx_index *)(void *)&place;
    hnx_index *out = before;
    info.struct_size = sizeof info;
    info.kept = 99;
    CASE(hnx_salvage, path, HNX_ERR_INVALID_ARGUMENT, hnx_salvage(NULL, &options, &out, &info));
    CASE(hnx_salvage, options, HNX_ERR_INVALID_ARGUMENT, hnx_salvage("null.directory", NULL, &out, &info));
    CASE(hnx_salvage, out_index, HNX_ERR_INVALID_ARGUMENT, hnx_salvage("null.directory", &options, NULL, &info));
    CHECK(out == before && info.kept == 99);
    CASE(hnx_salvage, out_info, HNX_OK, hnx_salvage("null.directory", &options, &out, NULL));
    hnx_free(out);
}

static void asking(const hnx_index *index)
{
    hnx_stats_info stats = {0};
    char text[16] = "kept";
    stats.struct_size = sizeof stats;
    CASE(hnx_stats, index, HNX_ERR_INVALID_ARGUMENT, hnx_stats(NULL, &stats));
    CHECK(stats.dim == 0 && stats.m == 0);
    CASE(hnx_stats, out_stats, HNX_ERR_INVALID_ARGUMENT, hnx_stats(index, NULL));
    VALUE(hnx_count, index, hnx_count(NULL) == 0);
    VALUE(hnx_deleted_count, index, hnx_deleted_count(NULL) == 0);
    VALUE(hnx_capacity, index, hnx_capacity(NULL) == 0);
    VALUE(hnx_dim, index, hnx_dim(NULL) == 0);
    VALUE(hnx_last_error, buffer, hnx_last_error(NULL, 0) > 0);
    CHECK(hnx_last_error(NULL, 16) > 0); /* not promised, but no reason to crash */
    CHECK(hnx_last_error(text, 0) > 0 && text[0] == 'k');
}

static void measuring(void)
{
    const float a[2] = {1, 2}, b[2] = {1, 4};
    const unsigned char x[2] = {1, 2}, y[2] = {1, 4};
    const size_t dim = 2, none = 0;
    float out[2] = {99, 99};
    VALUE(hnx_distance_l2, a, isnan(hnx_distance_l2(NULL, b, &dim)));
    VALUE(hnx_distance_l2, b, isnan(hnx_distance_l2(a, NULL, &dim)));
    VALUE(hnx_distance_l2, dim, isnan(hnx_distance_l2(a, b, NULL)));
    VALUE(hnx_distance_ip, a, isnan(hnx_distance_ip(NULL, b, &dim)));
    VALUE(hnx_distance_ip, b, isnan(hnx_distance_ip(a, NULL, &dim)));
    VALUE(hnx_distance_ip, dim, isnan(hnx_distance_ip(a, b, NULL)));
    VALUE(hnx_distance_l2_u8, a, hnx_distance_l2_u8(NULL, y, &dim) == INT32_MAX);
    VALUE(hnx_distance_l2_u8, b, hnx_distance_l2_u8(x, NULL, &dim) == INT32_MAX);
    VALUE(hnx_distance_l2_u8, dim, hnx_distance_l2_u8(x, y, NULL) == INT32_MAX);
    CHECK(hnx_distance_l2(a, b, &dim) == 4 && hnx_distance_ip(a, b, &dim) == -8 && hnx_distance_l2_u8(x, y, &dim) == 4);
    CHECK(hnx_distance_l2(NULL, NULL, &none) == 0 && hnx_distance_ip(NULL, NULL, &none) == 1); /* nothing to read */
    CHECK(hnx_distance_l2_u8(NULL, NULL, &none) == 0);

    CASE(hnx_distances, query, HNX_ERR_INVALID_ARGUMENT, hnx_distances(HNX_DISTANCE_L2, 2, NULL, b, 8, 1, out));
    CASE(hnx_distances, rows, HNX_ERR_INVALID_ARGUMENT, hnx_distances(HNX_DISTANCE_L2, 2, a, NULL, 8, 1, out));
    CASE(hnx_distances, out, HNX_ERR_INVALID_ARGUMENT, hnx_distances(HNX_DISTANCE_L2, 2, a, b, 8, 1, NULL));
    CHECK_OK(hnx_distances(HNX_DISTANCE_L2, 2, NULL, NULL, 8, 0, NULL));
    VALUE(hnx_normalize, vector, hnx_normalize(NULL, 2, out) == 0);
    VALUE(hnx_normalize, out, hnx_normalize(a, 2, NULL) == 0);
    CHECK(out[0] == 99 && out[1] == 99);
}

static hnx_graph_options graph_options(void)
{
    hnx_graph_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.dim = 2, options.data_size = 8, options.max_elements = 4, options.m = 4;
    return options;
}

static hnx_graph_point graph_point(const float *data)
{
    hnx_graph_point point;
    memset(&point, 0, sizeof point);
    point.struct_size = sizeof point;
    point.data = data, point.label = 7, point.ef = 10, point.max_elements = 4;
    return point;
}

/* Changing and looking into graphs; leaves three records. */
static void changing_a_graph(hnx_graph *graph)
{
    const float data[2] = {1, 2};
    const hnx_graph_point point = graph_point(data);
    hnx_graph_memory memory = {sizeof memory, NULL, 99, 99, 99, NULL, 99, NULL, NULL};
    hnx_hit hits[2] = {{0, 0, 0, 0}, {0, 0, 1, 0}};
    uint32_t id = 99, links[8], next = 99;
    size_t count = 99;
    CASE(hnx_graph_insert, graph, HNX_ERR_INVALID_ARGUMENT, hnx_graph_insert(NULL, &point, &id));
    CASE(hnx_graph_insert, point, HNX_ERR_INVALID_ARGUMENT, hnx_graph_insert(graph, NULL, &id));
    CASE(hnx_graph_insert, out_id, HNX_ERR_INVALID_ARGUMENT, hnx_graph_insert(graph, &point, NULL));
    CHECK(id == 99);
    CHECK_OK(hnx_graph_insert(graph, &point, &id));
    CHECK_OK(hnx_graph_insert(graph, &point, &id));
    CHECK_OK(hnx_graph_insert(graph, &point, &id));
    CHECK(id == 2); /* so the refused ones made nothing */
    CASE(hnx_graph_update, graph, HNX_ERR_INVALID_ARGUMENT, hnx_graph_update(NULL, 0, &point, &count));
    CASE(hnx_graph_update, point, HNX_ERR_INVALID_ARGUMENT, hnx_graph_update(graph, 0, NULL, &count));
    CHECK(count == 99);
    CASE(hnx_graph_update, out_draws, HNX_OK, hnx_graph_update(graph, 0, &point, NULL));
    CASE(hnx_graph_set_deleted, graph, HNX_ERR_INVALID_ARGUMENT, hnx_graph_set_deleted(NULL, 0, 1));
    CASE(hnx_graph_resize, graph, HNX_ERR_INVALID_ARGUMENT, hnx_graph_resize(NULL, 8));
    CASE(hnx_graph_memory_of, graph, HNX_ERR_INVALID_ARGUMENT, hnx_graph_memory_of(NULL, &memory));
    CHECK(memory.records == NULL && memory.stride == 99);
    CASE(hnx_graph_memory_of, out_memory, HNX_ERR_INVALID_ARGUMENT, hnx_graph_memory_of(graph, NULL));
    CASE(hnx_graph_links, graph, HNX_ERR_INVALID_ARGUMENT, hnx_graph_links(NULL, 0, 0, links, 8, &count));
    CASE(hnx_graph_links, out_ids, HNX_ERR_INVALID_ARGUMENT, hnx_graph_links(graph, 0, 0, NULL, 8, &count));
    CASE(hnx_graph_links, out_count, HNX_ERR_INVALID_ARGUMENT, hnx_graph_links(graph, 0, 0, links, 8, NULL));
    CHECK(count == 99);
    count = 2;
    CASE(hnx_graph_select, graph, HNX_ERR_INVALID_ARGUMENT, hnx_graph_select(NULL, hits, &count, 1, NULL));
    CASE(hnx_graph_select, hits, HNX_ERR_INVALID_ARGUMENT, hnx_graph_select(graph, NULL, &count, 1, NULL));
    CASE(hnx_graph_select, count, HNX_ERR_INVALID_ARGUMENT, hnx_graph_select(graph, hits, NULL, 1, NULL));
    CHECK(count == 2);
    CASE(hnx_graph_select, context, HNX_OK, hnx_graph_select(graph, hits, &count, 1, NULL));
    CASE(hnx_graph_connect, graph, HNX_ERR_INVALID_ARGUMENT, hnx_graph_connect(NULL, 2, hits, 1, 0, NULL, &next));
    CASE(hnx_graph_connect, hits, HNX_ERR_INVALID_ARGUMENT, hnx_graph_connect(graph, 2, NULL, 1, 0, NULL, &next));
    CASE(hnx_graph_connect, out_next, HNX_ERR_INVALID_ARGUMENT, hnx_graph_connect(graph, 2, hits, 1, 0, NULL, NULL));
    CHECK(next == 99);
    CASE(hnx_graph_connect, context, HNX_OK, hnx_graph_connect(graph, 2, hits, 1, 0, NULL, &next));
    CASE(hnx_graph_repair, graph, HNX_ERR_INVALID_ARGUMENT, hnx_graph_repair(NULL, 2, &point, 0, 0, 0));
    CASE(hnx_graph_repair, point, HNX_ERR_INVALID_ARGUMENT, hnx_graph_repair(graph, 2, NULL, 0, 0, 0));
}

static int32_t ignore(void *context, const hnx_hit *hits, size_t count)
{
    (void)context, (void)hits, (void)count;
    return 0;
}

static void searching_a_graph(const hnx_graph *graph)
{
    const float data[2] = {1, 2};
    hnx_graph_query query;
    memset(&query, 0, sizeof query);
    query.struct_size = sizeof query;
    query.query = data, query.k = 1, query.start = HNX_GRAPH_TOP, query.emit = ignore;
    CASE(hnx_graph_search, graph, HNX_ERR_INVALID_ARGUMENT, hnx_graph_search(NULL, &query));
    CASE(hnx_graph_search, query, HNX_ERR_INVALID_ARGUMENT, hnx_graph_search(graph, NULL));
    CHECK_OK(hnx_graph_search(graph, &query));
}

static void graph_files(hnx_graph *graph)
{
    const hnx_graph_header header = {sizeof header, 4, 0, 10, 0.5, 0, 0};
    const hnx_graph_options options = graph_options();
    hnx_graph_header stated = {sizeof stated, 99, 99, 99, 99, 99, 0};
    char bytes[100] = "kept", records[400], lengths[16], lists[400], place;
    const hnx_graph_buffers buffers = {sizeof buffers, bytes, 100, records, 400, lengths, 16, lists, 400};
    hnx_graph *const before = (hnx_graph *)(void *)&place;
    hnx_graph *out = before;
    CASE(hnx_graph_save, graph, HNX_ERR_INVALID_ARGUMENT, hnx_graph_save(NULL, "null.graph", 0, &header));
    CASE(hnx_graph_save, path, HNX_ERR_INVALID_ARGUMENT, hnx_graph_save(graph, NULL, 0, &header));
    CASE(hnx_graph_save, header, HNX_ERR_INVALID_ARGUMENT, hnx_graph_save(graph, "null.graph", 0, NULL));
    CASE(hnx_graph_load, path, HNX_ERR_INVALID_ARGUMENT, hnx_graph_load(NULL, &options, &out, &stated));
    CASE(hnx_graph_load, options, HNX_ERR_INVALID_ARGUMENT, hnx_graph_load("null.graph", NULL, &out, &stated));
    CASE(hnx_graph_load, out_graph, HNX_ERR_INVALID_ARGUMENT, hnx_graph_load("null.graph", &options, NULL, &stated));
    CHECK(out == before && stated.max_elements == 99);
    CHECK_OK(hnx_graph_save(graph, "null.graph", HNX_FORMAT_HNSWLIB, &header));
    CASE(hnx_graph_load, out_header, HNX_OK, hnx_graph_load("null.graph", &options, &out, NULL));
    hnx_graph_free(out);

    CASE(hnx_graph_create_directory, graph, HNX_ERR_INVALID_ARGUMENT,
         hnx_graph_create_directory(NULL, "null.graphs", &header));
    CASE(hnx_graph_create_directory, path, HNX_ERR_INVALID_ARGUMENT, hnx_graph_create_directory(graph, NULL, &header));
    CASE(hnx_graph_create_directory, header, HNX_ERR_INVALID_ARGUMENT,
         hnx_graph_create_directory(graph, "null.graphs", NULL));
    CASE(hnx_graph_persist_dirty, graph, HNX_ERR_INVALID_ARGUMENT, hnx_graph_persist_dirty(NULL, &header));
    CASE(hnx_graph_persist_dirty, header, HNX_ERR_INVALID_ARGUMENT, hnx_graph_persist_dirty(graph, NULL));
    VALUE(hnx_graph_dirty_count, graph, hnx_graph_dirty_count(NULL) == 0);
    CASE(hnx_graph_mark_dirty, graph, HNX_ERR_INVALID_ARGUMENT, hnx_graph_mark_dirty(NULL, 0));

    CASE(hnx_graph_save_buffers, graph, HNX_ERR_INVALID_ARGUMENT, hnx_graph_save_buffers(NULL, &header, &buffers));
    CASE(hnx_graph_save_buffers, header, HNX_ERR_INVALID_ARGUMENT, hnx_graph_save_buffers(graph, NULL, &buffers));
    CASE(hnx_graph_save_buffers, buffers, HNX_ERR_INVALID_ARGUMENT, hnx_graph_save_buffers(graph, &header, NULL));
    CHECK(strcmp(bytes, "kept") == 0);
    CHECK_OK(hnx_graph_save_buffers(graph, &header, &buffers));
    out = before;
    CASE(hnx_graph_load_buffers, buffers, HNX_ERR_INVALID_ARGUMENT,
         hnx_graph_load_buffers(NULL, &options, &out, &stated));
    CASE(hnx_graph_load_buffers, options, HNX_ERR_INVALID_ARGUMENT,
         hnx_graph_load_buffers(&buffers, NULL, &out, &stated));
    CASE(hnx_graph_load_buffers, out_graph, HNX_ERR_INVALID_ARGUMENT,
         hnx_graph_load_buffers(&buffers, &options, NULL, &stated));
    CHECK(out == before && stated.max_elements == 99);
    CASE(hnx_graph_load_buffers, out_header, HNX_OK, hnx_graph_load_buffers(&buffers, &options, &out, NULL));
    hnx_graph_free(out);
}

static void graphs(void)
{
    const hnx_graph_options options = graph_options();
    char place;
    hnx_graph *const before = (hnx_graph *)(void *)&place;
    hnx_graph *graph = before;
    CASE(hnx_graph_init, options, HNX_ERR_INVALID_ARGUMENT, hnx_graph_init(NULL, &graph));
    CASE(hnx_graph_init, out_graph, HNX_ERR_INVALID_ARGUMENT, hnx_graph_init(&options, NULL));
    CHECK(graph == before);
    CHECK_OK(hnx_graph_init(&options, &graph));
    changing_a_graph(graph);
    searching_a_graph(graph);
    graph_files(graph);
    hnx_graph_free(graph);
    NOTHING(hnx_graph_free, graph, hnx_graph_free(NULL));
}

int main(void)
{
    hnx_index *index = index_of_dim_2();
    making_and_opening();
    writing(index);
    searching(index);
    writing_files(index);
    salvaging();
    asking(index);
    measuring();
    graphs();
    hnx_free(index);
    NOTHING(hnx_free, index, hnx_free(NULL));
    return 0;
}
