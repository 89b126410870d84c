// libhnx in C++17: hnx::index owns an hnx_index of hnx.h, sizes are checked, failures are exceptions or values.
//
// hnx.h is the manual: its words on errors, threads and cost hold here, too. Added are
//   * ownership: an index is freed when it goes out of scope, moves, and cannot be copied;
//   * sizes: every array is a span; one that does not fit is HNX_ERR_INVALID_ARGUMENT before anything is read;
//   * two forms of every call: add() throws hnx::error, try_add() returns hnx::expected. Compiled without exceptions
//     (-fno-exceptions) there are the try_ forms alone;
//   * filters of any type that can be called, exceptions included.
//
// Threads: every member function may run beside every other, const or not, but for what replaces the handle: moving
// from or to an index, release() and destruction need it alone.
// Compile all files of a program with the same choice on exceptions.

#ifndef HNX_HPP
#define HNX_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>
#if __has_include(<version>)
#include <version>
#endif
#ifdef __cpp_lib_span
#include <span>
#endif
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define HNX_HPP_EXCEPTIONS 1
#include <exception>
#include <stdexcept>
#else
#define HNX_HPP_EXCEPTIONS 0
#endif

#include "hnx.h"

namespace hnx {

class index;

// ------------------------------------------------------------------------------------------------------------- spans

#ifdef __cpp_lib_span
/// An array of somebody else's: std::span.
template <class T>
using span = std::span<T>;
#else
/// An array of somebody else's: where it is and how long. What C++20 has as std::span, as far as it is used here.
template <class T>
class span {
    template <class C>
    using element_of = std::remove_pointer_t<decltype(std::declval<C&>().data())>;
    // As with std::span: const may be added, types stay, and a temporary may only be read.
    template <class C>
    using if_fits = std::enable_if_t<std::is_convertible_v<element_of<C> (*)[], T (*)[]> &&
                                     std::is_convertible_v<decltype(std::declval<C&>().size()), std::size_t> &&
                                     (std::is_lvalue_reference_v<C> || std::is_const_v<T>)>;

public:
    /// No elements.
    constexpr span() noexcept = default;
    /// size elements from data on.
    constexpr span(T* data, std::size_t size) noexcept : data_(data), size_(size) {}
    /// The elements of an array.
    template <std::size_t N>
    constexpr span(T (&array)[N]) noexcept : data_(array), size_(N) {}
    /// The elements of a vector, std::array, another span, or whatever has data() and size().
    template <class C, class = if_fits<C>>
    constexpr span(C&& container) : data_(container.data()), size_(container.size()) {}

    /// The first element.
    constexpr T* data() const noexcept { return data_; }
    /// Number of elements.
    constexpr std::size_t size() const noexcept { return size_; }
    /// Whether there are none.
    constexpr bool empty() const noexcept { return size_ == 0; }
    /// An element; at < size().
    constexpr T& operator[](std::size_t at) const { return data_[at]; }
    /// The first element, to iterate from.
    constexpr T* begin() const noexcept { return data_; }
    /// Behind the last element.
    constexpr T* end() const noexcept { return data_ + size_; }

private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};
#endif

// ---------------------------------------------------------------------------------------------------------- failures

/// The text of the calling thread's last failure: hnx_last_error(). For those who call hnx.h by themselves.
inline std::string last_error() {
    std::string text(hnx_last_error(nullptr, 0), '\0');
    hnx_last_error(text.data(), text.size() + 1);
    return text;
}

/// Why a call failed.
struct failure {
    /// What kind of failure.
    hnx_status status = HNX_OK;
    /// The cause in words; empty when there was no memory for them.
    std::string text{};
};

#if HNX_HPP_EXCEPTIONS
/// A failure as an exception. what() is its text.
class error : public std::runtime_error {
public:
    /// From a failure.
    explicit error(const failure& why) : std::runtime_error(why.text), status_(why.status) {}
    /// What kind of failure.
    hnx_status status() const noexcept { return status_; }

private:
    hnx_status status_;
};
#endif

/// What a try_ call returns: a value or a failure. The part of C++23's std::expected that is needed, the same type in
/// every version of the language.
template <class T>
class expected;

/// What a try_ call without a value returns.
template <>
class [[nodiscard]] expected<void> {
public:
    /// A success.
    expected() noexcept = default;
    /// A failure.
    expected(failure&& why) noexcept : why_(std::move(why)) {}

