/* hnx_query with a filter: what it accepts is found exactly, what it refuses never, and it can end the call. */
#include "index.h"

enum { COUNT = 400, DIM = 8, QUERIES = 12, K = 10, EF = COUNT };

/* A filter that knows what it is asked. */
struct asked {
    uint64_t divisor;
    uint64_t rest; /* label % divisor */
    size_t calls;
    size_t cancel_at; /* the call that ends the query; 0: none */
    unsigned times[COUNT];
};

static int32_t accept(void *context, uint64_t label)
{
    struct asked *asked = (struct asked *)context;
    CHECK(label >= 1000 && label < 1000 + COUNT);
    asked->times[label - 1000]++;
    if (++asked->calls == asked->cancel_at)
        return -1;
    return label % asked->divisor == asked->rest ? 5 : 0; /* any number above 0 is a yes */
}

/* The K nearest labels that a filter accepts, by looking at all; deleted ones do not count. */
static size_t nearest(const float *rows, const float *query, const struct asked *filter, const char *deleted,
                      uint64_t *labels)
{
    size_t count = 0;
    double distances[K];
    for (size_t row = 0; row < COUNT; row++) {
        const double distance = index_distance(HNX_METRIC_L2, rows + row * DIM, query, DIM);
        size_t at = count;
        if ((1000 + row) % filter->divisor != filter->rest || deleted[row])
            continue;
        if (count == K && distances[K - 1] <= distance)
            continue;
        for (at = count < K ? count++ : K - 1; at > 0 && distances[at - 1] > distance; at--)
            distances[at] = distances[at - 1], labels[at] = labels[at - 1];
        distances[at] = distance, labels[at] = 1000 + row;
    }
    return count;
}

static hnx_status query(const hnx_index *index, const float *queries, size_t count, struct asked *filter,
                        uint32_t threads, uint64_t *labels, float *distances, size_t *counts)
{
    const hnx_filter struct_filter = {sizeof struct_filter, accept, filter, NULL, 0, 0, 0};
    hnx_query_options options = index_ef(EF);
    options.threads = threads;
    options.filter = &struct_filter;
    filter->calls = 0;
    memset(filter->times, 0, sizeof filter->times);
    return hnx_query(index, queries, count, K, &options, labels, distances, counts);
}

/* Exactly the nearest accepted ones; asked at most once about each record a query. */
static void check_exact(const hnx_index *index, const float *rows, const float *queries, struct asked *filter,
                        const char *deleted)
{
    uint64_t labels[QUERIES * K], expected[K];
    float distances[QUERIES * K];
    size_t counts[QUERIES];
    CHECK_OK(query(index, queries, QUERIES, filter, 0, labels, distances, counts));
    for (size_t at = 0; at < QUERIES; at++) {
        const size_t count = nearest(rows, queries + at * DIM, filter, deleted, expected);
        CHECK(counts[at] == count);
        CHECK(memcmp(labels + at * K, expected, count * sizeof *expected) == 0);
        index_check_row(labels + at * K, distances + at * K, count, K);
    }
    for (size_t row = 0; row < COUNT; row++) {
        CHECK(filter->times[row] <= QUERIES);
        CHECK(!deleted[row] || filter->times[row] == 0); /* asked about live records only */
    }
}

static void accepts_and_refuses(const hnx_index *index, const float *rows, const float *queries, const char *deleted)
{
    static const uint64_t divisors[] = {1, 2, 3, 10, 57, COUNT};
    struct asked filter = {1, 0, 0, 0, {0}};
    uint64_t labels[K];
    float distances[K];
    size_t count = 99;
    for (size_t at = 0; at < sizeof divisors / sizeof *divisors; at++) {
        filter.divisor = divisors[at];
        for (filter.rest = 0; filter.rest < divisors[at] && filter.rest < 3; filter.rest++)
            check_exact(index, rows, queries, &filter, deleted);
    }
    filter.divisor = 5000, filter.rest = 4999; /* nothing */
    CHECK_OK(query(index, queries, 1, &filter, 1, labels, distances, &count));
    CHECK(count == 0);
    index_check_row(labels, distances, 0, K);
}

/* A filter that ends the call at any of its questions: the status says so, and the index is as good as before. */
static void cancels(const hnx_index *index, const float *queries)
{
    struct asked filter = {2, 0, 0, 0, {0}};
    uint64_t before[K], after[K];
    size_t calls;
    CHECK_OK(query(index, queries, 1, &filter, 1, before, NULL, NULL));
    calls = filter.calls;
    CHECK(calls >= K && calls <= COUNT);
    for (filter.cancel_at = 1; filter.cancel_at <= calls; filter.cancel_at += 1 + calls / 50) {
        CHECK_STATUS(HNX_ERR_CANCELLED, query(index, queries, 1, &filter, 1, after, NULL, NULL));
        CHECK(filter.calls == filter.cancel_at); /* not asked again */
    }
    filter.cancel_at = 0;
    CHECK_OK(query(index, queries, 1, &filter, 1, after, NULL, NULL));
    CHECK(memcmp(before, after, sizeof before) == 0);
    /* In a row of several queries, too. */
    {
        uint64_t labels[QUERIES * K];
        filter.cancel_at = calls + 1;
        CHECK_STATUS(HNX_ERR_CANCELLED, query(index, queries, QUERIES, &filter, 0, labels, NULL, NULL));
        CHECK(filter.calls == calls + 1);
    }
}

/* A filter may query the index it is asked for, and read from it. */
struct nested {
    const hnx_index *index;
    size_t calls;
};

static int32_t accept_what_is_near(void *context, uint64_t label)
{
    struct nested *nested = (struct nested *)context;
    float vector[DIM];
    nested->calls++;
    CHECK_OK(hnx_get(nested->index, &label, 1, vector));
    CHECK(index_nearest(nested->index, vector, 50) == label);
    return label % 2 == 0;
}

static void asks_in_turn(const hnx_index *index, const float *queries)
{
    struct nested nested = {index, 0};
    struct asked plain = {2, 0, 0, 0, {0}};
    const hnx_filter filter = {sizeof filter, accept_what_is_near, &nested, NULL, 0, 0, 0};
    hnx_query_options options = index_ef(EF);
    uint64_t expected[K], labels[K];
    options.filter = &filter;
    CHECK_OK(query(index, queries, 1, &plain, 1, expected, NULL, NULL));
    CHECK_OK(hnx_query(index, queries, 1, K, &options, labels, NULL, NULL));
    CHECK(nested.calls == plain.calls && memcmp(labels, expected, sizeof labels) == 0);
}

int main(void)
{
    float *rows = check_vectors(COUNT, DIM, 70), *queries = check_vectors(QUERIES, DIM, 71);
    char deleted[COUNT] = {0};
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, rows, COUNT, 1000);
    accepts_and_refuses(index, rows, queries, deleted);
    cancels(index, queries);
    asks_in_turn(index, queries);
    for (size_t row = 0; row < COUNT; row += 4) {
        CHECK_OK(hnx_mark_deleted(index, 1000 + row));
        deleted[row] = 1;
    }
    accepts_and_refuses(index, rows, queries, deleted);
    cancels(index, queries);
    hnx_free(index);
    free(rows);
    free(queries);
    return 0;
}
