/* Files cut short and files with flipped bits: a status or an index that works, never a crash, never a hang. Run
 * with a sanitizer to see accesses outside of what was read. */
#include "load.h"

enum { DIM = 4, COUNT = 16, M = 3 };
enum { DEFAULT = 0, DEEP = 3 }; /* ways to open */

static hnx_index *tiny(void)
{
    float *rows = check_vectors(COUNT, DIM, 32);
    uint64_t *labels = check_labels(COUNT, 0);
    hnx_options options = index_options(HNX_METRIC_COSINE, DIM, 0);
    hnx_index *index = NULL;
    options.m = M;
    CHECK_OK(hnx_init(&options, &index));
    CHECK_OK(index_add(index, rows, labels, COUNT));
    CHECK_OK(hnx_mark_deleted(index, 4));
    free(rows);
    free(labels);
    return index;
}

/* The four files as they were saved: a folder that was opened for writing may have been written to. */
static const char *const PARTS[] = {"directory/header.bin", "directory/data_level0.bin", "directory/length.bin",
                                    "directory/link_lists.bin"};
static unsigned char *saved[4];
static size_t sizes[4];
static int persisted;

/* Everything one can do with an index. What it answers is not checked beyond the shape: the bytes may lie. */
static void use(hnx_index *index)
{
    static size_t used;
    const float rows[2 * DIM] = {1, 2, 3, 4, -4, 3, -2, 1};
    uint64_t labels[8];
    float distances[8], back[DIM];
    size_t count = 0;
    const hnx_query_options options = index_ef(32);
    CHECK_OK(hnx_query(index, rows, 1, 8, &options, labels, distances, &count));
    CHECK(count <= 8 && hnx_deleted_count(index) <= hnx_count(index));
    for (size_t at = count; at < 8; at++)
        CHECK(labels[at] == UINT64_MAX);
    for (size_t at = 0; at < count; at++)
        hnx_get(index, labels + at, 1, back);
    index_add_one(index, rows, 1000);
    index_add_one(index, rows + DIM, 2);
    index_add_one(index, rows, 4);
    hnx_mark_deleted(index, 3);
    hnx_unmark_deleted(index, 4);
    index_add_flags(index, rows + DIM, (const uint64_t[]){2000}, 1, HNX_ADD_REPLACE_DELETED);
    CHECK_OK(hnx_query(index, rows + DIM, 1, 8, &options, labels, distances, &count));
    if (++used % 50 == 0) { /* now and then: it waits for the device */
        const size_t records = hnx_count(index);
        hnx_load_options fast = load_options(HNX_METRIC_COSINE, DIM, 0);
        hnx_index *again = NULL;
        fast.check = HNX_CHECK_FAST; /* links that were wrong are wrong in the new file */
        persisted |= hnx_persist_dirty(index, NULL, NULL) == HNX_OK;
        CHECK_OK(hnx_save(index, "saved", HNX_FORMAT_CHROMA));
        CHECK_OK(hnx_load("saved", &fast, &again));
        CHECK(hnx_count(again) == records);
        hnx_free(again);
    }
}

/* The four files alone, as Chroma has them: checksums of the whole ones would refuse what is damaged, and what is written
 * back later. */
static void forget_sums(const char *path)
{
    char name[FILES_PATH + 16];
    snprintf(name, sizeof name, "%s/hnx.sums", path);
    unlink(name);
    snprintf(name, sizeof name, "%s/hnx.journal", path);
    unlink(name);
}

/* Opens in one of the ways; whether it worked. */
static int try_to_open(const char *path, size_t way)
{
    static const uint32_t flags[] = {0, HNX_LOAD_MMAP, HNX_LOAD_READ_ONLY, HNX_LOAD_MMAP, HNX_ALLOW_REPLACE_DELETED};
    static const uint32_t checks[] = {HNX_CHECK_DEFAULT, HNX_CHECK_FAST, HNX_CHECK_FAST, HNX_CHECK_DEEP,
                                      HNX_CHECK_FAST};
    hnx_load_options options = load_options(HNX_METRIC_COSINE, DIM, flags[way % 5]);
    hnx_index *index = NULL;
    hnx_status status;
    options.check = checks[way % 5];
    forget_sums(path);
    status = hnx_load(path, &options, &index);
    CHECK(status == HNX_OK || status == HNX_ERR_CORRUPT || status == HNX_ERR_VERSION ||
          status == HNX_ERR_OUT_OF_MEMORY || status == HNX_ERR_NOT_FOUND);
    CHECK((status == HNX_OK) == (index != NULL));
    if (index != NULL)
        use(index);
    hnx_free(index);
    for (size_t part = 0; persisted && part < 4; part++)
        files_write(PARTS[part], saved[part], sizes[part]);
    persisted = 0;
    return status == HNX_OK;
}

