// The containers of hnswlib's classes that libhnx keeps in its own way: they look as hosts use them.
#pragma once

#include "interfaces.h"
#include "visited_lists.h"

namespace hnswlib
{
inline namespace libhnx
{
namespace glue
{

// The levels of all elements, a std::vector<int> in hnswlib. It may be written to; its size is the index's capacity.
class Levels {
    int *data_ = nullptr;
    size_t size_ = 0;

public:
    typedef int value_type;
    typedef int *iterator;
    typedef const int *const_iterator;

    void show(int *data, size_t size)
    {
        data_ = data;
        size_ = data ? size : 0;
    }
    int &operator[](size_t at) { return data_[at]; }
    const int &operator[](size_t at) const { return data_[at]; }
    int &at(size_t at) { return at < size_ ? data_[at] : throw std::out_of_range("element_levels_"); }
    const int &at(size_t at) const { return at < size_ ? data_[at] : throw std::out_of_range("element_levels_"); }
    size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    int *data() { return data_; }
    const int *data() const { return data_; }
    int *begin() { return data_; }
    int *end() { return data_ + size_; }
    const int *begin() const { return data_; }
    const int *end() const { return data_ + size_; }
    operator std::vector<int>() const { return std::vector<int>(begin(), end()); }
};

// A mutex per element, as hnswlib has; elements share some, since libhnx locks records by itself.
class ElementLocks {
    static const size_t MUTEXES = 256;
    mutable std::mutex making_;
    mutable std::unique_ptr<std::mutex[]> mutexes_;
    size_t size_ = 0;

public:
    void resize(size_t size) { size_ = size; }
    size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    std::mutex &operator[](size_t at) const
    {
        std::unique_lock<std::mutex> lock(making_);
        if (!mutexes_)
            mutexes_.reset(new std::mutex[MUTEXES]);
        return mutexes_[at % MUTEXES];
    }
};

// A pool of visited lists that comes into being when a host asks for it: libhnx's own searches need none.
class LazyPool {
    mutable std::mutex making_;
    mutable std::unique_ptr<VisitedListPool> pool_;
    int elements_ = -1;

public:
    // For so many elements; none with a negative number.
    void reset(long long elements = -1)
    {
        pool_.reset();
        elements_ = static_cast<int>(std::min<long long>(elements, INT_MAX));
    }
    VisitedListPool *get() const
    {
        std::unique_lock<std::mutex> lock(making_);
        if (!pool_ && elements_ >= 0)
            pool_.reset(new VisitedListPool(1, elements_));
        return pool_.get();
    }
    VisitedListPool *operator->() const { return get(); }
    VisitedListPool &operator*() const { return *get(); }
    operator VisitedListPool *() const { return get(); }
    explicit operator bool() const { return elements_ >= 0; }
};

// The elements that persistDirty() will write, a std::set<tableint> in chroma-hnswlib.
class DirtyElements {
    hnx_graph *graph_ = nullptr;

public:
    void show(hnx_graph *graph) { graph_ = graph; }
    size_t size() const { return graph_ ? hnx_graph_dirty_count(graph_) : 0; }
    bool empty() const { return size() == 0; }
    void insert(tableint id)
    {
        if (graph_)
            hnx_graph_mark_dirty(graph_, id);
    }
};

} // namespace glue
} // namespace libhnx
} // namespace hnswlib
