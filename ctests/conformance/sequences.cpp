// Random sequences on the surface of hnswlib 0.8.0: HierarchicalNSW, BruteforceSearch, spaces and kernels.
#include "brute_force.h"
#include "hnsw.h"
#include "kernels.h"

namespace
{

using namespace conformance;

typedef hnswlib::MultiVectorL2Space<unsigned> DocumentSpace;

// Mostly small, where there are many odd cases, at times as in use.
Setup random_setup(Random &random)
{
    Setup setup = Setup();
    setup.dim = static_cast<size_t>(random.chance(5) ? random.between(41, 200) : random.between(1, 40));
    setup.capacity = static_cast<size_t>(random.chance(5) ? random.between(0, 2) : random.between(40, 500));
    setup.m = static_cast<size_t>(random.chance(40) ? random.between(2, 5) : random.between(2, 24));
    if (random.chance(1)) {
        setup.m = 10000 + static_cast<size_t>(random.between(0, 2)); // more than 10000 is brought down, with a warning
        setup.capacity = static_cast<size_t>(random.between(1, 8));
    }
    setup.ef_construction = static_cast<size_t>(random.chance(30) ? random.between(1, 12) : random.between(10, 120));
    setup.random_seed = random.chance(10) ? random.bits() : random.below(1000);
    setup.replace = random.chance(55);
    setup.flavour = random.chance(25) ? COARSE : FINE;
    setup.metric = L2;
    return setup;
}

void print_head(uint64_t seed, const Setup &setup)
{
    Line() << "# " << seed << " hnsw " << setup.space << " " << flavour_name(setup.flavour) << " dim " << setup.dim
           << " capacity " << setup.capacity << " M " << setup.m << " ef " << setup.ef_construction << " seed "
           << setup.random_seed << (setup.replace ? " replace" : "") << (setup.soft() ? " soft" : "");
}

template <class Dist, class Elem>
void run_hnsw(uint64_t seed, Random &random, const Setup &setup, hnswlib::SpaceInterface<Dist> &space,
              const Arguments &given, std::function<void(Sequence<Dist, Elem> &)> own = nullptr)
{
    print_head(seed, setup);
    Captured warnings(std::cerr);
    Sequence<Dist, Elem> sequence(random, setup, space, given);
    if (!warnings.text().empty())
        Line() << warnings.text();
    sequence.own_operation = own;
    sequence.run();
}

template <class Dist, class Elem>
void run_host_space(uint64_t seed, Random &random, Setup &setup, const char *name, hnswlib::DISTFUNC<Dist> function,
                    const Arguments &given)
{
    setup.space = name;
    HostSpace<Dist> space(setup.dim, setup.dim * sizeof(Elem), function);
    run_hnsw<Dist, Elem>(seed, random, setup, space, given);
}

void run_built_in(uint64_t seed, Random &random, Setup &setup, const Arguments &given)
{
    const bool l2 = random.chance(60);
    setup.space = l2 ? "l2" : "ip";
    setup.metric = l2 ? L2 : INNER_PRODUCT;
    if (random.chance(15))
        setup.flavour = ROUNDED;
    else if (setup.dim >= 6 && random.chance(l2 ? 5 : 40))
        setup.flavour = UNIT_LENGTH;
    hnswlib::L2Space first(setup.dim);
    hnswlib::InnerProductSpace second(setup.dim);
    HostSpace<float> third(setup.dim, setup.dim * sizeof(float), l2 ? host_l2 : host_inner_product);
    hnswlib::SpaceInterface<float> &space =
        given.host_kernels ? static_cast<hnswlib::SpaceInterface<float> &>(third)
        : l2               ? static_cast<hnswlib::SpaceInterface<float> &>(first)
                           : static_cast<hnswlib::SpaceInterface<float> &>(second);
    run_hnsw<float, float>(seed, random, setup, space, given);
}

// Searches for documents. Not among ties: the two heaps of the original may then disagree about whose vector to drop.
void run_documents(uint64_t seed, Random &random, Setup &setup, const Arguments &given)
{
    setup.space = "documents";
    setup.dim = std::max<size_t>(setup.dim, 8);
    setup.flavour = FINE;
    DocumentSpace space(setup.dim);
    run_hnsw<float, float>(seed, random, setup, space, given, [&space](Sequence<float, float> &sequence) {
        Random &random = sequence.random();
        const std::vector<float> asked = sequence.query();
        const std::unique_ptr<Filter> allowed = sequence.filter(30, 5);
        const size_t documents = 1 + random.below(8), ef = 1 + random.below(15);
        hnswlib::MultiVectorSearchStopCondition<unsigned, float> condition(space, documents, ef);
        attempt(sequence.operation("search documents") << " " << documents << " " << ef, [&] {
            sequence.print_labels_row(
                sequence.index().searchStopConditionClosest(asked.data(), condition, allowed.get()));
        });
    });
}

void run_one(uint64_t seed, const Arguments &given)
{
    Random random(seed);
    const int kind = random.between(0, 99);
    if (kind < 4)
        return run_kernels(seed, random);
    if (kind < 14)
        return run_brute_force(seed, random, given);
    Setup setup = random_setup(random);
    if (kind < 54)
        return run_built_in(seed, random, setup, given);
    if (kind < 64)
        return run_documents(seed, random, setup, given);
    if (kind < 71) {
        setup.space = "l2 of bytes";
        hnswlib::L2SpaceI space(setup.dim);
        return run_hnsw<int, unsigned char>(seed, random, setup, space, given);
    }
    if (kind < 78)
        return run_host_space<float, float>(seed, random, setup, "weighted", host_weighted, given);
    if (kind < 82)
        return run_host_space<float, float>(seed, random, setup, "one-sided", host_one_sided, given);
    if (kind < 90)
        return run_host_space<double, double>(seed, random, setup, "double", host_double, given);
    if (kind < 96)
        return run_host_space<float, uint16_t>(seed, random, setup, "manhattan", host_manhattan, given);
    run_host_space<int, unsigned char>(seed, random, setup, "hamming", host_hamming, given);
}

} // namespace

int main(int argc, char **argv)
{
    const Arguments given = arguments(argc, argv);
    for (uint64_t seed = given.first; seed <= given.last; seed++) {
        run_one(seed, given);
        Line() << ". " << seed;
    }
}
