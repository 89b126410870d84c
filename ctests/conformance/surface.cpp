// Names every public member that a host can name, with the type it has, and uses it once. Compiled with hnswlib 0.8.0's
// headers (CONFORMANCE_ORIGINAL, SURFACE_HNSWLIB), with chroma-hnswlib 0.7.1's (CONFORMANCE_ORIGINAL, SURFACE_CHROMA), and
// with include/hnswlib, which has all of it (both, and SURFACE_CHROMA_082).
#include "hnswlib.h"
#include "hnswalg.h"
#include "bruteforce.h"
#include "space_l2.h"
#include "space_ip.h"
#include "visited_list_pool.h"
#ifdef SURFACE_HNSWLIB
#include "stop_condition.h"
#endif

#include <stdio.h>
#include <sstream>
#include <type_traits>

namespace
{

typedef hnswlib::HierarchicalNSW<float> Index;
typedef hnswlib::BruteforceSearch<float> Rows;

int failures = 0;

void check(bool good, int line)
{
    if (!good)
        printf("surface.cpp:%d failed\n", line);
    failures += !good;
}
#define CHECK(...) check((__VA_ARGS__), __LINE__)
#define SAME(type, ...) static_assert(std::is_same<type, __VA_ARGS__>::value, "another type")
// A member that a host may take the address of and assign to.
#define LVALUE(type, object, member) \
    do { \
        SAME(type, decltype((object).member)); \
        type &place = (object).member; \
        (void)place; \
    } while (0)

void typedefs()
{
    SAME(size_t, hnswlib::labeltype);
    SAME(unsigned int, hnswlib::tableint);
    SAME(unsigned int, hnswlib::linklistsizeint);
    SAME(unsigned short int, hnswlib::vl_type);
    SAME(float (*)(const void *, const void *, const void *), hnswlib::DISTFUNC<float>);
    CHECK(hnswlib::pairGreater<std::pair<int, int>>()(std::make_pair(2, 0), std::make_pair(1, 0)));
    std::stringstream stream;
    int written = 7, read = 0;
    hnswlib::writeBinaryPOD(stream, written);
    hnswlib::readBinaryPOD(stream, read);
    CHECK(read == 7);
#ifdef SURFACE_HNSWLIB
    HNSWERR << "";
#endif
#ifdef USE_SSE
    int32_t registers[4];
    cpuid(registers, 0, 0);
    (void)xgetbv;
    (void)AVXCapable();
    (void)AVX512Capable();
    float PORTABLE_ALIGN32 aligned[8] = {0};
    float PORTABLE_ALIGN64 more[16] = {0};
    CHECK(reinterpret_cast<uintptr_t>(aligned) % 32 == 0 && reinterpret_cast<uintptr_t>(more) % 64 == 0);
    CHECK(_XCR_XFEATURE_ENABLED_MASK == 0);
#endif
}

void kernels()
{
    const float a[16] = {1, 2}, b[16] = {3, 5};
    const unsigned char x[4] = {1, 2, 3, 4}, y[4] = {4, 3, 2, 1};
    size_t dim = 16, four = 4;
    hnswlib::DISTFUNC<float> all[] = {
        hnswlib::L2Sqr,
#ifdef USE_SSE
        hnswlib::L2SqrSIMD16ExtSSE, hnswlib::L2SqrSIMD16Ext, hnswlib::L2SqrSIMD16ExtResiduals, hnswlib::L2SqrSIMD4Ext,
        hnswlib::L2SqrSIMD4ExtResiduals,
#endif
#ifdef USE_AVX
        hnswlib::L2SqrSIMD16ExtAVX,
#endif
#ifdef USE_AVX512
        hnswlib::L2SqrSIMD16ExtAVX512,
#endif
    };
    for (hnswlib::DISTFUNC<float> function : all)
        CHECK(function(a, b, &dim) == 13);
    hnswlib::DISTFUNC<float> products[] = {
        hnswlib::InnerProductDistance,
#ifdef USE_SSE
        hnswlib::InnerProductDistanceSIMD16ExtSSE, hnswlib::InnerProductDistanceSIMD16Ext,
        hnswlib::InnerProductDistanceSIMD16ExtResiduals, hnswlib::InnerProductDistanceSIMD4ExtSSE,
        hnswlib::InnerProductDistanceSIMD4Ext, hnswlib::InnerProductDistanceSIMD4ExtResiduals,
#endif
#ifdef USE_AVX
        hnswlib::InnerProductDistanceSIMD16ExtAVX, hnswlib::InnerProductDistanceSIMD4ExtAVX,
#endif
#ifdef USE_AVX512
        hnswlib::InnerProductDistanceSIMD16ExtAVX512,
#endif
    };
    for (hnswlib::DISTFUNC<float> function : products)
        CHECK(function(a, b, &dim) == -12);
    hnswlib::DISTFUNC<float> dots[] = {
        hnswlib::InnerProduct,
#ifdef USE_SSE
        hnswlib::InnerProductSIMD16ExtSSE, hnswlib::InnerProductSIMD16Ext, hnswlib::InnerProductSIMD4ExtSSE,
        hnswlib::InnerProductSIMD4Ext,
#endif
#ifdef USE_AVX
        hnswlib::InnerProductSIMD16ExtAVX, hnswlib::InnerProductSIMD4ExtAVX,
#endif
#ifdef USE_AVX512
        hnswlib::InnerProductSIMD16ExtAVX512,
#endif
    };
    for (hnswlib::DISTFUNC<float> function : dots)
        CHECK(function(a, b, &dim) == 13);
#ifdef USE_SSE
    hnswlib::L2SqrSIMD16Ext = hnswlib::L2SqrSIMD16ExtSSE; // selectors are variables
    hnswlib::InnerProductSIMD16Ext = hnswlib::InnerProductSIMD16ExtSSE;
    hnswlib::InnerProductSIMD4Ext = hnswlib::InnerProductSIMD4ExtSSE;
    hnswlib::InnerProductDistanceSIMD16Ext = hnswlib::InnerProductDistanceSIMD16ExtSSE;
    hnswlib::InnerProductDistanceSIMD4Ext = hnswlib::InnerProductDistanceSIMD4ExtSSE;
#endif
    CHECK(hnswlib::L2SqrI(x, y, &four) == 20 && hnswlib::L2SqrI4x(x, y, &four) == 20);
}

void spaces()
{
    hnswlib::L2Space l2(3);
    hnswlib::InnerProductSpace inner_product(3);
    hnswlib::L2SpaceI bytes(3);
    hnswlib::SpaceInterface<float> *floats[] = {&l2, &inner_product};
    hnswlib::SpaceInterface<int> *integers = &bytes;
    for (hnswlib::SpaceInterface<float> *space : floats)
        CHECK(space->get_data_size() == 12 && *static_cast<size_t *>(space->get_dist_func_param()) == 3);
    CHECK(integers->get_data_size() == 3 && integers->get_dist_func() != nullptr);
    SAME(hnswlib::DISTFUNC<float>, decltype(l2.get_dist_func()));
    SAME(hnswlib::DISTFUNC<int>, decltype(bytes.get_dist_func()));
}

void visited_lists()
{
    hnswlib::VisitedListPool pool(2, 10);
    hnswlib::VisitedList *list = pool.getFreeVisitedList();
    LVALUE(hnswlib::vl_type, *list, curV);
    LVALUE(hnswlib::vl_type *, *list, mass);
    LVALUE(unsigned int, *list, numelements);
    list->reset();
    pool.releaseVisitedList(list);
    hnswlib::VisitedList own(5);
    CHECK(own.numelements == 5);
}

// Everything that both libraries' class has.
void fields(Index &index)
{
    LVALUE(size_t, index, max_elements_);
    LVALUE(std::atomic<size_t>, index, cur_element_count);
    LVALUE(size_t, index, size_data_per_element_);
    LVALUE(size_t, index, size_links_per_element_);
    LVALUE(std::atomic<size_t>, index, num_deleted_);
    LVALUE(size_t, index, M_);
    LVALUE(size_t, index, maxM_);
    LVALUE(size_t, index, maxM0_);
    LVALUE(size_t, index, ef_construction_);
    LVALUE(size_t, index, ef_);
    LVALUE(double, index, mult_);
    LVALUE(double, index, revSize_);
    LVALUE(int, index, maxlevel_);
    LVALUE(std::mutex, index, global);
    LVALUE(hnswlib::tableint, index, enterpoint_node_);
    LVALUE(size_t, index, size_links_level0_);
    LVALUE(size_t, index, offsetData_);
    LVALUE(size_t, index, offsetLevel0_);
    LVALUE(size_t, index, label_offset_);
    LVALUE(char *, index, data_level0_memory_);
    LVALUE(char **, index, linkLists_);
    LVALUE(size_t, index, data_size_);
    LVALUE(hnswlib::DISTFUNC<float>, index, fstdistfunc_);
    LVALUE(void *, index, dist_func_param_);
    LVALUE(std::mutex, index, label_lookup_lock);
    LVALUE(std::default_random_engine, index, level_generator_);
    LVALUE(std::default_random_engine, index, update_probability_generator_);
    LVALUE(std::atomic<long>, index, metric_distance_computations);
    LVALUE(std::atomic<long>, index, metric_hops);
    LVALUE(bool, index, allow_replace_deleted_);
    LVALUE(std::mutex, index, deleted_elements_lock);
    SAME(const hnswlib::tableint, decltype(Index::MAX_LABEL_OPERATION_LOCKS));
    SAME(const unsigned char, decltype(Index::DELETE_MARK));
    CHECK(Index::MAX_LABEL_OPERATION_LOCKS == 65536 && Index::DELETE_MARK == 1);
    CHECK(Index::CompareByFirst()(std::make_pair(1.0f, 2u), std::make_pair(2.0f, 1u)));

    // Containers, as hosts use them.
    CHECK(index.label_op_locks_.size() == 65536 && index.link_list_locks_.size() == index.max_elements_);
    std::unique_lock<std::mutex> one(index.label_op_locks_[1]), two(index.link_list_locks_[1]);
    CHECK(index.element_levels_.size() == index.max_elements_ && index.element_levels_.data() == &index.element_levels_[0]);
    const Index &constant = index;
    for (auto entry : constant.label_lookup_)
        CHECK(constant.label_lookup_.find(entry.first) != constant.label_lookup_.end() && entry.second < index.max_elements_);
    auto copy = constant.label_lookup_;
    std::unordered_map<hnswlib::labeltype, hnswlib::tableint> map(copy.begin(), copy.end());
    CHECK(map.size() == constant.label_lookup_.size() && constant.label_lookup_.count(1) == 1);
    for (hnswlib::tableint id : index.deleted_elements)
        CHECK(index.isMarkedDeleted(id));
    hnswlib::VisitedList *list = index.visited_list_pool_->getFreeVisitedList();
    CHECK(list->numelements == index.max_elements_);
    index.visited_list_pool_->releaseVisitedList(list);
}

void methods(Index &index, hnswlib::SpaceInterface<float> &space)
{
    const float x[4] = {1, 2, 3, 4}, y[4] = {2, 3, 4, 5};
    hnswlib::AlgorithmInterface<float> *interface = &index;
    interface->addPoint(x, 1);
    interface->addPoint(x, 2, false);
    SAME(hnswlib::tableint, decltype(index.addPoint(y, 3, 2)));
    SAME(void, decltype(index.addPoint(y, 3, true)));
    index.addPoint(y, 3, 2);
    index.addPoint(y, 4);
    SAME(std::priority_queue<std::pair<float, hnswlib::labeltype>>, decltype(interface->searchKnn(x, 1)));
    SAME(std::vector<std::pair<float, hnswlib::labeltype>>, decltype(interface->searchKnnCloserFirst(x, 1)));
    hnswlib::BaseFilterFunctor filter;
    CHECK(filter(1) && interface->searchKnn(x, 2, &filter).size() == 2 && index.searchKnnCloserFirst(x, 2).size() == 2);
    index.setEf(20);
    CHECK(&index.getLabelOpMutex(1) == &index.label_op_locks_[1]);
    CHECK(index.getExternalLabel(0) == 1 && *index.getExternalLabeLp(0) == 1);
    index.setExternalLabel(0, 1);
    CHECK(memcmp(index.getDataByInternalId(0), x, sizeof x) == 0);
    CHECK(index.getRandomLevel(index.mult_) >= 0);
    CHECK(index.getMaxElements() == index.max_elements_ && index.getCurrentElementCount() == 4);
    index.markDelete(2);
    CHECK(index.getDeletedCount() == 1);
    index.unmarkDelete(2);
    index.markDeletedInternal(1);
    index.unmarkDeletedInternal(1);
    CHECK(!index.isMarkedDeleted(1));

    auto heap = index.searchBaseLayer(0, x, 0);
    SAME(hnswlib::tableint, decltype(heap.top().second));
    index.getNeighborsByHeuristic2(heap, 8);
    CHECK(index.get_linklist0(0) == index.get_linklist_at_level(0, 0));
    CHECK(index.get_linklist0(0, index.data_level0_memory_) == index.get_linklist0(0));
    CHECK(index.get_linklist(2, 1) == index.get_linklist_at_level(2, 1));
    hnswlib::linklistsizeint *list = index.get_linklist0(0);
    index.setListCount(list, index.getListCount(list));
    SAME(unsigned short, decltype(index.getListCount(list)));
    auto again = index.searchBaseLayer(0, x, 0), others = decltype(again)();
    for (; !again.empty(); again.pop()) {
        if (again.top().second != 0)
            others.push(again.top());
    }
    auto with_itself = index.searchBaseLayer(0, x, 0);
    try {
        index.mutuallyConnectNewElement(x, 0, with_itself, 0, true);
        CHECK(false);
    } catch (const std::runtime_error &error) {
        CHECK(std::string(error.what()) == "Trying to connect an element to itself");
    }
    SAME(hnswlib::tableint, decltype(index.mutuallyConnectNewElement(x, 0, others, 0, true)));
    index.mutuallyConnectNewElement(x, 0, others, 0, true);
    index.updatePoint(x, 0, 1.0);
    index.repairConnectionsForUpdate(x, index.enterpoint_node_, 0, 0, index.maxlevel_);
    SAME(std::vector<hnswlib::tableint>, decltype(index.getConnectionsWithLock(0, 0)));
    index.getConnectionsWithLock(0, 0);
    SAME(std::vector<float>, decltype(index.getDataByLabel<float>(1)));
    CHECK(index.getDataByLabel<float>(1).size() == 4);
    index.resizeIndex(30);
    index.saveIndex("surface.index");
    {
        hnswlib::AlgorithmInterface<float> *loaded = new Index(&space, "surface.index");
        delete loaded;
        Index empty(&space);
        empty.loadIndex("surface.index", &space);
        empty.loadIndex("surface.index", &space, 50);
        Index capacity(&space, std::string("surface.index"), false, 60, true);
        CHECK(empty.max_elements_ == 50 && capacity.max_elements_ == 60 && capacity.allow_replace_deleted_);
    }
    remove("surface.index");
}

void brute_force()
{
    hnswlib::L2Space space(2);
    Rows rows(&space, 10);
    const float x[2] = {1, 2};
    LVALUE(char *, rows, data_);
    LVALUE(size_t, rows, maxelements_);
    LVALUE(size_t, rows, cur_element_count);
    LVALUE(size_t, rows, size_per_element_);
    LVALUE(size_t, rows, data_size_);
    LVALUE(hnswlib::DISTFUNC<float>, rows, fstdistfunc_);
    LVALUE(void *, rows, dist_func_param_);
    LVALUE(std::mutex, rows, index_lock);
    SAME(std::unordered_map<hnswlib::labeltype, size_t>, decltype(rows.dict_external_to_internal));
    hnswlib::AlgorithmInterface<float> *interface = &rows;
    interface->addPoint(x, 1);
    interface->addPoint(x, 2, true);
    CHECK(interface->searchKnn(x, 1).size() == 1 && rows.searchKnnCloserFirst(x, 2).size() == 2);
    rows.removePoint(1);
    rows.saveIndex("surface.rows");
    Rows loaded(&space, "surface.rows"), later(&space);
    later.loadIndex("surface.rows", &space);
    CHECK(loaded.cur_element_count == 1 && later.maxelements_ == 10);
    remove("surface.rows");
}

#ifdef SURFACE_HNSWLIB
class Stop : public hnswlib::BaseSearchStopCondition<float> {
public:
    void add_point_to_result(hnswlib::labeltype, const void *, float) override {}
    void remove_point_from_result(hnswlib::labeltype, const void *, float) override {}
    bool should_stop_search(float, float) override { return true; }
    bool should_consider_candidate(float, float) override { return true; }
    bool should_remove_extra() override { return false; }
    void filter_results(std::vector<std::pair<float, hnswlib::labeltype>> &) override {}
};

void hnswlib_only(Index &index)
{
    const float x[4] = {1, 2, 3, 4};
    Stop stop;
    SAME(std::vector<std::pair<float, hnswlib::labeltype>>, decltype(index.searchStopConditionClosest(x, stop)));
    index.searchStopConditionClosest(x, stop);
    index.searchBaseLayerST(0, x, 4);
    index.searchBaseLayerST<true>(0, x, 4);
    index.searchBaseLayerST<false, true>(0, x, 4, nullptr, nullptr);
    index.checkIntegrity();
    CHECK(index.indexFileSize() > 0);
    CHECK(index.visited_list_pool_.get() != nullptr);

    hnswlib::MultiVectorL2Space<unsigned> l2(4);
    hnswlib::MultiVectorInnerProductSpace<uint64_t> inner_product(4);
    hnswlib::BaseMultiVectorSpace<unsigned> &base = l2;
    char record[64] = {0};
    base.set_doc_id(record, 9);
    CHECK(base.get_doc_id(record) == 9 && l2.get_data_size() == 20 && inner_product.get_data_size() == 24);
    inner_product.set_doc_id(record, 10);
    CHECK(inner_product.get_doc_id(record) == 10);
    hnswlib::MultiVectorSearchStopCondition<unsigned, float> documents(base, 2), with_ef(base, 2, 5);
    hnswlib::EpsilonSearchStopCondition<float> epsilon(1.0f, 1, 5);
    index.searchStopConditionClosest(x, epsilon);
    index.clear();
    CHECK(index.cur_element_count == 0);
}
#endif

#ifdef SURFACE_CHROMA
void chroma_only(hnswlib::L2Space &space)
{
    float x[4] = {1, 2, 3, 4}, y[4];
    Index index(&space, 10, 4, 20, 100, false, true, false, "");
    LVALUE(char *, index, length_memory_);
    LVALUE(bool, index, normalize_);
    LVALUE(bool, index, persist_on_write_);
    LVALUE(std::string, index, persist_location_);
    LVALUE(std::mutex, index, elements_to_persist_lock_);
    LVALUE(std::ofstream, index, output_header_);
    LVALUE(std::ofstream, index, output_data_level0_);
    LVALUE(std::ofstream, index, output_length_);
    LVALUE(std::ofstream, index, output_link_lists_);
    CHECK(index.normalize_vector(x, y, 4) > 5 && y[0] < 1);
    index.addPoint(x, 1);
    index.markElementToPersist(0);
    index.elements_to_persist_.insert(0);
    CHECK(index.elements_to_persist_.size() <= 1);
    CHECK(index.getHeaderLocation() == "/header.bin" && index.getDataLevel0Location() == "/data_level0.bin");
    CHECK(index.getLengthLocation() == "/length.bin" && index.getLinkListLocation() == "/link_lists.bin");
    CHECK(hnswlib::PERSISTENCE_VERSION == 1);
    (void)&Index::setupPersistentIndexFileHandles;
    (void)&Index::closePersistentIndexFileHandles;
    (void)&Index::initPersistentIndex;
    (void)&Index::persistDirty;
    (void)&Index::loadPersistedIndex;
    (void)&Index::loadDeleted;
    (void)&Index::loadLinkLists;
    try {
        std::ofstream stream;
        index.persistHeader(stream);
        CHECK(false);
    } catch (const std::runtime_error &) {
    }
    try {
        Index(&space, "surface.missing", false, 10, false, true, true);
        CHECK(false);
    } catch (const std::runtime_error &) {
    }
}
#endif

#ifdef SURFACE_CHROMA_082
#define FIELD(name) +1
void chroma_082_only(hnswlib::L2Space &space)
{
    const float x[4] = {1, 2, 3, 4};
    Index index(&space, 10, 4, 20, 100, false, false);
    index.addPoint(x, 1);
    CHECK((0 HEADER_FIELDS(FIELD)) == 13);
    LVALUE(bool, index, _persist_file_handles_opened);
    index.openPersistentIndex();
    index.closePersistentIndex();
    SAME(std::pair<size_t, size_t>, decltype(index.getLabelCounts()));
    SAME(std::pair<std::vector<hnswlib::labeltype>, std::vector<hnswlib::labeltype>>, decltype(index.getAllLabels()));
    CHECK(index.getLabelCounts().first == 1 && index.getAllLabels().first[0] == 1);
    CHECK(index.getRequiredHeaderSize() == 100 && index.getRequiredDataLevel0Size() > 0 && index.getRequiredLengthSize() == 40);
    CHECK(index.getRequiredLinkListSize() >= 4);
    SAME(hnswlib::HnswData<char>, hnswlib::HnswDataMut);
    SAME(hnswlib::HnswData<const char>, hnswlib::HnswDataView);
    std::vector<char> bytes(5000);
    hnswlib::HnswDataMut data;
    data.header_buffer = &bytes[0], data.header_size = 100;
    data.data_level0_buffer = &bytes[100], data.data_level0_size = index.getRequiredDataLevel0Size();
    data.length_buffer = &bytes[4000], data.length_size = 40;
    data.link_list_buffer = &bytes[4100], data.link_list_size = index.getRequiredLinkListSize();
    SAME(hnswlib::HnswDataMut *, decltype(index.serializeToHnswData(&data)));
    index.serializeToHnswData(&data);
    const hnswlib::HnswDataView view = data.getView();
    Index loaded(&space, view), more(&space, view, false, 20, true, false);
    CHECK(loaded.cur_element_count == 1 && more.max_elements_ == 20);
    loaded.loadPersistedIndexFromMemory(&space, view, 30);
    hnswlib::memistream header(view.header_buffer, view.header_size), records(view.data_level0_buffer, view.data_level0_size),
        lengths(view.length_buffer, view.length_size), lists(view.link_list_buffer, view.link_list_size);
    hnswlib::in_membuf buffer(view.header_buffer, view.header_size);
    CHECK(buffer.sgetc() == 1);
    hnswlib::InputPersistenceStreams streams;
    streams.header = &header, streams.data_level0 = &records, streams.length = &lengths, streams.link_lists = &lists;
    loaded.readPersistedIndexFromStreams(&space, streams, 40);
    CHECK(loaded.max_elements_ == 40 && loaded.searchKnn(x, 1).top().second == 1);
}
#endif

} // namespace

int main()
{
    typedefs();
    kernels();
    spaces();
    visited_lists();
    brute_force();
    hnswlib::L2Space space(4);
    Index index(&space, 20), with_all(&space, 20, 8, 50, 7, true);
    CHECK(index.M_ == 16 && index.ef_construction_ == 200 && with_all.allow_replace_deleted_);
    methods(index, space);
    fields(index);
#ifdef SURFACE_HNSWLIB
    hnswlib_only(index);
#endif
#ifdef SURFACE_CHROMA
    chroma_only(space);
#endif
#ifdef SURFACE_CHROMA_082
    chroma_082_only(space);
#endif
    return failures != 0;
}
