// Threads that delete, replace and add to the same few labels: whatever the order, labels stay unique, counts add up,
// and a query never returns a label twice.
#include <atomic>
#include <thread>
#include <vector>

#include "../c/index.h"

namespace
{

const size_t DIM = 8, LABELS = 64, CAPACITY = 80;

void churn(hnx_index *index, uint64_t seed, size_t rounds)
{
    uint64_t state = seed;
    float row[DIM];
    for (size_t round = 0; round < rounds; round++) {
        const uint64_t label = check_next(&state) % LABELS;
        for (size_t at = 0; at < DIM; at++)
            row[at] = check_float(&state);
        switch (check_next(&state) % 4) {
        case 0: {
            const hnx_status status = hnx_mark_deleted(index, label);
            CHECK(status == HNX_OK || status == HNX_ERR_ALREADY_DELETED || status == HNX_ERR_NOT_FOUND);
            break;
        }
        case 1: {
            const hnx_status status = hnx_unmark_deleted(index, label);
            CHECK(status == HNX_OK || status == HNX_ERR_NOT_DELETED || status == HNX_ERR_NOT_FOUND);
            break;
        }
        case 2: CHECK_OK(index_add_flags(index, row, &label, 1, HNX_ADD_REPLACE_DELETED)); break;
        default: CHECK_OK(index_add_one(index, row, label)); break;
        }
    }
}

void ask(const hnx_index *index, const std::atomic<bool> &stop)
{
    uint64_t state = 45, labels[LABELS];
    float distances[LABELS], query[DIM];
    do {
        for (size_t at = 0; at < DIM; at++)
            query[at] = check_float(&state);
        const size_t count = index_query(index, query, LABELS, 2 * CAPACITY, labels, distances);
        // A label that is replaced while the query runs may be met at two places; it is returned once.
        index_check_row(labels, distances, count, LABELS);
        for (size_t at = 0; at < count; at++)
            CHECK(labels[at] < LABELS);
    } while (!stop.load());
}

} // namespace

int main()
{
    hnx_options options = index_options(HNX_METRIC_L2, DIM, CAPACITY);
    hnx_index *index = nullptr;
    std::atomic<bool> stop(false);
    std::vector<std::thread> threads;
    const size_t rounds = check_pick(300, 6000);
    options.flags = HNX_ALLOW_REPLACE_DELETED;
    CHECK_OK(hnx_init(&options, &index));
    for (uint64_t seed = 1; seed <= 3; seed++)
        threads.emplace_back([=] { churn(index, seed * 7919, rounds); });
    std::thread reader([&] { ask(index, stop); });
    for (auto &thread : threads)
        thread.join();
    stop.store(true);
    reader.join();

    // Afterwards: each label that get knows is live, and all of them are answers to a query for everything.
    uint64_t labels[2 * CAPACITY];
    float distances[2 * CAPACITY], vector[DIM];
    const float query[DIM] = {};
    const size_t count = index_query(index, query, 2 * CAPACITY, 4 * CAPACITY, labels, distances);
    size_t live = 0, nearest = 0;
    index_check_row(labels, distances, count, 2 * CAPACITY);
    for (uint64_t label = 0; label < LABELS; label++) {
        if (hnx_get(index, &label, 1, vector) != HNX_OK)
            continue;
        live++;
        nearest += index_nearest(index, vector, 4 * CAPACITY) == label;
    }
    CHECK(hnx_count(index) <= CAPACITY && hnx_count(index) - hnx_deleted_count(index) == live);
    CHECK(count <= live && count * 100 >= live * 95 && nearest * 100 >= live * 95);
    hnx_free(index);
    return 0;
}
