// The parts of the test of hnx.hpp, each a translation unit of its own, and what they share. hnx.hpp comes first: it
// must stand alone.
#ifndef HNX_MODERN_H
#define HNX_MODERN_H

#include <hnx.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "../../c/check.h"

void test_ownership();
void test_errors();
void test_spans();
void test_queries();
void test_filters();
void test_files();
void test_threads();

// Small whole numbers, so that distances are exact and can be compared with ==.
inline std::vector<float> whole_numbers(std::size_t count, std::uint64_t seed)
{
    std::vector<float> values(count);
    std::uint64_t state = seed * 2 + 1;
    for (float &value : values)
        value = static_cast<float>(static_cast<int>(check_next(&state) >> 32) % 200);
    return values;
}

inline std::vector<std::uint64_t> labels_from(std::uint64_t first, std::size_t count)
{
    std::vector<std::uint64_t> labels(count);
    for (std::uint64_t &label : labels)
        label = first++;
    return labels;
}

inline hnx::options of_dim(std::size_t dim)
{
    hnx::options options;
    options.dim = dim;
    return options;
}

// An index whose labels are row numbers, added in order.
inline hnx::index filled(std::size_t dim, const std::vector<float> &rows)
{
    hnx::index index = hnx::index::init(of_dim(dim));
    hnx::add_options one_thread;
    one_thread.threads = 1;
    index.add(rows, labels_from(0, rows.size() / dim), one_thread);
    return index;
}

// The exact answer: all labels that may be found, nearest first, equal distances by label.
template <class Filter>
std::vector<hnx::neighbour> brute_force(const std::vector<float> &rows, const float *query, std::size_t dim,
                                        std::size_t k, Filter &&filter)
{
    std::vector<hnx::neighbour> all;
    for (std::size_t row = 0; row < rows.size() / dim; row++) {
        float sum = 0;
        for (std::size_t at = 0; at < dim; at++)
            sum += (rows[row * dim + at] - query[at]) * (rows[row * dim + at] - query[at]);
        if (filter(row))
            all.push_back({row, sum});
    }
    std::sort(all.begin(), all.end(), [](const hnx::neighbour &a, const hnx::neighbour &b) {
        return a.distance < b.distance || (!(b.distance < a.distance) && a.label < b.label);
    });
    all.resize(std::min(k, all.size()));
    return all;
}

inline bool same(const std::vector<hnx::neighbour> &a, const std::vector<hnx::neighbour> &b)
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const hnx::neighbour &x, const hnx::neighbour &y) {
        return x.label == y.label && !(x.distance < y.distance) && !(y.distance < x.distance);
    });
}

inline bool contains(const std::string &text, const std::string &part)
{
    return text.find(part) != std::string::npos;
}

// Runs what must throw an hnx::error of this status, with these words in its text.
template <class Body>
void check_throws(const char *file, int line, hnx_status status, const std::string &words, Body &&body)
{
    try {
        body();
    } catch (const hnx::error &error) {
        check_status(file, line, "the status thrown", status, error.status());
        if (!contains(error.what(), words))
            check_failed(file, line, error.what());
        return;
    }
    check_failed(file, line, "nothing was thrown");
}
#define CHECK_THROWS(status, words, ...) check_throws(__FILE__, __LINE__, status, words, [&] { __VA_ARGS__; })

// The same of a result, text and exception of value() included.
template <class T>
void check_fails(const char *file, int line, hnx_status status, const std::string &words, hnx::expected<T> result)
{
    if (result.has_value() || result)
        check_failed(file, line, "a success");
    check_status(file, line, "the status of the failure", status, result.error().status);
    if (!contains(result.error().text, words))
        check_failed(file, line, result.error().text.c_str());
    check_throws(file, line, status, result.error().text, [&] { result.value(); });
}
#define CHECK_FAILS(status, words, ...) check_fails(__FILE__, __LINE__, status, words, __VA_ARGS__)

// A new folder, removed at the end of the scope.
class folder {
public:
    folder()
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "hnx-modern-XXXXXX").string();
        CHECK(mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
    }
    ~folder() { std::filesystem::remove_all(path_); }
    folder(const folder &) = delete;
    folder &operator=(const folder &) = delete;
    std::string operator/(const char *name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

#endif
