// Filters of every kind against exact answers; what they throw comes out and leaves the index as it was.
#include "modern.h"

#include <functional>
#include <memory>
#include <stdexcept>

namespace
{

const std::size_t DIM = 8, K = 10;

bool odd(std::uint64_t label) { return label % 2 == 1; }
bool odd_and_noexcept(std::uint64_t label) noexcept { return odd(label); }

struct Odd {
    bool operator()(std::uint64_t label) const { return odd(label); }
};

// Neither an std::exception nor copied on the way.
struct Mine {
    explicit Mine(int number_) : number(number_) {}
    int number;
};

// Throws, comes back with a number, counts how many of it live.
struct Counted {
    static int alive;
    Counted() { alive++; }
    Counted(const Counted &) { alive++; }
    ~Counted() { alive--; }
    Counted &operator=(const Counted &) = default;
};
int Counted::alive = 0;

template <class Call>
int thrown_by(Call &&call)
{
    try {
        call();
    } catch (const Mine &mine) {
        return mine.number;
    }
    return -1;
}

} // namespace

void test_filters()
{
    const std::size_t count = check_pick(100, 1000);
    const std::vector<float> rows = whole_numbers(count * DIM, 11), queries = whole_numbers(5 * DIM, 12);
    const hnx::index index = filled(DIM, rows);
    const hnx::span<const float> query(queries.data(), DIM);
    const auto exact = brute_force(rows, query.data(), DIM, K, odd);
    hnx::query_options how;
    how.ef = count;

    // Whatever can be called.
    const Odd constant{};
    std::function<bool(std::uint64_t)> function = odd;
    auto owner = std::make_unique<int>(1);
    std::size_t asked = 0;
    CHECK(same(index.query(query, K, how, odd), exact));
    CHECK(same(index.query(query, K, how, &odd), exact));
    CHECK(same(index.query(query, K, how, odd_and_noexcept), exact));
    CHECK(same(index.query(query, K, how, constant), exact) && same(index.query(query, K, how, Odd{}), exact));
    CHECK(same(index.query(query, K, how, function), exact));
    CHECK(same(index.query(query, K, how, std::cref(constant)), exact));
    CHECK(same(index.query(query, K, how, [](auto label) { return label & 1; }), exact)); // unsigned
    CHECK(same(index.query(query, K, how, [](std::uint64_t label) { return odd(label) ? 5 : 0; }), exact));
    CHECK(same(index.query(query, K, how, [](std::uint64_t label) { return odd(label) ? &K : nullptr; }), exact));
    CHECK(same(index.query(query, K, how, [own = std::move(owner)](std::uint64_t l) { return odd(l) && *own; }), exact));
    auto counting = [&asked, own = std::size_t{0}](std::uint64_t label) mutable { return asked = ++own, odd(label); };
    CHECK(same(index.query(query, K, how, counting), exact));
    CHECK(asked >= K && asked <= count);
    CHECK(same(index.query(query, K, how), brute_force(rows, query.data(), DIM, K, [](auto) { return true; })));
    CHECK(index.query(query, K, how, [](std::uint64_t) { return false; }).empty());

    // Lists.
    std::vector<std::uint64_t> odds, evens{12345678};
    for (std::uint64_t label = 0; label < count; label++)
        (odd(label) ? odds : evens).push_back(label);
    const hnx::except others{evens};
    CHECK(same(index.query(query, K, how, hnx::only{odds}), exact));
    CHECK(same(index.query(query, K, how, others), exact));
    CHECK(index.query(query, K, how, hnx::only{}).empty());
    CHECK(index.query(query, K, how, hnx::except{}).size() == K);

    // In every form.
    const auto many = index.query_many(queries, K, how, odd);
    std::vector<std::uint64_t> labels(5 * K);
    std::vector<std::size_t> counts(5);
    index.query_into(queries, K, labels, {}, counts, how, odd);
    for (std::size_t at = 0; at < 5; at++) {
        CHECK(same(many[at], brute_force(rows, &queries[at * DIM], DIM, K, odd)));
        CHECK(counts[at] == K);
        for (std::size_t rank = 0; rank < K; rank++)
            CHECK(labels[at * K + rank] == many[at][rank].label);
    }
    CHECK(same(index.try_query(query, K, how, odd).value(), exact));

    // A negative number cancels, and is not taken for yes.
    const auto cancel = [](std::uint64_t) { return -7; };
    CHECK_THROWS(HNX_ERR_CANCELLED, "", (void)index.query(query, K, how, cancel));
    CHECK_FAILS(HNX_ERR_CANCELLED, "", index.try_query_many(queries, K, how, cancel));
    CHECK_FAILS(HNX_ERR_CANCELLED, "", index.try_query_into(queries, K, labels, {}, {}, how, cancel));

    // Exceptions: at once, later, out of every form; the filter is not asked again.
    int calls = 0;
    const auto first = [&](std::uint64_t) -> bool { throw Mine(++calls); };
    CHECK(thrown_by([&] { (void)index.query(query, K, how, first); }) == 1);
    CHECK(thrown_by([&] { (void)index.query_many(queries, K, how, first); }) == 2);
    CHECK(thrown_by([&] { index.query_into(queries, K, labels, {}, {}, how, first); }) == 3);
    CHECK(thrown_by([&] { (void)index.try_query(query, K, how, first); }) == 4);
    CHECK(thrown_by([&] { (void)index.try_query_many(queries, K, how, first); }) == 5);
    CHECK(thrown_by([&] { (void)index.try_query_into(queries, K, labels, {}, {}, how, first); }) == 6);
    int left = 30;
    const auto later = [&](std::uint64_t) { return left-- > 0 ? true : throw Mine(left); };
    CHECK(thrown_by([&] { (void)index.query(query, K, how, later); }) == -1 && left == -1);
    const std::runtime_error original("the filter's own words");
    try {
        (void)index.query(query, K, how, [&](std::uint64_t) -> bool { throw original; });
        check_failed(__FILE__, __LINE__, "nothing was thrown");
    } catch (const std::exception &error) {
        CHECK(std::string(error.what()) == original.what());
    }
    try {
        (void)index.query(query, K, how, [&](std::uint64_t) -> bool { throw Counted(); });
        check_failed(__FILE__, __LINE__, "nothing was thrown");
    } catch (const Counted &) {
        CHECK(Counted::alive == 1);
    }
    CHECK(Counted::alive == 0);

    // An hnx::error of a query inside a filter passes, too; one that is handled inside does not matter.
    const hnx::index other = filled(DIM, rows);
    CHECK_THROWS(HNX_ERR_NOT_FOUND, "123456789",
                 (void)index.query(query, K, how, [&](std::uint64_t) { return other.get(123456789).empty(); }));
    const auto nested = index.query(query, K, how, [&](std::uint64_t label) {
        CHECK(!other.try_get(123456789));
        return other.query(other.get(label), 1, how).front().label % 2 == 1;
    });
    CHECK(same(nested, exact));

    // Afterwards all is as before.
    CHECK(same(index.query(query, K, how, odd), exact));
}
