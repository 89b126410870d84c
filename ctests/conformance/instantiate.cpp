// Every member of every class template is a valid function, for all kinds of distances that hosts use; and warnings go
// where a host has them go.
#include <iosfwd>
#ifdef INSTANTIATE_WARNINGS
extern std::ostream &warnings();
#define HNSWLIB_ERR_OVERRIDE warnings()
#endif

#include "hnswlib/hnswlib.h"

template class hnswlib::HierarchicalNSW<float>;
template class hnswlib::HierarchicalNSW<double>;
template class hnswlib::HierarchicalNSW<int>;
template class hnswlib::HierarchicalNSW<unsigned short>;
template class hnswlib::BruteforceSearch<float>;
template class hnswlib::BruteforceSearch<double>;
template class hnswlib::BruteforceSearch<int>;
template class hnswlib::MultiVectorL2Space<int>;
template class hnswlib::MultiVectorInnerProductSpace<size_t>;
template class hnswlib::MultiVectorSearchStopCondition<int, float>;
template class hnswlib::EpsilonSearchStopCondition<float>;
template class hnswlib::EpsilonSearchStopCondition<int>;
template class hnswlib::HnswData<char>;
template class hnswlib::HnswData<const char>;

#ifdef INSTANTIATE_WARNINGS
#include <sstream>

static std::ostringstream text;
std::ostream &warnings() { return text; }

int main()
{
    hnswlib::L2Space space(2);
    hnswlib::HierarchicalNSW<float> index(&space, 1, 20000);
    return text.str().find("10000") == std::string::npos || index.M_ != 10000;
}
#endif
