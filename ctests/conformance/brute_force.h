// A random sequence of operations on a BruteforceSearch.
//
// Left out is what is not defined in the original: asking for more than there is, removing the last row, and after
// loading a file, removing or overwriting. A filtered search is right only if the first k rows pass the filter.
#pragma once

#include "hnsw.h"

namespace conformance
{

class BruteForceSequence {
public:
    typedef hnswlib::BruteforceSearch<float> Index;

    BruteForceSequence(Random &random, const Setup &setup, hnswlib::SpaceInterface<float> &space, const std::string &path)
        : random_(random), setup_(setup), space_(space), path_(path),
          vectors_(random, setup.dim, setup.metric, setup.flavour), index_(new Index(&space, setup.capacity))
    {
    }

    void run()
    {
        for (int left = random_.between(20, 120); left > 0; left--) {
            const int kind = random_.between(0, 99);
            if (kind < 45)
                add();
            else if (kind < 58)
                remove();
            else if (kind < 93)
                search();
            else
                save_and_load();
        }
        unlink(path_.c_str());
    }

private:
    void add()
    {
        const bool overwrite = !loaded_ && !rows_.empty() && random_.chance(20);
        hnswlib::labeltype label = overwrite ? random_.of(rows_) : random_.bits() >> random_.between(0, 54);
        if (!overwrite && std::find(rows_.begin(), rows_.end(), label) != rows_.end())
            return;
        std::vector<float> vector(setup_.dim);
        vectors_.fill(vector.data());
        Line line;
        line << "add " << label;
        const bool added = attempt(line, [&] {
            hnswlib::AlgorithmInterface<float> &interface = *index_;
            interface.addPoint(vector.data(), label);
        });
        if (added && !overwrite)
            rows_.push_back(label);
        print_state(line);
    }

    void remove()
    {
        if (loaded_)
            return;
        Line line;
        if (rows_.size() < 2 || random_.chance(10)) {
            index_->removePoint(~uint64_t(0)); // unknown
            line << "remove unknown";
        } else {
            const size_t row = random_.below(rows_.size() - 1);
            line << "remove " << rows_[row];
            index_->removePoint(rows_[row]);
            rows_[row] = rows_.back();
            rows_.pop_back();
        }
        print_state(line);
    }

    void search()
    {
        std::vector<float> asked(setup_.dim);
        vectors_.fill(asked.data());
        const size_t k = random_.below(std::min<size_t>(rows_.size(), 15) + 1);
        Filter filter(5, static_cast<unsigned>(random_.below(6)), random_.chance(5) ? 1 + random_.between(0, 5) : 0);
        bool filtered = k > 0 && random_.chance(50);
        for (size_t row = 0; row < k; row++)
            filtered = filtered && filter.allows(rows_[row]);
        Line line;
        line << "search " << k << (filtered ? " filtered" : "");
        attempt(line, [&] {
            if (random_.chance(50))
                line << row_text(drained(index_->searchKnn(asked.data(), k, filtered ? &filter : nullptr)));
            else
                line << row_text(index_->searchKnnCloserFirst(asked.data(), k, filtered ? &filter : nullptr));
        });
    }

    void save_and_load()
    {
        Line line;
        index_->saveIndex(path_);
        const std::string bytes = file_bytes(path_);
        // What is behind the rows in the file was never written to.
        line << "save " << bytes.size() << " bytes, "
             << bytes_text(bytes.substr(0, 24 + rows_.size() * index_->size_per_element_)) << ", load";
        if (random_.chance(50)) {
            index_.reset(new Index(&space_, path_));
        } else {
            index_.reset(new Index(&space_));
            index_->loadIndex(path_, &space_);
        }
        loaded_ = true;
        print_state(line);
    }

    void print_state(Line &line)
    {
        Hash hash;
        hash.bytes(index_->data_, rows_.size() * index_->size_per_element_);
        line << " | " << index_->cur_element_count << " of " << index_->maxelements_ << " " << index_->size_per_element_
             << " " << index_->data_size_ << " " << hash.text();
        if (loaded_)
            return;
        Hash order;
        for (const auto &entry : index_->dict_external_to_internal) {
            order.add(entry.first);
            order.add(entry.second);
        }
        line << " order=" << order.text();
    }

    Random &random_;
    Setup setup_;
    hnswlib::SpaceInterface<float> &space_;
    std::string path_;
    Vectors<float> vectors_;
    std::unique_ptr<Index> index_;
    std::vector<hnswlib::labeltype> rows_;
    bool loaded_ = false;
};

inline void run_brute_force(uint64_t seed, Random &random, const Arguments &given)
{
    Setup setup = Setup();
    setup.dim = static_cast<size_t>(random.between(1, 40));
    setup.capacity = static_cast<size_t>(random.between(1, 100));
    setup.flavour = random.chance(30) ? COARSE : random.chance(20) ? ROUNDED : FINE;
    const int kind = random.between(0, 2);
    setup.metric = kind == 1 ? INNER_PRODUCT : L2;
    hnswlib::L2Space first(setup.dim);
    hnswlib::InnerProductSpace second(setup.dim);
    HostSpace<float> third(setup.dim, setup.dim * sizeof(float), given.host_kernels && kind == 1 ? host_inner_product
                                                                 : kind == 2                  ? host_weighted
                                                                                              : host_l2);
    hnswlib::SpaceInterface<float> *spaces[] = {&first, &second, &third};
    const bool soft = setup.soft() && kind != 2;
    Line() << "# " << seed << " brute force " << (kind == 0 ? "l2 " : kind == 1 ? "ip " : "weighted ")
           << flavour_name(setup.flavour) << " dim " << setup.dim << " capacity " << setup.capacity << (soft ? " soft" : "");
    BruteForceSequence sequence(random, setup, *spaces[given.host_kernels ? 2 : kind], given.folder + "/rows");
    sequence.run();
}

} // namespace conformance
