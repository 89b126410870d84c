// hnx.hpp compiled without exceptions: failures are values, and nothing is there that could throw.
#include <hnx.hpp>

#include <type_traits>

#include "../c/check.h"

#ifdef __cpp_exceptions
#error "this program is for -fno-exceptions"
#endif

namespace
{

#define HAS(name, call)                                                                                               \
    template <class Index, class = void>                                                                              \
    constexpr bool has_##name = false;                                                                                \
    template <class Index>                                                                                            \
    constexpr bool has_##name<Index, std::void_t<decltype(std::declval<Index &>().call)>> = true;
HAS(try_set_ef, try_set_ef(1))
HAS(set_ef, set_ef(1))
HAS(query, query(hnx::span<const float>(), 1))
HAS(value, value())
#undef HAS
static_assert(has_try_set_ef<hnx::index>);
static_assert(!has_set_ef<hnx::index> && !has_query<hnx::index>);
static_assert(!has_value<hnx::expected<void>> && !has_value<hnx::expected<hnx::index>>);

// Failures pass upwards as values do.
hnx::expected<hnx::index> make(std::size_t dim)
{
    hnx::options options;
    options.dim = dim;
    return hnx::index::try_init(options);
}

} // namespace

int main()
{
    const hnx::expected<hnx::index> none = make(0);
    CHECK(!none && none.error().status == HNX_ERR_INVALID_ARGUMENT);
    CHECK(none.error().text.find("dim is 0") != std::string::npos);

    hnx::expected<hnx::index> made = make(2);
    CHECK(made);
    hnx::index index = *std::move(made);
    const std::vector<float> rows = {1, 2, 3, 4, 5, 6};
    const std::vector<std::uint64_t> labels = {1, 2, 3};
    CHECK(index.try_add(rows, labels) && index.try_add(std::vector<float>{7, 8}, 4) && index.count() == 4);
    CHECK(index.try_set_ef(50) && index.try_resize(100) && index.try_stats()->ef == 50);
    CHECK(index.try_mark_deleted(4) && index.deleted_count() == 1 && index.try_unmark_deleted(4));
    CHECK(*index.try_get(2) == (std::vector<float>{3, 4}));

    const std::vector<float> query = {3, 4};
    const auto found = index.try_query(query, 2);
    CHECK(found && found->size() == 2 && found->front().label == 2);
    CHECK(index.try_query_many(rows, 1)->size() == 3);
    std::uint64_t label = 0;
    CHECK(index.try_query_into(query, 1, {&label, 1}) && label == 2);
    CHECK(index.try_query(query, 4, {}, [](std::uint64_t l) { return l != 2; })->size() == 3);
    CHECK(index.try_query(query, 4, {}, hnx::only{{&label, 1}})->front().label == label);
    CHECK(index.try_query(query, 4, {}, hnx::except{{&label, 1}})->size() == 3);
    CHECK(index.try_query(query, 4, {}, [](std::uint64_t) { return -1; }).error().status == HNX_ERR_CANCELLED);

    const auto absent = index.try_get(99);
    CHECK(!absent && absent.error().status == HNX_ERR_NOT_FOUND);
    CHECK(absent.error().text == hnx::last_error() && absent.error().text.find("99") != std::string::npos);
    CHECK(index.try_persist_dirty().error().status == HNX_ERR_INVALID_ARGUMENT);
    CHECK(index.try_save("/nowhere/at/all").error().status == HNX_ERR_IO);
    CHECK(hnx::index::try_load("/nowhere/at/all", {}).error().status != HNX_OK);
    return 0;
}