    /// Whether the call succeeded.
    bool has_value() const noexcept { return why_.status == HNX_OK; }
    /// has_value().
    explicit operator bool() const noexcept { return has_value(); }
    /// Why it did not; after a success HNX_OK without a text.
    const failure& error() const noexcept { return why_; }
#if HNX_HPP_EXCEPTIONS
    /// Nothing, or hnx::error.
    void value() const {
        if (!has_value()) throw hnx::error(why_);
    }
#endif

private:
    failure why_;
};

/// What a try_ call with a value returns.
template <class T>
class [[nodiscard]] expected : public expected<void> {
public:
    /// A success.
    expected(T&& value) noexcept : value_(std::move(value)) {}
    /// A failure.
    expected(failure&& why) noexcept : expected<void>(std::move(why)) {}

    /// The value; there must be one.
    T& operator*() & noexcept { return *value_; }
    /// The value; there must be one.
    const T& operator*() const& noexcept { return *value_; }
    /// The value, to be moved away; there must be one.
    T&& operator*() && noexcept { return *std::move(value_); }
    /// A member of the value; there must be one.
    T* operator->() noexcept { return &*value_; }
    /// A member of the value; there must be one.
    const T* operator->() const noexcept { return &*value_; }
#if HNX_HPP_EXCEPTIONS
    /// The value, or hnx::error.
    T& value() & { return expected<void>::value(), *value_; }
    /// The value, or hnx::error.
    const T& value() const& { return expected<void>::value(), *value_; }
    /// The value, to be moved away, or hnx::error.
    T&& value() && { return expected<void>::value(), *std::move(value_); }
#endif

private:
    friend class index;
    // Passes a failure on.
    expected(expected<void>&& failed) noexcept : expected<void>(std::move(failed)) {}

