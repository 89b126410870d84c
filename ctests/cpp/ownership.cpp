// The header in C++: handles in smart pointers and containers, statuses in a switch, several indexes at once in
// threads of their own.
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../c/index.h"

namespace
{

struct Free {
    void operator()(hnx_index *index) const { hnx_free(index); }
};
using Index = std::unique_ptr<hnx_index, Free>;

Index make(size_t dim)
{
    return Index(index_make(HNX_METRIC_L2, dim, 0));
}

const char *word(hnx_status status)
{
    switch (status) { // an enum of fixed type in C++
    case HNX_OK: return "done";
    case HNX_ERR_INVALID_ARGUMENT: return "argument";
    case HNX_ERR_NOT_FOUND: return "absent";
    default: return "other";
    }
}

std::string last_error()
{
    std::string text(hnx_last_error(nullptr, 0) + 1, '\0');
    text.resize(hnx_last_error(&text[0], text.size()));
    return text;
}

void fill_and_ask(hnx_index *index, size_t dim, uint64_t seed)
{
    const size_t count = check_pick(50, 300);
    std::vector<float> rows(count * dim);
    check_fill(rows.data(), rows.size(), seed);
    for (uint64_t label = 0; label < count; label++)
        CHECK_OK(index_add_one(index, &rows[label * dim], label));
    for (uint64_t label = 0; label < count; label++)
        CHECK(index_nearest(index, &rows[label * dim], count) == label);
    // The text of a failure belongs to the thread it happened in.
    CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_mark_deleted(index, 1000000 + seed));
    CHECK(last_error().find(std::to_string(1000000 + seed)) != std::string::npos);
}

} // namespace

int main()
{
    static_assert(sizeof(hnx_status) == sizeof(int32_t), "a status is an int32_t in both languages");
    std::vector<Index> indexes;
    for (size_t dim = 2; dim < 10; dim++)
        indexes.push_back(make(dim));
    std::vector<std::thread> threads;
    for (size_t at = 0; at < indexes.size(); at++)
        threads.emplace_back([&, at] { fill_and_ask(indexes[at].get(), at + 2, 50 + at); });
    for (auto &thread : threads)
        thread.join();
    Index kept = std::move(indexes[3]);
    indexes.clear();
    CHECK(hnx_dim(kept.get()) == 5 && hnx_count(kept.get()) == check_pick(50, 300));

    CHECK(std::string(word(hnx_set_ef(kept.get(), 20))) == "done");
    CHECK(std::string(word(hnx_set_ef(nullptr, 20))) == "argument");
    CHECK(std::string(word(hnx_mark_deleted(kept.get(), UINT64_MAX))) == "absent");
    CHECK(std::string(hnx_status_name(HNX_ERR_EXISTS)) == "HNX_ERR_EXISTS");
    return 0;
}
