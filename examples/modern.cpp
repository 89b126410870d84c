// The life of an index in C++17: made, filled, searched, filtered, changed, persisted, reopened. Real vectors.
//
//     c++ -std=c++17 modern.cpp -lhnx -o modern && ./modern [DATA-FOLDER]

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <stdexcept>
#include <string>
#include <system_error>
#include <unordered_set>
#include <vector>

#include <hnx.hpp>

namespace {

namespace fs = std::filesystem;

constexpr std::size_t k = 10;

// ---- helpers that have nothing to do with the library ----

template <class T>
struct matrix {
    std::vector<T> values;
    std::size_t rows, width;

    hnx::span<const T> row(std::size_t at) const { return {values.data() + at * width, width}; }
};

// A .bvecs (Stored = unsigned char) or .ivecs (std::int32_t) file: rows of an int32 length and that many values.
template <class Stored, class T>
matrix<T> read_rows(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    matrix<T> all{{}, 0, 0};
    std::vector<Stored> row;
    for (std::int32_t length = 0; file.read(reinterpret_cast<char*>(&length), sizeof length); ++all.rows) {
        if (length <= 0 || (all.rows > 0 && std::size_t(length) != all.width))
            throw std::runtime_error(path.string() + ": rows of different lengths");
        row.resize(all.width = std::size_t(length));
        if (!file.read(reinterpret_cast<char*>(row.data()), std::streamsize(row.size() * sizeof(Stored))))
            throw std::runtime_error(path.string() + ": ends within a row");
        for (const Stored value : row) all.values.push_back(static_cast<T>(value));
    }
    if (all.rows == 0) throw std::runtime_error(path.string() + ": cannot be read; give its folder as the argument");
    return all;
}

// examples/data, seen from the current directory or from the program's place in build/examples/.
fs::path find_data(const char* program) {
    if (fs::exists("examples/data")) return "examples/data";
    return fs::path(program).parent_path() / "../../examples/data";
}

// A new folder in TMPDIR or /tmp, removed at the end.
struct folder {
    fs::path path;