    std::optional<T> value_{};
};

// ----------------------------------------------------------------------------------------------------------- options

/// What is near. One of hnx.h's HNX_METRIC_….
enum class metric : std::uint32_t {
    l2 = HNX_METRIC_L2,         ///< Squared Euclidean distance.
    ip = HNX_METRIC_IP,         ///< 1 - dot product.
    cosine = HNX_METRIC_COSINE  ///< 1 - cosine; vectors are normalised inside.
};

/// What index::save() writes. One of hnx.h's HNX_FORMAT_….
enum class format : std::uint32_t {
    hnswlib = HNX_FORMAT_HNSWLIB,                   ///< nmslib hnswlib's saveIndex() file.
    chroma = HNX_FORMAT_CHROMA,                     ///< chroma-hnswlib's saveIndex() file.
    chroma_directory = HNX_FORMAT_CHROMA_DIRECTORY  ///< chroma-hnswlib's persisted directory.
};

/// How closely index::load() looks at a file. One of hnx.h's HNX_CHECK_….
enum class check : std::uint32_t {
    standard = HNX_CHECK_DEFAULT,  ///< As fast for a mapped file; else also every link.
    fast = HNX_CHECK_FAST,         ///< Header, sizes, levels and entry point.
    deep = HNX_CHECK_DEEP          ///< Everything, vectors included.
};

/// What a query promises. One of hnx.h's HNX_EXACTNESS_….
enum class exactness : std::uint32_t {
    standard = HNX_EXACTNESS_DEFAULT,     ///< The fastest with hnswlib's recall.
    f32 = HNX_EXACTNESS_F32,              ///< Traversal on the stored vectors.
    certified = HNX_EXACTNESS_CERTIFIED,  ///< The answers of f32, by any proven means.
    guided = HNX_EXACTNESS_GUIDED         ///< Exact distances, ids differ by recall noise.
};

/// What index::init() builds: hnx_options. dim must be set.
struct options {
    std::size_t dim = 0;                       ///< Floats per vector, 1 to 1,000,000.
    hnx::metric metric = hnx::metric::l2;      ///< What is near.
    std::size_t max_elements = 0;              ///< Records the index may hold; 0: grow on demand.
    std::size_t m = 16;                        ///< Links a record makes when it is added.
    std::size_t ef_construction = 200;         ///< Candidates an insertion looks at.
    std::uint64_t random_seed = 100;           ///< Seed of the level generator.
    bool allow_replace_deleted = false;        ///< add_options::replace_deleted may be used.
    std::string persist_path{};                ///< New directory for persist_dirty(); empty: memory only.
};

/// How index::load() opens: hnx_load_options. dim must be set, and metric where it is not L2: files store neither.
struct load_options {
    std::size_t dim = 0;                       ///< Floats per vector.
    hnx::metric metric = hnx::metric::l2;      ///< What is near.
    std::size_t max_elements = 0;              ///< Capacity; 0: grow on demand.
    bool allow_replace_deleted = false;        ///< add_options::replace_deleted may be used.
    bool mmap = false;                         ///< Map the file; nobody may shorten it then. See HNX_LOAD_MMAP.
    bool read_only = false;                    ///< Changes are HNX_ERR_READ_ONLY.
    hnx::check check = hnx::check::standard;   ///< How closely to look at the file.
};

/// How index::add() adds: hnx_add_options.
struct add_options {
    std::uint32_t threads = 0;     ///< Threads to add with; 1: this one, rows in order; 0: all cores.
    bool replace_deleted = false;  ///< Put new labels into the places of deleted ones.
    bool insert_only = false;      ///< A label that exists is HNX_ERR_EXISTS.
    bool update_only = false;      ///< A label that does not exist is HNX_ERR_NOT_FOUND.
    bool guided = false;           ///< Codes find the candidates for links: faster, not hnswlib's graph to the link.
};

/// How queries search: hnx_query_options.
struct query_options {
    std::size_t ef = 0;                                   ///< Size of the candidate list; 0: the index's.
    std::uint32_t threads = 0;                            ///< Threads for many queries; 0: all cores.
    hnx::exactness exactness = hnx::exactness::standard;  ///< What is promised.
};

/// An answer to a query.
struct neighbour {
    std::uint64_t label;  ///< Its label.
    float distance;       ///< Its distance: squared L2; 1 - dot product for inner product and cosine.
};

/// The filter that lets all labels pass, at no cost.
struct no_filter {};

/// The filter that lets the listed labels pass and no others: HNX_FILTER_ONLY. They are read when the query begins, in
/// any order; they may repeat, need not exist, and must be there until it ends. Few of them are found faster than by a
/// filter that is called.
struct only {
    span<const std::uint64_t> labels;
};

/// The filter that lets all labels but the listed pass: HNX_FILTER_EXCEPT.
struct except {
    span<const std::uint64_t> labels;
};

/// The state of an index: index::stats().
using stats_info = hnx_stats_info;
/// What index::persist_dirty() did.
using persist_info = hnx_persist_info;

/// Version of the loaded library, such as "0.1.0".
inline const char* version() noexcept { return hnx_version(); }
/// The instruction set in use: "avx512", "avx2", "neon" or "scalar".
inline const char* cpu_name() noexcept { return hnx_cpu_name(); }

// --------------------------------------------------------------------------------------------------------- internals

namespace detail {

struct free_index {
    void operator()(hnx_index* index) const noexcept { hnx_free(index); }
};

// A failure whose text make_text() makes, without one when there is no memory for it.
template <class MakeText>
failure make_failure(hnx_status status, MakeText make_text) noexcept {
    failure why;
    why.status = status;
#if HNX_HPP_EXCEPTIONS
    try {
        why.text = make_text();
    } catch (...) {
    }
#else
    why.text = make_text();
#endif
    return why;
}

inline expected<void> to_expected(hnx_status status) noexcept {
    if (status == HNX_OK) return {};
    return make_failure(status, last_error);
}

inline expected<void> expect_size(const char* what, std::size_t size, std::size_t wanted) noexcept {
    if (size == wanted) return {};
    return make_failure(HNX_ERR_INVALID_ARGUMENT, [&] {
        return std::string(what) + " has " + std::to_string(size) + " elements, not " + std::to_string(wanted);
    });
}

inline expected<void> expect_size_or_none(const char* what, std::size_t size, std::size_t wanted) noexcept {
    return size == 0 ? expected<void>() : expect_size(what, size, wanted);
}

// C strings end at the first NUL: a path with one inside would be another path.
inline expected<void> expect_path(const std::string& path) noexcept {
    if (path.find('\0') == std::string::npos) return {};
    return make_failure(HNX_ERR_INVALID_ARGUMENT, [] { return std::string("the path has a NUL inside"); });
}

// An empty span may have an address all the same.
template <class T>
T* data_or_null(span<T> values) noexcept {
    return values.empty() ? nullptr : values.data();
}

// The largest size there is instead of an overflow: no array has it.
constexpr std::size_t product(std::size_t a, std::size_t b) noexcept {
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    return b != 0 && a > most / b ? most : a * b;
}

template <class T>
expected<void> resize(std::vector<T>& values, std::size_t size) noexcept {
#if HNX_HPP_EXCEPTIONS
    try {
        values.resize(size);
    } catch (...) {
        return make_failure(HNX_ERR_OUT_OF_MEMORY, [] { return std::string("no memory for the results"); });
    }
#else
    values.resize(size);
#endif
    return {};
}

template <class T, class... Others>
constexpr bool is_one_of = (std::is_same_v<T, Others> || ...);

// What a filter said, as hnx_accept_fn says it: a number below zero cancels.
template <class Answer>
std::int32_t verdict(const Answer& answer) {
    if constexpr (std::is_arithmetic_v<Answer> && std::is_signed_v<Answer>) {
        if (answer < 0) return -1;
    }
    return static_cast<bool>(answer) ? 1 : 0;
}

// Stands between the library and a filter: no exception passes through the library's frames.
template <class Filter>
struct filter_call {
    Filter& filter;
#if HNX_HPP_EXCEPTIONS
    std::exception_ptr thrown{};

