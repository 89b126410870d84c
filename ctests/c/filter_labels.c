/* Filters: by a function, by a list of labels, by both; against all neighbours, sorted. And lists of labels. */
#include "load.h"

enum { DIM = 8, K = 10 };

static int32_t odd(void *context, uint64_t label)
{
    ++*(size_t *)context;
    return label % 2 == 1;
}

static int32_t give_up(void *context, uint64_t label)
{
    (void)context, (void)label;
    return -1;
}

static hnx_filter filter_zero(void)
{
    hnx_filter filter;
    memset(&filter, 0, sizeof filter);
    filter.struct_size = sizeof filter;
    return filter;
}

static size_t filtered(const hnx_index *index, const float *query, const hnx_filter *filter, uint64_t *labels)
{
    hnx_query_options options = index_ef(100);
    size_t count = 0;
    options.filter = filter;
    options.threads = 4;
    CHECK_OK(hnx_query(index, query, 1, K, &options, labels, NULL, &count));
    return count;
}

static float squared(const float *a, const float *b)
{
    float sum = 0;
    for (size_t i = 0; i < DIM; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

/* What is found is wanted, and nothing that is wanted is nearer than the last of it, but for the odd miss of HNSW. */
static void check_found(const float *rows, size_t count, const float *query, const char *wanted, const uint64_t *found,
                        size_t found_count)
{
    size_t all = 0, nearer = 0;
    for (size_t i = 0; i < count; i++)
        all += wanted[i] != 0;
    CHECK(found_count == (all < K ? all : K));
    for (size_t i = 0; i < found_count; i++)
        CHECK(found[i] < count && wanted[found[i]]);
    for (size_t i = found_count; i < K; i++)
        CHECK(found[i] == UINT64_MAX);
    if (found_count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        nearer += wanted[i] && squared(rows + i * DIM, query) < squared(rows + found[found_count - 1] * DIM, query);
    CHECK(nearer <= found_count); /* all of the found ones but the last, and at most one that was missed */
}

static void lists(const hnx_index *index, const float *rows, size_t count)
{
    uint64_t found[K], *listed = (uint64_t *)check_alloc(count, sizeof *listed), state = 5;
    char *wanted = (char *)check_alloc(count, 1);
    for (size_t size = 0; size <= count; size = size * 3 + 1) {
        hnx_filter filter = filter_zero();
        const float *query = rows + check_next(&state) % count * DIM;
        size_t asked = 0;
        for (size_t i = 0; i < size; i++)
            listed[i] = check_next(&state) % (count + 5); /* some twice, some that do not exist */
        filter.labels = size ? listed : NULL, filter.label_count = size;

        filter.flags = HNX_FILTER_ONLY;
        memset(wanted, 0, count);
        for (size_t i = 0; i < size; i++)
            if (listed[i] < count) wanted[listed[i]] = 1;
        check_found(rows, count, query, wanted, found, filtered(index, query, &filter, found));

        filter.flags = HNX_FILTER_EXCEPT;
        for (size_t i = 0; i < count; i++)
            wanted[i] = !wanted[i];
        check_found(rows, count, query, wanted, found, filtered(index, query, &filter, found));

        filter.accept = odd, filter.context = &asked;
        for (size_t i = 0; i < count; i += 2)
            wanted[i] = 0;
        check_found(rows, count, query, wanted, found, filtered(index, query, &filter, found));
        CHECK(asked > 0);

        filter.flags = 0; /* the function alone: the list is not looked at */
        for (size_t i = 0; i < count; i++)
            wanted[i] = i % 2 == 1;
        filter.labels = (const uint64_t *)(const void *)1;
        check_found(rows, count, query, wanted, found, filtered(index, query, &filter, found));
    }
    free(listed), free(wanted);
}

static void refused(const hnx_index *index, const float *query)
{
    uint64_t found[K], label = 1;
    hnx_query_options options = index_ef(10);
    hnx_filter filter = filter_zero();
    options.filter = &filter;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_query(index, query, 1, K, &options, found, NULL, NULL));
    filter.labels = &label, filter.label_count = 1; /* and nobody says what for */
    CHECK_TEXT(HNX_ERR_INVALID_ARGUMENT, "HNX_FILTER_ONLY or HNX_FILTER_EXCEPT",
               hnx_query(index, query, 1, K, &options, found, NULL, NULL));
    filter.labels = NULL;
    filter.flags = HNX_FILTER_ONLY, filter.label_count = 1;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_query(index, query, 1, K, &options, found, NULL, NULL));
    filter.labels = &label, filter.label_count = SIZE_MAX / 4;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_query(index, query, 1, K, &options, found, NULL, NULL));
    filter.label_count = 1, filter.flags = HNX_FILTER_ONLY | HNX_FILTER_EXCEPT;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_query(index, query, 1, K, &options, found, NULL, NULL));
    filter.flags = 4;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_query(index, query, 1, K, &options, found, NULL, NULL));
    filter.flags = 0, filter.accept = give_up;
    CHECK_STATUS(HNX_ERR_CANCELLED, hnx_query(index, query, 1, K, &options, found, NULL, NULL));
    /* A struct of an older header ends before the list. */
    filter.accept = odd, filter.context = &options.ef, filter.flags = 77;
    filter.struct_size = offsetof(hnx_filter, labels);
    CHECK_OK(hnx_query(index, query, 1, K, &options, found, NULL, NULL));
}

