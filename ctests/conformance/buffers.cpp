// chroma-hnswlib 0.8.2's HnswData: an index in four buffers. It has no published original; what tells right from wrong
// is the directory of the same index, which other tests compare with chroma-hnswlib 0.7.1's.
#include <sys/stat.h>
#include <unistd.h>

#include "hnswlib.h"

#include <functional>
#include <sstream>

namespace
{

typedef hnswlib::HierarchicalNSW<float> Index;

enum { DIM = 6, COUNT = 150, CAPACITY = 200, M = 5 };

int failures = 0;

void check(bool good, int line)
{
    if (!good)
        std::cerr << "buffers.cpp:" << line << " failed\n";
    failures += !good;
}
#define CHECK(...) check((__VA_ARGS__), __LINE__)

std::string text_of(const std::function<void()> &call)
{
    try {
        call();
    } catch (const std::runtime_error &error) {
        return error.what();
    }
    return "";
}

struct Buffers {
    std::vector<char> header, records, lengths, lists;

    explicit Buffers(const Index &index, size_t more = 0)
        : header(index.getRequiredHeaderSize() + more, 'x'), records(index.getRequiredDataLevel0Size() + more, 'x'),
          lengths(index.getRequiredLengthSize() + more, 'x'), lists(index.getRequiredLinkListSize() + more, 'x')
    {
    }
    hnswlib::HnswDataMut data()
    {
        hnswlib::HnswDataMut data;
        data.header_buffer = header.data(), data.header_size = header.size();
        data.data_level0_buffer = records.data(), data.data_level0_size = records.size();
        data.length_buffer = lengths.data(), data.length_size = lengths.size();
        data.link_list_buffer = lists.data(), data.link_list_size = lists.size();
        return data;
    }
};

void same_answers(const Index &one, const Index &other, const std::vector<float> &rows)
{
    CHECK(one.cur_element_count == other.cur_element_count && one.num_deleted_ == other.num_deleted_);
    CHECK(one.enterpoint_node_ == other.enterpoint_node_ && one.maxlevel_ == other.maxlevel_);
    for (size_t at = 0; at < COUNT; at += 3)
        CHECK(one.searchKnnCloserFirst(&rows[at * DIM], 7) == other.searchKnnCloserFirst(&rows[at * DIM], 7));
}

std::string file(const std::string &path)
{
    std::ifstream stream(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
}

void serialized(const Index &index, const std::string &folder)
{
    Buffers buffers(index);
    hnswlib::HnswDataMut data = buffers.data();
    CHECK(index.serializeToHnswData(&data) == &data);
    CHECK(buffers.header.size() == 100 && file(folder + "/header.bin") == std::string(buffers.header.data(), 100));
    const size_t records = COUNT * index.size_data_per_element_;
    CHECK(buffers.records.size() == CAPACITY * index.size_data_per_element_ && buffers.lengths.size() == CAPACITY * 4);
    CHECK(file(folder + "/data_level0.bin").substr(0, records) == std::string(buffers.records.data(), records));
    CHECK(file(folder + "/length.bin").substr(0, COUNT * 4) == std::string(buffers.lengths.data(), COUNT * 4));
    CHECK(file(folder + "/link_lists.bin").substr(0, buffers.lists.size()) ==
          std::string(buffers.lists.data(), buffers.lists.size()));
    for (size_t at = records; at < buffers.records.size(); at++)
        CHECK(buffers.records[at] == 0); // no memory of the process leaves it
    for (char *buffer : {data.header_buffer, data.data_level0_buffer, data.length_buffer, data.link_list_buffer})
        CHECK(data.getView().header_buffer == data.header_buffer && buffer != nullptr);
}

void opened(const Index &index, hnswlib::SpaceInterface<float> &space, const std::vector<float> &rows, bool normalize)
{
    Buffers buffers(index, 9); // longer ones will do
    hnswlib::HnswDataMut data = buffers.data();
    index.serializeToHnswData(&data);
    data.header_size = 100;
    const hnswlib::HnswDataView view = data.getView();
    Index loaded(&space, view, false, 0, true, normalize), larger(&space, view, false, 500, false, normalize);
    Index later(&space, 10, M, 20, 1, false, normalize);
    CHECK(loaded.max_elements_ == CAPACITY && larger.max_elements_ == 500 && loaded.allow_replace_deleted_);
    later.addPoint(rows.data(), 99);
    later.loadPersistedIndexFromMemory(&space, view);
    for (std::vector<char> *buffer : {&buffers.header, &buffers.records, &buffers.lengths, &buffers.lists})
        std::fill(buffer->begin(), buffer->end(), 'y'); // not used afterwards
    for (const Index *one : {&loaded, &larger, &later}) {
        same_answers(index, *one, rows);
        CHECK(one->ef_ == 10 && !one->persist_on_write_ && one->M_ == M && one->label_lookup_.size() == COUNT);
        CHECK(one->getDataByLabel<float>(3) == index.getDataByLabel<float>(3));
    }
    loaded.addPoint(rows.data(), 100000, true); // goes on, in the place of the deleted one
    CHECK(loaded.num_deleted_ == index.num_deleted_ - 1);
    larger.resizeIndex(600);
}

void refused(const Index &index, hnswlib::SpaceInterface<float> &space, bool normalize)
{
    Buffers buffers(index);
    hnswlib::HnswDataMut data = buffers.data();
    size_t *const sizes[] = {&data.header_size, &data.data_level0_size, &data.length_size, &data.link_list_size};
    const char *const texts[] = {"Header buffer too small", "Data level0 buffer too small", "Length buffer too small",
                                 "Link list buffer too small"};
    for (int at = 0; at < 4; at++) {
        --*sizes[at];
        CHECK(text_of([&] { index.serializeToHnswData(&data); }) == texts[at]);
        CHECK(buffers.header[0] == 'x');
        ++*sizes[at];
    }
    index.serializeToHnswData(&data);
    // The lists of the last element, or all records: what is missing is noticed, not read.
    for (int at = 0; at < 4; at++) {
        const size_t whole = *sizes[at];
        for (size_t size : {size_t(0), whole / 2}) {
            *sizes[at] = size;
            CHECK(text_of([&] { Index(&space, data.getView(), false, 0, false, normalize); }) != "");
        }
        *sizes[at] = whole;
    }
    buffers.header[0] = 2;
    CHECK(text_of([&] { Index(&space, data.getView()); }) == "Cannot read persisted index: wrong persistence version");
    // Nonsense of every kind throws or gives an index that works; it does not read what is not there.
    buffers.header[0] = 1;
    std::mt19937 random(5);
    for (int round = 0; round < 300; round++) {
        Buffers damaged = buffers;
        std::vector<char> *const all[] = {&damaged.header, &damaged.records, &damaged.lengths, &damaged.lists};
        std::vector<char> &one = *all[random() % 4];
        for (unsigned left = 1 + random() % 3; left > 0; left--)
            one[random() % one.size()] = static_cast<char>(random());
        const float query[DIM] = {1, 2, 3};
        text_of([&] {
            const hnswlib::HnswDataMut bad = damaged.data();
            Index loaded(&space, bad.getView(), false, 0, true, normalize);
            loaded.searchKnn(query, 5);
        });
    }
}

void streams(const Index &index, hnswlib::SpaceInterface<float> &space, const std::vector<float> &rows, bool normalize)
{
    Buffers buffers(index);
    hnswlib::HnswDataMut data = buffers.data();
    index.serializeToHnswData(&data);
    hnswlib::memistream header(data.header_buffer, 100), records(data.data_level0_buffer, data.data_level0_size),
        lengths(data.length_buffer, data.length_size), lists(data.link_list_buffer, data.link_list_size);
    hnswlib::InputPersistenceStreams inputs;
    inputs.header = &header, inputs.data_level0 = &records, inputs.length = &lengths, inputs.link_lists = &lists;
    Index loaded(&space, 1, M, 10, 1, false, normalize);
    loaded.readPersistedIndexFromStreams(&space, inputs);
    same_answers(index, loaded, rows);
    std::istringstream failed;
    failed.setstate(std::ios::failbit);
    header.clear(), header.seekg(0);
    inputs.data_level0 = &failed;
    CHECK(text_of([&] { loaded.readPersistedIndexFromStreams(&space, inputs); }) ==
          "Data level0 stream is not in good state");
}

void run(bool normalize, const std::string &folder)
{
    hnswlib::L2Space l2(DIM);
    hnswlib::InnerProductSpace inner_product(DIM);
    hnswlib::SpaceInterface<float> &space = normalize ? static_cast<hnswlib::SpaceInterface<float> &>(inner_product) : l2;
    std::mt19937 random(7);
    std::vector<float> rows(COUNT * DIM);
    for (float &value : rows)
        value = static_cast<float>(random() % 1000) / 100 - 5;
    Index index(&space, CAPACITY, M, 40, 3, false, normalize, true, folder);
    for (size_t row = 0; row < COUNT; row++)
        index.addPoint(&rows[row * DIM], row);
    index.markDelete(17);
    index.persistDirty();
    serialized(index, folder);
    opened(index, space, rows, normalize);
    refused(index, space, normalize);
    streams(index, space, rows, normalize);

    Index empty(&space, 10, M, 40, 3, false, normalize);
    Buffers buffers(empty);
    hnswlib::HnswDataMut data = buffers.data();
    empty.serializeToHnswData(&data);
    Index again(&space, data.getView(), false, 0, false, normalize);
    CHECK(again.cur_element_count == 0 && again.max_elements_ == 10 && again.searchKnn(rows.data(), 3).empty());
    again.addPoint(rows.data(), 1);
    CHECK(again.searchKnn(rows.data(), 3).size() == 1);
}

} // namespace

int main(int, char **argv)
{
    for (bool normalize : {false, true}) {
        const std::string folder = std::string(argv[1]) + (normalize ? "/normalized" : "/plain");
        mkdir(folder.c_str(), 0777);
        run(normalize, folder);
    }
    return failures != 0;
}
