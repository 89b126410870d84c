/* hnx_last_error: snprintf's rules about lengths, one text per thread, kept until the next failure. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static void fail_with_path(const char *path)
{
    const hnx_load_options load = {sizeof load, HNX_METRIC_L2, 0, 2, 0, HNX_CHECK_DEFAULT, 0};
    hnx_index *index = NULL;
    CHECK_STATUS(HNX_ERR_NOT_FOUND, hnx_load(path, &load, &index));
}

/* Whether the text ends with a whole UTF-8 character. */
static int ends_whole(const char *text)
{
    size_t end = strlen(text), start = end, need;
    if (end == 0)
        return 1;
    do
        start--;
    while (start > 0 && ((unsigned char)text[start] & 0xC0) == 0x80);
    need = (unsigned char)text[start] < 0x80   ? 1
           : (unsigned char)text[start] < 0xE0 ? 2
           : (unsigned char)text[start] < 0xF0 ? 3
                                               : 4;
    return end - start == need;
}

/* Every capacity: the length of the whole text comes back, the copy is a prefix, ends in NUL, and stays inside. */
static void every_capacity(void)
{
    const size_t len = hnx_last_error(NULL, 0);
    char *whole = malloc(len + 1);
    CHECK(len > 0 && whole != NULL);
    CHECK(hnx_last_error(whole, len + 1) == len);
    CHECK(strlen(whole) == len);
    for (size_t capacity = 0; capacity <= len + 2; capacity++) {
        char *copy = malloc(len + 4);
        CHECK(copy != NULL);
        memset(copy, '#', len + 4);
        CHECK(hnx_last_error(copy, capacity) == len);
        if (capacity > 0) {
            const size_t room = capacity - 1 < len ? capacity - 1 : len;
            const size_t got = strlen(copy);
            CHECK(got <= room && got + 3 >= room); /* a character that does not fit is left out whole */
            CHECK(memcmp(copy, whole, got) == 0 && ends_whole(copy));
        }
        for (size_t at = capacity; at < len + 4; at++)
            CHECK(copy[at] == '#');
        free(copy);
    }
    free(whole);
}

static void *another_thread(void *unused)
{
    char text[64] = "#";
    (void)unused;
    CHECK(hnx_last_error(text, sizeof text) == 0 && text[0] == '\0');
    CHECK_STATUS(HNX_ERR_INVALID_ARGUMENT, hnx_set_ef(NULL, 1));
    CHECK(hnx_last_error(text, sizeof text) > 0 && strstr(text, "NULL") != NULL);
    return NULL;
}

int main(void)
{
    char text[64] = "#", long_path[4000], after[600], before[600];
    pthread_t thread;

    CHECK(hnx_last_error(text, sizeof text) == 0 && text[0] == '\0'); /* nothing failed yet */

    fail_with_path("absent");
    every_capacity();
    fail_with_path("g\xc3\xb6n\xe2\x82\xact \xf0\x9f\x98\x80 there"); /* two, three and four bytes to a character */
    every_capacity();

    /* Longer than any buffer inside, a path of three-byte characters: cut, and cut whole. */
    for (size_t at = 0; at + 3 < sizeof long_path; at += 3)
        memcpy(long_path + at, at % 240 == 237 ? "-/-" : "\xe2\x82\xac", 3);
    long_path[sizeof long_path - 1] = '\0';
    fail_with_path(long_path);
    every_capacity();

    /* Success does not clear the text; another thread has its own. */
    hnx_last_error(before, sizeof before);
    CHECK(strcmp(hnx_status_name(0), "HNX_OK") == 0);
    CHECK(hnx_count(NULL) == 0);
    CHECK(pthread_create(&thread, NULL, another_thread, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    hnx_last_error(after, sizeof after);
    CHECK(strcmp(before, after) == 0);
    return 0;
}