/* Where a label is among others; their number if it is not. */
static size_t place_of(uint64_t label, const uint64_t *labels, size_t count)
{
    size_t place = 0;
    while (place < count && labels[place] != label)
        place++;
    return place;
}

/* Of listed labels as many are found as are asked for, were there no way to them: by an index that knows where they
 * are, which measures few and walks for many, and by a mapped one, which does not know yet. */
static void no_way(void)
{
    enum { COUNT = 600, QUERIES = 3 };
    float *rows = (float *)check_alloc(COUNT * DIM, sizeof *rows); /* all equal: most are out of reach */
    hnx_options how = index_options(HNX_METRIC_L2, DIM, 0);
    hnx_load_options options = load_options(HNX_METRIC_L2, DIM, HNX_LOAD_MMAP);
    uint64_t *labels = check_labels(COUNT, 0), *found = check_labels(COUNT, 0), *lost = check_labels(COUNT, 0);
    hnx_index *index, *opened;
    size_t reached, count = 0;
    char folder[FILES_PATH];
    how.m = 2;
    CHECK_OK(hnx_init(&how, &index));
    CHECK_OK(index_add(index, rows, labels, COUNT));
    reached = index_query(index, rows, COUNT, COUNT, found, NULL);
    for (uint64_t label = 0; label < COUNT; label++)
        if (place_of(label, found, reached) == reached) lost[count++] = label;
    CHECK(count > COUNT / 2);
    files_enter(folder);
    CHECK_OK(hnx_save(index, "file", HNX_FORMAT_HNSWLIB));
    for (size_t listed = K; listed <= count; listed += count - K) {
        CHECK_OK(hnx_load("file", &options, &opened));
        for (int known = 0; known < 2; known++) {
            hnx_filter filter = filter_zero();
            hnx_query_options asked = index_ef(K);
            uint64_t answers[QUERIES * K];
            size_t counts[QUERIES];
            asked.filter = &filter;
            filter.labels = lost, filter.label_count = listed, filter.flags = HNX_FILTER_ONLY;
            CHECK_OK(hnx_query(known ? index : opened, rows, QUERIES, K, &asked, answers, NULL, counts));
            for (size_t row = 0; row < QUERIES; row++) {
                CHECK(counts[row] == K);
                for (size_t at = row * K; at < (row + 1) * K; at++)
                    CHECK(place_of(answers[at], lost, listed) < listed &&
                          (at == row * K || answers[at - 1] < answers[at]));
            }
        }
        hnx_free(opened);
    }
    hnx_free(index);
    files_leave(folder);
    free(rows), free(labels), free(found), free(lost);
}

static size_t labels_of(const hnx_index *index, uint32_t which, uint64_t *out, size_t capacity)
{
    size_t count = 12345;
    CHECK_OK(hnx_labels(index, which, out, capacity, &count));
    return count;
}

static void labels(const float *rows)
{
    const hnx_options options = {sizeof options, HNX_METRIC_L2, HNX_ALLOW_REPLACE_DELETED, DIM, 0, 0, 0, 0, NULL};
    const uint64_t given[5] = {7, UINT64_MAX - 1, 0, 9, 4};
    uint64_t out[8];
    size_t count = 0;
    hnx_index *index = NULL;
    CHECK_OK(hnx_init(&options, &index));
    CHECK(labels_of(index, HNX_LABELS_ALL, NULL, 0) == 0);
    CHECK_OK(index_add(index, rows, given, 5));
    CHECK(labels_of(index, HNX_LABELS_LIVE, out, 8) == 5 && memcmp(out, given, sizeof given) == 0);
    CHECK_OK(hnx_mark_deleted(index, 0));
    CHECK_OK(hnx_mark_deleted(index, 9));
    CHECK(labels_of(index, HNX_LABELS_LIVE, out, 8) == 3 && out[0] == 7 && out[1] == UINT64_MAX - 1 && out[2] == 4);
    CHECK(labels_of(index, HNX_LABELS_DELETED, out, 8) == 2 && out[0] == 0 && out[1] == 9);
    CHECK(labels_of(index, HNX_LABELS_ALL, out, 8) == 5 && memcmp(out, given, sizeof given) == 0);
    out[2] = 99; /* too short: what fits, and the whole number */
    CHECK(labels_of(index, HNX_LABELS_LIVE, out, 2) == 3 && out[1] == UINT64_MAX - 1 && out[2] == 99);
    CHECK_OK(index_add_flags(index, rows, &(const uint64_t){50}, 1, HNX_ADD_REPLACE_DELETED));
    CHECK(labels_of(index, HNX_LABELS_ALL, out, 8) == 5 && labels_of(index, HNX_LABELS_DELETED, out, 8) == 1);
    count = 77;
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_labels(index, 3, out, 8, &count));
    CHECK(count == 77);
    hnx_free(index);
}

int main(void)
{
    const size_t count = check_pick(300, 3000);
    float *rows = check_vectors(count, DIM, 1);
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, rows, count, 0);
    lists(index, rows, count);
    refused(index, rows);
    no_way();
    labels(rows);
    hnx_free(index);
    free(rows);
    return 0;
}
