/*
 * The workload of counters.py: fixed rows, queries, levels and seeds, one thread.
 *
 *   counters BASE.bvecs QUERY.bvecs
 *
 * Prints "call NAME COUNT" before each hnx_add() and hnx_query(), whose instructions callgrind counts, and
 * "value NAME VALUE" for what is counted here: the distances that hnx_graph_insert() and hnx_graph_search() ask for.
 */
#include <hnx.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIM = 128, LONG_DIM = 2 * DIM, ROWS = 1200, QUERIES = 100, K = 10, M = 16, EF = 64, EF_CONSTRUCTION = 60 };

static uint8_t bytes[ROWS + QUERIES][DIM];
static float floats[ROWS + QUERIES][DIM];
static float long_floats[ROWS + QUERIES][LONG_DIM];
static uint64_t labels[ROWS];

static void check(hnx_status status, const char *what) {
    char text[512];
    if (status == HNX_OK) return;
    hnx_last_error(text, sizeof text);
    fprintf(stderr, "%s: %s\n", what, text);
    exit(1);
}

static void read_vectors(const char *path, size_t first, size_t count) {
    FILE *file = fopen(path, "rb");
    int32_t dim = 0;
    size_t i, j;
    if (!file) perror(path), exit(1);
    for (i = first; i < first + count; i++) {
        if (fread(&dim, sizeof dim, 1, file) != 1 || dim != DIM || fread(bytes[i], DIM, 1, file) != 1) {
            fprintf(stderr, "%s: not enough rows of %d bytes\n", path, DIM);
            exit(1);
        }
        for (j = 0; j < DIM; j++) floats[i][j] = bytes[i][j];
    }
    fclose(file);
}

/* Vectors of fractions, so long that sketches guide walks. */
static void make_long(void) {
    size_t i, j;
    for (i = 0; i < ROWS + QUERIES; i++) {
        const size_t other = i < ROWS ? (i + 7) % ROWS : ROWS + (i - ROWS + 7) % QUERIES;
        for (j = 0; j < DIM; j++) {
            long_floats[i][j] = floats[i][j] * 0.37f;
            long_floats[i][DIM + j] = floats[other][j] * 0.11f;
        }
    }
}

/* Callgrind writes its counters after each of these calls. */
static void queries(hnx_index *index, const float *vectors, const char *name) {
    static const struct { const char *name; uint32_t exactness; } modes[] = {
        {"f32", HNX_EXACTNESS_F32}, {"certified", HNX_EXACTNESS_CERTIFIED}, {"guided", HNX_EXACTNESS_GUIDED}};
    static uint64_t found[QUERIES * K];
    static float distances[QUERIES * K];
    hnx_query_options query = {0};
    size_t i;
    query.struct_size = sizeof query;
    query.threads = 1;
    query.ef = EF;
    for (i = 0; i < sizeof modes / sizeof *modes; i++) {
        query.exactness = modes[i].exactness;
        printf("call %s_%s %d\n", name, modes[i].name, QUERIES);
        check(hnx_query(index, vectors, QUERIES, K, &query, found, distances, NULL), "hnx_query");
    }
}

/* The same after adds, and with a tenth of the records deleted. */
static void index_calls(uint32_t metric, const char *name, const float *vectors, size_t dim, uint32_t flags) {
    hnx_options options = {0};
    hnx_add_options add = {0};
    hnx_index *index = NULL;
    char text[64];
    uint64_t label;
    options.struct_size = sizeof options;
    options.metric = metric;
    options.dim = dim;
    options.max_elements = ROWS;
    options.m = M;
    options.ef_construction = EF_CONSTRUCTION;
    options.random_seed = 100;
    check(hnx_init(&options, &index), "hnx_init");
    add.struct_size = sizeof add;
    add.threads = 1;
    add.flags = flags;
    printf("call %s.add %d\n", name, ROWS);
    check(hnx_add(index, vectors, labels, ROWS, &add, NULL), "hnx_add");
    sprintf(text, "%.40s.query", name);
    queries(index, vectors + ROWS * dim, text);
    for (label = 0; label < ROWS; label += 10) check(hnx_mark_deleted(index, label), "hnx_mark_deleted");
    sprintf(text, "%.40s.deleted", name);
    queries(index, vectors + ROWS * dim, text);
    hnx_free(index);
}

