// Vectors to index, and spaces of the host's own.
//
// Exact vectors are small integers times a power of two, so short that all products and partial sums of a distance are
// integers below 2^24 of one unit: every order of summation gives the same bits, and what remains to differ is the
// algorithm. Fine ones use the whole range, so two distances are rarely equal; coarse ones tie all the time.
#pragma once

#include <math.h>

#include <algorithm>

#include "common.h"
#include "hnswlib.h"

namespace conformance
{

enum Flavour { FINE, COARSE, UNIT_LENGTH, ROUNDED };
enum Metric { L2, INNER_PRODUCT };

inline const char *flavour_name(Flavour flavour)
{
    static const char *const names[] = {"fine", "coarse", "unit", "rounded"};
    return names[flavour];
}

// Random integers, at least five, whose squares sum up to total. Four are left for last: any number is a sum of four
// squares, and most are one in many ways (a power of four, which four alone would have to be, is not).
inline bool fill_to_length(Random &random, std::vector<int> &x, int total)
{
    const size_t dim = x.size();
    long rest = total;
    const int reach = std::max(1, static_cast<int>(sqrt(total / static_cast<double>(dim)) * 1.7));
    for (size_t i = 4; i < dim; i++) {
        x[i] = random.between(-reach, reach);
        if (rest - static_cast<long>(x[i]) * x[i] < 0)
            x[i] = 0;
        rest -= static_cast<long>(x[i]) * x[i];
    }
    const int top = static_cast<int>(sqrt(static_cast<double>(rest)));
    for (int tries = 0; tries < 5000; tries++) {
        const long a = random.between(-top, top), b = random.between(-top, top), c = random.between(-top, top);
        const long square = rest - a * a - b * b - c * c;
        const long d = square < 0 ? 0 : lround(sqrt(static_cast<double>(square)));
        if (d * d == square) {
            x[0] = static_cast<int>(a), x[1] = static_cast<int>(b), x[2] = static_cast<int>(c);
            x[3] = static_cast<int>(random.chance(50) ? d : -d);
            return true;
        }
    }
    return false;
}

// Vectors of one flavour for one metric.
template <class Elem> class Vectors {
public:
    Vectors(Random &random, size_t dim, Metric metric, Flavour flavour)
        : random_(random), dim_(dim), metric_(metric), flavour_(flavour)
    {
        const double room = metric == L2 ? 4194303.0 : 8388608.0; // (2x)^2 < 2^24, or x^2 + 1 unit < 2^24
        reach_ = std::max(1, static_cast<int>(sqrt(room / static_cast<double>(dim))));
        if (flavour == COARSE)
            reach_ = std::min(reach_, random.between(1, 4));
        const int finest = metric == L2 ? 12 : 11;
        unit_ = 1.0 / (1 << random.between(0, finest));
        root_ = 64 << random.between(0, 4);
    }

    void fill(Elem *out)
    {
        switch (flavour_) {
        case UNIT_LENGTH: return fill_unit(out);
        case ROUNDED: return fill_rounded(out);
        default: break;
        }
        for (size_t i = 0; i < dim_; i++)
            out[i] = static_cast<Elem>(random_.between(-reach_, reach_) * unit_);
    }

private:
    // Its length is a power of two exactly, so that dividing by it is exact, too.
    void fill_unit(Elem *out)
    {
        std::vector<int> x(dim_);
        while (!fill_to_length(random_, x, root_ * root_)) {
        }
        // One length for all with L2: differences of unequal ones would need more bits.
        const double scale = static_cast<double>(1 << (metric_ == L2 ? 0 : random_.between(0, 6))) / root_;
        for (size_t i = 0; i < dim_; i++)
            out[i] = static_cast<Elem>(x[i] * scale);
    }
    void fill_rounded(Elem *out)
    {
        for (size_t i = 0; i < dim_; i++)
            out[i] = static_cast<Elem>(random_.bell());
        if (metric_ == L2)
            return;
        double squares = 1e-9;
        for (size_t i = 0; i < dim_; i++)
            squares += static_cast<double>(out[i]) * static_cast<double>(out[i]);
        for (size_t i = 0; i < dim_; i++)
            out[i] = static_cast<Elem>(static_cast<double>(out[i]) / sqrt(squares));
    }

    Random &random_;
    size_t dim_;
    Metric metric_;
    Flavour flavour_;
    int reach_ = 1, root_ = 1024;
    double unit_ = 1;
};

template <> inline void Vectors<unsigned char>::fill(unsigned char *out)
{
    for (size_t i = 0; i < dim_; i++)
        out[i] = static_cast<unsigned char>(random_.between(0, flavour_ == COARSE ? 3 : 255));
}
template <> inline void Vectors<uint16_t>::fill(uint16_t *out)
{
    for (size_t i = 0; i < dim_; i++)
        out[i] = static_cast<uint16_t>(random_.between(0, flavour_ == COARSE ? 2 : 4095));
}

// What a host's own space hands to its distance function. The dimension comes first: getDataByLabel reads it there.
struct HostParameters {
    size_t dim;
    float weights[256];
};

template <class Dist> class HostSpace : public hnswlib::SpaceInterface<Dist> {
public:
    HostSpace(size_t dim, size_t data_size, hnswlib::DISTFUNC<Dist> function) : data_size_(data_size), function_(function)
    {
        parameters_.dim = dim;
        for (size_t i = 0; i < 256; i++)
            parameters_.weights[i] = static_cast<float>(1 + i % 3);
    }
    size_t get_data_size() override { return data_size_; }
    hnswlib::DISTFUNC<Dist> get_dist_func() override { return function_; }
    void *get_dist_func_param() override { return &parameters_; }

private:
    HostParameters parameters_;
    size_t data_size_;
    hnswlib::DISTFUNC<Dist> function_;
};

template <class Elem> const Elem *elements(const void *vector) { return static_cast<const Elem *>(vector); }
inline const HostParameters &parameters(const void *parameter) { return *static_cast<const HostParameters *>(parameter); }

inline float host_l2(const void *a, const void *b, const void *parameter)
{
    float sum = 0;
    for (size_t i = 0; i < parameters(parameter).dim; i++) {
        const float difference = elements<float>(a)[i] - elements<float>(b)[i];
        sum += difference * difference;
    }
    return sum;
}
inline float host_inner_product(const void *a, const void *b, const void *parameter)
{
    float sum = 0;
    for (size_t i = 0; i < parameters(parameter).dim; i++)
        sum += elements<float>(a)[i] * elements<float>(b)[i];
    return 1 - sum;
}
inline float host_weighted(const void *a, const void *b, const void *parameter)
{
    float sum = 0;
    for (size_t i = 0; i < parameters(parameter).dim; i++) {
        const float difference = elements<float>(a)[i] - elements<float>(b)[i];
        sum += parameters(parameter).weights[i] * difference * difference;
    }
    return sum;
}
// Not symmetric: tells which of two vectors is given first.
inline float host_one_sided(const void *a, const void *b, const void *parameter)
{
    float sum = 0;
    for (size_t i = 0; i < parameters(parameter).dim; i++) {
        const float difference = elements<float>(a)[i] - elements<float>(b)[i];
        sum += difference > 0 ? difference : difference * -1.5f;
    }
    return sum;
}
inline double host_double(const void *a, const void *b, const void *parameter)
{
    double sum = 0;
    for (size_t i = 0; i < parameters(parameter).dim; i++) {
        const double difference = elements<double>(a)[i] - elements<double>(b)[i];
        sum += difference * difference;
    }
    return sum;
}
inline float host_manhattan(const void *a, const void *b, const void *parameter)
{
    long sum = 0;
    for (size_t i = 0; i < parameters(parameter).dim; i++)
        sum += labs(static_cast<long>(elements<uint16_t>(a)[i]) - elements<uint16_t>(b)[i]);
    return static_cast<float>(sum);
}
inline int host_hamming(const void *a, const void *b, const void *parameter)
{
    int bits = 0;
    for (size_t i = 0; i < parameters(parameter).dim; i++) {
        for (int x = elements<unsigned char>(a)[i] ^ elements<unsigned char>(b)[i]; x != 0; x &= x - 1)
            bits++;
    }
    return bits;
}

} // namespace conformance
