/* Making an index: defaults, limits of every option, facts about the library, freeing. */
#include "index.h"

static void facts(void)
{
    char expected[32];
    const char *cpu = hnx_cpu_name();
    snprintf(expected, sizeof expected, "%d.%d.%d", HNX_VERSION_MAJOR, HNX_VERSION_MINOR, HNX_VERSION_PATCH);
    CHECK(strcmp(hnx_version(), expected) == 0);
    CHECK(!strcmp(cpu, "avx512") || !strcmp(cpu, "avx2") || !strcmp(cpu, "neon") || !strcmp(cpu, "scalar"));
    CHECK(hnx_cpu_name() == cpu);
}

static void defaults(void)
{
    hnx_index *index = index_make(HNX_METRIC_IP, 7, 0);
    const hnx_stats_info stats = index_stats(index);
    CHECK(stats.metric == HNX_METRIC_IP && stats.flags == 0 && stats.dim == 7);
    CHECK(stats.m == 16 && stats.ef_construction == 200 && stats.ef == 10);
    CHECK(stats.count == 0 && stats.deleted == 0 && stats.max_level == -1 && stats.dirty_records == 0);
    CHECK(stats.exactness >= HNX_EXACTNESS_F32 && stats.exactness <= HNX_EXACTNESS_GUIDED);
    CHECK(hnx_dim(index) == 7 && hnx_count(index) == 0 && hnx_deleted_count(index) == 0);
    CHECK(hnx_capacity(index) == stats.capacity);
    CHECK_OK(hnx_set_ef(index, 77));
    CHECK(index_stats(index).ef == 77);
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_set_ef(index, 0));
    CHECK(index_stats(index).ef == 77);
    hnx_free(index);
}

static void given_values(void)
{
    hnx_options options = index_options(HNX_METRIC_L2, 3, 123);
    hnx_index *index = NULL;
    hnx_stats_info stats;
    options.flags = HNX_ALLOW_REPLACE_DELETED;
    options.m = 24;
    options.ef_construction = 8; /* below m: raised to it */
    CHECK_OK(hnx_init(&options, &index));
    stats = index_stats(index);
    CHECK(stats.flags == HNX_ALLOW_REPLACE_DELETED && stats.m == 24 && stats.ef_construction == 24);
    CHECK(stats.capacity == 123 && stats.count == 0);
    hnx_free(index);
}

static void refused(const hnx_options *options, const char *word)
{
    char place;
    hnx_index *const before = (hnx_index *)(void *)&place;
    hnx_index *index = before;
    CHECK_TEXT(HNX_ERR_INVALID_ARGUMENT, word, hnx_init(options, &index));
    CHECK(index == before);
}

#define REFUSED(field, value, word) \
    do { \
        hnx_options changed = index_options(HNX_METRIC_L2, 3, 0); \
        changed.field = (value); \
        refused(&changed, word); \
    } while (0)

static void limits(void)
{
    REFUSED(dim, 0, "dim");
    REFUSED(dim, 1000001, "dim");
    REFUSED(dim, SIZE_MAX, "dim");
    REFUSED(m, 1, "m is");
    REFUSED(m, 10001, "m is");
    REFUSED(m, SIZE_MAX, "m is");
    REFUSED(metric, 3, "metric");
    REFUSED(metric, UINT32_MAX, "metric");
    REFUSED(flags, 2, "flags");
    REFUSED(flags, 0x80000000u, "flags");
    REFUSED(ef_construction, SIZE_MAX, "ef_construction");
    REFUSED(max_elements, SIZE_MAX, "max_elements");
    REFUSED(max_elements, (size_t)1 << 61, "max_elements");
}

static void largest_values(void)
{
    hnx_options options = index_options(HNX_METRIC_L2, 1000000, 2);
    float *row = check_vectors(1, 1000000, 1);
    hnx_index *index = NULL;
    options.m = 10000;
    CHECK_OK(hnx_init(&options, &index));
    CHECK_OK(index_add_one(index, row, 5));
    CHECK(index_nearest(index, row, 1) == 5);
    hnx_free(index);
    free(row);
}

/* More than any machine can address: told when it is asked for, not when it is used. */
static void unaffordable(void)
{
    hnx_options options = index_options(HNX_METRIC_COSINE, 1000000, INT32_MAX);
    hnx_index *index = NULL;
    hnx_status status = hnx_init(&options, &index);
    CHECK(status == HNX_ERR_OUT_OF_MEMORY || status == HNX_ERR_INVALID_ARGUMENT);
    options.dim = 1;
    options.m = 10000;
    status = hnx_init(&options, &index);
    CHECK(status == HNX_ERR_OUT_OF_MEMORY || status == HNX_ERR_INVALID_ARGUMENT);
    CHECK(index == NULL);
}

int main(void)
{
    facts();
    defaults();
    given_values();
    limits();
    largest_values();
    unaffordable();
    for (int round = 0; round < 100; round++) {
        hnx_index *index = index_make(HNX_METRIC_L2, 3, round % 2 ? 10 : 0);
        const float row[3] = {1, 2, 3};
        if (round % 3)
            CHECK_OK(index_add_one(index, row, 1));
        hnx_free(index);
    }
    hnx_free(NULL);
    return 0;
}
