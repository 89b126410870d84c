// A host whose library shares a process with a host of the other headers: one function, PLUGIN, that works with every
// class and returns a hash of what it saw. Distances are exact, so that both see the same.
#include <string>

#include "hnswlib/hnswlib.h"

#include <stdio.h>

namespace
{

class Odd : public hnswlib::BaseFilterFunctor {
public:
    int left = -1;
    bool operator()(hnswlib::labeltype label) override
    {
        if (left-- == 0)
            throw 7;
        return label % 2 == 1;
    }
};

struct Hash {
    unsigned long long value = 14695981039346656037u;
    void add(unsigned long long word) { value = (value ^ word) * 1099511628211u; }
};

unsigned long long work(unsigned seed, const char *path)
{
    enum { DIM = 20, COUNT = 400 };
    std::mt19937 random(seed);
    std::vector<float> rows(DIM * COUNT);
    for (float &value : rows)
        value = static_cast<float>(random() % 128);
    hnswlib::L2Space l2(DIM);
    hnswlib::InnerProductSpace inner_product(DIM);
    hnswlib::HierarchicalNSW<float> index(&l2, COUNT, 8, 60, seed, true);
    hnswlib::BruteforceSearch<float> exact(&inner_product, COUNT);
    Hash hash;
    for (unsigned label = 0; label < COUNT; label++) {
        index.addPoint(&rows[label * DIM], label);
        exact.addPoint(&rows[label * DIM], label);
        if (label % 9 == 8)
            index.markDelete(label - 4);
        if (label % 27 == 26)
            index.addPoint(&rows[label * DIM], 10000 + label, true);
    }
    index.saveIndex(path);
    hnswlib::HierarchicalNSW<float> loaded(&l2, path);
    remove(path);
    for (unsigned at = 0; at < COUNT; at += 5) {
        for (auto &entry : loaded.searchKnnCloserFirst(&rows[at * DIM], 8)) {
            hash.add(entry.second);
            hash.add(static_cast<unsigned long long>(entry.first));
        }
        Odd odd;
        for (auto &entry : index.searchKnnCloserFirst(&rows[at * DIM], 5, &odd))
            hash.add(entry.second);
        for (auto &entry : exact.searchKnnCloserFirst(&rows[at * DIM], 5))
            hash.add(entry.second);
        odd.left = 3;
        try {
            index.searchKnn(&rows[at * DIM], 5, &odd);
        } catch (int number) {
            hash.add(static_cast<unsigned long long>(number));
        }
        try {
            index.getDataByLabel<float>(99999999);
        } catch (const std::runtime_error &error) {
            hash.add(static_cast<unsigned long long>(error.what()[0]));
        }
    }
    return hash.value;
}

} // namespace

extern "C" unsigned long long PLUGIN(unsigned seed, const char *path) { return work(seed, path); }
