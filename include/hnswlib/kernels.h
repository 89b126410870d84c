// Distances under all the names that hnswlib has for them.
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

// Squared L2. One distance under many names: the instruction set is chosen when the program runs.
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

// The dot product itself. Sixteen sums, so that compilers keep them in vector registers.
inline float InnerProduct(const void *a, const void *b, const void *dim)
{
    const size_t size = *static_cast<const size_t *>(dim);
    const char *x = static_cast<const char *>(a), *y = static_cast<const char *>(b);
    float sums[16] = {0}, p[16], q[16];
    size_t at = 0;
    for (; at + 16 <= size; at += 16) {
        memcpy(p, x + at * sizeof(float), sizeof p);
        memcpy(q, y + at * sizeof(float), sizeof q);
        for (int i = 0; i < 16; i++)
            sums[i] += p[i] * q[i];
    }
    for (; at < size; at++) {
        memcpy(p, x + at * sizeof(float), sizeof(float));
        memcpy(q, y + at * sizeof(float), sizeof(float));
        sums[at % 16] += p[0] * q[0];
    }
    for (int half = 8; half > 0; half /= 2) {
        for (int i = 0; i < half; i++)
            sums[i] += sums[i + half];
    }
    return sums[0];
}

// 1 - dot product.
inline float InnerProductDistance(const void *a, const void *b, const void *dim) { return hnx_distance_ip(a, b, dim); }

#define HNX_SAME_DOT(name) \
    inline float name(const void *a, const void *b, const void *dim) { return InnerProduct(a, b, dim); }
#define HNX_SAME_DISTANCE(name) \
    inline float name(const void *a, const void *b, const void *dim) { return hnx_distance_ip(a, b, dim); }

#if defined(USE_AVX512)
HNX_SAME_DOT(InnerProductSIMD16ExtAVX512)
HNX_SAME_DISTANCE(InnerProductDistanceSIMD16ExtAVX512)
#endif
#if defined(USE_AVX)
HNX_SAME_DOT(InnerProductSIMD16ExtAVX)
HNX_SAME_DOT(InnerProductSIMD4ExtAVX)
HNX_SAME_DISTANCE(InnerProductDistanceSIMD16ExtAVX)
HNX_SAME_DISTANCE(InnerProductDistanceSIMD4ExtAVX)
#endif
#if defined(USE_SSE)
HNX_SAME_DOT(InnerProductSIMD16ExtSSE)
HNX_SAME_DOT(InnerProductSIMD4ExtSSE)
HNX_SAME_DISTANCE(InnerProductDistanceSIMD16ExtSSE)
HNX_SAME_DISTANCE(InnerProductDistanceSIMD4ExtSSE)
HNX_SAME_DISTANCE(InnerProductDistanceSIMD16ExtResiduals)
HNX_SAME_DISTANCE(InnerProductDistanceSIMD4ExtResiduals)
HNX_MAYBE_UNUSED static DISTFUNC<float> InnerProductSIMD16Ext = InnerProductSIMD16ExtSSE;
HNX_MAYBE_UNUSED static DISTFUNC<float> InnerProductSIMD4Ext = InnerProductSIMD4ExtSSE;
HNX_MAYBE_UNUSED static DISTFUNC<float> InnerProductDistanceSIMD16Ext = InnerProductDistanceSIMD16ExtSSE;
HNX_MAYBE_UNUSED static DISTFUNC<float> InnerProductDistanceSIMD4Ext = InnerProductDistanceSIMD4ExtSSE;
#endif

#undef HNX_SAME_DOT
#undef HNX_SAME_DISTANCE

} // namespace libhnx
} // namespace hnswlib
