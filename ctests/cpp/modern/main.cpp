// hnx.hpp: every part of its test, in C++17 and C++20.
#include "modern.h"

int main()
{
    test_ownership();
    test_errors();
    test_spans();
    test_queries();
    test_filters();
    test_files();
    test_threads();
    return 0;
}
