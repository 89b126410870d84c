/* A host of hnswlib's classes, to be compiled with the original headers and with libhnx's. It obeys lines on its
 * standard input, so that two of them can be measured in turn; it answers each with one line.
 *
 *   host DATA QUERIES METRIC M EF_CONSTRUCTION CAPACITY
 *     add FIRST COUNT   adds rows of DATA, one thread; answers the seconds
 *     query EF K        searches all QUERIES; answers the seconds
 *     save PATH         saves the index
 *     graph EF K        (libhnx) as query, through the C ABI on the same records: hnx_graph_search()
 *     index EF K        (libhnx) as query, through hnx_query() on an index that was loaded from PATH of save
 */
#include "hnswlib/hnswlib.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#ifdef HNX_H
#define LIBHNX 1
#else
#define LIBHNX 0
#endif

struct Vectors {
    size_t dim;
    std::vector<float> values;
    size_t rows() const { return values.size() / dim; }
    const float *row(size_t at) const { return values.data() + at * dim; }
};

static Vectors read_vectors(const std::string &path, bool unit)
{
    std::ifstream file(path, std::ios::binary);
    const bool bytes = path.size() > 6 && path.substr(path.size() - 6) == ".bvecs";
    Vectors all = {0, {}};
    int32_t dim;
    while (file.read(reinterpret_cast<char *>(&dim), 4)) {
        all.dim = static_cast<size_t>(dim);
        std::vector<char> raw(all.dim * (bytes ? 1 : 4));
        file.read(raw.data(), static_cast<std::streamsize>(raw.size()));
        std::vector<float> row(all.dim);
        for (size_t i = 0; i < all.dim; i++) {
            if (bytes)
                row[i] = static_cast<unsigned char>(raw[i]);
            else
                memcpy(&row[i], raw.data() + 4 * i, 4);
        }
        if (unit) {
            double sum = 0;
            for (float x : row)
                sum += static_cast<double>(x) * x;
            for (float &x : row)
                x = static_cast<float>(x / std::sqrt(sum));
        }
        all.values.insert(all.values.end(), row.begin(), row.end());
    }
    return all;
}

static double seconds_since(std::chrono::steady_clock::time_point start)
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

#if LIBHNX
static int32_t sum_labels(void *context, const hnx_hit *hits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        *static_cast<uint64_t *>(context) += hits[i].label;
    return 0;
}

/* The same records, opened through the C ABI. */
struct Direct {
    hnx_graph *graph = nullptr;
    hnx_index *index = nullptr;
    ~Direct()
    {
        hnx_graph_free(graph);
        hnx_free(index);
    }
    bool open(const char *path, bool ip, size_t dim)
    {
        hnx_graph_options options = {};
        options.struct_size = sizeof options;
        options.distance = ip ? HNX_DISTANCE_IP : HNX_DISTANCE_L2;
        options.dim = dim;
        options.data_size = 4 * dim;
        hnx_load_options load = {};
        load.struct_size = sizeof load;
        load.metric = ip ? HNX_METRIC_IP : HNX_METRIC_L2;
        load.dim = dim;
        return hnx_graph_load(path, &options, &graph, nullptr) == HNX_OK && hnx_load(path, &load, &index) == HNX_OK;
    }
    uint64_t search_graph(const Vectors &queries, size_t ef, size_t k)
    {
        uint64_t sum = 0;
        for (size_t i = 0; i < queries.rows(); i++) {
            hnx_graph_query query = {};
            query.struct_size = sizeof query;
            query.query = queries.row(i);
            query.k = k;
            query.ef = ef;
            query.start = HNX_GRAPH_TOP;
            query.emit = sum_labels;
            query.context = &sum;
            hnx_graph_search(graph, &query);
        }
        return sum;
    }
    uint64_t search_index(const Vectors &queries, size_t ef, size_t k)
    {
        uint64_t sum = 0;
        std::vector<uint64_t> labels(k);
        std::vector<float> distances(k);
        hnx_query_options options = {};
        options.struct_size = sizeof options;
        options.ef = ef;
        options.threads = 1;
        for (size_t i = 0; i < queries.rows(); i++) {
            hnx_query(index, queries.row(i), 1, k, &options, labels.data(), distances.data(), nullptr);
            for (uint64_t label : labels)
                sum += label;
        }
        return sum;
    }
};
#endif

static uint64_t search(hnswlib::HierarchicalNSW<float> &index, const Vectors &queries, size_t k)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < queries.rows(); i++) {
        auto found = index.searchKnn(queries.row(i), k);
        while (!found.empty()) {
            sum += found.top().second;
            found.pop();
        }
    }
    return sum;
}

int main(int argc, char **argv)
{
    if (argc != 7)
        return 2;
    const bool ip = std::string(argv[3]) != "l2", unit = std::string(argv[3]) == "cosine";
    const Vectors data = read_vectors(argv[1], unit), queries = read_vectors(argv[2], unit);
    std::unique_ptr<hnswlib::SpaceInterface<float>> space;
    if (ip)
        space.reset(new hnswlib::InnerProductSpace(data.dim));
    else
        space.reset(new hnswlib::L2Space(data.dim));
    const size_t m = std::stoul(argv[4]), ef_construction = std::stoul(argv[5]), capacity = std::stoul(argv[6]);
    hnswlib::HierarchicalNSW<float> index(space.get(), capacity, m, ef_construction);
#if LIBHNX
    Direct direct;
#endif
    printf("ready %zu %zu\n", data.rows(), queries.rows());
    fflush(stdout);
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::string verb, path;
        size_t a = 0, b = 0;
        words >> verb;
        if (verb == "save")
            words >> path;
        else
            words >> a >> b;
        uint64_t sum = 0;
        const auto start = std::chrono::steady_clock::now();
        if (verb == "add") {
            for (size_t row = a; row < a + b; row++)
                index.addPoint(data.row(row), row);
        } else if (verb == "query") {
            index.setEf(a);
            sum = search(index, queries, b);
        } else if (verb == "save") {
            index.saveIndex(path);
        }
#if LIBHNX
        else if (verb == "graph") {
            sum = direct.search_graph(queries, a, b);
        } else if (verb == "index") {
            sum = direct.search_index(queries, a, b);
        }
#endif
        const double seconds = seconds_since(start);
#if LIBHNX
        if (verb == "save" && !direct.open(path.c_str(), ip, data.dim))
            return 3;
#endif
        printf("%.9f %llu\n", seconds, static_cast<unsigned long long>(sum));
        fflush(stdout);
    }
    return 0;
}