    static std::int32_t accept(void* context, std::uint64_t label) noexcept {
        filter_call& call = *static_cast<filter_call*>(context);
        try {
            return verdict(call.filter(label));
        } catch (...) {
            call.thrown = std::current_exception();
            return -1;
        }
    }
    void rethrow() const {
        if (thrown) std::rethrow_exception(thrown);
    }
#else
    static std::int32_t accept(void* context, std::uint64_t label) noexcept {
        return verdict(static_cast<filter_call*>(context)->filter(label));
    }
    void rethrow() const noexcept {}
#endif
};

}  // namespace detail

// ------------------------------------------------------------------------------------------------------------- index

/// An HNSW index: an hnx_index and its owner. One that is empty (default-made, moved from) has no records, and every
/// call on it that can fail is HNX_ERR_INVALID_ARGUMENT.
///
/// Filters. Queries take, last, a list (only, except) or anything that can be called with a label and says whether it
/// may be found. It is asked on the calling thread, at most once per record and query, and must not change the index.
/// What it throws ends the query and comes out of the call, of the try_ form, too. Where it returns a signed number,
/// one below zero ends the query with HNX_ERR_CANCELLED.
class index {
public:
    /// Empty.
    index() noexcept = default;
    /// Takes over a handle of hnx_init() or hnx_load().
    explicit index(hnx_index* handle) noexcept : handle_(handle) {}

