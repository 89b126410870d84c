// What the originals get wrong and libhnx's classes do not: include/hnswlib/README.md lists these functions by name.
#include "hnswlib/hnswlib.h"

#include <functional>
#include <sstream>
#include <thread>

#include "../c/files.h"

namespace
{

typedef hnswlib::HierarchicalNSW<float> Index;
typedef hnswlib::BruteforceSearch<float> Brute;

const size_t DIM = 8;
std::string folder; // of this run

std::string path(const char *name) { return folder + "/" + name; }

std::vector<float> vector_of(uint64_t seed)
{
    std::vector<float> vector(DIM);
    check_fill(vector.data(), DIM, seed);
    return vector;
}

void add(hnswlib::AlgorithmInterface<float> &index, size_t first, size_t count)
{
    for (size_t label = first; label < first + count; label++)
        index.addPoint(vector_of(label).data(), label);
}

// What it throws; empty if nothing.
std::string thrown(const std::function<void()> &action)
{
    try {
        action();
    } catch (const std::runtime_error &error) {
        return error.what();
    }
    return "";
}

size_t nearest(const hnswlib::AlgorithmInterface<float> &index, const std::vector<float> &query)
{
    const auto found = index.searchKnnCloserFirst(query.data(), 1);
    return found.empty() ? SIZE_MAX : found[0].second;
}

std::string bytes_of(const std::string &file)
{
    std::ifstream input(file, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(input), std::istreambuf_iterator<char>());
}

void write_bytes(const std::string &file, const std::string &bytes)
{
    std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

hnswlib::L2Space space(DIM);

// A label that exists is not stored a second time when a deleted element could be replaced.
void a_label_stands_once()
{
    Index index(&space, 20, 8, 50, 1, true);
    add(index, 0, 20);
    index.markDelete(3);
    index.addPoint(vector_of(100).data(), 7, true); // it lives: updated where it is
    CHECK(index.getDeletedCount() == 1 && index.label_lookup_.size() == 20);
    CHECK(nearest(index, vector_of(100)) == 7 && index.getDataByLabel<float>(7) == vector_of(100));
    index.markDelete(7);
    index.addPoint(vector_of(101).data(), 7, true); // it is deleted: it gets its own place, not 3's
    CHECK(index.getDeletedCount() == 1 && index.isMarkedDeleted(index.label_lookup_.at(3)));
    CHECK(nearest(index, vector_of(101)) == 7);
    index.saveIndex(path("once"));
    Index again(&space, path("once"), false, 0, true);
    CHECK(again.label_lookup_.size() == 20 && nearest(again, vector_of(101)) == 7);
    std::set<size_t> labels;
    for (const auto &entry : again.searchKnnCloserFirst(vector_of(5).data(), 20))
        CHECK(labels.insert(entry.second).second);
}

// An element that is added where every reachable one is deleted finds neighbours all the same.
void adds_among_deleted_elements()
{
    Index index(&space, 100, 4, 20);
    add(index, 0, 50);
    for (size_t label = 0; label < 50; label++)
        index.markDelete(label);
    add(index, 50, 50);
    for (size_t label = 50; label < 100; label++)
        CHECK(nearest(index, vector_of(label)) == label);
}

// Searches may run while the first elements are added, and other elements after them.
void searches_beside_adds()
{
    for (int round = 0; round < 10; round++) {
        Index index(&space, 400, 8, 40);
        std::atomic<bool> done(false);
        std::vector<std::thread> threads;
        for (int i = 0; i < 2; i++) {
            threads.emplace_back([&] {
                while (!done) {
                    for (const auto &entry : index.searchKnnCloserFirst(vector_of(3).data(), 5)) {
                        const std::vector<float> vector = vector_of(entry.second);
                        CHECK(entry.first == hnswlib::L2Sqr(vector.data(), vector_of(3).data(), space.get_dist_func_param()));
                    }
                }
            });
        }
        std::vector<std::thread> adders;
        for (size_t i = 0; i < 2; i++)
            adders.emplace_back([&, i] { add(index, 100 * i, check_pick(40, 100)); });
        for (std::thread &thread : adders)
            thread.join();
        done = true;
        for (std::thread &thread : threads)
            thread.join();
        CHECK(index.getCurrentElementCount() == 2 * check_pick(40, 100));
        // One generator for all threads: as many levels as elements were drawn, in some order.
        Index alone(&space, 400, 8, 40);
        add(alone, 0, index.getCurrentElementCount());
        std::vector<int> levels(index.element_levels_), expected(alone.element_levels_);
        std::sort(levels.begin(), levels.end());
        std::sort(expected.begin(), expected.end());
        CHECK(levels == expected);
    }
}

// A distance that throws, now and then.
size_t calls_left = 0;
float failing(const void *a, const void *b, const void *dim)
{
    if (--calls_left == 0)
        throw std::string("the host's own");
    return hnswlib::L2Sqr(a, b, dim);
}
class FailingSpace : public hnswlib::L2Space {
public:
    FailingSpace() : hnswlib::L2Space(DIM) {}
    hnswlib::DISTFUNC<float> get_dist_func() { return failing; }
};

// An exception of the host's in the middle of an add leaves no half-made element.
void an_add_that_throws_is_undone()
{
    for (bool replace : {false, true}) {
        FailingSpace failing_space;
        calls_left = SIZE_MAX;
        Index index(&failing_space, 200, 4, 20, 1, replace);
        add(index, 0, 50);
        size_t failed = 0;
        for (size_t fails_at = 1;; fails_at++) {
            calls_left = fails_at;
            try {
                index.addPoint(vector_of(500).data(), 500, replace);
                break;
            } catch (const std::string &text) {
                CHECK(text == "the host's own");
                failed++;
            }
            calls_left = SIZE_MAX;
            CHECK(index.searchKnn(vector_of(500).data(), 200).size() == 50);
            CHECK(thrown([&] { index.getDataByLabel<float>(500); }) == "Label not found");
            CHECK(index.getDeletedCount() == index.getCurrentElementCount() - 50);
        }
        calls_left = SIZE_MAX;
        CHECK(failed > 50 && index.getCurrentElementCount() == 51 && index.getDeletedCount() == 0);
        CHECK(nearest(index, vector_of(500)) == 500);
        std::ostringstream output;
        std::streambuf *before = std::cout.rdbuf(output.rdbuf());
        index.checkIntegrity();
        std::cout.rdbuf(before);
    }
}

// An empty index may shrink to nothing and grow again.
void resize_to_nothing()
{
    Index index(&space, 10);
    index.resizeIndex(0);
    CHECK(thrown([&] { add(index, 0, 1); }) == "The number of elements exceeds the specified limit");
    index.resizeIndex(5);
    add(index, 0, 5);
    CHECK(thrown([&] { index.resizeIndex(4); }) == "Cannot resize, max element is less than the current number of elements");
    CHECK(nearest(index, vector_of(4)) == 4);
}

// An empty file keeps its capacity.
void an_empty_index_keeps_its_capacity()
{
    Index(&space, 77).saveIndex(path("empty"));
    Index index(&space, path("empty"));
    CHECK(index.getMaxElements() == 77 && index.getCurrentElementCount() == 0);
    add(index, 0, 77);
    CHECK(nearest(index, vector_of(76)) == 76);
}

// With an M that gives no graph nothing is added, and the count says so.
void too_few_links()
{
    for (size_t m : {0, 1}) {
        Index index(&space, 10, m);
        for (int i = 0; i < 3; i++)
            CHECK(thrown([&] { add(index, 0, 1); }).find("m is") != std::string::npos);
        CHECK(index.getCurrentElementCount() == 0 && index.searchKnn(vector_of(0).data(), 1).empty());
    }
}

// A file that cannot be opened leaves the index as it was; another file leaves no old label behind.
void loading_over_an_index()
{
    Index first(&space, 100, 8, 50, 1, true), second(&space, 50, 6, 50, 1, true);
    add(first, 0, 100);
    first.markDelete(1);
    add(second, 500, 30);
    second.saveIndex(path("second"));
    write_bytes(path("half"), bytes_of(path("second")).substr(0, 3000));
    CHECK(thrown([&] { first.loadIndex(path("half"), &space); }) == "Index seems to be corrupted or unsupported");
    CHECK(thrown([&] { first.loadIndex(path("none"), &space); }) == "Cannot open file");
    CHECK(nearest(first, vector_of(99)) == 99 && first.M_ == 8 && first.getDeletedCount() == 1);
    first.loadIndex(path("second"), &space, 200);
    CHECK(first.M_ == 6 && first.getMaxElements() == 200 && first.label_lookup_.size() == 30);
    CHECK(first.getDeletedCount() == 0 && first.deleted_elements.empty());
    CHECK(thrown([&] { first.getDataByLabel<float>(2); }) == "Label not found");
    add(first, 0, 100);
    CHECK(nearest(first, vector_of(510)) == 510 && nearest(first, vector_of(50)) == 50);
    Index never(&space);
    CHECK(thrown([&] { never.loadIndex(path("half"), &space); }) != "" && never.getCurrentElementCount() == 0);
}

// Every field of a file is checked before it is used.
void lies_in_a_file()
{
    Index index(&space, 60, 4, 30);
    add(index, 0, 60);
    index.saveIndex(path("true"));
    const std::string whole = bytes_of(path("true"));
    struct {
        size_t at, size;
        uint64_t value;
    } const lies[] = {{8, 8, 1}, {16, 8, uint64_t(1) << 60}, {24, 8, 8}, {32, 8, uint64_t(1) << 40}, {40, 8, 3}, {48, 4, 30},
                      {52, 4, 1u << 31}, {56, 8, uint64_t(1) << 50}, {64, 8, 1}, {96, 2, 60000}, {100, 4, 1u << 31}};
    for (const auto &lie : lies) {
        std::string damaged = whole;
        memcpy(&damaged[lie.at], &lie.value, lie.size);
        write_bytes(path("false"), damaged);
        CHECK(thrown([&] { Index(&space, path("false")); }) != "");
    }
    hnswlib::L2Space other(DIM + 1);
    CHECK(thrown([&] { Index(&other, path("true")); }) == "Index seems to be corrupted or unsupported");
}

// A file that cannot be written is an error, and what was there stays.
void saving_where_nothing_can_be_saved()
{
    Index index(&space, 10);
    Brute brute(&space, 10);
    add(index, 0, 10);
    add(brute, 0, 10);
    for (hnswlib::AlgorithmInterface<float> *one : {static_cast<hnswlib::AlgorithmInterface<float> *>(&index),
                                                    static_cast<hnswlib::AlgorithmInterface<float> *>(&brute)}) {
        CHECK(thrown([&] { one->saveIndex(path("missing/x")); }) != "");
        CHECK(thrown([&] { one->saveIndex(folder); }) != "");
        CHECK(thrown([&] { one->saveIndex("/dev/full"); }) != "");
        struct stat status;
        CHECK(stat("/dev/full", &status) == 0 && S_ISCHR(status.st_mode));
        one->saveIndex(path("good"));
        CHECK(nearest(*one, vector_of(9)) == 9);
    }
}

// Stop conditions see labels and return labels; one that is never content ends, too.
class Insatiable : public hnswlib::BaseSearchStopCondition<float> {
public:
    std::set<size_t> held;
    void add_point_to_result(hnswlib::labeltype label, const void *, float) override { held.insert(label); }
    void remove_point_from_result(hnswlib::labeltype label, const void *, float) override { held.erase(label); }
    bool should_stop_search(float, float) override { return false; }
    bool should_consider_candidate(float, float) override { return true; }
    bool should_remove_extra() override { return removes; }
    void filter_results(std::vector<std::pair<float, hnswlib::labeltype>> &) override {}
    bool removes = false;
};
void stop_conditions_return_labels()
{
    Index index(&space, 50, 8, 50);
    add(index, 1000, 50);
    Insatiable all, none;
    const auto found = index.searchStopConditionClosest(vector_of(1007).data(), all);
    CHECK(found.size() == 50 && found[0].second == 1007 && all.held.size() == 50 && *all.held.begin() == 1000);
    none.removes = true;
    CHECK(index.searchStopConditionClosest(vector_of(1007).data(), none).empty() && none.held.empty());
}

// Equal distances of several documents are told apart.
void documents_at_equal_distances()
{
    hnswlib::MultiVectorL2Space<int> documents(1);
    hnswlib::HierarchicalNSW<float> index(&documents, 100, 8, 50);
    for (int i = 0; i < 60; i++) {
        char record[8];
        const float value = static_cast<float>(i % 3);
        memcpy(record, &value, 4);
        documents.set_doc_id(record, i / 2);
        index.addPoint(record, static_cast<size_t>(i));
    }
    const float query = 0;
    for (size_t wanted : {1, 3, 7}) {
        hnswlib::MultiVectorSearchStopCondition<int, float> stop(documents, wanted, 10);
        std::set<size_t> seen;
        for (const auto &entry : index.searchStopConditionClosest(&query, stop))
            seen.insert(entry.second / 2);
        CHECK(seen.size() == wanted);
    }
}

// A space may have parameters that are no size_t.
struct Scale {
    double factor;
};
float scaled(const void *a, const void *b, const void *scale)
{
    const float *x = static_cast<const float *>(a), *y = static_cast<const float *>(b);
    return static_cast<float>(static_cast<const Scale *>(scale)->factor) * (x[0] - y[0]) * (x[0] - y[0]);
}
class ScaledSpace : public hnswlib::SpaceInterface<float> {
    Scale scale_ = {1e300};

public:
    size_t get_data_size() { return sizeof(float); }
    hnswlib::DISTFUNC<float> get_dist_func() { return scaled; }
    void *get_dist_func_param() { return &scale_; }
};
void parameters_of_any_kind()
{
    ScaledSpace scaled_space;
    Index index(&scaled_space, 10, 8, 50, 1, false, false); // Chroma's constructor: it made a vector of so many floats
    const float value = 3;
    index.addPoint(&value, 1);
    CHECK(index.getDataByLabel<float>(1) == std::vector<float>(1, value));
}

// checkIntegrity() throws, whatever NDEBUG says.
void integrity_is_checked()
{
    Index index(&space, 50, 4, 30);
    add(index, 0, 50);
    hnswlib::linklistsizeint *list = index.get_linklist_at_level(7, 0);
    const unsigned before = list[1];
    std::ostringstream output;
    std::streambuf *buffer = std::cout.rdbuf(output.rdbuf());
    list[1] = 50;
    CHECK(thrown([&] { index.checkIntegrity(); }) == "HNSW Integrity failure: invalid neighbor index");
    CHECK(nearest(index, vector_of(7)) == 7); // searches pass such a link over
    list[1] = list[2];
    CHECK(thrown([&] { index.checkIntegrity(); }) == "HNSW Integrity failure: duplicate neighbor index");
    list[1] = before;
    index.checkIntegrity();
    std::cout.rdbuf(buffer);
    CHECK(output.str().find("integrity ok, checked ") != std::string::npos);
}

// A filtered exact search finds as many as there are; asking for more than there is is no error.
class Even : public hnswlib::BaseFilterFunctor {
public:
    bool operator()(hnswlib::labeltype label) override { return label % 2 == 0; }
};
void brute_force_finds_all()
{
    Brute brute(&space, 20);
    add(brute, 1, 20);
    Even even;
    CHECK(brute.searchKnn(vector_of(1).data(), 10, &even).size() == 10);
    CHECK(brute.searchKnn(vector_of(1).data(), 1000).size() == 20 && brute.searchKnn(vector_of(1).data(), 0).empty());
}

// Rows are removed, the last one, too, without a trace.
void brute_force_removes()
{
    Brute brute(&space, 3);
    add(brute, 0, 3);
    brute.removePoint(2);
    CHECK(brute.dict_external_to_internal.count(2) == 0 && brute.cur_element_count == 2);
    brute.removePoint(77);
    add(brute, 2, 1);
    CHECK(nearest(brute, vector_of(2)) == 2 && brute.cur_element_count == 3);
    brute.removePoint(0);
    CHECK(nearest(brute, vector_of(2)) == 2 && nearest(brute, vector_of(1)) == 1);
    brute.removePoint(1);
    brute.removePoint(2);
    CHECK(brute.searchKnn(vector_of(1).data(), 1).empty());
}

// A file of rows is checked, and its labels are known afterwards.
void brute_force_loads()
{
    Brute brute(&space, 30);
    add(brute, 0, 20);
    brute.saveIndex(path("rows"));
    const std::string whole = bytes_of(path("rows"));
    CHECK(whole.size() == 24 + 30 * brute.size_per_element_);
    Brute loaded(&space, path("rows"));
    add(loaded, 5, 1); // overwrites
    loaded.removePoint(6);
    CHECK(loaded.cur_element_count == 19 && nearest(loaded, vector_of(6)) != 6);
    loaded.loadIndex(path("rows"), &space);
    CHECK(loaded.cur_element_count == 20);
    for (size_t size : {size_t(0), size_t(23), whole.size() / 2}) {
        write_bytes(path("damaged"), whole.substr(0, size));
        CHECK(thrown([&] { loaded.loadIndex(path("damaged"), &space); }) == "Index seems to be corrupted or unsupported");
    }
    std::string huge = whole;
    memset(&huge[0], 0x7f, 8);
    write_bytes(path("damaged"), huge);
    CHECK(thrown([&] { loaded.loadIndex(path("damaged"), &space); }) != "");
    CHECK(thrown([&] { Brute(&space, path("none")); }) == "Cannot open file");
    CHECK(nearest(loaded, vector_of(6)) == 6);
}

// ------------------------------------------------------------------------------------------------- chroma-hnswlib's own

std::string new_directory(const char *name)
{
    const std::string directory = path(name);
    CHECK(mkdir(directory.c_str(), 0777) == 0);
    return directory;
}

// What cannot be written or opened is said.
void a_missing_directory_is_an_error()
{
    const std::string directory = path("neither/nor");
    CHECK(thrown([&] { Index(&space, 10, 4, 20, 1, false, false, true, directory); }) != "");
    CHECK(thrown([&] { Index(&space, 10, 4, 20, 1, false, false, true, ""); }) == "persist_location_ is empty");
    CHECK(thrown([&] { Index(&space, directory, false, 0, false, false, true); }) == "Cannot open header file");
    const std::string parts = new_directory("parts");
    Index(&space, 10, 4, 20, 1, false, false, true, parts);
    unlink((parts + "/length.bin").c_str());
    CHECK(thrown([&] { Index(&space, parts, false, 0, false, false, true); }) == "Cannot open length file");
}

// The directory is the index in memory: the first element, updates and their neighbours' lists, deletions.
void everything_that_changed_is_persisted()
{
    const std::string directory = new_directory("changes");
    Index index(&space, 300, 4, 30, 1, false, true, true, directory);
    const auto same_after_opening = [&] {
        index.persistDirty();
        Index opened(&space, directory, false, 0, false, true, true);
        CHECK(opened.getCurrentElementCount() == index.getCurrentElementCount());
        for (size_t id = 0; id < index.getCurrentElementCount(); id++) {
            const unsigned at = static_cast<unsigned>(id);
            CHECK(memcmp(index.get_linklist0(at), opened.get_linklist0(at), index.size_data_per_element_) == 0);
            CHECK(index.element_levels_[id] == opened.element_levels_[id]);
            if (index.element_levels_[id] > 0)
                CHECK(memcmp(index.linkLists_[id], opened.linkLists_[id],
                             index.size_links_per_element_ * static_cast<size_t>(index.element_levels_[id])) == 0);
            const size_t label = index.getExternalLabel(at);
            if (!index.isMarkedDeleted(at))
                CHECK(index.getDataByLabel<float>(label) == opened.getDataByLabel<float>(label));
        }
    };
    add(index, 0, 1);
    same_after_opening();
    index.addPoint(vector_of(900).data(), 0);
    same_after_opening();
    index.markDelete(0);
    same_after_opening();
    index.addPoint(vector_of(901).data(), 0);
    same_after_opening();
    add(index, 1, 250);
    same_after_opening();
    for (size_t label = 20; label < 40; label++)
        index.addPoint(vector_of(1000 + label).data(), label);
    index.markDelete(5);
    same_after_opening();
    index.unmarkDelete(5);
    same_after_opening();
}

// Bytes that nobody wrote are zero.
void nothing_of_the_heap_gets_out()
{
    const std::string directory = new_directory("zeros");
    Index index(&space, 100, 4, 20, 1, false, false, true, directory);
    add(index, 0, 10);
    index.persistDirty();
    const std::string bytes = bytes_of(directory + "/data_level0.bin");
    CHECK(bytes.find_first_not_of('\0', 10 * index.size_data_per_element_) == std::string::npos);
}

// Without a directory nothing is kept for one, and asking for it is an error.
void an_index_in_memory_is_not_persisted()
{
    Index index(&space, 100, 4, 20, 1, false, false);
    index.persistDirty();
    add(index, 0, 10);
    CHECK(thrown([&] { index.persistDirty(); }) == "persistDirty called for an index that is not set to persist on write");
    CHECK(thrown([&] { index.initPersistentIndex(); }) ==
          "initPersistentIndex called for an index that is not set to persist on write");
}

// Persisting where the files are closed is an error, and loses nothing.
void closed_files()
{
    const std::string directory = new_directory("closed");
    Index index(&space, 100, 4, 20, 1, false, false, true, directory);
    add(index, 0, 10);
    index.closePersistentIndex();
    CHECK(thrown([&] { index.persistDirty(); }) == "persistDirty called for an index that has not opened its file handles");
    index.openPersistentIndex();
    index.persistDirty();
    CHECK(Index(&space, directory, false, 0, false, false, true).getCurrentElementCount() == 10);
}

// The index in buffers of the host's, and back.
void buffers()
{
    const std::string directory = new_directory("buffers");
    Index index(&space, 100, 4, 20, 1, false, true, true, directory);
    add(index, 0, 80);
    index.persistDirty();
    std::vector<char> header(index.getRequiredHeaderSize()), records(index.getRequiredDataLevel0Size()),
        lengths(index.getRequiredLengthSize()), lists(index.getRequiredLinkListSize());
    hnswlib::HnswDataMut data(header.data(), header.size(), records.data(), records.size(), lengths.data(), lengths.size(),
                              lists.data(), lists.size());
    CHECK(index.serializeToHnswData(&data) == &data && data.matchesWithDirectory(directory));
    Index opened(&space, data.getView(), false, 0, false, true);
    CHECK(opened.getCurrentElementCount() == 80 && opened.getDataByLabel<float>(5) == index.getDataByLabel<float>(5));
    hnswlib::memistream streams[4] = {{header.data(), header.size()}, {records.data(), records.size()},
                                      {lengths.data(), lengths.size()}, {lists.data(), lists.size()}};
    hnswlib::InputPersistenceStreams inputs;
    inputs.header = &streams[0], inputs.data_level0 = &streams[1];
    inputs.length = &streams[2], inputs.link_lists = &streams[3];
    Index streamed(&space);
    streamed.readPersistedIndexFromStreams(&space, inputs);
    CHECK(streamed.getCurrentElementCount() == 80 && streamed.getLabelCounts().first == 80);
    data.length_size = 3;
    CHECK(thrown([&] { index.serializeToHnswData(&data); }) == "Length buffer too small");
    data.length_size = lengths.size();
    header[0] = 9;
    CHECK(thrown([&] { Index(&space, data.getView()); }) == "Cannot read persisted index: wrong persistence version");
}

} // namespace

int main()
{
    char name[FILES_PATH];
    files_enter(name);
    folder = name;
    a_label_stands_once();
    adds_among_deleted_elements();
    searches_beside_adds();
    an_add_that_throws_is_undone();
    resize_to_nothing();
    an_empty_index_keeps_its_capacity();
    too_few_links();
    loading_over_an_index();
    lies_in_a_file();
    saving_where_nothing_can_be_saved();
    stop_conditions_return_labels();
    documents_at_equal_distances();
    parameters_of_any_kind();
    integrity_is_checked();
    brute_force_finds_all();
    brute_force_removes();
    brute_force_loads();
    a_missing_directory_is_an_error();
    everything_that_changed_is_persisted();
    nothing_of_the_heap_gets_out();
    an_index_in_memory_is_not_persisted();
    closed_files();
    buffers();
    files_leave(name);
    return 0;
}
