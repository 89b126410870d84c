// Adds from two threads while two others search: no lock, no copy, no pause. C++17.
//
//     c++ -std=c++17 -pthread threads.cpp -lhnx -o threads && ./threads

#include <atomic>
#include <cstdio>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <hnx.h>

namespace {

constexpr std::size_t dim = 32, per_writer = 4000, writers = 2, readers = 2, k = 10;

void check(hnx_status status, const char* what) {
    if (status == HNX_OK) return;
    std::string text(hnx_last_error(nullptr, 0), '\0');
    hnx_last_error(text.data(), text.size() + 1);  // the calling thread's own last failure
    throw std::runtime_error(std::string(what) + ": " + hnx_status_name(status) + ": " + text);
}

struct Free {
    void operator()(hnx_index* index) const { hnx_free(index); }
};
using Index = std::unique_ptr<hnx_index, Free>;

std::vector<float> random_vectors(std::size_t count, unsigned seed) {
    std::mt19937 generator(seed);
    std::vector<float> out(count * dim);
    for (float& value : out) value = float(generator() >> 8) / 16777216.0f;
    return out;
}

// Adds its own vectors, one call each, under labels that no other writer uses.
void write(hnx_index* index, const std::vector<float>& vectors, std::uint64_t first_label) {
    hnx_add_options options{};
    options.struct_size = sizeof options;
    options.threads = 1;  // the host brings the threads
    for (std::size_t i = 0; i < per_writer; ++i) {
        const std::uint64_t label = first_label + i;
        check(hnx_add(index, vectors.data() + i * dim, &label, 1, &options, nullptr), "hnx_add");
    }
}

// Searches until the writers are done. Every answer is a record whose adding was complete.
void read(const hnx_index* index, const std::vector<float>& queries, const std::atomic<bool>& done,
          std::atomic<std::size_t>& answered) {
    hnx_query_options options{};
    options.struct_size = sizeof options;
    options.ef = 50;
    options.threads = 1;
    std::uint64_t labels[k];
    float distances[k];
    for (std::size_t i = 0; !done; i = (i + 1) % (queries.size() / dim)) {
        std::size_t found = 0;
        check(hnx_query(index, queries.data() + i * dim, 1, k, &options, labels, distances, &found), "hnx_query");
        for (std::size_t j = 0; j < found; ++j)
            if (labels[j] >= writers * per_writer || (j > 0 && distances[j] < distances[j - 1]))
                throw std::runtime_error("an answer that cannot be");
        ++answered;
    }
}

int run() {
    hnx_options options{};
    options.struct_size = sizeof options;
    options.metric = HNX_METRIC_L2;
    options.dim = dim;
    hnx_index* raw = nullptr;
    check(hnx_init(&options, &raw), "hnx_init");
    const Index index(raw);

    std::vector<std::vector<float>> vectors;
    for (std::size_t w = 0; w < writers; ++w) vectors.push_back(random_vectors(per_writer, unsigned(w + 1)));
    const std::vector<float> queries = random_vectors(100, 99);

    std::atomic<bool> done{false}, failed{false};
    std::atomic<std::size_t> answered{0};
    const auto guarded = [&failed](auto&& body) {
        try {
            body();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "threads: %s\n", error.what());
            failed = true;
        }
    };
    std::vector<std::thread> reading, writing;
    for (std::size_t r = 0; r < readers; ++r)
        reading.emplace_back([&] { guarded([&] { read(index.get(), queries, done, answered); }); });
    for (std::size_t w = 0; w < writers; ++w)
        writing.emplace_back([&, w] { guarded([&] { write(index.get(), vectors[w], w * per_writer); }); });
    for (std::thread& thread : writing) thread.join();
    done = true;
    for (std::thread& thread : reading) thread.join();

    // Every vector is there and is its own nearest neighbour.
    std::size_t own = 0;
    hnx_query_options query{};
    query.struct_size = sizeof query;
    query.ef = 100;
    for (std::size_t w = 0; w < writers; ++w) {
        std::vector<std::uint64_t> labels(per_writer);
        check(hnx_query(index.get(), vectors[w].data(), per_writer, 1, &query, labels.data(), nullptr, nullptr),
              "hnx_query");
        for (std::size_t i = 0; i < per_writer; ++i) own += labels[i] == w * per_writer + i;
    }
    const std::size_t count = hnx_count(index.get());
    std::printf("%zu records from %zu writers, %zu of them found by their own vector\n", count, writers, own);
    std::printf("%zu queries answered meanwhile by %zu readers\n", answered.load(), readers);
    return !failed && count == writers * per_writer && own * 1000 >= count * 999 ? 0 : 1;
}

}  // namespace

int main() {
    try {
        return run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "threads: %s\n", error.what());
        return 1;
    }
}
