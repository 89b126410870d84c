// A random sequence of operations on a HierarchicalNSW.
#pragma once

#include "filter.h"
#include "vectors.h"

namespace conformance
{

struct Setup {
    const char *space;
    size_t dim, capacity, m, ef_construction, random_seed;
    bool replace;
    Flavour flavour;
    Metric metric;

    bool soft() const { return flavour == ROUNDED; }
};

// The original's stop conditions get and return internal ids where labels are meant; libhnx returns labels.
template <class Index> uint64_t as_label(const Index &index, uint64_t value)
{
#ifdef CONFORMANCE_ORIGINAL
    return index.getExternalLabel(static_cast<hnswlib::tableint>(value));
#else
    (void)index;
    return value;
#endif
}

// A host's own stop condition: the nearest few, with an account of every call.
template <class Dist> class Watcher : public hnswlib::BaseSearchStopCondition<Dist> {
public:
    typedef std::vector<std::pair<Dist, hnswlib::labeltype>> Row;

    Watcher(size_t limit, int fails_at, bool soft) : limit_(limit), fails_at_(fails_at), soft_(soft) {}
    void add_point_to_result(hnswlib::labeltype label, const void *vector, Dist distance) override
    {
        note(1, label, distance);
        calls_.bytes(vector, 4);
        held_++;
    }
    void remove_point_from_result(hnswlib::labeltype label, const void *vector, Dist distance) override
    {
        note(2, label, distance);
        calls_.bytes(vector, 4);
        held_--;
    }
    bool should_stop_search(Dist candidate, Dist bound) override
    {
        note(3, 0, candidate);
        note(4, 0, bound);
        return candidate > bound && held_ == limit_;
    }
    bool should_consider_candidate(Dist candidate, Dist bound) override
    {
        note(5, 0, candidate);
        return held_ < limit_ || bound > candidate;
    }
    bool should_remove_extra() override
    {
        note(6, held_, Dist());
        return held_ > limit_;
    }
    void filter_results(Row &row) override
    {
        note(7, row.size(), Dist());
        if (row.size() > 2)
            row.erase(row.begin() + 1);
    }
    std::string text() const { return " calls=" + std::to_string(count_) + "," + calls_.text(); }

private:
    void note(uint64_t kind, uint64_t label, Dist distance)
    {
        calls_.add(kind);
        calls_.add(label);
        if (!soft_)
            calls_.bytes(&distance, sizeof distance);
        if (++count_ == fails_at_)
            throw HostError{count_};
    }

    size_t limit_, held_ = 0;
    int fails_at_, count_ = 0;
    bool soft_;
    Hash calls_;
};

template <class Dist, class Elem> class Sequence {
public:
    typedef hnswlib::HierarchicalNSW<Dist> Index;
    typedef hnswlib::SpaceInterface<Dist> Space;
    typedef std::vector<std::pair<Dist, hnswlib::labeltype>> Row;

    Sequence(Random &random, const Setup &setup, Space &space, const Arguments &given)
        : random_(random), setup_(setup), space_(space), given_(given),
          path_(given.folder + "/index"), vectors_(random, setup.dim, setup.metric, setup.flavour),
          index_(new Index(&space, setup.capacity, setup.m, setup.ef_construction, setup.random_seed, setup.replace))
    {
    }

    void run()
    {
        add_many(random_.between(0, 30));
        for (int left = random_.between(25, 70); left > 0; left--)
            step();
        add_many(random_.between(0, 60));
        for (int i = 0; i < 4; i++)
            search();
        save();
        finish();
        unlink(path_.c_str());
    }

    // Operations that only some spaces know.
    std::function<void(Sequence &)> own_operation;

    Index &index() { return *index_; }
    Random &random() { return random_; }
    Line &operation(const char *name)
    {
        line_.reset(new Line);
        return *line_ << ++number_ << " " << name;
    }
    std::vector<Elem> query()
    {
        std::vector<Elem> vector(setup_.dim);
        vectors_.fill(vector.data());
        return vector;
    }
    void print_labels_row(Row row)
    {
        for (auto &entry : row)
            entry.second = as_label(*index_, entry.second);
        *line_ << row_text(row);
    }
    std::unique_ptr<Filter> filter(int percent, int fail_percent)
    {
        if (!random_.chance(percent))
            return nullptr;
        const unsigned modulus = static_cast<unsigned>(random_.between(2, 5));
        const unsigned rest = static_cast<unsigned>(random_.below(modulus + 1)); // the last: everything passes
        return std::unique_ptr<Filter>(new Filter(modulus, rest, random_.chance(fail_percent) ? random_.between(1, 20) : 0));
    }

private:
    void step()
    {
        struct Operation {
            int weight;
            void (Sequence::*run)();
        };
        static const Operation operations[] = {
            {16, &Sequence::add_few}, {10, &Sequence::update}, {8, &Sequence::add_to_level}, {10, &Sequence::add_replacing},
            {9, &Sequence::mark_deleted}, {5, &Sequence::unmark_deleted}, {16, &Sequence::search},
            {7, &Sequence::search_with_condition}, {5, &Sequence::get_data}, {4, &Sequence::resize},
            {5, &Sequence::save_and_load}, {3, &Sequence::load_damaged}, {5, &Sequence::update_partly},
            {4, &Sequence::print_fields}, {5, &Sequence::change_ef}, {4, &Sequence::check_integrity},
            {4, &Sequence::use_internals}, {3, &Sequence::edit_links}, {2, &Sequence::copy_by_fields},
            {2, &Sequence::draw_level}, {3, &Sequence::measure}, {6, &Sequence::own},
        };
        int total = 0;
        for (const Operation &one : operations)
            total += one.weight;
        int at = random_.between(0, total - 1);
        for (const Operation &one : operations) {
            at -= one.weight;
            if (at < 0)
                return (this->*one.run)();
        }
    }

    void close_line(bool with_state)
    {
        if (with_state)
            *line_ << state_text(*index_);
        line_.reset();
        if (with_state && given_.verbose)
            print_graph(*index_);
    }

    // A vector with what the space stores behind it, a document's number.
    std::vector<char> record()
    {
        std::vector<char> bytes(space_.get_data_size());
        std::vector<Elem> vector(setup_.dim);
        if (setup_.flavour == COARSE && !given_vectors_.empty() && random_.chance(8)) {
            vector = random_.of(given_vectors_);
        } else {
            vectors_.fill(vector.data());
            given_vectors_.push_back(vector);
        }
        const size_t size = vector.size() * sizeof(Elem);
        memcpy(bytes.data(), vector.data(), size);
        if (bytes.size() > size)
            bytes[size] = static_cast<char>(random_.between(0, 12));
        return bytes;
    }

    hnswlib::labeltype new_label()
    {
        for (;;) {
            const hnswlib::labeltype label = random_.chance(70) ? random_.below(3000) : random_.bits();
            if (index_->label_lookup_.find(label) == index_->label_lookup_.end())
                return label;
        }
    }
    // One with a live element, if there is any.
    bool some_label(bool live, hnswlib::labeltype &label)
    {
        std::vector<hnswlib::labeltype> labels;
        const unsigned count = static_cast<unsigned>(index_->cur_element_count);
        for (unsigned id = 0; id < count; id++) {
            if (index_->isMarkedDeleted(id) != live)
                labels.push_back(index_->getExternalLabel(id));
        }
        if (labels.empty())
            return false;
        label = random_.of(labels);
        return true;
    }

    void add(const std::vector<char> &bytes, hnswlib::labeltype label)
    {
        hnswlib::AlgorithmInterface<Dist> &interface = *index_;
        if (random_.chance(50))
            interface.addPoint(bytes.data(), label);
        else
            index_->addPoint(bytes.data(), label, false);
    }

    void add_many(int count)
    {
        operation("add") << " " << count;
        attempt(*line_, [&] {
            for (int i = 0; i < count && can_add(*index_); i++) {
                const std::vector<char> bytes = record();
                const hnswlib::labeltype label = new_label();
                *line_ << " " << label;
                add(bytes, label);
            }
        });
        close_line(true);
    }
    void add_few() { add_many(random_.chance(30) ? random_.between(10, 60) : random_.between(1, 8)); }

    // A deleted element, too: it comes back to life, or throws where it may be replaced.
    void update()
    {
        hnswlib::labeltype label;
        if (!some_label(random_.chance(70), label))
            return;
        operation("update") << " " << label;
        const std::vector<char> bytes = record();
        attempt(*line_, [&] { add(bytes, label); });
        close_line(true);
    }

    void add_to_level()
    {
        if (!can_add(*index_))
            return;
        const int level = random_.between(-1, random_.chance(10) ? 9 : 3);
        hnswlib::labeltype label = new_label();
        if (random_.chance(20))
            some_label(true, label);
        operation("add at level") << " " << level << " " << label;
        const std::vector<char> bytes = record();
        attempt(*line_, [&] { *line_ << " id " << index_->addPoint(bytes.data(), label, level); });
        close_line(true);
    }

    // With an existing label only while nothing is deleted: otherwise the original would have two elements of that label.
    void add_replacing()
    {
        if (index_->deleted_elements.empty() && !can_add(*index_))
            return;
        hnswlib::labeltype label = new_label();
        if (index_->num_deleted_ == 0 && random_.chance(50))
            some_label(true, label);
        operation("add or replace") << " " << label;
        const std::vector<char> bytes = record();
        attempt(*line_, [&] { index_->addPoint(bytes.data(), label, true); });
        close_line(true);
    }

    void mark_deleted()
    {
        operation("delete");
        const size_t count = index_->cur_element_count;
        for (int left = random_.between(1, 6); left > 0; left--) {
            hnswlib::labeltype label = new_label();
            const bool known = !random_.chance(4) && some_label(!random_.chance(6), label);
            if (known && index_->num_deleted_ * 3 >= count)
                break; // the rest has to hold the graph together
            *line_ << " " << label;
            attempt(*line_, [&] {
                if (known && random_.chance(15))
                    index_->markDeletedInternal(index_->label_lookup_.at(label));
                else
                    index_->markDelete(label);
            });
        }
        close_line(true);
    }

    void unmark_deleted()
    {
        hnswlib::labeltype label = new_label();
        if (!random_.chance(5))
            some_label(random_.chance(10), label);
        operation("undelete") << " " << label;
        attempt(*line_, [&] { index_->unmarkDelete(label); });
        close_line(true);
    }

    size_t some_k()
    {
        const size_t count = index_->cur_element_count;
        return random_.chance(10) ? count + random_.below(5) : random_.chance(3) ? 0 : 1 + random_.below(20);
    }

    // Not for nothing with a candidate list of nothing: the original then asks a filter about its entry point.
    void search()
    {
        const std::vector<Elem> asked = query();
        const size_t k = index_->ef_ == 0 ? 1 + random_.below(20) : some_k();
        const std::unique_ptr<Filter> allowed = filter(35, 10);
        operation("search") << " " << k << (allowed ? " filtered" : "");
        attempt(*line_, [&] {
            const hnswlib::AlgorithmInterface<Dist> &interface = *index_;
            if (random_.chance(40))
                *line_ << row_text(interface.searchKnnCloserFirst(asked.data(), k, allowed.get()));
            else if (allowed || random_.chance(50))
                *line_ << row_text(drained(index_->searchKnn(asked.data(), k, allowed.get())));
            else
                *line_ << row_text(drained(index_->searchKnn(asked.data(), k)));
        });
        close_line(false);
        operation("asked") << (allowed ? allowed->text() : "") << " hops=" << index_->metric_hops
                           << " distances=" << index_->metric_distance_computations;
        close_line(false);
    }

    void search_with_condition()
    {
        const std::vector<Elem> asked = query();
        const std::unique_ptr<Filter> allowed = filter(30, 8);
        if (random_.chance(50)) {
            const int fails_at = random_.chance(10) ? random_.between(1, 40) : 0;
            Watcher<Dist> condition(static_cast<size_t>(random_.between(1, 15)), fails_at, setup_.soft());
            attempt(operation("search watched"), [&] {
                print_labels_row(index_->searchStopConditionClosest(asked.data(), condition, allowed.get()));
            });
            close_line(false);
            operation("watched") << condition.text() << (allowed ? allowed->text() : "");
            return close_line(false);
        }
        operation("search epsilon");
        attempt(*line_, [&] {
            const auto near = index_->searchKnn(asked.data(), 8);
            const double epsilon = near.empty() ? 1 : static_cast<double>(near.top().first) * (0.5 + random_.unit());
            const size_t least = random_.below(6), most = least + 1 + random_.below(20);
            hnswlib::EpsilonSearchStopCondition<Dist> condition(static_cast<float>(epsilon), least, most);
            *line_ << " ~" << number(static_cast<float>(epsilon)) << " " << least << " " << most;
            print_labels_row(index_->searchStopConditionClosest(asked.data(), condition, allowed.get()));
        });
        close_line(false);
    }

    void get_data()
    {
        hnswlib::labeltype label = new_label();
        some_label(!random_.chance(15), label);
        if (random_.chance(5))
            label = new_label();
        operation("get") << " " << label;
        attempt(*line_, [&] {
            const std::vector<Elem> vector = index_->template getDataByLabel<Elem>(label);
            const std::vector<unsigned char> bytes = index_->template getDataByLabel<unsigned char>(label);
            Hash hash;
            hash.bytes(vector.data(), vector.size() * sizeof(Elem));
            hash.bytes(bytes.data(), bytes.size());
            *line_ << " " << vector.size() << " " << bytes.size() << " " << hash.text();
        });
        close_line(false);
    }

    // To 0 elements never: the original then frees its memory twice.
    void resize()
    {
        const size_t count = index_->cur_element_count;
        const size_t size = random_.chance(20) ? random_.below(count + 1) : count + random_.below(count + 60);
        operation("resize") << " " << size + 1;
        attempt(*line_, [&] { index_->resizeIndex(size + 1); });
        close_line(true);
    }

    void save()
    {
        hnswlib::AlgorithmInterface<Dist> &interface = *index_;
        operation("save") << " " << index_->indexFileSize();
        attempt(*line_, [&] { interface.saveIndex(path_); });
        *line_ << " " << bytes_text(file_bytes(path_));
        close_line(false);
    }

    // Some capacity, and not 0 for no elements: the original then takes 0, whatever is in the file.
    size_t capacity_to_load(size_t count)
    {
        return count == 0 || random_.chance(60) ? count + 1 + random_.below(80) : random_.below(count + 1);
    }

    void save_and_load()
    {
        save();
        const size_t capacity = capacity_to_load(index_->cur_element_count);
        const bool replace = random_.chance(50);
        operation("load") << " " << capacity << (replace ? " replace" : "");
        attempt(*line_, [&] {
            if (random_.chance(30)) {
                index_.reset(new Index(&space_));
                *line_ << " unloaded " << index_->max_elements_ << " " << index_->cur_element_count << " " << index_->ef_;
                index_->allow_replace_deleted_ = replace;
                index_->loadIndex(path_, &space_, capacity);
            } else {
                index_.reset(new Index(&space_, path_, random_.chance(50), capacity, replace));
            }
            *line_ << " ef " << index_->ef_;
        });
        close_line(true);
    }

    void load_damaged()
    {
        attempt(operation("load missing"), [&] { Index(&space_, path_ + ".missing", false); });
        attempt(*line_, [&] { Index(&space_).loadIndex(path_ + ".missing", &space_); });
        index_->saveIndex(path_);
        std::string bytes = file_bytes(path_);
        const size_t size = random_.chance(30) ? bytes.size() + 1 + random_.below(9) : random_.below(bytes.size());
        bytes.resize(size);
        write_file(path_, bytes);
        *line_ << " then " << size << " bytes";
        attempt(*line_, [&] { Index(&space_, path_, false, random_.below(300)); });
        close_line(true);
    }

    void update_partly()
    {
        hnswlib::labeltype label;
        if (!some_label(true, label))
            return;
        const float probability = static_cast<float>(random_.between(0, 4)) / 4;
        operation("update partly") << " " << label << " " << number(probability);
        const std::vector<char> bytes = record();
        attempt(*line_, [&] { index_->updatePoint(bytes.data(), index_->label_lookup_.at(label), probability); });
        close_line(true);
    }

    void print_fields()
    {
        const Index &i = *index_;
        // libhnx rounds the size of a record in memory up to four bytes; in files it is the original's.
        const bool round = i.data_size_ % 4 == 0;
        operation("fields") << " " << i.max_elements_ << " " << (round ? i.size_data_per_element_ : 0) << " "
                            << i.size_links_per_element_ << " " << i.M_ << " " << i.maxM_ << " " << i.maxM0_ << " "
                            << i.ef_construction_ << " " << i.ef_
                            << " " << number(i.mult_) << " " << number(i.revSize_) << " " << i.size_links_level0_ << " "
                            << i.offsetData_ << " " << i.offsetLevel0_ << " " << i.label_offset_ << " " << i.data_size_ << " "
                            << (i.allow_replace_deleted_ ? "replace" : "keep") << " " << i.label_op_locks_.size() << " "
                            << i.link_list_locks_.size() << " " << (i.visited_list_pool_ ? "pool" : "no pool") << " "
                            << (i.dist_func_param_ == space_.get_dist_func_param() ? "same" : "other") << " "
                            << index_->getMaxElements() << " " << index_->getCurrentElementCount() << " "
                            << index_->getDeletedCount();
        hnswlib::labeltype label;
        if (some_label(true, label)) {
            const unsigned id = i.label_lookup_.find(label)->second;
            *line_ << " " << *i.getExternalLabeLp(id) << " "
                   << (round ? i.getDataByInternalId(id) - i.data_level0_memory_ : 0) << " "
                   << (&i.getLabelOpMutex(label) == &i.getLabelOpMutex(label + Index::MAX_LABEL_OPERATION_LOCKS));
            std::unique_lock<std::mutex> element(i.getLabelOpMutex(label)), table(i.label_lookup_lock), all(index_->global);
        }
        close_line(false);
    }

    void change_ef()
    {
        const size_t ef = random_.chance(5) ? random_.below(2) : static_cast<size_t>(random_.between(1, 120));
        operation("ef") << " " << ef;
        if (random_.chance(50))
            index_->setEf(ef);
        else
            index_->ef_ = ef;
        close_line(false);
    }

    void check_integrity()
    {
        if (!all_linked_to(*index_))
            return;
        operation("integrity ");
        {
            Captured printed(std::cout);
            index_->checkIntegrity();
            *line_ << printed.text();
        }
        close_line(false);
    }

    // Public by accident, but public.
    void use_internals()
    {
        const unsigned count = static_cast<unsigned>(index_->cur_element_count);
        if (count == 0)
            return;
        const unsigned id = static_cast<unsigned>(random_.below(count));
        const int level = random_.between(0, index_->element_levels_[id]);
        const std::vector<Elem> asked = query();
        attempt(operation("search layer") << " " << id << " " << level, [&] {
            auto found = index_->searchBaseLayer(id, asked.data(), level);
            *line_ << row_text(drained(found));
        });
        close_line(false);
        attempt(operation("heuristic"), [&] {
            auto found = index_->searchBaseLayer(id, index_->getDataByInternalId(id), level);
            index_->getNeighborsByHeuristic2(found, index_->M_);
            *line_ << row_text(drained(found));
        });
        close_line(false);
        attempt(operation("bare search"), [&] {
            *line_ << row_text(drained(index_->searchBaseLayerST(id, asked.data(), 5 + random_.below(20))));
        });
        close_line(false);
        const std::unique_ptr<Filter> allowed = filter(50, 0);
        attempt(operation("full search"), [&] {
            const size_t ef = 5 + random_.below(20);
            *line_ << row_text(drained(index_->template searchBaseLayerST<false, true>(id, asked.data(), ef, allowed.get())));
        });
        close_line(false);
        attempt(operation("connections"), [&] {
            for (unsigned neighbour : index_->getConnectionsWithLock(id, level))
                *line_ << " " << neighbour;
        });
        *line_ << " hops=" << index_->metric_hops << " distances=" << index_->metric_distance_computations;
        close_line(false);
    }

    // Turns a list around in place; shortens it, too, where another link leads to the one that is left out.
    void edit_links()
    {
        const unsigned count = static_cast<unsigned>(index_->cur_element_count);
        if (count == 0)
            return;
        const unsigned id = static_cast<unsigned>(random_.below(count));
        const int level = random_.between(0, index_->element_levels_[id]);
        hnswlib::linklistsizeint *list = index_->get_linklist_at_level(id, level);
        const unsigned short size = index_->getListCount(list);
        operation("turn links") << " " << id << " " << level;
        std::reverse(list + 1, list + 1 + size);
        if (size > 2 && random_.chance(50))
            index_->setListCount(list, static_cast<unsigned short>(size - 1));
        index_->metric_hops = 0;
        index_->metric_distance_computations = 0;
        close_line(true);
    }

    // As the Python bindings pickle and unpickle: everything through the fields.
    void copy_by_fields()
    {
        const Index &from = *index_;
        operation("copy");
        std::unique_ptr<Index> copy(new Index(&space_, std::max<size_t>(from.max_elements_, 1), from.M_, from.ef_construction_,
                                              setup_.random_seed, from.allow_replace_deleted_));
        Index &to = *copy;
        const size_t count = from.cur_element_count;
        to.cur_element_count = count;
        to.maxlevel_ = from.maxlevel_;
        to.enterpoint_node_ = from.enterpoint_node_;
        to.ef_ = from.ef_;
        memcpy(to.element_levels_.data(), from.element_levels_.data(), from.element_levels_.size() * sizeof(int));
        memcpy(to.data_level0_memory_, from.data_level0_memory_, count * from.size_data_per_element_);
        for (size_t i = 0; i < count; i++) {
            const unsigned id = static_cast<unsigned>(i);
            to.label_lookup_.insert(std::make_pair(from.getExternalLabel(id), id));
            const size_t size = from.size_links_per_element_ * static_cast<size_t>(from.element_levels_[id]);
            to.linkLists_[i] = size == 0 ? nullptr : static_cast<char *>(malloc(size));
            if (size > 0)
                memcpy(to.linkLists_[i], from.linkLists_[i], size);
            if (to.isMarkedDeleted(id)) {
                to.num_deleted_ += 1;
                if (to.allow_replace_deleted_)
                    to.deleted_elements.insert(id);
            }
        }
        index_ = std::move(copy);
        close_line(true);
    }

    void draw_level()
    {
        operation("draw") << " " << index_->getRandomLevel(index_->mult_) << " " << index_->getRandomLevel(3);
        close_line(true);
    }

    void measure()
    {
        const unsigned count = static_cast<unsigned>(index_->cur_element_count);
        if (count == 0)
            return;
        const std::vector<Elem> asked = query();
        const char *stored = index_->getDataByInternalId(static_cast<unsigned>(random_.below(count)));
        const hnswlib::DISTFUNC<Dist> function = random_.chance(50) ? index_->fstdistfunc_ : space_.get_dist_func();
        operation("measure") << " ~" << number(function(asked.data(), stored, index_->dist_func_param_));
        close_line(false);
    }

    void own()
    {
        if (own_operation)
            own_operation(*this);
        line_.reset();
    }

    void finish()
    {
        if (!random_.chance(30))
            return;
        index_->clear();
        operation("clear") << " " << index_->cur_element_count << " " << index_->max_elements_ << " "
                           << (index_->data_level0_memory_ == nullptr) << (index_->linkLists_ == nullptr);
        const std::vector<Elem> asked = query();
        *line_ << row_text(drained(index_->searchKnn(asked.data(), 3)));
        close_line(false);
    }

    Random &random_;
    Setup setup_;
    Space &space_;
    const Arguments &given_;
    std::string path_;
    Vectors<Elem> vectors_;
    std::vector<std::vector<Elem>> given_vectors_;
    std::unique_ptr<Index> index_;
    std::unique_ptr<Line> line_;
    int number_ = 0;
};

} // namespace conformance
