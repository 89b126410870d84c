// Squared Euclidean distance, of floats and of bytes.
#pragma once

#include "interfaces.h"
#include "kernels.h"

namespace hnswlib
{
inline namespace libhnx
{

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
