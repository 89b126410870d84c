// Who owns the handle: moves, self-moves, use after a move, handles taken and given away; what a const index allows.
#include "modern.h"

#include <memory>
#include <optional>
#include <type_traits>

namespace
{

using hnx::index;

static_assert(!std::is_copy_constructible_v<index> && !std::is_copy_assignable_v<index>);
static_assert(std::is_nothrow_move_constructible_v<index> && std::is_nothrow_move_assignable_v<index>);
static_assert(std::is_nothrow_default_constructible_v<index> && std::is_nothrow_destructible_v<index>);
static_assert(!std::is_convertible_v<hnx_index *, index> && !std::is_convertible_v<index, bool>);
static_assert(!std::is_convertible_v<hnx::expected<index>, bool>);
static_assert(sizeof(index) == sizeof(hnx_index *));

// What changes an index needs one that is not const; what does not, does not.
static_assert(std::is_same_v<decltype(std::declval<index &>().native()), hnx_index *>);
static_assert(std::is_same_v<decltype(std::declval<const index &>().native()), const hnx_index *>);

#define ALLOWS(name, call)                                                                                            \
    template <class Index, class = void>                                                                              \
    constexpr bool name = false;                                                                                      \
    template <class Index>                                                                                            \
    constexpr bool name<Index, std::void_t<decltype(std::declval<Index &>().call)>> = true;
ALLOWS(allows_add, add(hnx::span<const float>(), 1))
ALLOWS(allows_add_rows, add(hnx::span<const float>(), hnx::span<const std::uint64_t>()))
ALLOWS(allows_mark_deleted, mark_deleted(1))
ALLOWS(allows_unmark_deleted, unmark_deleted(1))
ALLOWS(allows_resize, resize(1))
ALLOWS(allows_set_ef, set_ef(1))
ALLOWS(allows_persist_dirty, persist_dirty())
ALLOWS(allows_release, release())
ALLOWS(allows_try_add, try_add(hnx::span<const float>(), 1))
ALLOWS(allows_try_mark_deleted, try_mark_deleted(1))
ALLOWS(allows_try_persist_dirty, try_persist_dirty())
ALLOWS(allows_query, query(hnx::span<const float>(), 1))
ALLOWS(allows_get, get(1))
ALLOWS(allows_save, save(std::string()))
ALLOWS(allows_save_codes, save_codes(std::string()))
ALLOWS(allows_stats, stats())
#undef ALLOWS

template <class Index>
constexpr bool allows_a_change = allows_add<Index> || allows_add_rows<Index> || allows_mark_deleted<Index> ||
                                 allows_unmark_deleted<Index> || allows_resize<Index> || allows_set_ef<Index> ||
                                 allows_persist_dirty<Index> || allows_release<Index> || allows_try_add<Index> ||
                                 allows_try_mark_deleted<Index> || allows_try_persist_dirty<Index>;
template <class Index>
constexpr bool allows_all_changes = allows_add<Index> && allows_add_rows<Index> && allows_mark_deleted<Index> &&
                                    allows_unmark_deleted<Index> && allows_resize<Index> && allows_set_ef<Index> &&
                                    allows_persist_dirty<Index> && allows_release<Index> && allows_try_add<Index> &&
                                    allows_try_mark_deleted<Index> && allows_try_persist_dirty<Index>;
template <class Index>
constexpr bool allows_reading =
    allows_query<Index> && allows_get<Index> && allows_save<Index> && allows_save_codes<Index> && allows_stats<Index>;
static_assert(allows_all_changes<index> && allows_reading<index>);
static_assert(!allows_a_change<const index> && allows_reading<const index>);

void check_empty(index &empty)
{
    const float vector[] = {1, 2};
    std::vector<std::uint64_t> labels(3);
    std::vector<float> floats(6);
    CHECK(!empty && empty.native() == nullptr);
    CHECK(empty.count() == 0 && empty.deleted_count() == 0 && empty.capacity() == 0 && empty.dim() == 0);
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "index is NULL", empty.try_add(vector, 7));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "index is NULL", empty.try_add(floats, labels));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "index is NULL", empty.try_query(vector, 3));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "index is NULL", empty.try_query_many(vector, 3));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "index is NULL", empty.try_get(7));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "index is NULL", empty.try_get_into(labels, floats));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "index is NULL", empty.try_mark_deleted(7));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "index is NULL", empty.try_unmark_deleted(7));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "index is NULL", empty.try_resize(7));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "index is NULL", empty.try_set_ef(7));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "index is NULL", empty.try_save("nowhere"));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "index is NULL", empty.try_save_codes("nowhere"));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "index is NULL", empty.try_persist_dirty());
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "index is NULL", empty.try_stats());
}

void check_holds(const index &full)
{
    CHECK(full && full.native() != nullptr && full.count() == 1 && full.dim() == 2);
    CHECK((full.get(7) == std::vector<float>{1, 2}));
}

} // namespace

void test_ownership()
{
    index empty;
    check_empty(empty);

    const float vector[] = {1, 2};
    index a = index::init(of_dim(2));
    a.add(vector, 7);
    check_holds(a);
    const hnx_index *handle = a.native();

    index b = std::move(a); // construction; what was moved from is empty, twice over
    check_empty(a);
    check_empty(a);
    check_holds(b);
    CHECK(b.native() == handle);

    a = std::move(b); // assignment to an empty one
    check_empty(b);
    check_holds(a);

    b = index::init(of_dim(5)); // assignment to one that holds another index, which is freed
    b = std::move(a);
    check_empty(a);
    check_holds(b);

    index &itself = b;
    b = std::move(itself);
    check_holds(b);
    std::swap(a, b);
    check_empty(b);
    check_holds(a);

    // Given away and taken over: with hnx.h alone in between.
    hnx_index *raw = a.release();
    check_empty(a);
    CHECK(raw == handle && hnx_count(raw) == 1);
    index again(raw);
    check_holds(again);
    CHECK(a.release() == nullptr);
    hnx_free(a.release());

    // In containers and optionals, out of functions.
    std::vector<index> many;
    for (std::size_t dim = 1; dim <= 5; dim++)
        many.push_back(filled(dim, whole_numbers(10 * dim, dim)));
    many.erase(many.begin() + 1);
    CHECK(many.size() == 4 && many[1].dim() == 3 && many[1].count() == 10);
    std::optional<index> maybe = std::move(many[1]);
    check_empty(many[1]);
    CHECK(maybe->count() == 10);
    std::shared_ptr<const index> shared = std::make_shared<index>(*std::move(maybe));
    CHECK(shared->dim() == 3 && shared->query(shared->get(4), 1).front().label == 4);

    // The value of a result is moved out once.
    hnx::expected<index> made = index::try_init(of_dim(3));
    CHECK(made && made.has_value() && made->dim() == 3 && (*made).dim() == 3 && made.value().dim() == 3);
    CHECK(made.error().status == HNX_OK && made.error().text.empty());
    const index taken = std::move(made).value();
    CHECK(taken.dim() == 3);
    check_empty(*made);
}
