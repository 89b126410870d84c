// HierarchicalNSW: hnswlib's class, with its records and links inside libhnx (hnx_graph in hnx.h).
//
// Labels, locks and deleted elements are C++ containers here, as hosts expect them; records, upper-level lists and levels
// are libhnx's memory in hnswlib's layout, and their addresses never change, also when the index is resized.
#pragma once

#include "glue.h"
#include "hnsw_data.h"
#include "interfaces.h"
#include "views.h"

namespace hnswlib
{
inline namespace libhnx
{

const int PERSISTENCE_VERSION = 1; // of chroma-hnswlib's directories

// The fields of a file's header, in their order.
#define HEADER_FIELDS(ACTION) \
    ACTION(offsetLevel0_) \
    ACTION(max_elements_) \
    ACTION(cur_element_count) \
    ACTION(size_data_per_element_) \
    ACTION(label_offset_) \
    ACTION(offsetData_) \
    ACTION(maxlevel_) \
    ACTION(enterpoint_node_) \
    ACTION(maxM_) \
    ACTION(maxM0_) \
    ACTION(M_) \
    ACTION(mult_) \
    ACTION(ef_construction_)

// Threads: adds, updates, deletions and searches may run at once, on any threads; saving and persisting beside searches
// and adds. Constructing, loading, resizing, clear() and writing to fields or raw memory have the index to themselves.
template <typename dist_t> class HierarchicalNSW : public AlgorithmInterface<dist_t> {
    typedef glue::Call<dist_t> Call;

public:
    static const tableint MAX_LABEL_OPERATION_LOCKS = 65536;
    static const unsigned char DELETE_MARK = 0x01;

    struct CompareByFirst {
        constexpr bool operator()(std::pair<dist_t, tableint> const &a, std::pair<dist_t, tableint> const &b) const noexcept
        {
            return a.first < b.first;
        }
    };
    // Found elements by internal id, farthest on top.
    typedef std::priority_queue<std::pair<dist_t, tableint>, std::vector<std::pair<dist_t, tableint>>, CompareByFirst> Heap;
    // Found elements by label, farthest on top.
    typedef std::priority_queue<std::pair<dist_t, labeltype>> Results;

    size_t max_elements_{0};
    mutable std::atomic<size_t> cur_element_count{0}; // deleted ones included
    size_t size_data_per_element_{0};
    size_t size_links_per_element_{0};
    mutable std::atomic<size_t> num_deleted_{0};
    size_t M_{0};
    size_t maxM_{0};
    size_t maxM0_{0};
    size_t ef_construction_{0};
    size_t ef_{0}; // read by each search

    double mult_{0.0}, revSize_{0.0};
    alignas(8) int maxlevel_{0}; // with enterpoint_node_ one word, which libhnx reads and writes as such
    tableint enterpoint_node_{0};

    glue::LazyPool visited_list_pool_;
    mutable std::vector<std::mutex> label_op_locks_{MAX_LABEL_OPERATION_LOCKS};
    std::mutex global;
    glue::ElementLocks link_list_locks_;

    size_t size_links_level0_{0};
    size_t offsetData_{0}, offsetLevel0_{0}, label_offset_{0};

    char *data_level0_memory_{nullptr};
    char *length_memory_{nullptr}; // a float per element, 0 unless normalize_
    char **linkLists_{nullptr};
    glue::Levels element_levels_;

    size_t data_size_{0};
    DISTFUNC<dist_t> fstdistfunc_{nullptr};
    void *dist_func_param_{nullptr};

    mutable std::mutex label_lookup_lock;
    std::unordered_map<labeltype, tableint> label_lookup_;

    std::default_random_engine level_generator_;
    std::default_random_engine update_probability_generator_;

    mutable std::atomic<long> metric_distance_computations{0}; // above level 0
    mutable std::atomic<long> metric_hops{0};

    bool allow_replace_deleted_ = false;
    bool normalize_ = false;

    std::mutex deleted_elements_lock;
    std::unordered_set<tableint> deleted_elements; // where deleted elements may be replaced, their internal ids

    // chroma-hnswlib's persistent index. The streams are never open: libhnx writes the files.
    bool persist_on_write_ = false;
    std::string persist_location_;
    std::mutex elements_to_persist_lock_;
    glue::DirtyElements elements_to_persist_;
    std::ofstream output_header_, output_data_level0_, output_length_, output_link_lists_;
    bool _persist_file_handles_opened = false;

    // ------------------------------------------------------------------------------------------------ making and loading

    // loadIndex() makes it usable.
    HierarchicalNSW(SpaceInterface<dist_t> *) {}

    // Opens a file of either library. nmslib is not used. Errors: see loadIndex().
    HierarchicalNSW(SpaceInterface<dist_t> *s, const std::string &location, bool nmslib = false, size_t max_elements = 0,
                    bool allow_replace_deleted = false)
        : allow_replace_deleted_(allow_replace_deleted)
    {
        (void)nmslib;
        loadIndex(location, s, max_elements);
    }

    // chroma-hnswlib's: with persist_on_write, location is a directory.
    HierarchicalNSW(SpaceInterface<dist_t> *s, const std::string &location, bool nmslib, size_t max_elements,
                    bool allow_replace_deleted, bool normalize, bool persist_on_write = false)
        : allow_replace_deleted_(allow_replace_deleted), normalize_(normalize), persist_on_write_(persist_on_write),
          persist_location_(location), chroma_(true)
    {
        (void)nmslib;
        if (persist_on_write_)
            loadPersistedIndex(s, max_elements);
        else
            loadIndex(location, s, max_elements);
    }

    // chroma-hnswlib's: opens an index from the contents of a directory's files.
    HierarchicalNSW(SpaceInterface<dist_t> *s, const HnswDataView &buffers, bool nmslib = false, size_t max_elements = 0,
                    bool allow_replace_deleted = false, bool normalize = false)
        : allow_replace_deleted_(allow_replace_deleted), normalize_(normalize), chroma_(true)
    {
        (void)nmslib;
        loadPersistedIndexFromMemory(s, buffers, max_elements);
    }

    // An empty index. Throws std::runtime_error when memory is short.
    HierarchicalNSW(SpaceInterface<dist_t> *s, size_t max_elements, size_t M = 16, size_t ef_construction = 200,
                    size_t random_seed = 100, bool allow_replace_deleted = false)
        : allow_replace_deleted_(allow_replace_deleted)
    {
        make(s, max_elements, M, ef_construction, random_seed);
    }

    // chroma-hnswlib's: normalize stores vectors at length 1 and keeps their lengths; persist_on_write makes
    // persist_location the directory of the index, in place of an index that is there.
    HierarchicalNSW(SpaceInterface<dist_t> *s, size_t max_elements, size_t M, size_t ef_construction, size_t random_seed,
                    bool allow_replace_deleted, bool normalize, bool persist_on_write = false,
                    const std::string &persist_location = "")
        : allow_replace_deleted_(allow_replace_deleted), normalize_(normalize), persist_on_write_(persist_on_write),
          persist_location_(persist_location), chroma_(true)
    {
        make(s, max_elements, M, ef_construction, random_seed);
        if (!persist_on_write_)
            return;
        Release release(*this);
        if (persist_location_.empty())
            throw std::runtime_error("persist_location_ is empty");
        initPersistentIndex();
        release.keep();
    }

    HierarchicalNSW(const HierarchicalNSW &) = delete;
    HierarchicalNSW &operator=(const HierarchicalNSW &) = delete;
    ~HierarchicalNSW() { hnx_graph_free(graph_); }

    // Frees all elements.
    void clear()
    {
        hnx_graph_free(graph_);
        show(nullptr);
        cur_element_count = 0;
        maxlevel_ = -1;
        enterpoint_node_ = static_cast<tableint>(-1);
        visited_list_pool_.reset();
        forget_labels();
    }

    // Opens what saveIndex() of either library wrote. max_elements_i: the capacity, if it is large enough for what is
    // there and not 0; else as stored. Throws std::runtime_error ("Cannot open file", "Index seems to be corrupted or
    // unsupported", "Not enough memory: ..."); the index is then what it was.
    void loadIndex(const std::string &location, SpaceInterface<dist_t> *s, size_t max_elements_i = 0)
    {
        load(s, max_elements_i, "Not enough memory: loadIndex failed to allocate level0", "Cannot open file",
             [&](const hnx_graph_options &options, hnx_graph **graph, hnx_graph_header *header) {
                 return hnx_graph_load(location.c_str(), &options, graph, header);
             });
    }

    // Makes room for so many elements, or takes room away that is not used. Nothing moves.
    void resizeIndex(size_t new_max_elements)
    {
        if (new_max_elements < cur_element_count)
            throw std::runtime_error("Cannot resize, max element is less than the current number of elements");
        if (graph_ && hnx_graph_resize(graph_, new_max_elements) != HNX_OK)
            throw std::runtime_error("Not enough memory: resizeIndex failed to allocate base layer");
        max_elements_ = new_max_elements;
        show(graph_);
        visited_list_pool_.reset(static_cast<long long>(new_max_elements));
    }

    // Bytes that saveIndex() writes in hnswlib's form.
    size_t indexFileSize() const
    {
        size_t size = FILE_HEADER;
        for (size_t id = 0; id < cur_element_count; id++)
            size += packed_size() + sizeof(linklistsizeint) + static_cast<size_t>(element_levels_[id]) * size_links_per_element_;
        return size;
    }

    // Writes a file as the library whose constructor was used writes it (as the file it came from, after loading): beside
    // its place, synced, then renamed. Throws std::runtime_error where hnswlib says nothing, when it cannot be written.
    void saveIndex(const std::string &location)
    {
        const hnx_graph_header header = file_header();
        if (!graph_)
            return glue::cannot_save("The index has nothing to save");
        const uint32_t format = chroma_ || normalize_ ? HNX_FORMAT_CHROMA : HNX_FORMAT_HNSWLIB;
        if (hnx_graph_save(graph_, location.c_str(), format, &header) != HNX_OK)
            glue::cannot_save(glue::last_error());
    }

    // ----------------------------------------------------------------------------------------------------------- adding

    // Adds a vector of data_size_ bytes (with normalize_, of floats), or updates the one of that label.
    //
    // replace_deleted puts it in the place of a deleted element, if there is one; a label that exists, deleted or not, gets
    // its own place. Throws std::runtime_error with hnswlib's words. An exception of the distance function passes
    // through; then nothing was added, or what was is deleted.
    void addPoint(const void *data_point, labeltype label, bool replace_deleted = false)
    {
        if (replace_deleted && !allow_replace_deleted_)
            throw std::runtime_error("Replacement of deleted elements is disabled in constructor");
        std::unique_lock<std::mutex> lock_label(getLabelOpMutex(label));
        if (!replace_deleted || !replace(data_point, label))
            add(data_point, label, -1);
    }

    // As addPoint(), on a level of one's own choice if it is above 0. Returns the internal id.
    tableint addPoint(const void *data_point, labeltype label, int level)
    {
        std::unique_lock<std::mutex> lock_label(getLabelOpMutex(label));
        return add(data_point, label, level);
    }

    // Gives an element another vector and relinks it; each neighbour is relinked with the given probability.
    void updatePoint(const void *dataPoint, tableint internalId, float updateNeighborProbability)
    {
        rewrite(dataPoint, internalId, getExternalLabel(internalId), updateNeighborProbability, false);
    }

    // ---------------------------------------------------------------------------------------------------------- deleting

    // Deletes a label: searches do not find it any more. Throws std::runtime_error ("Label not found").
    void markDelete(labeltype label) { with_id(label, [this](tableint id) { markDeletedInternal(id); }); }

    // Takes a deletion back.
    void unmarkDelete(labeltype label) { with_id(label, [this](tableint id) { unmarkDeletedInternal(id); }); }

    void markDeletedInternal(tableint internalId)
    {
        change_mark(internalId, true, "The requested to delete element is already deleted");
        num_deleted_ += 1;
        if (allow_replace_deleted_) {
            std::unique_lock<std::mutex> lock(deleted_elements_lock);
            deleted_elements.insert(internalId);
        }
    }

    void unmarkDeletedInternal(tableint internalId)
    {
        change_mark(internalId, false, "The requested to undelete element is not deleted");
        num_deleted_ -= 1;
        if (allow_replace_deleted_) {
            std::unique_lock<std::mutex> lock(deleted_elements_lock);
            deleted_elements.erase(internalId);
        }
    }

    // Takes no lock.
    bool isMarkedDeleted(tableint internalId) const
    {
        const unsigned char *flags = reinterpret_cast<unsigned char *>(get_linklist0(internalId)) + 2;
#if defined(__GNUC__)
        return (__atomic_load_n(flags, __ATOMIC_RELAXED) & DELETE_MARK) != 0;
#else
        return (*static_cast<const volatile unsigned char *>(flags) & DELETE_MARK) != 0;
#endif
    }

    // --------------------------------------------------------------------------------------------------------- searching

    void setEf(size_t ef) { ef_ = ef; }

    // The k nearest of those that are not deleted and pass the filter; farthest on top. Fewer if there are not so many.
    // The query is read as far as the distance function reads it. Exceptions of filter and distance pass through.
    Results searchKnn(const void *query_data, size_t k, BaseFilterFunctor *isIdAllowed = nullptr) const
    {
        Call call(fstdistfunc_, dist_func_param_);
        Results results;
        // Sorted, farthest first: a heap as it is.
        if (search_knn(call, query_data, k, isIdAllowed, Call::emit_farthest_first))
            glue::Inside<Results>::of(results) = std::move(call.labels);
        return results;
    }

    std::vector<std::pair<dist_t, labeltype>> searchKnnCloserFirst(const void *query_data, size_t k,
                                                                   BaseFilterFunctor *isIdAllowed = nullptr) const
    {
        Call call(fstdistfunc_, dist_func_param_);
        search_knn(call, query_data, k, isIdAllowed, Call::emit_nearest_first);
        return std::move(call.labels);
    }

    // What a stop condition keeps, nearest first, by label.
    std::vector<std::pair<dist_t, labeltype>> searchStopConditionClosest(const void *query_data,
                                                                         BaseSearchStopCondition<dist_t> &stop_condition,
                                                                         BaseFilterFunctor *isIdAllowed = nullptr) const
    {
        Call call(fstdistfunc_, dist_func_param_);
        if (cur_element_count == 0 || !graph_)
            return std::move(call.labels);
        hnx_graph_query query = hnx_graph_query();
        query.query = query_data;
        query.flags = HNX_GRAPH_DELETIONS;
        query.start = HNX_GRAPH_TOP;
        query.emit = Call::emit_nearest_first;
        call.filter = isIdAllowed;
        call.stop = &stop_condition;
        run(call, query);
        stop_condition.filter_results(call.labels);
        return std::move(call.labels);
    }

    // A vector as it was given (with normalize_, times its length). data_t: any type; as many are read as the space has
    // dimensions. Throws std::runtime_error ("Label not found"), also for a deleted one.
    template <typename data_t> std::vector<data_t> getDataByLabel(labeltype label) const
    {
        std::unique_lock<std::mutex> lock_label(getLabelOpMutex(label));
        std::unique_lock<std::mutex> lock_table(label_lookup_lock);
        const auto found = label_lookup_.find(label);
        if (found == label_lookup_.end() || isMarkedDeleted(found->second))
            throw std::runtime_error("Label not found");
        const tableint id = found->second;
        lock_table.unlock();
        const size_t most = data_size_ / sizeof(data_t);
        const size_t dim = dist_func_param_ ? *static_cast<const size_t *>(dist_func_param_) : most;
        std::vector<data_t> data(std::min(dim, most));
        if (!data.empty())
            memcpy(static_cast<void *>(data.data()), getDataByInternalId(id), data.size() * sizeof(data_t));
        scale(data, id, std::integral_constant<bool, std::is_arithmetic<data_t>::value>());
        return data;
    }

    // ------------------------------------------------------------------------------------------------- counts and labels

    size_t getMaxElements() { return max_elements_; }
    size_t getCurrentElementCount() { return cur_element_count; }
    size_t getDeletedCount() { return num_deleted_; }

    // Numbers of labels that are not deleted, and that are.
    std::pair<size_t, size_t> getLabelCounts() const
    {
        const auto labels = getAllLabels();
        return std::make_pair(labels.first.size(), labels.second.size());
    }

    // Labels that are not deleted, and that are.
    std::pair<std::vector<labeltype>, std::vector<labeltype>> getAllLabels() const
    {
        std::pair<std::vector<labeltype>, std::vector<labeltype>> labels;
        std::unique_lock<std::mutex> lock(label_lookup_lock);
        for (const auto &entry : label_lookup_)
            (isMarkedDeleted(entry.second) ? labels.second : labels.first).push_back(entry.first);
        return labels;
    }

    std::mutex &getLabelOpMutex(labeltype label) const { return label_op_locks_[label & (MAX_LABEL_OPERATION_LOCKS - 1)]; }

    // Prints the least and largest number of links to an element, and the number of links. Throws std::runtime_error when
    // a link leads nowhere, or twice to the same element.
    void checkIntegrity()
    {
        const size_t count = cur_element_count;
        int checked = 0;
        std::vector<int> inbound(count);
        for (size_t at = 0; at < count; at++) {
            const tableint id = static_cast<tableint>(at);
            for (int level = 0; level <= element_levels_[at]; level++) {
                linklistsizeint *list = get_linklist_at_level(id, level);
                const size_t size = getListCount(list);
                if (size > (level ? maxM_ : maxM0_))
                    throw std::runtime_error("HNSW Integrity failure: too many neighbors");
                std::unordered_set<tableint> seen;
                for (const tableint *link = list + 1; link != list + 1 + size; link++) {
                    if (*link >= count || *link == id)
                        throw std::runtime_error("HNSW Integrity failure: invalid neighbor index");
                    if (!seen.insert(*link).second)
                        throw std::runtime_error("HNSW Integrity failure: duplicate neighbor index");
                    inbound[*link]++;
                    checked++;
                }
            }
        }
        if (count > 1) {
            const auto ends = std::minmax_element(inbound.begin(), inbound.end());
            std::cout << "Min inbound: " << *ends.first << ", Max inbound:" << *ends.second << "\n";
        }
        std::cout << "integrity ok, checked " << checked << " connections\n";
    }

    // ------------------------------------------------------------------------------------------------------- raw memory

    labeltype getExternalLabel(tableint internal_id) const
    {
        labeltype label;
        memcpy(&label, getExternalLabeLp(internal_id), sizeof label);
        return label;
    }
    void setExternalLabel(tableint internal_id, labeltype label) const
    {
        memcpy(static_cast<void *>(getExternalLabeLp(internal_id)), &label, sizeof label);
    }
    labeltype *getExternalLabeLp(tableint internal_id) const
    {
        return static_cast<labeltype *>(static_cast<void *>(record(internal_id) + label_offset_));
    }
    char *getDataByInternalId(tableint internal_id) const { return record(internal_id) + offsetData_; }
    linklistsizeint *get_linklist0(tableint internal_id) const { return list_at(record(internal_id) + offsetLevel0_); }
    linklistsizeint *get_linklist0(tableint internal_id, char *data_level0_memory) const
    {
        return list_at(data_level0_memory + internal_id * size_data_per_element_ + offsetLevel0_);
    }
    linklistsizeint *get_linklist(tableint internal_id, int level) const
    {
        return list_at(linkLists_[internal_id] + static_cast<size_t>(level - 1) * size_links_per_element_);
    }
    linklistsizeint *get_linklist_at_level(tableint internal_id, int level) const
    {
        return level == 0 ? get_linklist0(internal_id) : get_linklist(internal_id, level);
    }
    unsigned short int getListCount(linklistsizeint *ptr) const
    {
        unsigned short int count;
        memcpy(&count, ptr, sizeof count);
        return count;
    }
    void setListCount(linklistsizeint *ptr, unsigned short int size) const { memcpy(ptr, &size, sizeof size); }

    // -------------------------------------------------------------------------------------------------- parts of adding

    int getRandomLevel(double reverse_size)
    {
        std::uniform_real_distribution<double> distribution(0.0, 1.0);
        return static_cast<int>(-std::log(distribution(level_generator_)) * reverse_size);
    }

    // The ef_construction_ nearest on one level, from ep_id.
    Heap searchBaseLayer(tableint ep_id, const void *data_point, int layer)
    {
        return search_layer(ep_id, data_point, layer, ef_construction_, HNX_GRAPH_DELETIONS, nullptr, nullptr);
    }

    // The ef nearest on level 0, from ep_id; a bare search looks neither at deletions nor at filter and stop condition.
    template <bool bare_bone_search = true, bool collect_metrics = false>
    Heap searchBaseLayerST(tableint ep_id, const void *data_point, size_t ef, BaseFilterFunctor *isIdAllowed = nullptr,
                           BaseSearchStopCondition<dist_t> *stop_condition = nullptr) const
    {
        if (bare_bone_search)
            return search_layer(ep_id, data_point, 0, ef, 0, nullptr, nullptr, collect_metrics);
        return search_layer(ep_id, data_point, 0, ef, HNX_GRAPH_DELETIONS, isIdAllowed, stop_condition, collect_metrics);
    }

    // Keeps at most M of the candidates, chosen as neighbours are.
    void getNeighborsByHeuristic2(Heap &top_candidates, const size_t M)
    {
        if (top_candidates.size() < M)
            return;
        Call call(fstdistfunc_, dist_func_param_);
        std::vector<hnx_hit> hits = drain(top_candidates);
        size_t count = hits.size();
        call.check(hnx_graph_select(graph_, hits.data(), &count, M, &call));
        for (size_t i = 0; i < count; i++)
            top_candidates.emplace(glue::Key<dist_t>::distance(hits[i].key), hits[i].id);
    }

    // Links an element to those chosen among the candidates, and them to it; the nearest of them.
    tableint mutuallyConnectNewElement(const void *, tableint cur_c, Heap &top_candidates, int level, bool isUpdate)
    {
        if (!isUpdate && *get_linklist_at_level(cur_c, level) != 0)
            throw std::runtime_error("The newly inserted element should have blank link list");
        Call call(fstdistfunc_, dist_func_param_);
        const std::vector<hnx_hit> hits = drain(top_candidates);
        for (const hnx_hit &hit : hits) {
            if (hit.id == cur_c)
                throw std::runtime_error("Trying to connect an element to itself");
        }
        tableint next = 0;
        call.check(hnx_graph_connect(graph_, cur_c, hits.data(), hits.size(), static_cast<uint32_t>(level), &call, &next));
        return next;
    }

    // Links an element anew, from the entry point down.
    void repairConnectionsForUpdate(const void *dataPoint, tableint entryPointInternalId, tableint dataPointInternalId,
                                    int dataPointLevel, int maxLevel)
    {
        if (dataPointLevel > maxLevel)
            throw std::runtime_error("Level of item to be updated cannot be bigger than max level");
        Call call(fstdistfunc_, dist_func_param_);
        hnx_graph_point point = point_for(call, getExternalLabel(dataPointInternalId));
        point.data = dataPoint;
        call.check(hnx_graph_repair(graph_, dataPointInternalId, &point, entryPointInternalId,
                                    static_cast<uint32_t>(dataPointLevel), static_cast<uint32_t>(maxLevel)));
    }

    // The neighbours of an element, as they stand.
    std::vector<tableint> getConnectionsWithLock(tableint internalId, int level)
    {
        Call call(fstdistfunc_, dist_func_param_);
        std::vector<tableint> links(maxM0_);
        size_t count = 0;
        call.check(hnx_graph_links(graph_, internalId, static_cast<uint32_t>(level), links.data(), links.size(), &count));
        links.resize(count);
        return links;
    }

    // ---------------------------------------------------------------------------------------- chroma-hnswlib's directory

    // norm_array receives data at length 1; returns the length.
    float normalize_vector(float *data, float *norm_array, size_t dim) { return hnx_normalize(data, dim, norm_array); }

    void markElementToPersist(tableint internal_id) { elements_to_persist_.insert(internal_id); }

    std::string getHeaderLocation() { return persist_location_ + "/header.bin"; }
    std::string getDataLevel0Location() { return persist_location_ + "/data_level0.bin"; }
    std::string getLengthLocation() { return persist_location_ + "/length.bin"; }
    std::string getLinkListLocation() { return persist_location_ + "/link_lists.bin"; }

    // libhnx opens the files when it writes them; what is open or closed here is only what persistDirty() asks for.
    void setupPersistentIndexFileHandles() { _persist_file_handles_opened = true; }
    void closePersistentIndexFileHandles() { _persist_file_handles_opened = false; }
    void openPersistentIndex() { _persist_file_handles_opened = _persist_file_handles_opened || persist_on_write_; }
    void closePersistentIndex() { _persist_file_handles_opened = _persist_file_handles_opened && !persist_on_write_; }

    // Makes persist_location_ the directory of the index, in place of one that is there.
    void initPersistentIndex()
    {
        if (!persist_on_write_)
            throw std::runtime_error("initPersistentIndex called for an index that is not set to persist on write");
        const hnx_graph_header header = file_header();
        Call call(fstdistfunc_, dist_func_param_);
        need_graph();
        call.check(hnx_graph_create_directory(graph_, persist_location_.c_str(), &header));
        openPersistentIndex();
    }

    // Writes what changed to the directory: see hnx_persist_dirty(). Throws std::runtime_error, also for an index without a
    // directory that holds something; the call can then be made again.
    void persistDirty()
    {
        if (elements_to_persist_.empty() && (persist_on_write_ ? !_persist_file_handles_opened : cur_element_count == 0))
            return;
        if (!persist_on_write_)
            throw std::runtime_error("persistDirty called for an index that is not set to persist on write");
        if (!_persist_file_handles_opened)
            throw std::runtime_error("persistDirty called for an index that has not opened its file handles");
        const hnx_graph_header header = file_header();
        Call call(fstdistfunc_, dist_func_param_);
        call.check(hnx_graph_persist_dirty(graph_, &header));
    }

    // Opens persist_location_; see loadIndex().
    void loadPersistedIndex(SpaceInterface<dist_t> *s, size_t max_elements_i = 0)
    {
        const std::pair<const char *, std::string> files[] = {{"Cannot open header file", getHeaderLocation()},
                                                              {"Cannot open data_level0 file", getDataLevel0Location()},
                                                              {"Cannot open length file", getLengthLocation()},
                                                              {"Cannot open link list file", getLinkListLocation()}};
        const auto missing = std::find_if(std::begin(files), std::end(files), [](const std::pair<const char *, std::string> &file) {
            return !std::ifstream(file.second, std::ios::binary).is_open();
        });
        if (missing == std::begin(files)) // no directory of an index, whatever else may be there
            throw std::runtime_error(missing->first);
        const char *words = missing == std::end(files) ? files[0].first : missing->first;
        load(s, max_elements_i, "Not enough memory: loadPersistedIndex failed to allocate level0", words,
             [&](const hnx_graph_options &options, hnx_graph **graph, hnx_graph_header *header) {
                 return hnx_graph_load(persist_location_.c_str(), &options, graph, header);
             });
        openPersistentIndex();
    }

    void persistHeader(std::ostream &output_header)
    {
        if (!persist_on_write_)
            throw std::runtime_error("persistHeader called for an index that is not set to persist on write");
        output_header.seekp(0, std::ios::beg);
        writeBinaryPOD(output_header, PERSISTENCE_VERSION);
#define HNX_WRITE_FIELD(field) writeBinaryPOD(output_header, field);
        HEADER_FIELDS(HNX_WRITE_FIELD)
#undef HNX_WRITE_FIELD
        output_header.flush();
    }

    // Reads the upper-level lists of all elements from what is in link_lists.bin, and takes the labels from the records.
    // Throws std::runtime_error when a list is not what it says, or memory is short; the lists before it are new then.
    void loadLinkLists(std::istream &input_link_list)
    {
        const size_t count = cur_element_count;
        for (size_t at = 0; at < count; at++) {
            label_lookup_[getExternalLabel(static_cast<tableint>(at))] = static_cast<tableint>(at);
            linklistsizeint size = 0;
            readBinaryPOD(input_link_list, size);
            const size_t levels = size / size_links_per_element_;
            if (!input_link_list || size % size_links_per_element_ != 0 || levels > MAX_LEVEL)
                throw std::runtime_error("Index seems to be corrupted or unsupported");
            char *lists = size ? static_cast<char *>(malloc(size)) : nullptr;
            if (size && !lists)
                throw std::runtime_error("Not enough memory: loadIndex failed to allocate linklist");
            if (size && !input_link_list.read(lists, static_cast<std::streamsize>(size))) {
                free(lists);
                throw std::runtime_error("Index seems to be corrupted or unsupported");
            }
            free(linkLists_[at]);
            linkLists_[at] = lists;
            element_levels_[at] = static_cast<int>(levels);
        }
    }

    // Recounts the deleted elements.
    void loadDeleted()
    {
        num_deleted_ = 0;
        deleted_elements.clear();
        const size_t count = cur_element_count;
        for (size_t at = 0; at < count; at++) {
            const tableint id = static_cast<tableint>(at);
            if (!isMarkedDeleted(id))
                continue;
            num_deleted_ += 1;
            if (allow_replace_deleted_)
                deleted_elements.insert(id);
        }
    }

    // ------------------------------------------------------------------------------------------- chroma-hnswlib's buffers

    size_t getRequiredHeaderSize() const { return sizeof(int) + FILE_HEADER; }
    size_t getRequiredDataLevel0Size() const { return max_elements_ * packed_size(); }
    size_t getRequiredLengthSize() const { return max_elements_ * sizeof(float); }
    size_t getRequiredLinkListSize() const
    {
        size_t size = 0;
        for (size_t id = 0; id < cur_element_count; id++)
            size += sizeof(linklistsizeint) + static_cast<size_t>(element_levels_[id]) * size_links_per_element_;
        return size;
    }

    // Writes the index to buffers of the caller's, as the four files of a directory; returns them. Throws
    // std::runtime_error when one is too small ("Header buffer too small", ...).
    HnswDataMut *serializeToHnswData(HnswDataMut *data) const
    {
        const std::pair<bool, const char *> checks[] = {
            {data->header_size >= getRequiredHeaderSize(), "Header buffer too small"},
            {data->data_level0_size >= getRequiredDataLevel0Size(), "Data level0 buffer too small"},
            {data->length_size >= getRequiredLengthSize(), "Length buffer too small"},
            {data->link_list_size >= getRequiredLinkListSize(), "Link list buffer too small"}};
        for (const auto &check : checks) {
            if (!check.first)
                throw std::runtime_error(check.second);
        }
        const hnx_graph_header header = file_header();
        const hnx_graph_buffers buffers = glue::buffers_of(*data);
        Call call(fstdistfunc_, dist_func_param_);
        call.check(hnx_graph_save_buffers(graph_, &header, &buffers));
        return data;
    }

    // Opens an index from such buffers, which are not used afterwards; see loadIndex().
    void loadPersistedIndexFromMemory(SpaceInterface<dist_t> *s, const HnswDataView &data, size_t max_elements_i = 0)
    {
        const hnx_graph_buffers buffers = glue::buffers_of(data);
        persist_on_write_ = false;
        load(s, max_elements_i, "Not enough memory: loadPersistedIndex failed to allocate level0",
             "Header stream is not in good state",
             [&](const hnx_graph_options &options, hnx_graph **graph, hnx_graph_header *header) {
                 return hnx_graph_load_buffers(&buffers, &options, graph, header);
             });
    }

    // Opens an index from streams over the contents of the four files.
    void readPersistedIndexFromStreams(SpaceInterface<dist_t> *s, InputPersistenceStreams &streams, size_t max_elements_i = 0)
    {
        std::string bytes[4];
        std::istream *const inputs[4] = {streams.header, streams.data_level0, streams.length, streams.link_lists};
        const char *const words[4] = {"Header stream is not in good state", "Data level0 stream is not in good state",
                                      "Length stream is not in good state", "Link list stream is not in good state"};
        for (int i = 0; i < 4; i++) {
            if (!inputs[i] || !inputs[i]->good())
                throw std::runtime_error(words[i]);
            bytes[i].assign(std::istreambuf_iterator<char>(*inputs[i]), std::istreambuf_iterator<char>());
        }
        HnswDataView data;
        data.header_buffer = bytes[0].data(), data.header_size = bytes[0].size();
        data.data_level0_buffer = bytes[1].data(), data.data_level0_size = bytes[1].size();
        data.length_buffer = bytes[2].data(), data.length_size = bytes[2].size();
        data.link_list_buffer = bytes[3].data(), data.link_list_size = bytes[3].size();
        loadPersistedIndexFromMemory(s, data, max_elements_i);
    }

private:
    static const size_t FILE_HEADER = 96;
    static const size_t MAX_LEVEL = 63; // of a record in libhnx

    hnx_graph *graph_ = nullptr;
    bool chroma_ = false;                 // made or stored as chroma-hnswlib does: lengths are in the file
    std::string why_no_graph_;            // when the library refused what the constructor was told
    std::mutex level_lock_, update_lock_; // for the generators

    static_assert(std::is_arithmetic<dist_t>::value, "distances are numbers");
    static_assert(sizeof(std::atomic<size_t>) == sizeof(size_t), "an atomic size_t is a size_t");

    // Frees the graph when a constructor throws.
    class Release {
        HierarchicalNSW *index_;

    public:
        explicit Release(HierarchicalNSW &index) : index_(&index) {}
        Release(const Release &) = delete;
        Release &operator=(const Release &) = delete;
        void keep() { index_ = nullptr; }
        ~Release()
        {
            if (index_)
                hnx_graph_free(index_->graph_);
        }
    };

    static linklistsizeint *list_at(char *bytes) { return static_cast<linklistsizeint *>(static_cast<void *>(bytes)); }
    char *record(tableint id) const { return data_level0_memory_ + id * size_data_per_element_; }
    // Bytes of a record in a file.
    size_t packed_size() const { return label_offset_ + sizeof(labeltype); }

    // ------------------------------------------------------------------------------------------------- making and loading

    void take(SpaceInterface<dist_t> *s)
    {
        data_size_ = s->get_data_size();
        fstdistfunc_ = s->get_dist_func();
        dist_func_param_ = s->get_dist_func_param();
    }

    void take_m(size_t m)
    {
        M_ = maxM_ = m;
        maxM0_ = 2 * m;
        size_links_level0_ = maxM0_ * sizeof(tableint) + sizeof(linklistsizeint);
        size_links_per_element_ = maxM_ * sizeof(tableint) + sizeof(linklistsizeint);
        offsetData_ = size_links_level0_;
        label_offset_ = offsetData_ + data_size_;
        size_data_per_element_ = packed_size();
        offsetLevel0_ = 0;
    }

    void make(SpaceInterface<dist_t> *s, size_t max_elements, size_t m, size_t ef_construction, size_t random_seed)
    {
        if (m > 10000) {
            HNSWERR << "warning: M parameter exceeds 10000 which may lead to adverse effects." << std::endl;
            HNSWERR << "         Cap to 10000 will be applied for the rest of the processing." << std::endl;
            m = 10000;
        }
        take(s);
        take_m(m);
        max_elements_ = max_elements;
        ef_construction_ = std::max(ef_construction, M_);
        ef_ = 10;
        level_generator_.seed(static_cast<std::default_random_engine::result_type>(random_seed));
        update_probability_generator_.seed(static_cast<std::default_random_engine::result_type>(random_seed + 1));
        mult_ = 1 / std::log(1.0 * static_cast<double>(M_));
        revSize_ = 1.0 / mult_;
        maxlevel_ = -1;
        enterpoint_node_ = static_cast<tableint>(-1);
        make_graph();
    }

    // An M or a size that no graph can be built with is not an error before something is added, as with hnswlib.
    void make_graph()
    {
        const hnx_graph_options options = graph_options(max_elements_, fstdistfunc_, dist_func_param_, data_size_);
        hnx_graph *graph = nullptr;
        const hnx_status status = hnx_graph_init(&options, &graph);
        if (status == HNX_ERR_OUT_OF_MEMORY)
            throw std::runtime_error("Not enough memory");
        if (status != HNX_OK)
            why_no_graph_ = glue::last_error();
        show(graph);
        visited_list_pool_.reset(static_cast<long long>(max_elements_));
    }

    void need_graph()
    {
        if (graph_)
            return;
        std::unique_lock<std::mutex> lock(label_lookup_lock);
        if (!graph_ && why_no_graph_.empty() && fstdistfunc_)
            make_graph(); // after clear()
        if (!graph_)
            throw std::runtime_error(why_no_graph_.empty() ? "The index was not made or loaded yet" : why_no_graph_);
    }

    hnx_graph_options graph_options(size_t max_elements, DISTFUNC<dist_t> function, const void *param, size_t data_size)
    {
        hnx_graph_options options = hnx_graph_options();
        options.struct_size = sizeof options;
        options.flags = HNX_GRAPH_LENGTHS; // a host may set normalize_ later, as Chroma's does when it unpickles
        options.data_size = data_size;
        options.max_elements = max_elements;
        options.m = M_;
        options.count = &cur_element_count;
        options.entry = &maxlevel_;
        options.distance = glue::built_in<dist_t>(function);
        const size_t value = options.distance == HNX_DISTANCE_L2_U8 ? 1 : sizeof(float);
        if (options.distance != HNX_DISTANCE_CALLBACK) {
            options.dim = param ? *static_cast<const size_t *>(param) : 0;
            if (options.dim == 0 || options.dim > data_size / value)
                options.distance = HNX_DISTANCE_CALLBACK;
        }
        if (options.distance == HNX_DISTANCE_CALLBACK) {
            options.measure = Call::measure;
            options.max_key = glue::key_of(std::numeric_limits<dist_t>::max());
        }
        return options;
    }

    // Publishes the memory of a graph, or of none.
    void show(hnx_graph *graph)
    {
        graph_ = graph;
        hnx_graph_memory memory = hnx_graph_memory();
        memory.struct_size = sizeof memory;
        if (graph && hnx_graph_memory_of(graph, &memory) == HNX_OK) {
            size_data_per_element_ = memory.stride;
            offsetData_ = memory.data_offset;
            label_offset_ = memory.label_offset;
            size_links_per_element_ = memory.list_size;
        }
        data_level0_memory_ = memory.records;
        linkLists_ = memory.lists;
        length_memory_ = static_cast<char *>(static_cast<void *>(memory.lengths));
        element_levels_.show(memory.levels, max_elements_);
        link_list_locks_.resize(max_elements_);
        elements_to_persist_.show(graph);
    }

    void forget_labels()
    {
        label_lookup_.clear();
        deleted_elements.clear();
        num_deleted_ = 0;
    }

    // Opens a graph with open(options, graph, header) and puts it in the place of the one that is there.
    template <typename Open>
    void load(SpaceInterface<dist_t> *s, size_t wanted, const char *no_memory, const char *no_file, Open open)
    {
        const hnx_graph_options options = graph_options(wanted, s->get_dist_func(), s->get_dist_func_param(), s->get_data_size());
        const size_t old_count = cur_element_count;
        hnx_graph *graph = nullptr;
        hnx_graph_header header = hnx_graph_header();
        header.struct_size = sizeof header;
        switch (open(options, &graph, &header)) {
        case HNX_OK:
            break;
        case HNX_ERR_OUT_OF_MEMORY:
            throw std::runtime_error(no_memory);
        case HNX_ERR_NOT_FOUND:
        case HNX_ERR_IO:
            throw std::runtime_error(no_file);
        case HNX_ERR_VERSION:
            throw std::runtime_error("Cannot read persisted index: wrong persistence version");
        case HNX_ERR_CORRUPT:
            throw std::runtime_error("Index seems to be corrupted or unsupported");
        default:
            throw std::runtime_error(glue::last_error());
        }
        if (graph_) { // it frees as many lists as the shared count says
            const size_t new_count = cur_element_count;
            cur_element_count = old_count;
            hnx_graph_free(graph_);
            cur_element_count = new_count;
        }
        graph_ = graph;
        Release release(*this);
        take(s);
        take_m(header.m);
        max_elements_ = wanted == 0 || wanted < cur_element_count ? std::max<size_t>(header.max_elements, cur_element_count) : wanted;
        ef_construction_ = header.ef_construction;
        mult_ = header.mult;
        revSize_ = 1.0 / mult_;
        ef_ = 10;
        if (hnx_graph_resize(graph, max_elements_) != HNX_OK)
            throw std::runtime_error(no_memory);
        show(graph);
        visited_list_pool_.reset(static_cast<long long>(max_elements_));
        chroma_ = chroma_ || header.format != HNX_FORMAT_HNSWLIB;
        forget_labels();
        const size_t count = cur_element_count;
        for (size_t at = 0; at < count; at++) {
            const tableint id = static_cast<tableint>(at);
            const auto place = label_lookup_.insert(std::make_pair(getExternalLabel(id), id));
            // Of several elements with one label the last counts, but a deleted one never hides one that is not.
            if (!place.second && (!isMarkedDeleted(id) || isMarkedDeleted(place.first->second)))
                place.first->second = id;
        }
        loadDeleted();
        release.keep();
    }

    hnx_graph_header file_header() const
    {
        hnx_graph_header header = hnx_graph_header();
        header.struct_size = sizeof header;
        header.max_elements = max_elements_;
        header.m = M_;
        header.ef_construction = ef_construction_;
        header.mult = mult_;
        return header;
    }

    // ---------------------------------------------------------------------------------------------------------- changing

    // A change on behalf of the host, with the draws it makes.
    struct Change : Call {
        HierarchicalNSW &index;
        std::vector<float> unit; // the vector at length 1

        explicit Change(HierarchicalNSW &index_) : Call(index_.fstdistfunc_, index_.dist_func_param_), index(index_) {}
        static float draw(void *context) noexcept
        {
            HierarchicalNSW &index = static_cast<Change *>(static_cast<Call *>(context))->index;
            std::unique_lock<std::mutex> lock(index.update_lock_);
            return std::uniform_real_distribution<float>(0.0, 1.0)(index.update_probability_generator_);
        }
    };

    hnx_graph_point point_for(Call &call, labeltype label) const
    {
        hnx_graph_point point = hnx_graph_point();
        point.struct_size = sizeof point;
        point.label = label;
        point.ef = ef_construction_;
        point.max_elements = max_elements_;
        point.flags = num_deleted_ != 0 ? HNX_GRAPH_DELETIONS : 0;
        point.context = &call;
        return point;
    }

    hnx_graph_point point_of(Change &change, const void *data, labeltype label)
    {
        hnx_graph_point point = point_for(change, label);
        point.data = data;
        if (normalize_) {
            const size_t floats = (data_size_ + sizeof(float) - 1) / sizeof(float);
            change.unit.resize(floats);
            memcpy(change.unit.data(), data, data_size_);
            const size_t dim = std::min(floats, *static_cast<const size_t *>(dist_func_param_));
            point.length = hnx_normalize(change.unit.data(), dim, change.unit.data());
            point.data = change.unit.data();
        }
        return point;
    }

    // Calls f with the id of a label, holding the lock of the labels: nobody gives the element another label meanwhile.
    template <typename F> void with_id(labeltype label, F f)
    {
        std::unique_lock<std::mutex> lock_label(getLabelOpMutex(label));
        std::unique_lock<std::mutex> lock_table(label_lookup_lock);
        const auto found = label_lookup_.find(label);
        if (found == label_lookup_.end())
            throw std::runtime_error("Label not found");
        f(found->second);
    }

    void change_mark(tableint id, bool deleted, const char *words)
    {
        const hnx_status status = hnx_graph_set_deleted(graph_, id, deleted);
        if (status == HNX_ERR_ALREADY_DELETED || status == HNX_ERR_NOT_DELETED)
            throw std::runtime_error(words);
        if (status != HNX_OK)
            throw std::runtime_error(glue::last_error());
    }

    // Adds or updates; the label's mutex is held.
    tableint add(const void *data, labeltype label, int level)
    {
        std::unique_lock<std::mutex> lock_table(label_lookup_lock);
        const auto found = label_lookup_.find(label);
        if (found != label_lookup_.end()) {
            const tableint id = found->second;
            const bool deleted = isMarkedDeleted(id);
            if (deleted && allow_replace_deleted_)
                throw std::runtime_error("Can't use addPoint to update deleted elements if replacement of deleted elements is "
                                         "enabled.");
            lock_table.unlock();
            rewrite(data, id, label, 1.0, deleted);
            return id;
        }
        if (cur_element_count >= max_elements_)
            throw std::runtime_error("The number of elements exceeds the specified limit");
        lock_table.unlock();
        need_graph();
        return insert(data, label, level);
    }

    tableint insert(const void *data, labeltype label, int level)
    {
        Change change(*this);
        hnx_graph_point point = point_of(change, data, label);
        {
            std::unique_lock<std::mutex> lock(level_lock_);
            point.level = getRandomLevel(mult_);
        }
        if (level > 0)
            point.level = level;
        tableint id = 0;
        const hnx_status status = hnx_graph_insert(graph_, &point, &id);
        if (status == HNX_OK) {
            std::unique_lock<std::mutex> lock(label_lookup_lock);
            label_lookup_[label] = id;
            return id;
        }
        if (id != UINT32_MAX)
            bury(id, label);
        if (status == HNX_ERR_FULL)
            throw std::runtime_error("The number of elements exceeds the specified limit");
        if (status == HNX_ERR_OUT_OF_MEMORY)
            throw std::runtime_error("Not enough memory: addPoint failed to allocate linklist");
        change.check(status);
        return id;
    }

    // An element that came into being in an add that failed: it is deleted, and the next add takes its place.
    void bury(tableint id, labeltype label)
    {
        num_deleted_ += 1;
        if (allow_replace_deleted_) {
            std::unique_lock<std::mutex> lock(deleted_elements_lock);
            deleted_elements.insert(id);
        } else {
            std::unique_lock<std::mutex> lock(label_lookup_lock);
            label_lookup_[label] = id;
        }
    }

    // Puts a vector in a deleted element's place, the label's own if it has one; false if the label is to be added.
    bool replace(const void *data, labeltype label)
    {
        std::unique_lock<std::mutex> lock_table(label_lookup_lock);
        const auto own = label_lookup_.find(label);
        if (own != label_lookup_.end() && !isMarkedDeleted(own->second))
            return false; // an update
        std::unique_lock<std::mutex> lock_deleted(deleted_elements_lock);
        if (deleted_elements.empty())
            return false;
        tableint id = *deleted_elements.begin();
        if (own != label_lookup_.end() && deleted_elements.count(own->second))
            id = own->second;
        deleted_elements.erase(id);
        lock_deleted.unlock();
        const labeltype before = getExternalLabel(id);
        const auto old = label_lookup_.find(before);
        const bool named = old != label_lookup_.end() && old->second == id;
        if (named)
            label_lookup_.erase(old);
        label_lookup_[label] = id;
        lock_table.unlock();
        try {
            rewrite(data, id, label, 1.0, true);
        } catch (...) {
            std::unique_lock<std::mutex> back(label_lookup_lock), again(deleted_elements_lock);
            label_lookup_.erase(label);
            if (named && getExternalLabel(id) == before)
                label_lookup_[before] = id;
            deleted_elements.insert(id);
            throw;
        }
        return true;
    }

    // Gives an element other data and another label, and relinks it; a deleted one comes back to life, or stays deleted when
    // this throws.
    void rewrite(const void *data, tableint id, labeltype label, float probability, bool revive)
    {
        Change change(*this);
        hnx_graph_point point = point_of(change, data, label);
        if (revive)
            point.flags |= HNX_GRAPH_DELETIONS | HNX_GRAPH_REVIVE;
        point.probability = probability;
        if (probability < 1.0f)
            point.draw = Change::draw;
        size_t draws = 0;
        const hnx_status status = hnx_graph_update(graph_, id, &point, &draws);
        if (!point.draw) { // hnswlib draws all the same
            std::unique_lock<std::mutex> lock(update_lock_);
            std::uniform_real_distribution<float> distribution(0.0, 1.0);
            for (; draws > 0; draws--)
                distribution(update_probability_generator_);
        }
        if (revive && status == HNX_OK)
            num_deleted_ -= 1;
        else if (revive && !isMarkedDeleted(id))
            hnx_graph_set_deleted(graph_, id, true);
        change.check(status);
    }

    // --------------------------------------------------------------------------------------------------------- searching

    // Searches and counts what it cost.
    void run(Call &call, hnx_graph_query &query) const
    {
        call.search(graph_, query, [this](const hnx_graph_query &done) {
            if (done.out_hops == 0)
                return;
            metric_hops.fetch_add(static_cast<long>(done.out_hops), std::memory_order_relaxed);
            metric_distance_computations.fetch_add(static_cast<long>(done.out_distances), std::memory_order_relaxed);
        });
    }

    bool search_knn(Call &call, const void *query_data, size_t k, BaseFilterFunctor *filter, hnx_emit_fn emit) const
    {
        hnx_graph_query query = hnx_graph_query();
        query.query = query_data;
        query.k = k;
        query.ef = std::max(ef_, k);
        query.flags = num_deleted_ != 0 ? HNX_GRAPH_DELETIONS : 0;
        query.start = HNX_GRAPH_TOP;
        query.emit = emit;
        call.filter = filter;
        if (cur_element_count == 0 || !graph_ || query.ef == 0)
            return false;
        run(call, query);
        return true;
    }

    Heap search_layer(tableint start, const void *data, int level, size_t ef, uint32_t flags, BaseFilterFunctor *filter,
                      BaseSearchStopCondition<dist_t> *stop, bool collect_metrics = false) const
    {
        Call call(fstdistfunc_, dist_func_param_);
        hnx_graph_query query = hnx_graph_query();
        query.query = data;
        query.ef = ef;
        query.flags = flags;
        query.start = start;
        query.level = level;
        query.emit = Call::emit_ids;
        call.filter = filter;
        call.stop = stop;
        if (collect_metrics)
            run(call, query);
        else
            call.search(graph_, query, [](const hnx_graph_query &) {});
        Heap heap;
        glue::Inside<Heap>::of(heap) = std::move(call.ids);
        return heap;
    }

    static std::vector<hnx_hit> drain(Heap &heap)
    {
        std::vector<hnx_hit> hits(heap.size(), hnx_hit());
        for (hnx_hit &hit : hits) {
            hit.key = glue::key_of(heap.top().first);
            hit.id = heap.top().second;
            heap.pop();
        }
        return hits;
    }

    template <typename data_t> void scale(std::vector<data_t> &data, tableint id, std::true_type) const
    {
        if (!normalize_ || !length_memory_)
            return;
        float length;
        memcpy(&length, length_memory_ + id * sizeof length, sizeof length);
        if (length == 0) // never written, as in an index that a host filled through the fields
            return;
        for (data_t &value : data)
            value = static_cast<data_t>(static_cast<float>(value) * length);
    }
    template <typename data_t> void scale(std::vector<data_t> &, tableint, std::false_type) const {}
};

// C++11 wants constants that are bound to references to be defined.
template <typename dist_t> const tableint HierarchicalNSW<dist_t>::MAX_LABEL_OPERATION_LOCKS;
template <typename dist_t> const unsigned char HierarchicalNSW<dist_t>::DELETE_MARK;
template <typename dist_t> const size_t HierarchicalNSW<dist_t>::FILE_HEADER;
template <typename dist_t> const size_t HierarchicalNSW<dist_t>::MAX_LEVEL;

} // namespace libhnx
} // namespace hnswlib

#include "hnswlib.h"
