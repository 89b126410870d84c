// What turns into a span, and what must not.
#include "modern.h"

#include <array>

namespace
{

template <class From, class To>
constexpr bool turns = std::is_convertible_v<From, To>;

using reads = hnx::span<const float>;
using writes = hnx::span<float>;

static_assert(turns<std::vector<float> &, reads> && turns<const std::vector<float> &, reads>);
static_assert(turns<std::array<float, 3> &, reads> && turns<const std::array<float, 3> &, reads>);
static_assert(turns<float (&)[3], reads> && turns<const float (&)[3], reads>);
static_assert(turns<std::vector<float>, reads>); // a temporary lives as long as the call
static_assert(turns<writes, reads> && !turns<reads, writes>);
static_assert(turns<std::vector<float> &, writes> && turns<float (&)[3], writes>);
static_assert(!turns<const std::vector<float> &, writes> && !turns<const float (&)[3], writes>);
static_assert(!turns<std::vector<float>, writes>); // written to and lost
static_assert(!turns<std::vector<double> &, reads> && !turns<std::vector<int> &, reads> && !turns<float *, reads>);
static_assert(!turns<std::vector<bool> &, hnx::span<const bool>> && !turns<int, reads>);
static_assert(std::is_trivially_copyable_v<reads> && std::is_nothrow_default_constructible_v<reads>);

std::size_t size_of(reads values) { return values.size(); }

float sum(reads values)
{
    float total = 0;
    for (float value : values)
        total += value;
    return total;
}

} // namespace

void test_spans()
{
    float raw[] = {1, 2, 3};
    const std::array<float, 2> array = {4, 5};
    std::vector<float> vector = {6, 7, 8, 9};
    CHECK(size_of(raw) == 3 && size_of(array) == 2 && size_of(vector) == 4 && size_of({raw, 1}) == 1);
    CHECK(size_of({}) == 0 && reads().empty() && reads().data() == nullptr && !reads(raw).empty());
    CHECK(static_cast<int>(sum(raw)) == 6 && static_cast<int>(sum(array)) == 9 && static_cast<int>(sum(vector)) == 30);
    CHECK(size_of(std::vector<float>(5)) == 5);
    writes change = vector;
    change[1] = 70;
    *change.begin() = 60;
    const reads view = change;
    CHECK(vector[0] > 59 && vector[1] > 69 && view.data() == vector.data() && view.size() == 4);
    CHECK(&*view.begin() == vector.data() && view.end() - view.begin() == 4);

    // All of them where an index wants them.
    hnx::index index = hnx::index::init(of_dim(2));
    const std::uint64_t labels[] = {1, 2};
    index.add(vector, labels);
    index.add(array, 3);
    index.add({raw + 1, 2}, 4);
    index.add(std::vector<float>{50, 51}, std::array<std::uint64_t, 1>{{5}});
    CHECK(index.count() == 5);
    std::array<float, 4> out{};
    index.get_into(hnx::span<const std::uint64_t>(labels), out);
    CHECK(std::equal(out.begin(), out.end(), vector.begin()));
    CHECK((index.get(4) == std::vector<float>{2, 3}) && index.query(array, 1).front().label == 3);
}
