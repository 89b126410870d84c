// The free functions: distances of every dimension, and the small helpers.
#pragma once

#include "vectors.h"

namespace conformance
{

struct Kernels {
    Random &random;
    size_t dim;
    std::vector<float> a, b;

    void print(const char *name, hnswlib::DISTFUNC<float> function, size_t multiple = 1)
    {
        if (dim % multiple == 0)
            Line() << name << " ~" << number(function(a.data(), b.data(), &dim));
    }
    void print_all()
    {
        hnswlib::L2Space l2(dim);
        hnswlib::InnerProductSpace inner_product(dim);
        print("L2Sqr", hnswlib::L2Sqr);
        print("InnerProduct", hnswlib::InnerProduct);
        print("InnerProductDistance", hnswlib::InnerProductDistance);
        print("L2Space", l2.get_dist_func());
        print("InnerProductSpace", inner_product.get_dist_func());
        Line() << "sizes " << l2.get_data_size() << " " << inner_product.get_data_size() << " "
               << *static_cast<size_t *>(l2.get_dist_func_param()) << " "
               << *static_cast<size_t *>(inner_product.get_dist_func_param());
#ifdef USE_SSE
        print("L2SqrSIMD16Ext", hnswlib::L2SqrSIMD16Ext, 16);
        print("L2SqrSIMD16ExtSSE", hnswlib::L2SqrSIMD16ExtSSE, 16);
        print("L2SqrSIMD16ExtResiduals", hnswlib::L2SqrSIMD16ExtResiduals);
        print("L2SqrSIMD4Ext", hnswlib::L2SqrSIMD4Ext, 4);
        print("L2SqrSIMD4ExtResiduals", hnswlib::L2SqrSIMD4ExtResiduals);
        print("InnerProductSIMD16Ext", hnswlib::InnerProductSIMD16Ext, 16);
        print("InnerProductSIMD16ExtSSE", hnswlib::InnerProductSIMD16ExtSSE, 16);
        print("InnerProductSIMD4Ext", hnswlib::InnerProductSIMD4Ext, 4);
        print("InnerProductSIMD4ExtSSE", hnswlib::InnerProductSIMD4ExtSSE, 4);
        print("InnerProductDistanceSIMD16Ext", hnswlib::InnerProductDistanceSIMD16Ext, 16);
        print("InnerProductDistanceSIMD16ExtSSE", hnswlib::InnerProductDistanceSIMD16ExtSSE, 16);
        print("InnerProductDistanceSIMD4Ext", hnswlib::InnerProductDistanceSIMD4Ext, 4);
        print("InnerProductDistanceSIMD4ExtSSE", hnswlib::InnerProductDistanceSIMD4ExtSSE, 4);
        print("InnerProductDistanceSIMD16ExtResiduals", hnswlib::InnerProductDistanceSIMD16ExtResiduals);
        print("InnerProductDistanceSIMD4ExtResiduals", hnswlib::InnerProductDistanceSIMD4ExtResiduals);
#endif
    }
    void print_bytes()
    {
        std::vector<unsigned char> x(dim), y(dim);
        Vectors<unsigned char> vectors(random, dim, L2, FINE);
        vectors.fill(x.data());
        vectors.fill(y.data());
        hnswlib::L2SpaceI space(dim);
        Line line;
        line << "bytes " << hnswlib::L2SqrI(x.data(), y.data(), &dim) << " "
             << space.get_dist_func()(x.data(), y.data(), &dim) << " " << space.get_data_size();
        if (dim % 4 == 0)
            line << " " << hnswlib::L2SqrI4x(x.data(), y.data(), &dim);
    }
};

inline void print_helpers(Random &random)
{
    Line line;
    std::stringstream stream;
    const uint64_t word = random.bits();
    uint64_t back = 0;
    hnswlib::writeBinaryPOD(stream, word);
    hnswlib::readBinaryPOD(stream, back);
    typedef std::pair<float, int> Pair;
    const Pair first(static_cast<float>(random.between(0, 2)), 1), second(1.0f, 2);
    hnswlib::VisitedListPool pool(1, 10);
    hnswlib::VisitedList *list = pool.getFreeVisitedList();
    list->mass[3] = list->curV;
    line << "helpers " << (word == back) << hnswlib::pairGreater<Pair>()(first, second) << " " << list->curV << " "
         << list->numelements << " " << hnswlib::BaseFilterFunctor()(word);
    pool.releaseVisitedList(list);
    list = pool.getFreeVisitedList();
    line << " " << list->curV << " " << (list->mass[3] == list->curV);
    pool.releaseVisitedList(list);
}

inline void run_kernels(uint64_t seed, Random &random)
{
    const Flavour flavour = random.chance(50) ? FINE : ROUNDED;
    Line() << "# " << seed << " kernels " << flavour_name(flavour) << (flavour == ROUNDED ? " soft" : "");
    for (int i = 0; i < 40; i++) {
        const size_t dim = static_cast<size_t>(random.chance(40) ? 4 * random.between(1, 60) : random.between(1, 300));
        Kernels kernels = {random, dim, std::vector<float>(dim), std::vector<float>(dim)};
        for (Metric metric : {L2, INNER_PRODUCT}) {
            Vectors<float> vectors(random, dim, metric, flavour);
            vectors.fill(kernels.a.data());
            vectors.fill(kernels.b.data());
            Line() << "dim " << dim;
            kernels.print_all();
        }
        kernels.print_bytes();
    }
    print_helpers(random);
}

} // namespace conformance
