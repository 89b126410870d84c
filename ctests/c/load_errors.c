/* What cannot be opened, and with which status: nothing there, not ours, another dim, unknown options. */
#include "load.h"

enum { DIM = 9, COUNT = 20 };

static void options_out_of_range(void)
{
    hnx_load_options options = load_options(3, DIM, 0);
    load_refused(HNX_ERR_INVALID_ARGUMENT, "hnswlib", &options);
    options = load_options(HNX_METRIC_L2, DIM, 8);
    load_refused(HNX_ERR_INVALID_ARGUMENT, "hnswlib", &options);
    options = load_options(HNX_METRIC_L2, 0, 0);
    load_refused(HNX_ERR_INVALID_ARGUMENT, "hnswlib", &options);
    options = load_options(HNX_METRIC_L2, SIZE_MAX, 0);
    load_refused(HNX_ERR_INVALID_ARGUMENT, "hnswlib", &options);
    options = load_options(HNX_METRIC_L2, DIM, 0);
    options.check = 3;
    load_refused(HNX_ERR_INVALID_ARGUMENT, "hnswlib", &options);
    options = load_options(HNX_METRIC_L2, DIM, 0);
    options.reserved = 1;
    load_refused(HNX_ERR_UNSUPPORTED, "hnswlib", &options);
    options = load_options(HNX_METRIC_L2, DIM, 0);
    options.max_elements = SIZE_MAX;
    load_refused(HNX_ERR_INVALID_ARGUMENT, "hnswlib", &options);
}

static void wrong_dim(const char *path)
{
    const size_t dims[] = {1, DIM - 1, DIM + 1, 2 * DIM, 1000000};
    const uint32_t flags[] = {0, HNX_LOAD_MMAP, HNX_LOAD_READ_ONLY};
    for (size_t at = 0; at < sizeof dims / sizeof *dims; at++)
        for (size_t flag = 0; flag < 3; flag++) {
            const hnx_load_options options = load_options(HNX_METRIC_L2, dims[at], flags[flag]);
            char text[513], dim[32], given[32];
            load_refused(HNX_ERR_CORRUPT, path, &options);
            hnx_last_error(text, sizeof text);
            snprintf(dim, sizeof dim, "dim %d, ", DIM);
            snprintf(given, sizeof given, "not %zu as given", dims[at]);
            CHECK(strncmp(text, path, strlen(path)) == 0 && strstr(text, dim) != NULL && strstr(text, given) != NULL);
        }
}

static void not_there(void)
{
    const hnx_load_options options = load_options(HNX_METRIC_L2, DIM, 0),
                           mapped = load_options(HNX_METRIC_L2, DIM, HNX_LOAD_MMAP);
    const char *const paths[] = {"absent", "absent/file", "", "hnswlib.", "\xff\xfe not utf-8"};
    char text[256];
    for (size_t at = 0; at < sizeof paths / sizeof *paths; at++) {
        load_refused(HNX_ERR_NOT_FOUND, paths[at], &options);
        load_refused(HNX_ERR_NOT_FOUND, paths[at], &mapped);
    }
    load_refused(HNX_ERR_NOT_FOUND, "absent", &options);
    hnx_last_error(text, sizeof text);
    CHECK(strstr(text, "absent") != NULL);
}

/* Any failure will do, as long as it is one: these are no indexes. */
static void not_ours(const char *path)
{
    const uint32_t flags[] = {0, HNX_LOAD_MMAP, HNX_LOAD_READ_ONLY};
    for (size_t flag = 0; flag < 3; flag++) {
        const hnx_load_options options = load_options(HNX_METRIC_L2, DIM, flags[flag]);
        hnx_index *index = NULL;
        CHECK(hnx_load(path, &options, &index) != HNX_OK && index == NULL);
    }
}

static void other_version(void)
{
    const hnx_load_options options = load_options(HNX_METRIC_L2, DIM, 0);
    size_t size;
    unsigned char *header = files_read("directory/header.bin", &size);
    header[0] = 2;
    files_write("directory/header.bin", header, size);
    load_refused(HNX_ERR_VERSION, "directory", &options);
    header[0] = 1;
    files_write("directory/header.bin", header, size);
    hnx_free(load_index("directory", HNX_METRIC_L2, DIM, 0));
    free(header);
}

static void part_missing(const char *part)
{
    hnx_index *index = load_index("hnswlib", HNX_METRIC_L2, DIM, 0);
    char path[FILES_PATH];
    CHECK_OK(hnx_save(index, "parts", HNX_FORMAT_CHROMA_DIRECTORY));
    hnx_free(index);
    snprintf(path, sizeof path, "parts/%s", part);
    CHECK(files_exists(path));
    files_remove(path);
    not_ours("parts");
    files_remove("parts");
}

/* A directory with a pipe where a file should be: an error, and no waiting for somebody who writes to it. */
static void pipes(void)
{
    static const char *const parts[] = {"header.bin", "data_level0.bin", "length.bin", "link_lists.bin"};
    char path[FILES_PATH];
    for (size_t at = 0; at < 4; at++) {
        hnx_index *index = load_index("hnswlib", HNX_METRIC_L2, DIM, 0);
        CHECK_OK(hnx_save(index, "parts", HNX_FORMAT_CHROMA_DIRECTORY));
        hnx_free(index);
        snprintf(path, sizeof path, "parts/%s", parts[at]);
        files_remove(path);
        CHECK(mkfifo(path, 0666) == 0);
        not_ours("parts");
        files_remove("parts");
    }
}

int main(void)
{
    char folder[FILES_PATH];
    float *rows = check_vectors(COUNT, DIM, 25);
    hnx_index *index = index_of(HNX_METRIC_L2, DIM, rows, COUNT, 0);
    files_enter(folder);
    CHECK_OK(hnx_save(index, "hnswlib", HNX_FORMAT_HNSWLIB));
    CHECK_OK(hnx_save(index, "chroma", HNX_FORMAT_CHROMA));
    CHECK_OK(hnx_save(index, "directory", HNX_FORMAT_CHROMA_DIRECTORY));
    hnx_free(index);

    options_out_of_range();
    wrong_dim("hnswlib");
    wrong_dim("chroma");
    wrong_dim("directory");
    not_there();
    CHECK(mkdir("empty folder", 0777) == 0);
    not_ours("empty folder");
    files_write("empty file", "", 0);
    not_ours("empty file");
    files_write("text",
                "This is no index, it is a text of some length, longer than the header that a file would begin with, "
                "as you see.",
                110);
    not_ours("text");
    not_ours("/dev/null");
    not_ours("/dev/zero");
    not_ours("directory/header.bin");
    not_ours("directory/data_level0.bin");
    CHECK(mkfifo("pipe", 0666) == 0); /* nobody will ever write to it */
    not_ours("pipe");
    pipes();
    other_version();
    part_missing("header.bin");
    part_missing("data_level0.bin");
    part_missing("length.bin");
    part_missing("link_lists.bin");
    files_leave(folder);
    free(rows);
    return 0;
}
