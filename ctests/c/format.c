/* The files of hnx_save, field by field, against the layout that hnswlib and chroma-hnswlib read. */
#include "graph_file.h"

enum { DIM = 5, COUNT = 150, M = 4 };

static void one_file(const float *rows, size_t count, size_t capacity)
{
    uint64_t *labels = check_labels(COUNT, 900);
    hnx_options options = index_options(HNX_METRIC_L2, DIM, capacity);
    hnx_index *index = NULL;
    graph_file file;
    uint32_t highest = 0;
    options.m = M;
    options.ef_construction = 77;
    CHECK_OK(hnx_init(&options, &index));
    CHECK_OK(index_add(index, rows, labels, count));
    if (count > 3)
        CHECK_OK(hnx_mark_deleted(index, 903));
    CHECK_OK(hnx_save(index, "file", HNX_FORMAT_HNSWLIB));
    file = graph_open("file");
    CHECK(file.count == count && file.max_elements >= count && (capacity == 0 || file.max_elements == capacity));
    CHECK(file.data_offset == 4 + 4 * 2 * M && file.label_offset == file.data_offset + 4 * DIM &&
          file.stride == file.label_offset + 8);
    CHECK(file.max_m == M && file.max_m0 == 2 * M && file.m == M && file.ef_construction == 77);
    CHECK(fabs(file.mult - 1 / log(M)) < 1e-12);
    CHECK(count > 0 ? file.entry < count && file.max_level >= 0 : file.entry == UINT32_MAX && file.max_level == -1);
    CHECK(file.max_level == index_stats(index).max_level);
    for (size_t id = 0; id < count; id++) {
        const size_t at = graph_record(&file, id);
        const uint32_t level = graph_u32(&file, file.upper[id]) / (4 + 4 * M);
        CHECK(graph_u64(&file, at + file.label_offset) == 900 + id);
        CHECK(memcmp(file.bytes + at + file.data_offset, rows + id * DIM, DIM * sizeof *rows) == 0);
        CHECK(file.bytes[at + 2] == (id == 3) && file.bytes[at + 3] == 0);
        CHECK((graph_u32(&file, at) & 0xFFFF) <= 2 * M);
        for (size_t link = 0; link < (graph_u32(&file, at) & 0xFFFF); link++)
            CHECK(graph_u32(&file, at + 4 + 4 * link) < count && graph_u32(&file, at + 4 + 4 * link) != id);
        highest = level > highest ? level : highest;
        CHECK(id != file.entry || level == (uint32_t)file.max_level);
    }
    CHECK(count == 0 || highest == (uint32_t)file.max_level);
    graph_close(&file);
    hnx_free(index);
    free(labels);
}

/* Chroma's file is hnswlib's with the lengths between records and upper lists; the directory has the parts apart. */
static void chroma(const float *rows)
{
    hnx_index *index = index_of(HNX_METRIC_COSINE, DIM, rows, COUNT, 0);
    size_t size, size_chroma, size_header, size_data, size_length, size_links, records;
    unsigned char *plain, *file, *header, *data, *length, *links;
    graph_file graph;
    CHECK_OK(hnx_save(index, "plain", HNX_FORMAT_HNSWLIB));
    CHECK_OK(hnx_save(index, "chroma", HNX_FORMAT_CHROMA));
    CHECK_OK(hnx_save(index, "directory", HNX_FORMAT_CHROMA_DIRECTORY));
    graph = graph_open("plain");
    records = graph_record(&graph, COUNT);
    plain = files_read("plain", &size);
    file = files_read("chroma", &size_chroma);
    header = files_read("directory/header.bin", &size_header);
    data = files_read("directory/data_level0.bin", &size_data);
    length = files_read("directory/length.bin", &size_length);
    links = files_read("directory/link_lists.bin", &size_links);
    CHECK(size_chroma == size + 4 * COUNT);
    CHECK(memcmp(plain, file, records) == 0);
    CHECK(memcmp(plain + records, file + records + 4 * COUNT, size - records) == 0);
    CHECK(size_header == 100 && memcmp(header, "\1\0\0\0", 4) == 0 && memcmp(header + 4, plain, GRAPH_HEADER) == 0);
    CHECK(size_data >= records - GRAPH_HEADER && memcmp(data, plain + GRAPH_HEADER, records - GRAPH_HEADER) == 0);
    CHECK(size_length >= 4 * COUNT && memcmp(length, file + records, 4 * COUNT) == 0);
    CHECK(size_links == size - records && memcmp(links, plain + records, size_links) == 0);
    for (size_t id = 0; id < COUNT; id++) {
        float norm;
        double square = 0;
        memcpy(&norm, length + 4 * id, sizeof norm);
        for (size_t at = 0; at < DIM; at++)
            square += (double)rows[id * DIM + at] * rows[id * DIM + at];
        CHECK(fabs(norm - sqrt(square)) < 1e-6);
    }
    graph_close(&graph);
    free(plain);
    free(file);
    free(header);
    free(data);
    free(length);
    free(links);
    hnx_free(index);
}

int main(void)
{
    char folder[FILES_PATH];
    float *rows = check_vectors(COUNT, DIM, 21);
    files_enter(folder);
    one_file(rows, COUNT, 0);
    one_file(rows, COUNT, 1000);
    one_file(rows, 1, 0);
    one_file(rows, 0, 0);
    chroma(rows);
    files_leave(folder);
    free(rows);
    return 0;
}
