// Queries against exact answers, in all forms.
#include "modern.h"

#include <cmath>

namespace
{

const std::size_t DIM = 8, K = 10;

bool everything(std::uint64_t) { return true; }

} // namespace

void test_queries()
{
    const std::size_t count = check_pick(100, 1000), query_count = check_pick(10, 100);
    const std::vector<float> rows = whole_numbers(count * DIM, 1), queries = whole_numbers(query_count * DIM, 2);
    const hnx::index index = filled(DIM, rows);
    hnx::query_options how;
    how.ef = count;

    // Convenient: one, many, on one thread and on all.
    const auto many = index.query_many(queries, K, how);
    how.threads = 1;
    const auto by_one_thread = index.try_query_many(queries, K, how);
    CHECK(many.size() == query_count && by_one_thread->size() == query_count);
    for (std::size_t at = 0; at < query_count; at++) {
        const hnx::span<const float> query(&queries[at * DIM], DIM);
        const auto exact = brute_force(rows, query.data(), DIM, K, everything);
        CHECK(same(many[at], exact) && same((*by_one_thread)[at], exact));
        CHECK(same(index.query(query, K, how), exact) && same(index.try_query(query, K, how).value(), exact));
    }

    // Into arrays: all outputs, and labels alone.
    std::vector<std::uint64_t> labels(query_count * K), only_labels(query_count * K);
    std::vector<float> distances(query_count * K);
    std::vector<std::size_t> counts(query_count);
    index.query_into(queries, K, labels, distances, counts, how);
    index.query_into(queries, K, only_labels, {}, {}, how);
    CHECK(labels == only_labels);
    for (std::size_t at = 0; at < query_count; at++) {
        CHECK(counts[at] == K);
        for (std::size_t rank = 0; rank < K; rank++) {
            CHECK(labels[at * K + rank] == many[at][rank].label);
            CHECK(std::fabs(distances[at * K + rank] - many[at][rank].distance) <= 0);
        }
    }

    // More than there are: fewer come back, however many were asked for; in arrays with a marked tail.
    const std::vector<float> few = whole_numbers(3 * DIM, 3);
    hnx::index small = filled(DIM, few);
    const hnx::span<const float> query(few.data(), DIM);
    CHECK(same(small.query(query, SIZE_MAX), brute_force(few, query.data(), DIM, 3, everything)));
    CHECK(small.query_many(few, SIZE_MAX / 4).size() == 3);
    small.query_into(query, 5, {labels.data(), 5}, {distances.data(), 5}, {counts.data(), 1});
    CHECK(counts[0] == 3 && labels[2] < 3 && labels[3] == UINT64_MAX && labels[4] == UINT64_MAX);
    CHECK(distances[2] < 1e9f && std::isinf(distances[3]) && std::isinf(distances[4]));
    CHECK(hnx::index::init(of_dim(DIM)).query(query, K).empty());
    CHECK(small.query_many({}, K).empty());

    // What is deleted is not found; what is added again is.
    small.mark_deleted(0);
    CHECK(small.query(query, 3).size() == 2 && small.query(query, 1).front().label != 0);
    small.add(query, 0);
    CHECK(small.query(query, 3).size() == 3 && small.query(query, 1).front().label == 0);

    // ef and exactness arrive: a value that there is not is refused.
    how.exactness = static_cast<hnx::exactness>(99);
    CHECK(!index.try_query(query, K, how));
    how.exactness = hnx::exactness::f32;
    hnx::index exact = filled(DIM, rows);
    CHECK(!exact.try_set_exactness(static_cast<hnx::exactness>(99)));
    exact.set_exactness(hnx::exactness::f32);
    CHECK(exact.stats().exactness == HNX_EXACTNESS_F32 && exact.stats().code_bytes == 0);
    CHECK(same(exact.query({&queries[0], DIM}, K, how), many[0]));
    CHECK(same(index.query({&queries[0], DIM}, K, how), many[0]));
    how.ef = 1; // raised to k: the answers of one alone are worse than those of all
    std::size_t worse = 0;
    for (std::size_t at = 0; at < query_count; at++)
        worse += !same(index.query({&queries[at * DIM], DIM}, 1, how), {many[at].front()});
    CHECK(check_quick() || worse > 0);

    // Cosine: the vectors come back, the distance is not that of L2.
    hnx::options options = of_dim(2);
    options.metric = hnx::metric::cosine;
    hnx::index cosine = hnx::index::init(options);
    const std::vector<float> two = {0, 5, 3, 0};
    cosine.add(two, labels_from(0, 2));
    CHECK(cosine.query(std::vector<float>{9, 0.5f}, 1).front().label == 1);
    CHECK(std::fabs(cosine.query(std::vector<float>{7, 0}, 2)[1].distance - 1) < 1e-6f);
    CHECK(std::fabs(cosine.get(labels_from(0, 2))[1] - 5) < 1e-5f);
}
