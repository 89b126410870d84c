// What hnswlib's classes are made of: macros, typedefs, the abstract classes that hosts implement or call through.
//
// libhnx's stand-in for the headers of hnswlib 0.8.0 and chroma-hnswlib: the same names, over the C ABI in hnx.h. The
// inline namespace keeps its symbols apart from those of an original hnswlib in the same process.
#pragma once

#if defined(__has_include)
#if __has_include("../hnx.h")
#include "../hnx.h"
#else
#include <hnx.h>
#endif
#else
#include "../hnx.h"
#endif

// A host may send warnings elsewhere, as RcppHNSW does.
#ifndef HNSWLIB_ERR_OVERRIDE
#define HNSWERR std::cerr
#else
#define HNSWERR HNSWLIB_ERR_OVERRIDE
#endif

// hnswlib's headers choose kernels when a host is compiled, libhnx when it runs. The macros are there for hosts that
// read them.
#ifndef NO_MANUAL_VECTORIZATION
#if (defined(__SSE__) || _M_IX86_FP > 0 || defined(_M_AMD64) || defined(_M_X64))
#define USE_SSE
#ifdef __AVX__
#define USE_AVX
#ifdef __AVX512F__
#define USE_AVX512
#endif
#endif
#endif
#endif

#if defined(USE_AVX) || defined(USE_SSE)
#include <stdint.h>
#ifdef _MSC_VER
#include <intrin.h>
#include <stdexcept>
static inline void cpuid(int32_t out[4], int32_t eax, int32_t ecx) { __cpuidex(out, eax, ecx); }
static inline __int64 xgetbv(unsigned int x) { return _xgetbv(x); }
#else
#include <cpuid.h>
#include <x86intrin.h>
static inline void cpuid(int32_t out[4], int32_t eax, int32_t ecx)
{
    __cpuid_count(eax, ecx, out[0], out[1], out[2], out[3]);
}
static inline uint64_t xgetbv(unsigned int index)
{
    uint32_t low, high;
    __asm__ __volatile__("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
    return (static_cast<uint64_t>(high) << 32) | low;
}
#endif
#if defined(USE_AVX512)
#include <immintrin.h>
#endif

#if defined(__GNUC__)
#define PORTABLE_ALIGN32 __attribute__((aligned(32)))
#define PORTABLE_ALIGN64 __attribute__((aligned(64)))
#else
#define PORTABLE_ALIGN32 __declspec(align(32))
#define PORTABLE_ALIGN64 __declspec(align(64))
#endif

#define _XCR_XFEATURE_ENABLED_MASK 0

// Whether CPU and operating system let programs use AVX.
static inline bool AVXCapable()
{
    int32_t registers[4];
    cpuid(registers, 0, 0);
    if (registers[0] < 1)
        return false;
    cpuid(registers, 1, 0);
    const bool saved_by_system = (registers[2] & (1 << 27)) != 0, in_cpu = (registers[2] & (1 << 28)) != 0;
    return saved_by_system && in_cpu && (xgetbv(_XCR_XFEATURE_ENABLED_MASK) & 0x6) == 0x6;
}

// Whether CPU and operating system let programs use AVX-512F.
static inline bool AVX512Capable()
{
    int32_t registers[4];
    cpuid(registers, 0, 0);
    if (!AVXCapable() || registers[0] < 7)
        return false;
    cpuid(registers, 7, 0);
    return (registers[1] & (1 << 16)) != 0 && (xgetbv(_XCR_XFEATURE_ENABLED_MASK) & 0xe6) == 0xe6;
}
#endif

// Hosts rely on more than these headers need.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <cmath>
#include <cstring>
#include <deque>
#include <fstream>
#include <iostream>
#include <istream>
#include <limits>
#include <list>
#include <memory>
#include <mutex>
#include <queue>
#include <random>
#include <set>
#include <stdexcept>
#include <streambuf>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace hnswlib
{
inline namespace libhnx
{

typedef size_t labeltype;
typedef unsigned int tableint;
typedef unsigned int linklistsizeint;

// Which labels a search may find. Asked on the searching thread, once at most about each candidate that is not deleted.
// May throw: the exception reaches who searches, and the index stays usable.
class BaseFilterFunctor {
public:
    virtual bool operator()(labeltype) { return true; }
    virtual ~BaseFilterFunctor() {}
};

// When a search ends and what it keeps; for HierarchicalNSW::searchStopConditionClosest(). May throw, as a filter.
template <typename dist_t> class BaseSearchStopCondition {
public:
    virtual void add_point_to_result(labeltype label, const void *datapoint, dist_t dist) = 0;
    // dist is the distance of the candidate at hand, as with hnswlib, not of the point that is given up.
    virtual void remove_point_from_result(labeltype label, const void *datapoint, dist_t dist) = 0;
    virtual bool should_stop_search(dist_t candidate_dist, dist_t lowerBound) = 0;
    virtual bool should_consider_candidate(dist_t candidate_dist, dist_t lowerBound) = 0;
    virtual bool should_remove_extra() = 0;
    virtual void filter_results(std::vector<std::pair<dist_t, labeltype>> &candidates) = 0;
    virtual ~BaseSearchStopCondition() {}
};

template <typename T> class pairGreater {
public:
    bool operator()(const T &p1, const T &p2) { return p1.first > p2.first; }
};

// The bytes of an object to a stream, and back.
template <typename T> static void writeBinaryPOD(std::ostream &out, const T &podRef)
{
    out.write(reinterpret_cast<const char *>(&podRef), sizeof(T));
}
template <typename T> static void readBinaryPOD(std::istream &in, T &podRef)
{
    in.read(reinterpret_cast<char *>(&podRef), sizeof(T));
}

// A distance of two vectors; the third argument is what the space's get_dist_func_param() returned.
template <typename MTYPE> using DISTFUNC = MTYPE (*)(const void *, const void *, const void *);

// Size of a vector in bytes, and how distances are measured. A space must outlive the indexes made with it.
template <typename MTYPE> class SpaceInterface {
public:
    virtual size_t get_data_size() = 0;
    virtual DISTFUNC<MTYPE> get_dist_func() = 0;
    virtual void *get_dist_func_param() = 0;
    virtual ~SpaceInterface() {}
};

template <typename dist_t> class AlgorithmInterface {
public:
    virtual void addPoint(const void *datapoint, labeltype label, bool replace_deleted = false) = 0;
    // The k nearest, farthest on top.
    virtual std::priority_queue<std::pair<dist_t, labeltype>>
    searchKnn(const void *, size_t, BaseFilterFunctor *isIdAllowed = nullptr) const = 0;
    // The k nearest, nearest first.
    virtual std::vector<std::pair<dist_t, labeltype>>
    searchKnnCloserFirst(const void *query_data, size_t k, BaseFilterFunctor *isIdAllowed = nullptr) const
    {
        auto found = searchKnn(query_data, k, isIdAllowed);
        std::vector<std::pair<dist_t, labeltype>> result(found.size());
        for (size_t at = result.size(); at > 0; found.pop())
            result[--at] = found.top();
        return result;
    }
    virtual void saveIndex(const std::string &location) = 0;
    virtual ~AlgorithmInterface() {}
};

} // namespace libhnx
} // namespace hnswlib
