// hnswlib's sets of visited elements, for hosts that search by themselves. libhnx's searches have their own.
#pragma once

#include "interfaces.h"

namespace hnswlib
{
inline namespace libhnx
{

typedef unsigned short int vl_type;

// An element is visited when mass[element] == curV.
class VisitedList {
public:
    vl_type curV;
    vl_type *mass;
    unsigned int numelements;

    VisitedList(int numelements1)
        : curV(static_cast<vl_type>(-1)), mass(new vl_type[static_cast<unsigned int>(numelements1)]),
          numelements(static_cast<unsigned int>(numelements1))
    {
    }
    VisitedList(const VisitedList &) = delete;
    VisitedList &operator=(const VisitedList &) = delete;
    void reset()
    {
        if (++curV == 0) {
            memset(mass, 0, sizeof(vl_type) * numelements);
            ++curV;
        }
    }
    ~VisitedList() { delete[] mass; }
};

// Lists for searches of many threads.
class VisitedListPool {
    std::deque<VisitedList *> pool;
    std::mutex poolguard;
    int numelements;

public:
    VisitedListPool(int initmaxpools, int numelements1) : numelements(numelements1)
    {
        for (int i = 0; i < initmaxpools; i++)
            pool.push_front(new VisitedList(numelements));
    }
    VisitedListPool(const VisitedListPool &) = delete;
    VisitedListPool &operator=(const VisitedListPool &) = delete;
    VisitedList *getFreeVisitedList()
    {
        VisitedList *list = nullptr;
        {
            std::unique_lock<std::mutex> lock(poolguard);
            if (!pool.empty()) {
                list = pool.front();
                pool.pop_front();
            }
        }
        if (!list)
            list = new VisitedList(numelements);
        list->reset();
        return list;
    }
    void releaseVisitedList(VisitedList *list)
    {
        std::unique_lock<std::mutex> lock(poolguard);
        pool.push_front(list);
    }
    ~VisitedListPool()
    {
        for (VisitedList *list : pool)
            delete list;
    }
};

} // namespace libhnx
} // namespace hnswlib
