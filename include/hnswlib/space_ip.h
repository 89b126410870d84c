// Inner products of floats.
#pragma once

#include "interfaces.h"
#include "kernels.h"

namespace hnswlib
{
inline namespace libhnx
{

// Vectors of dim floats. For cosine the host normalises.
class InnerProductSpace : public SpaceInterface<float> {
    size_t dim_;

public:
    InnerProductSpace(size_t dim) : dim_(dim) {}
    size_t get_data_size() { return dim_ * sizeof(float); }
    DISTFUNC<float> get_dist_func() { return hnx_distance_ip; }
    void *get_dist_func_param() { return &dim_; }
    ~InnerProductSpace() {}
};

} // namespace libhnx
} // namespace hnswlib

#include "hnswlib.h"
