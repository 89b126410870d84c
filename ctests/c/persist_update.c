/* Updates, revivals and replacements change neighbours far from the record itself: all of that is persisted, too. */
#include "graph_file.h"
#include "load.h"

enum { DIM = 6, COUNT = 400 };

static void check_disk(const hnx_index *index)
{
    hnx_index *opened = load_index("index", HNX_METRIC_COSINE, DIM, HNX_LOAD_READ_ONLY);
    float va[DIM], vb[DIM];
    CHECK_OK(hnx_save(index, "memory", HNX_FORMAT_HNSWLIB));
    CHECK_OK(hnx_save(opened, "disk", HNX_FORMAT_HNSWLIB));
    CHECK(graph_same("memory", "disk"));
    CHECK(hnx_count(opened) == hnx_count(index) && hnx_deleted_count(opened) == hnx_deleted_count(index));
    for (uint64_t label = 0; label < 2 * COUNT; label++) {
        const hnx_status status = hnx_get(index, &label, 1, va);
        CHECK_STATUS(status, hnx_get(opened, &label, 1, vb));
        CHECK(status != HNX_OK || memcmp(va, vb, sizeof va) == 0);
    }
    hnx_free(opened);
}

static void persist(hnx_index *index)
{
    CHECK_OK(hnx_persist_dirty(index, NULL, NULL));
    check_disk(index);
}

int main(void)
{
    char folder[FILES_PATH];
    float *rows = check_vectors(COUNT, DIM, 36), *places = check_vectors(COUNT, DIM, 37);
    uint64_t *labels = check_labels(COUNT, 0);
    hnx_options options = index_options(HNX_METRIC_COSINE, DIM, 0);
    hnx_index *index = NULL;
    uint64_t state = 38;
    files_enter(folder);
    options.m = 4; /* few links: every update pushes some out of their lists */
    options.flags = HNX_ALLOW_REPLACE_DELETED;
    options.persist_path = "index";
    CHECK_OK(hnx_init(&options, &index));

    /* A single record, updated: there are no neighbours to make it dirty. */
    CHECK_OK(index_add_one(index, rows, 0));
    persist(index);
    CHECK_OK(index_add_one(index, places, 0));
    CHECK(index_stats(index).dirty_records == 1);
    persist(index);

    CHECK_OK(index_add(index, rows, labels, COUNT));
    persist(index);
    for (uint64_t label = 0; label < 20; label++) { /* updates, one by one */
        CHECK_OK(index_add_one(index, places + label * DIM, label));
        persist(index);
    }
    for (uint64_t label = 20; label < 70; label++) /* and many at once */
        CHECK_OK(index_add_one(index, places + label * DIM, label));
    persist(index);
    for (uint64_t label = 100; label < 110; label++)
        CHECK_OK(hnx_mark_deleted(index, label));
    persist(index);
    CHECK_OK(index_add_one(index, places, 100)); /* lives again */
    persist(index);
    CHECK_OK(hnx_unmark_deleted(index, 101));
    persist(index);
    for (uint64_t label = COUNT; label < COUNT + 8; label++) {
        CHECK_OK(index_add_flags(index, places + (label - COUNT + 100) * DIM, &label, 1, HNX_ADD_REPLACE_DELETED));
        persist(index);
    }
    CHECK(hnx_count(index) == COUNT && hnx_deleted_count(index) == 0);

    /* A mixture, in steps of any size. */
    for (size_t round = 0; round < check_pick(3, 30); round++) {
        for (size_t step = check_next(&state) % 12; step > 0; step--) {
            const uint64_t label = check_next(&state) % (2 * COUNT);
            const float *place = (check_next(&state) % 2 ? rows : places) + check_next(&state) % COUNT * DIM;
            switch (check_next(&state) % 4) {
            case 0: hnx_mark_deleted(index, label); break;
            case 1: hnx_unmark_deleted(index, label); break;
            case 2: CHECK_OK(index_add_flags(index, place, &label, 1, HNX_ADD_REPLACE_DELETED)); break;
            default: CHECK_OK(index_add_one(index, place, label)); break;
            }
        }
        persist(index);
    }
    hnx_free(index);
    files_leave(folder);
    free(rows);
    free(places);
    free(labels);
    return 0;
}
