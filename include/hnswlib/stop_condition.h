// Vectors that belong to documents, and searches that end by other rules than a number of neighbours.
#pragma once

#include "interfaces.h"
#include "kernels.h"

namespace hnswlib
{
inline namespace libhnx
{

// A document's number is stored behind each vector.
template <typename DOCIDTYPE> class BaseMultiVectorSpace : public SpaceInterface<float> {
public:
    virtual DOCIDTYPE get_doc_id(const void *datapoint) = 0;
    virtual void set_doc_id(void *datapoint, DOCIDTYPE doc_id) = 0;
};

namespace glue
{

template <typename DOCIDTYPE, DISTFUNC<float> distance> class MultiVectorSpace : public BaseMultiVectorSpace<DOCIDTYPE> {
    size_t dim_;

public:
    explicit MultiVectorSpace(size_t dim) : dim_(dim) {}
    size_t get_data_size() override { return dim_ * sizeof(float) + sizeof(DOCIDTYPE); }
    DISTFUNC<float> get_dist_func() override { return distance; }
    void *get_dist_func_param() override { return &dim_; }
    DOCIDTYPE get_doc_id(const void *datapoint) override
    {
        DOCIDTYPE doc_id;
        memcpy(&doc_id, static_cast<const char *>(datapoint) + dim_ * sizeof(float), sizeof doc_id);
        return doc_id;
    }
    void set_doc_id(void *datapoint, DOCIDTYPE doc_id) override
    {
        memcpy(static_cast<char *>(datapoint) + dim_ * sizeof(float), &doc_id, sizeof doc_id);
    }
};

} // namespace glue

template <typename DOCIDTYPE> class MultiVectorL2Space : public glue::MultiVectorSpace<DOCIDTYPE, hnx_distance_l2> {
public:
    MultiVectorL2Space(size_t dim) : glue::MultiVectorSpace<DOCIDTYPE, hnx_distance_l2>(dim) {}
    ~MultiVectorL2Space() {}
};

template <typename DOCIDTYPE> class MultiVectorInnerProductSpace : public glue::MultiVectorSpace<DOCIDTYPE, hnx_distance_ip> {
public:
    MultiVectorInnerProductSpace(size_t dim) : glue::MultiVectorSpace<DOCIDTYPE, hnx_distance_ip>(dim) {}
    ~MultiVectorInnerProductSpace() {}
};

// The vectors of the nearest documents: searches until ef_collection of them are found, and returns those of
// num_docs_to_search. One search per object.
template <typename DOCIDTYPE, typename dist_t> class MultiVectorSearchStopCondition : public BaseSearchStopCondition<dist_t> {
    size_t num_docs_to_search_, ef_collection_;
    std::unordered_map<DOCIDTYPE, size_t> vectors_of_;    // found vectors of each document
    std::unordered_map<labeltype, DOCIDTYPE> document_of_; // of each found vector
    BaseMultiVectorSpace<DOCIDTYPE> &space_;

    void give_up(labeltype label)
    {
        const auto found = document_of_.find(label);
        if (found == document_of_.end())
            return;
        const auto document = vectors_of_.find(found->second);
        if (--document->second == 0)
            vectors_of_.erase(document);
        document_of_.erase(found);
    }

public:
    MultiVectorSearchStopCondition(BaseMultiVectorSpace<DOCIDTYPE> &space, size_t num_docs_to_search, size_t ef_collection = 10)
        : num_docs_to_search_(num_docs_to_search), ef_collection_(std::max(ef_collection, num_docs_to_search)), space_(space)
    {
    }
    void add_point_to_result(labeltype label, const void *datapoint, dist_t) override
    {
        const DOCIDTYPE document = space_.get_doc_id(datapoint);
        if (document_of_.insert(std::make_pair(label, document)).second)
            ++vectors_of_[document];
    }
    void remove_point_from_result(labeltype label, const void *, dist_t) override { give_up(label); }
    bool should_stop_search(dist_t candidate_dist, dist_t lowerBound) override
    {
        return candidate_dist > lowerBound && vectors_of_.size() == ef_collection_;
    }
    bool should_consider_candidate(dist_t candidate_dist, dist_t lowerBound) override
    {
        return vectors_of_.size() < ef_collection_ || lowerBound > candidate_dist;
    }
    bool should_remove_extra() override { return vectors_of_.size() > ef_collection_; }
    void filter_results(std::vector<std::pair<dist_t, labeltype>> &candidates) override
    {
        for (; vectors_of_.size() > num_docs_to_search_ && !candidates.empty(); candidates.pop_back())
            give_up(candidates.back().second);
    }
    ~MultiVectorSearchStopCondition() {}
};

// What is within epsilon: at least min_num_candidates are looked at, at most max_num_candidates returned. One search per
// object.
template <typename dist_t> class EpsilonSearchStopCondition : public BaseSearchStopCondition<dist_t> {
    float epsilon_;
    size_t min_num_candidates_, max_num_candidates_, found_;

    bool is_outside(dist_t dist) const { return dist > epsilon_; }

public:
    EpsilonSearchStopCondition(float epsilon, size_t min_num_candidates, size_t max_num_candidates)
        : epsilon_(epsilon), min_num_candidates_(min_num_candidates), max_num_candidates_(max_num_candidates), found_(0)
    {
        assert(min_num_candidates <= max_num_candidates);
    }
    void add_point_to_result(labeltype, const void *, dist_t) override { found_++; }
    void remove_point_from_result(labeltype, const void *, dist_t) override { found_--; }
    bool should_stop_search(dist_t candidate_dist, dist_t lowerBound) override
    {
        return (candidate_dist > lowerBound && found_ == max_num_candidates_) ||
               (is_outside(candidate_dist) && found_ >= min_num_candidates_);
    }
    bool should_consider_candidate(dist_t candidate_dist, dist_t lowerBound) override
    {
        return found_ < max_num_candidates_ || lowerBound > candidate_dist;
    }
    bool should_remove_extra() override { return found_ > max_num_candidates_; }
    void filter_results(std::vector<std::pair<dist_t, labeltype>> &candidates) override
    {
        while (!candidates.empty() && (is_outside(candidates.back().first) || candidates.size() > max_num_candidates_))
            candidates.pop_back();
    }
    ~EpsilonSearchStopCondition() {}
};

} // namespace libhnx
} // namespace hnswlib

#include "hnswlib.h"
