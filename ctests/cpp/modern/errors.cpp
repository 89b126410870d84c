// Statuses and texts of failures, as exceptions and as values.
#include "modern.h"

using hnx::index;

static_assert(std::is_base_of_v<std::runtime_error, hnx::error>);
static_assert(std::is_nothrow_copy_constructible_v<hnx::error>);

void test_errors()
{
    // Of the library.
    CHECK_THROWS(HNX_ERR_INVALID_ARGUMENT, "dim is 0", (void)index::init({}));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "dim is 0", index::try_init({}));
    hnx::options options = of_dim(2);
    options.max_elements = 3;
    index index = hnx::index::init(options);
    const std::vector<float> rows = {1, 2, 3, 4, 5, 6};
    const std::vector<float> row = {7, 8};
    index.add(rows, labels_from(10, 3));
    CHECK_THROWS(HNX_ERR_FULL, "", index.add(row, 99));
    CHECK_THROWS(HNX_ERR_NOT_FOUND, "99", index.mark_deleted(99));
    CHECK_THROWS(HNX_ERR_NOT_FOUND, "99", index.unmark_deleted(99));
    CHECK_THROWS(HNX_ERR_NOT_FOUND, "99", (void)index.get(99));
    CHECK_THROWS(HNX_ERR_NOT_DELETED, "10", index.unmark_deleted(10));
    index.mark_deleted(10);
    CHECK_THROWS(HNX_ERR_ALREADY_DELETED, "10", index.mark_deleted(10));
    CHECK_FAILS(HNX_ERR_ALREADY_DELETED, "10", index.try_mark_deleted(10));
    CHECK(index.deleted_count() == 1);
    index.unmark_deleted(10);
    CHECK(index.deleted_count() == 0);
    CHECK_THROWS(HNX_ERR_INVALID_ARGUMENT, "", index.resize(2));
    CHECK_THROWS(HNX_ERR_INVALID_ARGUMENT, "", index.set_ef(0));
    CHECK_THROWS(HNX_ERR_INVALID_ARGUMENT, "k is 0", (void)index.query(row, 0));
    CHECK_THROWS(HNX_ERR_INVALID_ARGUMENT, "", index.persist_dirty());

    // Options arrive.
    hnx::add_options how;
    how.insert_only = true;
    CHECK_THROWS(HNX_ERR_EXISTS, "10", index.add(row, 10, how));
    how = {};
    how.update_only = true;
    CHECK_THROWS(HNX_ERR_NOT_FOUND, "98", index.add(row, 98, how));
    index.add(row, 10, how);
    CHECK(index.get(10) == row);
    how = {};
    how.replace_deleted = true;
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "", index.try_add(row, 98, how));
    options.allow_replace_deleted = true;
    options.metric = hnx::metric::ip;
    options.m = 5;
    options.ef_construction = 77;
    hnx::index replacing = hnx::index::init(options);
    replacing.add(rows, labels_from(10, 3));
    replacing.mark_deleted(11);
    replacing.add(row, 98, how);
    replacing.set_ef(55);
    hnx::stats_info stats = replacing.stats();
    CHECK(stats.count == 3 && stats.deleted == 0 && stats.capacity == 3 && stats.dim == 2 && stats.m == 5);
    CHECK(stats.metric == HNX_METRIC_IP && stats.ef_construction == 77 && stats.ef == 55);
    CHECK(stats.flags == HNX_ALLOW_REPLACE_DELETED);
    replacing.resize(20);
    CHECK(replacing.capacity() == 20);
    stats = hnx::index::init(of_dim(3)).stats(); // the defaults written down are the library's
    CHECK(stats.metric == HNX_METRIC_L2 && stats.m == 16 && stats.ef_construction == 200 && stats.flags == 0);

    // Rows of their own, each with its status.
    std::vector<std::int32_t> statuses(3, 1);
    how = {};
    how.insert_only = true;
    index.mark_deleted(12);
    hnx::index wide = hnx::index::init(of_dim(2));
    wide.add(row, 11);
    CHECK_THROWS(HNX_ERR_EXISTS, "11", wide.add(rows, labels_from(10, 3), how, statuses));
    CHECK((statuses == std::vector<std::int32_t>{HNX_OK, HNX_ERR_EXISTS, HNX_OK}) && wide.count() == 3);

    // Sizes that do not fit are refused before anything is read or written.
    const std::vector<std::uint64_t> two = {20, 21};
    std::vector<std::uint64_t> labels(4, 77);
    std::vector<float> floats(4, 77);
    std::vector<std::size_t> counts(2, 77);
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "vectors has 6 elements, not 4", wide.try_add(rows, two));
    CHECK_THROWS(HNX_ERR_INVALID_ARGUMENT, "vectors has 6 elements, not 2", wide.add(rows, 20));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "row_status has 3 elements, not 2", wide.try_add(floats, two, {}, statuses));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "query has 6 elements, not 2", wide.try_query(rows, 1));
    CHECK_THROWS(HNX_ERR_INVALID_ARGUMENT, "queries has 3 elements, not 4",
                 (void)wide.query_many(hnx::span<const float>(rows.data(), 3), 1));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "out_labels has 4 elements, not 6", wide.try_query_into(floats, 3, labels));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "out_distances has 4 elements, not 2",
                wide.try_query_into(row, 2, {labels.data(), 2}, floats));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "out_counts has 2 elements, not 1",
                wide.try_query_into(row, 4, labels, floats, counts));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "out_labels has 4 elements, not " + std::to_string(SIZE_MAX),
                wide.try_query_into(floats, SIZE_MAX / 2 + 1, labels)); // no overflow to 0
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "out_vectors has 4 elements, not 8", wide.try_get_into(labels, floats));
    CHECK(labels == std::vector<std::uint64_t>(4, 77) && floats == std::vector<float>(4, 77));
    CHECK(counts == std::vector<std::size_t>(2, 77) && wide.count() == 3);

    // A failure keeps its own words, whatever happens afterwards.
    const hnx::expected<void> first = wide.try_mark_deleted(1001);
    CHECK(!wide.try_mark_deleted(1002));
    CHECK(contains(first.error().text, "1001") && contains(hnx::last_error(), "1002"));
    CHECK_THROWS(HNX_ERR_NOT_FOUND, first.error().text, first.value());
    CHECK(wide.try_mark_deleted(10) && wide.try_unmark_deleted(10).has_value());

    CHECK(std::string(hnx::version()) == hnx_version() && std::string(hnx::cpu_name()) == hnx_cpu_name());
}
