/* A folder of its own for each run, and files as arrays of bytes. */
#ifndef HNX_TEST_FILES_H
#define HNX_TEST_FILES_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

#define FILES_PATH 512

static inline int files_remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

/* Removes a file, or a folder with all that is in it. */
static inline void files_remove(const char *path)
{
    nftw(path, files_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Makes a folder among the temporary ones and goes there; after a failure it stays for a look. */
static inline void files_enter(char name[FILES_PATH])
{
    const char *among = getenv("TMPDIR");
    snprintf(name, FILES_PATH, "%s/hnx-test.XXXXXX", among != NULL ? among : "/tmp");
    CHECK(mkdtemp(name) != NULL);
    CHECK(chdir(name) == 0);
}

static inline void files_leave(const char *name)
{
    CHECK(chdir("/") == 0);
    files_remove(name);
}

static inline int files_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

/* How many files and folders a folder holds. */
static inline size_t files_count(const char *path)
{
    DIR *folder = opendir(path);
    size_t count = 0;
    CHECK(folder != NULL);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count - 2; /* the folder itself and the one above */
}

/* The bytes of a file; free() them. */
static inline unsigned char *files_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes;
    long end = 0;
    CHECK(file != NULL);
    CHECK(fseek(file, 0, SEEK_END) == 0 && (end = ftell(file)) >= 0 && fseek(file, 0, SEEK_SET) == 0);
    *size = (size_t)end;
    bytes = (unsigned char *)check_alloc(*size, 1);
    CHECK(fread(bytes, 1, *size, file) == *size);
    fclose(file);
    return bytes;
}

/* Not by way of an empty file: some file systems then wait for the device at every close. */
static inline void files_write(const char *path, const void *bytes, size_t size)
{
    const int file = open(path, O_WRONLY | O_CREAT, 0666);
    CHECK(file >= 0);
    CHECK(write(file, bytes, size) == (ssize_t)size);
    CHECK(ftruncate(file, (off_t)size) == 0);
    CHECK(close(file) == 0);
}

static inline int files_equal(const char *a, const char *b)
{
    size_t size_a, size_b;
    unsigned char *bytes_a = files_read(a, &size_a), *bytes_b = files_read(b, &size_b);
    const int equal = size_a == size_b && memcmp(bytes_a, bytes_b, size_a) == 0;
    free(bytes_a);
    free(bytes_b);
    return equal;
}

#endif
