/* Every flipped bit of a small directory is found: by hnx_verify, which names it, and by a deep check; also in a copy, with
 * either metric. One of the checksums themselves does not keep the index from being opened. */
#include "load.h"

enum { DIM = 4, COUNT = 20 };

static const char *const NAMES[] = {"header.bin", "data_level0.bin", "length.bin", "link_lists.bin", "hnx.sums"};
static uint32_t metric;

static void write_file(const char *folder, const char *name, const unsigned char *bytes, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    files_write(path, bytes, size);
}

static hnx_status opened(const char *path, uint32_t check)
{
    hnx_load_options options = load_options(metric, DIM, HNX_LOAD_READ_ONLY);
    hnx_index *index = NULL;
    hnx_status status;
    options.check = check;
    status = hnx_load(path, &options, &index);
    hnx_free(index);
    return status;
}

/* Persists twice what is no change in the end. */
static void persist(const char *path)
{
    hnx_index *index = load_index(path, metric, DIM, 0);
    CHECK_OK(hnx_unmark_deleted(index, 2));
    CHECK_OK(hnx_persist_dirty(index, NULL, NULL));
    CHECK_OK(hnx_mark_deleted(index, 2));
    CHECK_OK(hnx_persist_dirty(index, NULL, NULL));
    hnx_free(index);
}

static void flips(const char *folder, size_t step)
{
    for (size_t file = 0; file < 5; file++) {
        char path[64];
        size_t size;
        unsigned char *bytes;
        snprintf(path, sizeof path, "%s/%s", folder, NAMES[file]);
        bytes = files_read(path, &size);
        CHECK(size > 0);
        for (size_t bit = 0; bit < 8 * size; bit += step) {
            hnx_verify_info info;
            hnx_status status;
            char text[512];
            memset(&info, 0, sizeof info);
            info.struct_size = sizeof info;
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            write_file(folder, NAMES[file], bytes, size);
            status = hnx_verify(folder, &info);
            CHECK(status != HNX_OK);
            hnx_last_error(text, sizeof text);
            CHECK(strstr(text, NAMES[file]) != NULL);
            if (file > 0) {
                CHECK_STATUS(HNX_ERR_CORRUPT, status);
                CHECK(strcmp(info.first_file, NAMES[file]) == 0 && info.damaged >= 1);
                /* The part that the offset names holds the bit. */
                CHECK(info.first_offset <= bit / 8 && bit / 8 < info.first_offset + 200);
                CHECK(strncmp(text, folder, strlen(folder)) == 0);
                if (file == 1)
                    CHECK(info.first_record == bit / 8 / (size / COUNT));
            }
            CHECK(opened(folder, HNX_CHECK_DEEP) != HNX_OK);
            if (file == 4)
                CHECK_OK(opened(folder, HNX_CHECK_DEFAULT));
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
        write_file(folder, NAMES[file], bytes, size);
        CHECK_OK(hnx_verify(folder, NULL));
        CHECK_OK(opened(folder, HNX_CHECK_DEEP));
        free(bytes);
        /* Without this the times of all four files would be others: another program's work, it seems, and a deleted mark that
         * is flipped would pass for its doing. */
        if (file == 0)
            persist(folder);
    }
}

/* A copy that keeps no times, as a program makes it that knows bytes only. */
static void copy(void)
{
    CHECK(mkdir("copy", 0777) == 0);
    for (size_t file = 0; file < 5; file++) {
        char path[64];
        size_t size;
        unsigned char *bytes;
        snprintf(path, sizeof path, "index/%s", NAMES[file]);
        bytes = files_read(path, &size);
        write_file("copy", NAMES[file], bytes, size);
        free(bytes);
    }
}

/* What is not there is told by its name, and what is wrong with a file once. */
static void not_there(void)
{
    char path[64], text[513];
    size_t size;
    unsigned char *header = files_read("copy/header.bin", &size);
    CHECK_TEXT(HNX_ERR_NOT_FOUND, "absent", hnx_verify("absent", NULL));
    CHECK_TEXT(HNX_ERR_NOT_FOUND, "copy/header.bin is no directory", hnx_verify("copy/header.bin", NULL));
    CHECK(size > 4);
    header[4] = 1; /* offsetLevel0 */
    files_write("copy/header.bin", header, size);
    CHECK_TEXT(HNX_ERR_CORRUPT, "copy: header.bin: offsetLevel0 1 is not 0", hnx_verify("copy", NULL));
    header[4] = 0, header[0] = 7;
    files_write("copy/header.bin", header, size);
    CHECK_TEXT(HNX_ERR_VERSION, "copy: header.bin: persistence version 7", hnx_verify("copy", NULL));
    hnx_last_error(text, sizeof text);
    CHECK(strstr(strstr(text, "header.bin") + 1, "header.bin") == NULL);
    header[0] = 1;
    files_write("copy/header.bin", header, size);
    free(header);
    CHECK_OK(hnx_verify("copy", NULL));
    for (size_t file = 4; file-- > 0;) {
        snprintf(path, sizeof path, "copy/%s", NAMES[file]);
        files_remove(path);
        CHECK_TEXT(HNX_ERR_NOT_FOUND, NAMES[file], hnx_verify("copy", NULL));
    }
}

static void verify(const float *rows, const uint64_t *labels, size_t step)
{
    hnx_options options = index_options(metric, DIM, 0);
    hnx_verify_info info;
    hnx_index *index;
    options.persist_path = "index";
    options.m = 3;
    CHECK_OK(hnx_init(&options, &index));
    CHECK_OK(index_add(index, rows, labels, COUNT - 5));
    CHECK_OK(hnx_persist_dirty(index, NULL, NULL));
    CHECK_OK(index_add(index, rows + (COUNT - 5) * DIM, labels + COUNT - 5, 5));
    CHECK_OK(hnx_mark_deleted(index, 2));
    CHECK_OK(hnx_persist_dirty(index, NULL, NULL));
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    CHECK_OK(hnx_verify("index", &info));
    CHECK(info.records == COUNT && info.checked == COUNT && info.damaged == 0 && info.first_file == NULL);
    hnx_free(index);
    copy();
    flips("index", step);
    flips("copy", 3 * step);
    not_there();
    files_remove("index");
    files_remove("copy");
}

int main(void)
{
    char folder[FILES_PATH];
    float *rows = check_vectors(COUNT, DIM, 91);
    uint64_t *labels = check_labels(COUNT, 0);
    files_enter(folder);
    metric = HNX_METRIC_COSINE;
    verify(rows, labels, check_pick(61, 1));
    metric = HNX_METRIC_L2;
    verify(rows, labels, check_pick(61, 5));
    files_leave(folder);
    free(rows);
    free(labels);
    return 0;
}