typedef struct { unsigned long calls, distances; } counts;

static int32_t measure(void *context, const void *query, const void *const *rows, size_t count, int64_t *out_keys) {
    counts *c = context;
    size_t i, j;
    c->calls++;
    c->distances += count;
    for (i = 0; i < count; i++) {
        int64_t sum = 0;
        for (j = 0; j < DIM; j++) {
            int64_t d = (int64_t)((const uint8_t *)query)[j] - ((const uint8_t *)rows[i])[j];
            sum += d * d;
        }
        out_keys[i] = sum;
    }
    return 0;
}

static int32_t ignore(void *context, const hnx_hit *hits, size_t count) {
    (void)context, (void)hits, (void)count;
    return 0;
}

/* One record in M is on the next level: what hnswlib draws, without a logarithm that could round elsewhere. */
static int32_t draw_level(uint64_t *state) {
    int32_t level = 0;
    do {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
    } while ((*state >> 33) % M == 0 && ++level < 8);
    return level;
}

/* Distances and hops (neighbour lists with something new), counted by the callback that measures. */
static void graph_counts(void) {
    hnx_graph_options options = {0};
    hnx_graph *graph = NULL;
    counts added = {0, 0}, searched = {0, 0};
    uint64_t state = 100;
    size_t i;
    options.struct_size = sizeof options;
    options.distance = HNX_DISTANCE_CALLBACK;
    options.data_size = DIM;
    options.max_elements = ROWS;
    options.m = M;
    options.measure = measure;
    options.max_key = INT64_MAX / 2;
    check(hnx_graph_init(&options, &graph), "hnx_graph_init");
    for (i = 0; i < ROWS; i++) {
        hnx_graph_point point = {0};
        uint32_t id;
        point.struct_size = sizeof point;
        point.data = bytes[i];
        point.label = i;
        point.level = draw_level(&state);
        point.ef = EF_CONSTRUCTION;
        point.max_elements = ROWS;
        point.context = &added;
        check(hnx_graph_insert(graph, &point, &id), "hnx_graph_insert");
    }
    for (i = ROWS; i < ROWS + QUERIES; i++) {
        hnx_graph_query query = {0};
        query.struct_size = sizeof query;
        query.query = bytes[i];
        query.k = K;
        query.ef = EF;
        query.start = HNX_GRAPH_TOP;
        query.emit = ignore;
        query.context = &searched;
        check(hnx_graph_search(graph, &query), "hnx_graph_search");
    }
    hnx_graph_free(graph);
    printf("value graph.distances_per_add %.3f\n", (double)added.distances / ROWS);
    printf("value graph.distances_per_query %.3f\n", (double)searched.distances / QUERIES);
    printf("value graph.hops_per_query %.3f\n", (double)searched.calls / QUERIES);
}

int main(int argc, char **argv) {
    size_t i;
    if (argc != 3) return fprintf(stderr, "counters BASE.bvecs QUERY.bvecs\n"), 2;
    read_vectors(argv[1], 0, ROWS);
    read_vectors(argv[2], ROWS, QUERIES);
    for (i = 0; i < ROWS; i++) labels[i] = i;
    printf("cpu %s\n", hnx_cpu_name());
    index_calls(HNX_METRIC_L2, "l2", floats[0], DIM, 0);
    index_calls(HNX_METRIC_COSINE, "cosine", floats[0], DIM, 0);
    make_long();
    index_calls(HNX_METRIC_L2, "long", long_floats[0], LONG_DIM, HNX_ADD_GUIDED);
    graph_counts();
    return 0;
}