    /// The handle, for calls of hnx.h; nullptr when empty. It stays this index's.
    hnx_index* native() noexcept { return handle_.get(); }
    /// The handle, for calls of hnx.h that change nothing.
    const hnx_index* native() const noexcept { return handle_.get(); }
    /// Gives the handle away: the caller frees it with hnx_free(). The index is empty afterwards.
    [[nodiscard]] hnx_index* release() noexcept { return handle_.release(); }
    /// Whether there is an index.
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    /// Records, deleted ones included.
    std::size_t count() const noexcept { return hnx_count(native()); }
    /// Deleted records.
    std::size_t deleted_count() const noexcept { return hnx_deleted_count(native()); }
    /// Records that fit before the index is full or grows.
    std::size_t capacity() const noexcept { return hnx_capacity(native()); }
    /// Floats per vector.
    std::size_t dim() const noexcept { return hnx_dim(native()); }

    /// Makes an empty index: hnx_init().
    static expected<index> try_init(const options& how) noexcept {
        if (auto sane = detail::expect_path(how.persist_path); !sane) return sane;
        hnx_options c{};
        c.struct_size = sizeof c;
        c.metric = static_cast<std::uint32_t>(how.metric);
        c.flags = how.allow_replace_deleted ? std::uint32_t{HNX_ALLOW_REPLACE_DELETED} : 0;
        c.dim = how.dim;
        c.max_elements = how.max_elements;
        c.m = how.m;
        c.ef_construction = how.ef_construction;
        c.random_seed = how.random_seed;
        c.persist_path = how.persist_path.empty() ? nullptr : how.persist_path.c_str();
        hnx_index* handle = nullptr;
        if (auto done = detail::to_expected(hnx_init(&c, &handle)); !done) return done;
        return index(handle);
    }

    /// Opens an index from a file or a directory: hnx_load().
    static expected<index> try_load(const std::string& path, const load_options& how) noexcept {
        if (auto sane = detail::expect_path(path); !sane) return sane;
        hnx_load_options c{};
        c.struct_size = sizeof c;
        c.metric = static_cast<std::uint32_t>(how.metric);
        c.flags = (how.allow_replace_deleted ? std::uint32_t{HNX_ALLOW_REPLACE_DELETED} : 0) |
                  (how.mmap ? std::uint32_t{HNX_LOAD_MMAP} : 0) |
                  (how.read_only ? std::uint32_t{HNX_LOAD_READ_ONLY} : 0);
        c.dim = how.dim;
        c.max_elements = how.max_elements;
        c.check = static_cast<std::uint32_t>(how.check);
        hnx_index* handle = nullptr;
        if (auto done = detail::to_expected(hnx_load(path.c_str(), &c, &handle)); !done) return done;
        return index(handle);
    }

    /// Adds a row of vectors for each label, or updates those that exist: hnx_add(). row_status: empty, or one number
    /// for each row, which receives its hnx_status; rows are independent then.
    expected<void> try_add(span<const float> vectors, span<const std::uint64_t> labels, const add_options& how = {},
                           span<std::int32_t> row_status = {}) noexcept {
        if (auto fit = expect_rows("vectors", vectors.size(), labels.size()); !fit) return fit;
        if (auto fit = detail::expect_size_or_none("row_status", row_status.size(), labels.size()); !fit) return fit;
        hnx_add_options c{};
        c.struct_size = sizeof c;
        c.threads = how.threads;
        c.flags = (how.replace_deleted ? std::uint32_t{HNX_ADD_REPLACE_DELETED} : 0) |
                  (how.insert_only ? std::uint32_t{HNX_ADD_INSERT_ONLY} : 0) |
                  (how.update_only ? std::uint32_t{HNX_ADD_UPDATE_ONLY} : 0) |
                  (how.guided ? std::uint32_t{HNX_ADD_GUIDED} : 0);
        return detail::to_expected(hnx_add(native(), vectors.data(), labels.data(), labels.size(), &c,
                                           detail::data_or_null(row_status)));
    }

