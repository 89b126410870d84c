// One index, many threads: const ones query, others add; failures and exceptions stay with the thread they belong to.
#include "modern.h"

#include <atomic>
#include <thread>

namespace
{

const std::size_t DIM = 8, WRITERS = 2, READERS = 3;

void write(hnx::index &index, const std::vector<float> &rows, std::uint64_t first)
{
    for (std::size_t row = 0; row < rows.size() / DIM; row++)
        index.add({&rows[row * DIM], DIM}, first + row);
}

// Queries what was there from the start, at least once, until told to stop.
void read(const hnx::index &index, const std::vector<float> &rows, std::uint64_t me, const std::atomic<bool> &stop)
{
    hnx::query_options how;
    how.ef = 200;
    std::size_t found = 0, asked = 0;
    do {
        const std::size_t row = asked++ % (rows.size() / DIM);
        const hnx::span<const float> query(&rows[row * DIM], DIM);
        const auto nearest = index.query(query, 3, how);
        CHECK(nearest.size() == 3);
        found += nearest.front().label == row;
        for (const hnx::neighbour &one : index.query(query, 3, how, [&](std::uint64_t label) { return label >= me; }))
            CHECK(one.label >= me);
        CHECK(index.get(row) == std::vector<float>(query.begin(), query.end()));
        // The words of a failure are this thread's.
        CHECK_THROWS(HNX_ERR_NOT_FOUND, std::to_string(1000000 + me), (void)index.get(1000000 + me));
        try {
            (void)index.query(query, 3, how, [me](std::uint64_t) -> bool { throw me; });
            check_failed(__FILE__, __LINE__, "nothing was thrown");
        } catch (std::uint64_t mine) {
            CHECK(mine == me);
        }
    } while (!stop);
    CHECK(found * 100 >= asked * 99);
}

} // namespace

void test_threads()
{
    const std::size_t each = check_pick(30, 1000);
    const std::vector<float> base = whole_numbers(each * DIM, 31);
    hnx::index index = filled(DIM, base);
    std::vector<std::vector<float>> more;
    for (std::size_t writer = 0; writer < WRITERS; writer++)
        more.push_back(whole_numbers(each * DIM, 32 + writer));
    std::atomic<bool> stop(false);
    std::vector<std::thread> readers, writers;
    for (std::uint64_t reader = 0; reader < READERS; reader++)
        readers.emplace_back([&, reader] { read(index, base, reader, stop); });
    for (std::size_t writer = 0; writer < WRITERS; writer++)
        writers.emplace_back([&, writer] { write(index, more[writer], (writer + 1) * each); });
    for (std::thread &thread : writers)
        thread.join();
    stop = true;
    for (std::thread &thread : readers)
        thread.join();
    CHECK(index.count() == (1 + WRITERS) * each);
    for (std::size_t writer = 0; writer < WRITERS; writer++)
        CHECK(index.get(labels_from((writer + 1) * each, each)) == more[writer]);
}
