/* Reads a file of HNX_FORMAT_HNSWLIB by the published layout of hnswlib's saveIndex(), and compares two graphs. */
#ifndef HNX_TEST_GRAPH_FILE_H
#define HNX_TEST_GRAPH_FILE_H

#include "files.h"
#include "index.h"

#define GRAPH_HEADER 96

typedef struct graph_file {
    unsigned char *bytes;
    size_t size;
    uint64_t max_elements, count, stride, label_offset, data_offset, max_m, max_m0, m, ef_construction;
    int32_t max_level;
    uint32_t entry;
    double mult;
    size_t *upper; /* where the upper lists of each record begin (at their size) */
} graph_file;

static inline uint64_t graph_u64(const graph_file *file, size_t at)
{
    uint64_t value;
    CHECK(at + sizeof value <= file->size);
    memcpy(&value, file->bytes + at, sizeof value);
    return value;
}

static inline uint32_t graph_u32(const graph_file *file, size_t at)
{
    uint32_t value;
    CHECK(at + sizeof value <= file->size);
    memcpy(&value, file->bytes + at, sizeof value);
    return value;
}

static inline size_t graph_record(const graph_file *file, size_t id)
{
    return GRAPH_HEADER + id * file->stride;
}

/* Reads and checks what every file must fulfil; graph_close() frees. */
static inline graph_file graph_open(const char *path)
{
    graph_file file;
    size_t at;
    memset(&file, 0, sizeof file);
    file.bytes = files_read(path, &file.size);
    CHECK(graph_u64(&file, 0) == 0);
    file.max_elements = graph_u64(&file, 8);
    file.count = graph_u64(&file, 16);
    file.stride = graph_u64(&file, 24);
    file.label_offset = graph_u64(&file, 32);
    file.data_offset = graph_u64(&file, 40);
    file.max_level = (int32_t)graph_u32(&file, 48);
    file.entry = graph_u32(&file, 52);
    file.max_m = graph_u64(&file, 56);
    file.max_m0 = graph_u64(&file, 64);
    file.m = graph_u64(&file, 72);
    memcpy(&file.mult, file.bytes + 80, sizeof file.mult);
    file.ef_construction = graph_u64(&file, 88);
    file.upper = (size_t *)check_alloc(file.count, sizeof *file.upper);
    at = graph_record(&file, file.count);
    for (size_t id = 0; id < file.count; id++) {
        const uint32_t size = graph_u32(&file, at);
        CHECK(size % (4 + 4 * file.max_m) == 0);
        file.upper[id] = at;
        at += 4 + size;
    }
    CHECK(at == file.size);
    return file;
}

static inline void graph_close(graph_file *file)
{
    free(file->bytes);
    free(file->upper);
}

/* Number and ids of links: the low half of the first word counts. */
static inline int graph_same_list(const graph_file *a, size_t at_a, const graph_file *b, size_t at_b)
{
    const uint32_t count = graph_u32(a, at_a) & 0xFFFF;
    return count == (graph_u32(b, at_b) & 0xFFFF) && memcmp(a->bytes + at_a + 4, b->bytes + at_b + 4, 4 * count) == 0;
}

/* Both files hold the same records with the same links, levels, vectors, labels and deletions. Link slots that are
 * not in use may differ. */
static inline int graph_same(const char *path_a, const char *path_b)
{
    graph_file a = graph_open(path_a), b = graph_open(path_b);
    int same =
        a.count == b.count && a.stride == b.stride && a.m == b.m && a.max_level == b.max_level && a.entry == b.entry;
    for (size_t id = 0; same && id < a.count; id++) {
        const size_t at_a = graph_record(&a, id), at_b = graph_record(&b, id);
        const uint32_t upper = graph_u32(&a, a.upper[id]);
        same = a.bytes[at_a + 2] == b.bytes[at_b + 2] && graph_same_list(&a, at_a, &b, at_b);
        same = same &&
               memcmp(a.bytes + at_a + a.data_offset, b.bytes + at_b + a.data_offset, a.stride - a.data_offset) == 0;
        same = same && upper == graph_u32(&b, b.upper[id]);
        for (size_t at = 4; same && at < 4 + upper; at += 4 + 4 * a.max_m)
            same = graph_same_list(&a, a.upper[id] + at, &b, b.upper[id] + at);
        if (!same)
            fprintf(stderr, "%s and %s differ in record %zu\n", path_a, path_b, id);
    }
    graph_close(&a);
    graph_close(&b);
    return same;
}

#endif
