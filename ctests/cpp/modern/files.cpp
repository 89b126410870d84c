// Saved, loaded, persisted.
#include "modern.h"

#include <fstream>

namespace
{

const std::size_t DIM = 4, COUNT = 60;

std::vector<std::vector<hnx::neighbour>> answers(const hnx::index &index, const std::vector<float> &rows)
{
    hnx::query_options how;
    how.ef = 100;
    return index.query_many(rows, 5, how);
}

bool same(const std::vector<std::vector<hnx::neighbour>> &found,
          const std::vector<std::vector<hnx::neighbour>> &expected)
{
    return std::equal(found.begin(), found.end(), expected.begin(), expected.end(),
                      [](const auto &a, const auto &b) { return ::same(a, b); });
}

bool same(const hnx::index &index, const std::vector<std::vector<hnx::neighbour>> &expected,
          const std::vector<float> &rows)
{
    return same(answers(index, rows), expected);
}

// Codes beside a file: a mapped index is guided at once, as the one in memory is.
void codes_beside(const folder &folder)
{
    const std::size_t count = 1200;
    const std::vector<float> rows = whole_numbers(count * DIM, 22), queries = whole_numbers(50 * DIM, 23);
    const hnx::index saved = filled(DIM, rows), another = filled(DIM, whole_numbers(COUNT * DIM, 24));
    const std::string path = folder / "guided";
    saved.save(path);
    CHECK(saved.try_save_codes(path));
    saved.save_codes(path);
    another.save(folder / "another");
    CHECK_FAILS(HNX_ERR_CONFLICT, "another", saved.try_save_codes(folder / "another"));
    CHECK_THROWS(HNX_ERR_CONFLICT, "another", saved.save_codes(folder / "another"));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "NUL", saved.try_save_codes(path + std::string(1, '\0') + "more"));

    hnx::query_options guided;
    guided.exactness = hnx::exactness::guided;
    const auto expected = saved.query_many(queries, 5, guided);
    hnx::load_options how;
    how.dim = DIM;
    how.mmap = true;
    for (const bool read_only : {false, true}) {
        how.read_only = read_only;
        const hnx::index mapped = hnx::index::load(path, how);
        CHECK(mapped.stats().exactness == HNX_EXACTNESS_GUIDED && mapped.stats().code_bytes > 0);
        CHECK(same(mapped.query_many(queries, 5, guided), expected));
    }
}

} // namespace

void test_files()
{
    using hnx::index;
    const folder folder;
    const std::vector<float> rows = whole_numbers(COUNT * DIM, 21);
    const index saved = filled(DIM, rows);
    const auto expected = answers(saved, rows);
    hnx::load_options how;
    how.dim = DIM;

    // Every format.
    saved.save(folder / "hnswlib");
    saved.save(folder / "chroma", hnx::format::chroma);
    CHECK(saved.try_save(folder / "directory", hnx::format::chroma_directory));
    CHECK(std::filesystem::file_size(folder / "chroma") != std::filesystem::file_size(folder / "hnswlib"));
    CHECK(std::filesystem::exists(folder / "directory/header.bin"));
    for (const char *name : {"hnswlib", "chroma", "directory"}) {
        CHECK(same(index::load(folder / name, how), expected, rows));
        CHECK(same(index::try_load(folder / name, how).value(), expected, rows));
    }

    // Options of loading.
    how.mmap = how.read_only = how.allow_replace_deleted = true;
    how.check = hnx::check::fast;
    how.max_elements = 1000;
    index mapped = index::load(folder / "hnswlib", how);
    CHECK(same(mapped, expected, rows) && mapped.capacity() == 1000);
    CHECK(mapped.stats().flags == (HNX_LOAD_MMAP | HNX_LOAD_READ_ONLY | HNX_ALLOW_REPLACE_DELETED));
    CHECK_THROWS(HNX_ERR_READ_ONLY, "", mapped.mark_deleted(1));
    how = {};
    how.dim = DIM + 1;
    CHECK_THROWS(HNX_ERR_CORRUPT, "", (void)index::load(folder / "hnswlib", how));
    how.dim = DIM;
    how.metric = hnx::metric::ip;
    how.check = hnx::check::deep;
    CHECK(index::load(folder / "hnswlib", how).stats().metric == HNX_METRIC_IP);
    how.check = static_cast<hnx::check>(99);
    CHECK(!index::try_load(folder / "hnswlib", how));

    // What is not there, what is not an index, a path that would be cut short.
    how = {};
    how.dim = DIM;
    CHECK_THROWS(HNX_ERR_NOT_FOUND, "", (void)index::load(folder / "absent", how));
    std::ofstream(folder / "nonsense") << "not an index";
    CHECK_FAILS(HNX_ERR_CORRUPT, "", index::try_load(folder / "nonsense", how));
    CHECK_THROWS(HNX_ERR_IO, "", saved.save(folder / "absent/file"));
    const std::string cut = folder / "hnswlib" + std::string(1, '\0') + "more";
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "NUL", index::try_load(cut, how));
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "NUL", saved.try_save(cut));
    hnx::options options = of_dim(DIM);
    options.persist_path = cut;
    CHECK_FAILS(HNX_ERR_INVALID_ARGUMENT, "NUL", index::try_init(options));

    // A directory of its own.
    options.persist_path = folder / "persisted";
    {
        index index = hnx::index::init(options);
        index.add(rows, labels_from(0, COUNT));
        const hnx::persist_info all = index.persist_dirty();
        CHECK(all.generation == 1 && all.records_written == COUNT && all.bytes_written > COUNT * DIM * sizeof(float));
        index.mark_deleted(3);
        CHECK(index.stats().dirty_records == 1);
        CHECK(index.try_persist_dirty()->records_written == 1 && index.stats().dirty_records == 0);
    }
    const index reopened = index::load(folder / "persisted", how);
    CHECK(reopened.count() == COUNT && reopened.deleted_count() == 1);
    CHECK_THROWS(HNX_ERR_INVALID_ARGUMENT, "", (void)index::init(options));

    codes_beside(folder);
}