/* path: the file to damage; opened: what to open, the file itself or its folder. A single file has an exact size: one
 * byte less cannot be accepted. The files of a folder may be longer than they need to be. */
static void cut(const char *path, const char *opened)
{
    size_t size;
    unsigned char *bytes = files_read(path, &size);
    for (size_t keep = 0; keep < size; keep += check_pick(keep < 120 ? 7 : 41, 1)) {
        files_write(path, bytes, keep);
        for (size_t way = 0; way < 2; way++)
            CHECK(!try_to_open(opened, keep + way) || path != opened);
    }
    files_write(path, bytes, size);
    for (size_t way = 0; way < 5; way++)
        CHECK(try_to_open(opened, way));
    free(bytes);
}

/* Every bit, each with the default check, with the deep one, and in one of the other ways. */
static void flip(const char *path, const char *opened)
{
    size_t size, refused = 0;
    unsigned char *bytes = files_read(path, &size);
    for (size_t bit = 0; bit < 8 * size; bit += check_pick(61, 1)) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        files_write(path, bytes, size);
        refused += !try_to_open(opened, DEFAULT);
        files_write(path, bytes, size);
        try_to_open(opened, DEEP);
        files_write(path, bytes, size);
        try_to_open(opened, bit / 8 + bit % 8);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    CHECK(refused > 0 || strstr(path, "length") != NULL);
    files_write(path, bytes, size);
    free(bytes);
}

/* Bytes of all ones, of all zeros, and at random places random ones: several damages at once. */
static void scribble(const char *path, const char *opened)
{
    size_t size;
    unsigned char *bytes = files_read(path, &size), *copy = (unsigned char *)check_alloc(size, 1);
    uint64_t state = 33;
    for (size_t round = 0; round < check_pick(50, 1000); round++) {
        const size_t places = 1 + check_next(&state) % 6;
        memcpy(copy, bytes, size);
        for (size_t place = 0; place < places; place++) {
            const size_t at = check_next(&state) % size, len = 1 + check_next(&state) % 8;
            const uint64_t kind = check_next(&state) % 3;
            for (size_t byte = at; byte < at + len && byte < size; byte++)
                copy[byte] = kind == 0 ? 0 : kind == 1 ? 0xFF : (unsigned char)check_next(&state);
        }
        files_write(path, copy, size);
        try_to_open(opened, round);
    }
    files_write(path, bytes, size);
    free(bytes);
    free(copy);
}

static void all_damages(const char *path, const char *opened)
{
    cut(path, opened);
    flip(path, opened);
    scribble(path, opened);
}

int main(void)
{
    char folder[FILES_PATH];
    hnx_index *index = tiny();
    files_enter(folder);
    CHECK_OK(hnx_save(index, "hnswlib", HNX_FORMAT_HNSWLIB));
    CHECK_OK(hnx_save(index, "chroma", HNX_FORMAT_CHROMA));
    CHECK_OK(hnx_save(index, "directory", HNX_FORMAT_CHROMA_DIRECTORY));
    hnx_free(index);
    for (size_t part = 0; part < 4; part++)
        saved[part] = files_read(PARTS[part], &sizes[part]);
    {
        static const char hnswlib[] = "hnswlib", chroma[] = "chroma";
        all_damages(hnswlib, hnswlib);
        all_damages(chroma, chroma);
    }
    all_damages("directory/header.bin", "directory");
    all_damages("directory/data_level0.bin", "directory");
    all_damages("directory/length.bin", "directory");
    all_damages("directory/link_lists.bin", "directory");
    for (size_t part = 0; part < 4; part++)
        free(saved[part]);
    files_leave(folder);
    return 0;
}