    /// Adds or updates one vector.
    expected<void> try_add(span<const float> vector, std::uint64_t label, const add_options& how = {}) noexcept {
        return try_add(vector, span<const std::uint64_t>(&label, 1), how);
    }

    /// The k nearest of one or many queries into arrays of the caller: hnx_query(). queries: rows of dim() floats.
    /// out_labels: k for each, nearest first, the tail UINT64_MAX. out_distances: empty, or as many, the tail infinite.
    /// out_counts: empty, or one for each query: how many were found. Allocates nothing but for lists.
    template <class Filter = no_filter>
    expected<void> try_query_into(span<const float> queries, std::size_t k, span<std::uint64_t> out_labels,
                                  span<float> out_distances = {}, span<std::size_t> out_counts = {},
                                  const query_options& how = {}, Filter&& filter = {}) const {
        const std::size_t rows = rows_of(queries), cells = detail::product(rows, k);
        if (auto fit = expect_rows("queries", queries.size(), rows); !fit) return fit;
        if (auto fit = detail::expect_size("out_labels", out_labels.size(), cells); !fit) return fit;
        if (auto fit = detail::expect_size_or_none("out_distances", out_distances.size(), cells); !fit) return fit;
        if (auto fit = detail::expect_size_or_none("out_counts", out_counts.size(), rows); !fit) return fit;
        hnx_query_options c{};
        c.struct_size = sizeof c;
        c.ef = how.ef;
        c.threads = how.threads;
        c.exactness = static_cast<std::uint32_t>(how.exactness);
        const auto ask = [&] {
            return hnx_query(native(), queries.data(), rows, k, &c, out_labels.data(),
                             detail::data_or_null(out_distances), detail::data_or_null(out_counts));
        };
        if constexpr (std::is_same_v<std::decay_t<Filter>, no_filter>) {
            return detail::to_expected(ask());
        } else if constexpr (detail::is_one_of<std::decay_t<Filter>, only, except>) {
            hnx_filter f{};
            f.struct_size = sizeof f;
            f.labels = filter.labels.data();
            f.label_count = filter.labels.size();
            f.flags = detail::is_one_of<std::decay_t<Filter>, only> ? HNX_FILTER_ONLY : HNX_FILTER_EXCEPT;
            c.filter = &f;
            return detail::to_expected(ask());
        } else {
            static_assert(std::is_invocable_v<Filter&, std::uint64_t>, "a filter is a list, or called with a label");
            detail::filter_call<std::remove_reference_t<Filter>> call{filter};
            hnx_filter f{};
            f.struct_size = sizeof f;
            f.accept = call.accept;
            f.context = &call;
            c.filter = &f;
            const hnx_status status = ask();
            call.rethrow();
            return detail::to_expected(status);
        }
    }

    /// The k nearest of one query, nearest first; fewer where there are fewer.
    template <class Filter = no_filter>
    expected<std::vector<neighbour>> try_query(span<const float> query, std::size_t k, const query_options& how = {},
                                               Filter&& filter = {}) const {
        if (auto fit = expect_rows("query", query.size(), 1); !fit) return fit;
        auto found = try_query_many(query, k, how, filter);
        if (!found) return static_cast<expected<void>&&>(found);
        return std::move(found->front());
    }