    folder() {
        std::string pattern = (fs::temp_directory_path() / "hnx-modern-XXXXXX").string();
        if (!mkdtemp(pattern.data())) throw std::runtime_error(pattern + ": cannot be made");
        path = pattern;
    }
    ~folder() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
    folder(const folder&) = delete;
    folder& operator=(const folder&) = delete;
};

void expect(bool fact, const char* what) {
    if (!fact) throw std::runtime_error(std::string("not so: ") + what);
}

// ---- the library ----

double recall(const std::vector<std::vector<hnx::neighbour>>& found, const matrix<std::uint64_t>& truth) {
    std::size_t hits = 0;
    for (std::size_t at = 0; at < found.size(); ++at) {
        const std::unordered_set<std::uint64_t> wanted(truth.row(at).begin(), truth.row(at).begin() + k);
        for (const hnx::neighbour& one : found[at]) hits += wanted.count(one.label);
    }
    return double(hits) / double(found.size() * k);
}

void run(const fs::path& data) {
    const auto base = read_rows<unsigned char, float>(data / "sift15k.bvecs");
    const auto queries = read_rows<unsigned char, float>(data / "sift15k-query.bvecs");
    const auto truth = read_rows<std::int32_t, std::uint64_t>(data / "sift15k-groundtruth.ivecs");
    expect(queries.width == base.width && truth.rows == queries.rows && truth.width >= k, "the files fit together");
    std::printf("libhnx %s, CPU level %s\n", hnx::version(), hnx::cpu_name());
    const folder folder;

    // Made, with a directory to persist in; filled on all cores. What is not set has its default.
    hnx::options options;
    options.dim = base.width;
    options.allow_replace_deleted = true;
    options.persist_path = folder.path / "index";
    hnx::index index = hnx::index::init(options);
    std::vector<std::uint64_t> labels(base.rows);
    std::iota(labels.begin(), labels.end(), std::uint64_t{0});
    index.add(base.values, labels);
    std::printf("%zu vectors of %zu floats\n", index.count(), index.dim());

    // Searched: all queries at once.
    hnx::query_options how;
    for (how.ef = 10; how.ef <= 160; how.ef *= 4)
        std::printf("ef %3zu: recall@%zu %.4f\n", how.ef, k, recall(index.query_many(queries.values, k, how), truth));
    how.ef = 100;

    // One query; and the same into arrays that are used again and again, without an allocation.
    const std::vector<hnx::neighbour> nearest = index.query(queries.row(0), k, how);
    std::vector<std::uint64_t> out_labels(k);
    std::vector<float> out_distances(k);
    index.query_into(queries.row(0), k, out_labels, out_distances, {}, how);
    expect(nearest.size() == k && nearest[0].label == out_labels[0], "both forms find the same");
    std::printf("nearest to the first query: label %llu at squared distance %.0f\n",
                static_cast<unsigned long long>(nearest[0].label), double(nearest[0].distance));

    // Filtered, by whatever can be called. What it throws comes out of the query.
    for (const hnx::neighbour& one : index.query(queries.row(0), k, how, [](auto label) { return label % 2 == 0; }))
        expect(one.label % 2 == 0, "a filter keeps the odd labels out");
    try {
        (void)index.query(queries.row(0), k, how, [](std::uint64_t) -> bool { throw std::logic_error("no permission"); });
        expect(false, "the exception of a filter comes out");
    } catch (const std::logic_error& error) {
        std::printf("the filter said: %s\n", error.what());
    }

    // Changed: a label is deleted, its place given to a new vector; an update moves a label.
    index.mark_deleted(nearest[0].label);
    expect(index.query(queries.row(0), 1, how).front().label == nearest[1].label, "the deleted one is not found");
    hnx::add_options replacing;
    replacing.replace_deleted = true;
    index.add(queries.row(0), 1000000, replacing);
    index.add(queries.row(1), nearest[1].label);
    expect(index.count() == base.rows && index.deleted_count() == 0, "the place is used again");
    const std::vector<float> back = index.get(1000000);
    expect(std::equal(back.begin(), back.end(), queries.row(0).begin()), "vectors come back as they were given");

    // Failures: exceptions with status and cause, or values.
    try {
        index.mark_deleted(nearest[0].label);
        expect(false, "a label that is gone cannot be deleted");
    } catch (const hnx::error& error) {
        expect(error.status() == HNX_ERR_NOT_FOUND, "the status says why");
        std::printf("%s: %s\n", hnx_status_name(error.status()), error.what());
    }
    if (const auto result = index.try_get(nearest[0].label); !result)
        std::printf("%s: %s\n", hnx_status_name(result.error().status), result.error().text.c_str());

    // Persisted, and saved as a file that hnswlib opens; both reopened with the same answers.
    const hnx::persist_info written = index.persist_dirty();
    std::printf("persisted %llu records\n", static_cast<unsigned long long>(written.records_written));
    index.save(folder.path / "file");
    const auto before = index.query_many(queries.values, k, how);
    index = {};  // freed
    hnx::load_options load;
    load.dim = base.width;
    for (const char* name : {"index", "file"}) {
        load.read_only = load.mmap = fs::is_regular_file(folder.path / name);
        const hnx::index opened = hnx::index::load(folder.path / name, load);
        const auto after = opened.query_many(queries.values, k, how);
        for (std::size_t at = 0; at < before.size(); ++at)
            for (std::size_t rank = 0; rank < k; ++rank)
                expect(after[at][rank].label == before[at][rank].label, "the same answers");
        const hnx::stats_info stats = opened.stats();
        std::printf("reopened %s: %zu records, %d levels, the same answers\n", name, stats.count, stats.max_level + 1);
    }
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(argc > 1 ? fs::path(argv[1]) : find_data(argv[0]));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "modern: %s\n", error.what());
        return 1;
    }
}
