/* NaN and infinity are refused wherever they stand; the text names the row, outputs and index stay as they were. */
#include "index.h"

enum { ROWS = 40 };

static void refused(hnx_index *index, float *rows, size_t dim, size_t row, float value, size_t at)
{
    char word[32];
    uint64_t labels[ROWS], found[ROWS * 2];
    float distances[ROWS * 2], *cell = rows + row * dim + at;
    size_t counts[ROWS];
    const float before = *cell;
    *cell = value;
    snprintf(word, sizeof word, "row %zu:", row);
    for (uint64_t label = 0; label < ROWS; label++)
        labels[label] = label + 500;
    CHECK_TEXT(HNX_ERR_INVALID_ARGUMENT, word, hnx_add(index, rows, labels, ROWS, NULL, NULL));
    CHECK(hnx_count(index) == 1);

    memset(found, 0x11, sizeof found);
    memset(distances, 0x11, sizeof distances);
    memset(counts, 0x11, sizeof counts);
    snprintf(word, sizeof word, "query %zu:", row);
    CHECK_TEXT(HNX_ERR_INVALID_ARGUMENT, word, hnx_query(index, rows, ROWS, 2, NULL, found, distances, counts));
    for (size_t byte = 0; byte < sizeof found; byte++)
        CHECK(((unsigned char *)found)[byte] == 0x11);
    for (size_t byte = 0; byte < sizeof distances; byte++)
        CHECK(((unsigned char *)distances)[byte] == 0x11);
    for (size_t byte = 0; byte < sizeof counts; byte++)
        CHECK(((unsigned char *)counts)[byte] == 0x11);
    *cell = before;
}

int main(void)
{
    /* Kernels take blocks and a rest: the value stands in each part, first and last. */
    const size_t dims[] = {1, 3, 8, 17, 40};
    const float values[] = {NAN, -NAN, INFINITY, -INFINITY};
    const uint32_t metrics[] = {HNX_METRIC_L2, HNX_METRIC_IP, HNX_METRIC_COSINE};
    for (size_t metric = 0; metric < 3; metric++)
        for (size_t dim = 0; dim < sizeof dims / sizeof *dims; dim++) {
            float *rows = check_vectors(ROWS, dims[dim], 19);
            hnx_index *index = index_of(metrics[metric], dims[dim], rows, 1, 7);
            for (size_t at = 0; at < dims[dim]; at++)
                for (size_t value = 0; value < 4; value++)
                    refused(index, rows, dims[dim], (at + value) % 2 ? 37 : 0, values[value], at);
            /* An update that is refused leaves the old vector. */
            {
                float bad[40] = {0}, back[40];
                const uint64_t label = 7;
                bad[dims[dim] - 1] = NAN;
                CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, index_add_one(index, bad, 7));
                CHECK_OK(hnx_get(index, &label, 1, back));
                CHECK(fabsf(back[0] - rows[0]) < 1e-6f);
                CHECK(index_nearest(index, rows, 10) == 7);
            }
            hnx_free(index);
            free(rows);
        }
    return 0;
}