    /// The k nearest of each query, nearest first. queries: rows of dim() floats.
    template <class Filter = no_filter>
    expected<std::vector<std::vector<neighbour>>> try_query_many(span<const float> queries, std::size_t k,
                                                                 const query_options& how = {},
                                                                 Filter&& filter = {}) const {
        // More than there are would only be an empty tail.
        k = std::min(k, std::max(count(), std::size_t{1}));
        const std::size_t rows = rows_of(queries);
        std::vector<std::uint64_t> labels;
        std::vector<float> distances;
        std::vector<std::size_t> counts;
        std::vector<std::vector<neighbour>> found;
        if (auto done = detail::resize(labels, detail::product(rows, k)); !done) return done;
        if (auto done = detail::resize(distances, labels.size()); !done) return done;
        if (auto done = detail::resize(counts, rows); !done) return done;
        if (auto done = detail::resize(found, rows); !done) return done;
        if (auto done = try_query_into(queries, k, labels, distances, counts, how, filter); !done) return done;
        for (std::size_t row = 0; row < rows; ++row) {
            if (auto done = detail::resize(found[row], counts[row]); !done) return done;
            for (std::size_t at = 0; at < counts[row]; ++at)
                found[row][at] = {labels[row * k + at], distances[row * k + at]};
        }
        return found;
    }

    /// Reads vectors back into an array of the caller, dim() floats for each label: hnx_get().
    expected<void> try_get_into(span<const std::uint64_t> labels, span<float> out_vectors) const noexcept {
        if (auto fit = expect_rows("out_vectors", out_vectors.size(), labels.size()); !fit) return fit;
        return detail::to_expected(hnx_get(native(), labels.data(), labels.size(), out_vectors.data()));
    }

    /// Reads vectors back, row after row.
    expected<std::vector<float>> try_get(span<const std::uint64_t> labels) const noexcept {
        std::vector<float> vectors;
        if (auto done = detail::resize(vectors, detail::product(labels.size(), dim())); !done) return done;
        if (auto done = try_get_into(labels, vectors); !done) return done;
        return vectors;
    }

    /// Reads one vector back.
    expected<std::vector<float>> try_get(std::uint64_t label) const noexcept {
        return try_get(span<const std::uint64_t>(&label, 1));
    }

    /// Deletes a label: hnx_mark_deleted().
    expected<void> try_mark_deleted(std::uint64_t label) noexcept {
        return detail::to_expected(hnx_mark_deleted(native(), label));
    }

    /// Takes a deletion back: hnx_unmark_deleted().
    expected<void> try_unmark_deleted(std::uint64_t label) noexcept {
        return detail::to_expected(hnx_unmark_deleted(native(), label));
    }

    /// Sets the capacity: hnx_resize().
    expected<void> try_resize(std::size_t max_elements) noexcept {
        return detail::to_expected(hnx_resize(native(), max_elements));
    }

    /// Sets the size of the candidate list of queries that give none: hnx_set_ef().
    expected<void> try_set_ef(std::size_t ef) noexcept { return detail::to_expected(hnx_set_ef(native(), ef)); }

    /// Sets what exactness::standard stands for, and the codes that are kept: hnx_set_exactness().
    expected<void> try_set_exactness(exactness which) noexcept {
        return detail::to_expected(hnx_set_exactness(native(), static_cast<std::uint32_t>(which)));
    }

    /// Writes the whole index to path: hnx_save().
    expected<void> try_save(const std::string& path, format as = format::hnswlib) const noexcept {
        if (auto sane = detail::expect_path(path); !sane) return sane;
        return detail::to_expected(hnx_save(native(), path.c_str(), static_cast<std::uint32_t>(as)));
    }

    /// Writes the codes beside the file or directory at path, for load_options::mmap: hnx_save_codes().
    expected<void> try_save_codes(const std::string& path) const noexcept {
        if (auto sane = detail::expect_path(path); !sane) return sane;
        return detail::to_expected(hnx_save_codes(native(), path.c_str()));
    }

    /// Writes what changed since the last call to the directory of the index: hnx_persist_dirty().
    expected<persist_info> try_persist_dirty() noexcept {
        persist_info info{};
        info.struct_size = sizeof info;
        if (auto done = detail::to_expected(hnx_persist_dirty(native(), nullptr, &info)); !done) return done;
        return info;
    }

    /// The state of the index: hnx_stats().
    expected<stats_info> try_stats() const noexcept {
        stats_info info{};
        info.struct_size = sizeof info;
        if (auto done = detail::to_expected(hnx_stats(native(), &info)); !done) return done;
        return info;
    }

#if HNX_HPP_EXCEPTIONS
    // The same calls, for those who like exceptions: a failure is an hnx::error.

