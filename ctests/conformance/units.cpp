// One of two translation units: an index goes from one to the other and back.
#include "hnswlib/hnswlib.h"

size_t fill(hnswlib::HierarchicalNSW<float> &index, const std::vector<float> &rows);
hnswlib::DISTFUNC<float> other_distance();

int main()
{
    hnswlib::L2Space space(2);
    hnswlib::HierarchicalNSW<float> index(&space, 10);
    const std::vector<float> rows = {1, 2, 3, 4, 5, 6};
    size_t dim = 2;
    const bool filled = fill(index, rows) == 3, found = index.searchKnn(&rows[2], 1).top().second == 1;
    return !filled || !found || other_distance()(&rows[0], &rows[2], &dim) != 8;
}
