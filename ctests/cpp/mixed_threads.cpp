// Adding, querying, deleting and updating at the same time. While it runs, answers are well formed and name labels
// that were added; afterwards every label is where it should be.
#include <atomic>
#include <thread>
#include <vector>

#include "../c/index.h"

namespace
{

const size_t DIM = 16, ADDERS = 4, K = 10;

// Labels 0 .. base: there from the start. A third of them is deleted, another third moved. Adders bring the rest.
struct Plan {
    size_t base, each, total;
    std::vector<float> rows, moved;

    Plan(size_t base_, size_t each_)
        : base(base_), each(each_), total(base_ + ADDERS * each_), rows(total * DIM), moved(base_ * DIM)
    {
        check_fill(rows.data(), rows.size(), 43);
        check_fill(moved.data(), moved.size(), 44);
    }

    bool is_deleted(uint64_t label) const { return label < base && label % 3 == 1; }
    bool is_moved(uint64_t label) const { return label < base && label % 3 == 2; }
    const float *place(uint64_t label) const { return (is_moved(label) ? moved : rows).data() + label * DIM; }
};

void add_share(hnx_index *index, const Plan &plan, size_t share)
{
    for (size_t at = 0; at < plan.each; at++) {
        const uint64_t label = plan.base + at * ADDERS + share;
        CHECK_OK(index_add_one(index, plan.place(label), label));
    }
}

void remove_some(hnx_index *index, const Plan &plan)
{
    for (uint64_t label = 0; label < plan.base; label++)
        if (plan.is_deleted(label))
            CHECK_OK(hnx_mark_deleted(index, label));
}

void move_some(hnx_index *index, const Plan &plan)
{
    for (uint64_t label = 0; label < plan.base; label++)
        if (plan.is_moved(label))
            CHECK_OK(index_add_one(index, plan.place(label), label));
}

// The knobs, turned while everything runs.
void turn(hnx_index *index, const Plan &plan, const std::atomic<bool> &stop)
{
    for (size_t round = 0; round == 0 || !stop.load(); round++) {
        CHECK_OK(hnx_set_ef(index, 10 + round % 50));
        CHECK_OK(hnx_resize(index, plan.total + round % 1000));
        std::this_thread::yield();
    }
}

// Queries until told to stop, at least once.
void ask(const hnx_index *index, const Plan &plan, const std::atomic<bool> &stop, size_t seed)
{
    std::vector<uint64_t> labels(4 * K);
    std::vector<float> distances(4 * K), queries(4 * DIM), vector(DIM);
    std::vector<size_t> counts(4);
    const hnx_query_options options = index_ef(40);
    for (size_t round = 0; round == 0 || !stop.load(); round++) {
        check_fill(queries.data(), queries.size(), seed + round);
        CHECK_OK(hnx_query(index, queries.data(), 4, K, &options, labels.data(), distances.data(), counts.data()));
        for (size_t row = 0; row < 4; row++) {
            CHECK(counts[row] == K);
            index_check_row(&labels[row * K], &distances[row * K], counts[row], K);
            for (size_t at = 0; at < K; at++)
                CHECK(labels[row * K + at] < plan.total);
        }
        // A vector is read whole: the old one or the new one, never a mixture.
        const uint64_t label = (seed + round) * 3 % plan.base / 3 * 3 + 2;
        if (label < plan.base) {
            CHECK_OK(hnx_get(index, &label, 1, vector.data()));
            CHECK(memcmp(vector.data(), &plan.rows[label * DIM], DIM * sizeof(float)) == 0 ||
                  memcmp(vector.data(), &plan.moved[label * DIM], DIM * sizeof(float)) == 0);
        }
        CHECK(hnx_count(index) >= plan.base && hnx_count(index) <= plan.total);
        CHECK(hnx_deleted_count(index) <= plan.base);
        (void)index_stats(index);
    }
}

// Near its old place the label may be met, by chance: then at the distance of the new one.
void not_at(const hnx_index *index, uint64_t label, const float *before, const float *now)
{
    uint64_t labels[K];
    float distances[K];
    const size_t count = index_query(index, before, K, 400, labels, distances);
    for (size_t at = 0; at < count; at++)
        CHECK(labels[at] != label || fabs(distances[at] - index_distance(HNX_METRIC_L2, before, now, DIM)) < 1e-4);
}

void check_afterwards(const hnx_index *index, const Plan &plan)
{
    size_t live = 0, found = 0, deleted = 0;
    std::vector<float> vector(DIM);
    for (uint64_t label = 0; label < plan.total; label++) {
        if (plan.is_deleted(label)) {
            deleted++;
            CHECK(!index_finds(index, &plan.rows[label * DIM], label, K, 400));
            continue;
        }
        live++;
        found += index_nearest(index, plan.place(label), 400) == label;
        CHECK_OK(hnx_get(index, &label, 1, vector.data()));
        CHECK(memcmp(vector.data(), plan.place(label), DIM * sizeof(float)) == 0);
        if (plan.is_moved(label))
            not_at(index, label, &plan.rows[label * DIM], plan.place(label));
    }
    CHECK(hnx_count(index) == plan.total && hnx_deleted_count(index) == deleted);
    if (found * 100 < live * 99)
        fprintf(stderr, "found %zu of %zu\n", found, live);
    CHECK(found * 100 >= live * 99);
}

void run(const Plan &plan, size_t max_elements)
{
    hnx_index *index = index_make(HNX_METRIC_L2, DIM, max_elements);
    uint64_t *labels = check_labels(plan.base, 0);
    std::atomic<bool> stop(false);
    std::vector<std::thread> writers, readers;
    CHECK_OK(hnx_add(index, plan.rows.data(), labels, plan.base, nullptr, nullptr));
    for (size_t seed = 0; seed < 2; seed++)
        readers.emplace_back([&, seed] { ask(index, plan, stop, 1000000 * (seed + 1)); });
    readers.emplace_back([&] { turn(index, plan, stop); });
    for (size_t share = 0; share < ADDERS; share++)
        writers.emplace_back([&, share] { add_share(index, plan, share); });
    writers.emplace_back([&] { remove_some(index, plan); });
    writers.emplace_back([&] { move_some(index, plan); });
    for (auto &writer : writers)
        writer.join();
    stop.store(true);
    for (auto &reader : readers)
        reader.join();
    check_afterwards(index, plan);
    hnx_free(index);
    free(labels);
}

} // namespace

int main()
{
    const Plan plan(check_pick(90, 1500), check_pick(40, 1000));
    run(plan, 0);
    run(plan, plan.total);
    return 0;
}