    /// try_init(), throwing.
    static index init(const options& how) { return try_init(how).value(); }
    /// try_load(), throwing.
    static index load(const std::string& path, const load_options& how) { return try_load(path, how).value(); }
    /// try_add(), throwing.
    void add(span<const float> vectors, span<const std::uint64_t> labels, const add_options& how = {},
             span<std::int32_t> row_status = {}) {
        try_add(vectors, labels, how, row_status).value();
    }
    /// try_add() of one vector, throwing.
    void add(span<const float> vector, std::uint64_t label, const add_options& how = {}) {
        try_add(vector, label, how).value();
    }
    /// try_query_into(), throwing.
    template <class Filter = no_filter>
    void query_into(span<const float> queries, std::size_t k, span<std::uint64_t> out_labels,
                    span<float> out_distances = {}, span<std::size_t> out_counts = {}, const query_options& how = {},
                    Filter&& filter = {}) const {
        try_query_into(queries, k, out_labels, out_distances, out_counts, how, filter).value();
    }
    /// try_query(), throwing.
    template <class Filter = no_filter>
    std::vector<neighbour> query(span<const float> query, std::size_t k, const query_options& how = {},
                                 Filter&& filter = {}) const {
        return try_query(query, k, how, filter).value();
    }
    /// try_query_many(), throwing.
    template <class Filter = no_filter>
    std::vector<std::vector<neighbour>> query_many(span<const float> queries, std::size_t k,
                                                   const query_options& how = {}, Filter&& filter = {}) const {
        return try_query_many(queries, k, how, filter).value();
    }
    /// try_get_into(), throwing.
    void get_into(span<const std::uint64_t> labels, span<float> out_vectors) const {
        try_get_into(labels, out_vectors).value();
    }
    /// try_get(), throwing.
    std::vector<float> get(span<const std::uint64_t> labels) const { return try_get(labels).value(); }
    /// try_get() of one vector, throwing.
    std::vector<float> get(std::uint64_t label) const { return try_get(label).value(); }
    /// try_mark_deleted(), throwing.
    void mark_deleted(std::uint64_t label) { try_mark_deleted(label).value(); }
    /// try_unmark_deleted(), throwing.
    void unmark_deleted(std::uint64_t label) { try_unmark_deleted(label).value(); }
    /// try_resize(), throwing.
    void resize(std::size_t max_elements) { try_resize(max_elements).value(); }
    /// try_set_ef(), throwing.
    void set_ef(std::size_t ef) { try_set_ef(ef).value(); }
    /// try_set_exactness(), throwing.
    void set_exactness(exactness which) { try_set_exactness(which).value(); }
    /// try_save(), throwing.
    void save(const std::string& path, format as = format::hnswlib) const { try_save(path, as).value(); }
    /// try_save_codes(), throwing.
    void save_codes(const std::string& path) const { try_save_codes(path).value(); }
    /// try_persist_dirty(), throwing.
    persist_info persist_dirty() { return try_persist_dirty().value(); }
    /// try_stats(), throwing.
    stats_info stats() const { return try_stats().value(); }
#endif

private:
    // Rows that floats begin. Without an index there are no rows, and it is the library's to say what is wrong.
    std::size_t rows_of(span<const float> floats) const noexcept {
        const std::size_t width = dim();
        return width == 0 ? 0 : floats.size() / width + (floats.size() % width != 0);
    }
    expected<void> expect_rows(const char* what, std::size_t floats, std::size_t rows) const noexcept {
        const std::size_t width = dim();
        return width == 0 ? expected<void>() : detail::expect_size(what, floats, detail::product(rows, width));
    }

    std::unique_ptr<hnx_index, detail::free_index> handle_;
};

}  // namespace hnx

#undef HNX_HPP_EXCEPTIONS

#endif  // HNX_HPP
