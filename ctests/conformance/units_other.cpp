// The other one.
#include "hnswlib/hnswlib.h"

size_t fill(hnswlib::HierarchicalNSW<float> &index, const std::vector<float> &rows);
hnswlib::DISTFUNC<float> other_distance();

size_t fill(hnswlib::HierarchicalNSW<float> &index, const std::vector<float> &rows)
{
    for (size_t row = 0; row < rows.size() / 2; row++)
        index.addPoint(&rows[2 * row], row);
    return index.cur_element_count;
}

hnswlib::DISTFUNC<float> other_distance() { return hnswlib::L2Sqr; }
