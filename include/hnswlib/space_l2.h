// Squared Euclidean distance, of floats and of bytes.
#pragma once

#include "interfaces.h"

#if defined(__GNUC__)
#define HNX_MAYBE_UNUSED __attribute__((unused))
#else
#define HNX_MAYBE_UNUSED
#endif

namespace hnswlib
{
inline namespace libhnx
{

// All of hnswlib's names for one distance: the instruction set is chosen when the program runs.
inline float L2Sqr(const void *a, const void *b, const void *dim) { return hnx_distance_l2(a, b, dim); }

#if defined(USE_AVX512)
inline float L2SqrSIMD16ExtAVX512(const void *a, const void *b, const void *dim) { return hnx_distance_l2(a, b, dim); }
#endif
#if defined(USE_AVX)
inline float L2SqrSIMD16ExtAVX(const void *a, const void *b, const void *dim) { return hnx_distance_l2(a, b, dim); }
#endif
#if defined(USE_SSE)
inline float L2SqrSIMD16ExtSSE(const void *a, const void *b, const void *dim) { return hnx_distance_l2(a, b, dim); }
inline float L2SqrSIMD16ExtResiduals(const void *a, const void *b, const void *dim) { return hnx_distance_l2(a, b, dim); }
inline float L2SqrSIMD4Ext(const void *a, const void *b, const void *dim) { return hnx_distance_l2(a, b, dim); }
inline float L2SqrSIMD4ExtResiduals(const void *a, const void *b, const void *dim) { return hnx_distance_l2(a, b, dim); }
HNX_MAYBE_UNUSED static DISTFUNC<float> L2SqrSIMD16Ext = L2SqrSIMD16ExtSSE;
#endif

inline int L2SqrI(const void *a, const void *b, const void *dim) { return hnx_distance_l2_u8(a, b, dim); }
inline int L2SqrI4x(const void *a, const void *b, const void *dim) { return hnx_distance_l2_u8(a, b, dim); }

// Vectors of dim floats.
class L2Space : public SpaceInterface<float> {
    size_t dim_;

public:
    L2Space(size_t dim) : dim_(dim) {}
    size_t get_data_size() { return dim_ * sizeof(float); }
    DISTFUNC<float> get_dist_func() { return hnx_distance_l2; }
    void *get_dist_func_param() { return &dim_; }
    ~L2Space() {}
};

// Vectors of dim bytes.
class L2SpaceI : public SpaceInterface<int> {
    size_t dim_;

public:
    L2SpaceI(size_t dim) : dim_(dim) {}
    size_t get_data_size() { return dim_ * sizeof(unsigned char); }
    DISTFUNC<int> get_dist_func() { return hnx_distance_l2_u8; }
    void *get_dist_func_param() { return &dim_; }
    ~L2SpaceI() {}
};

} // namespace libhnx
} // namespace hnswlib

#include "hnswlib.h"
