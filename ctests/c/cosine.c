/* Cosine: the length of a vector does not matter to distances and comes back with it; the zero vector, lengths whose
 * squares overflow or vanish in float. */
#include "index.h"

enum { DIM = 33, COUNT = 40 };

/* Steps between neighbouring floats that lie between a and b. */
static int64_t ulps(float a, float b)
{
    int32_t x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    if ((x < 0) != (y < 0))
        return (int64_t)(x & 0x7FFFFFFF) + (y & 0x7FFFFFFF);
    return x > y ? (int64_t)x - y : (int64_t)y - x;
}

static void scaled(double scale)
{
    float *rows = check_vectors(COUNT, DIM, 3), *plain = check_vectors(COUNT, DIM, 3), back[DIM];
    uint64_t labels[COUNT];
    float distances[COUNT];
    hnx_index *index;
    for (size_t at = 0; at < COUNT * DIM; at++)
        rows[at] = (float)(rows[at] * scale);
    index = index_of(HNX_METRIC_COSINE, DIM, rows, COUNT, 0);
    for (uint64_t label = 0; label < COUNT; label++) {
        CHECK_OK(hnx_get(index, &label, 1, back));
        for (size_t at = 0; at < DIM; at++)
            CHECK(ulps(back[at], rows[label * DIM + at]) <= 2);
        /* Query and vectors may have lengths of quite different size. */
        CHECK(index_query(index, plain + label * DIM, COUNT, COUNT, labels, distances) == COUNT);
        index_check_row(labels, distances, COUNT, COUNT);
        CHECK(labels[0] == label && fabsf(distances[0]) < 1e-5f);
        for (size_t at = 0; at < COUNT; at++) {
            const float *query = plain + label * DIM, *row = rows + labels[at] * DIM;
            CHECK(fabs(distances[at] - index_distance(HNX_METRIC_COSINE, query, row, DIM)) < 1e-5);
        }
        CHECK(index_nearest(index, rows + label * DIM, COUNT) == label);
    }
    hnx_free(index);
    free(rows);
    free(plain);
}

/* The zero vector has no direction: distance 1 to everything. */
static void zero(void)
{
    const float rows[3 * 2] = {0, 0, 1, 0, -1, 0}, east[2] = {5, 0}, none[2] = {0, 0};
    hnx_index *index = index_of(HNX_METRIC_COSINE, 2, rows, 3, 10);
    const uint64_t zero_label = 10;
    uint64_t labels[3];
    float distances[3], back[2] = {9, 9};
    CHECK(index_query(index, east, 3, 10, labels, distances) == 3);
    CHECK(labels[0] == 11 && labels[1] == 10 && labels[2] == 12);
    CHECK(fabsf(distances[0]) < 1e-6f && distances[1] == 1 && fabsf(distances[2] - 2) < 1e-6f);
    CHECK(index_query(index, none, 3, 10, labels, distances) == 3);
    index_check_row(labels, distances, 3, 3);
    CHECK(distances[0] == 1 && distances[2] == 1);
    CHECK_OK(hnx_get(index, &zero_label, 1, back));
    CHECK(back[0] == 0 && back[1] == 0);
    hnx_free(index);
}

/* Each value is finite, the length is not: refused, or kept all the same; never given back as infinity. */
static void no_length(void)
{
    float row[DIM], back[DIM];
    const uint64_t label = 1;
    hnx_index *index = index_make(HNX_METRIC_COSINE, DIM, 0);
    hnx_status status;
    for (size_t at = 0; at < DIM; at++)
        row[at] = at % 2 ? 3e38f : -2e38f;
    status = index_add_one(index, row, label);
    CHECK(status == HNX_OK || status == HNX_ERR_INVALID_ARGUMENT);
    CHECK(hnx_count(index) == (status == HNX_OK));
    if (status == HNX_OK) {
        CHECK_OK(hnx_get(index, &label, 1, back));
        for (size_t at = 0; at < DIM; at++)
            CHECK(ulps(back[at], row[at]) <= 2);
    }
    hnx_free(index);
}

/* An update gives the record the new length, too. */
static void update(void)
{
    const float first[2] = {3, 4}, second[2] = {-300, 400};
    const uint64_t label = 1;
    float back[2];
    hnx_index *index = index_of(HNX_METRIC_COSINE, 2, first, 1, label);
    CHECK_OK(index_add_one(index, second, label));
    CHECK_OK(hnx_get(index, &label, 1, back));
    CHECK(ulps(back[0], -300) <= 2 && ulps(back[1], 400) <= 2);
    hnx_free(index);
}

int main(void)
{
    const double scales[] = {1, 1000, 1e-3, 1e30, 1e-25, 1e18, 1e-18, 3e37, 8e37, 1e-36, 1e-42};
    for (size_t at = 0; at < sizeof scales / sizeof *scales; at++)
        scaled(scales[at]);
    zero();
    no_length();
    update();
    return 0;
}
