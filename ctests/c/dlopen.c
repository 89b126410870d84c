/* The library loaded at run time, used in a thread, closed, and the thread ends after that: nothing of the library
 * may be called then. The path of the library comes as argument; nothing of it is linked. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "hnx.h"

/* Not CHECK: that would call the library. */
#define REQUIRE(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
            return 1; \
        } \
    } while (0)

typedef hnx_status init_function(const hnx_options *, hnx_index **);
typedef void free_function(hnx_index *);
typedef hnx_status add_function(hnx_index *, const float *, const uint64_t *, size_t, const hnx_add_options *,
                                int32_t *);
typedef hnx_status query_function(const hnx_index *, const float *, size_t, size_t, const hnx_query_options *,
                                  uint64_t *, float *, size_t *);
typedef size_t last_error_function(char *, size_t);

static void *library;
static pthread_barrier_t used, closed;

/* POSIX makes function pointers out of what dlsym gives; ISO C needs the bytes copied. */
static int find(const char *name, void *function)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static int use_everything(void)
{
    enum { COUNT = 500, DIM = 4 };
    static float rows[COUNT * DIM];
    static uint64_t labels[COUNT], found[COUNT];
    hnx_options options;
    hnx_index *index = NULL;
    init_function *init;
    free_function *release;
    add_function *add;
    query_function *query;
    last_error_function *last_error;
    char text[64];
    REQUIRE(find("hnx_init", &init) && find("hnx_free", &release) && find("hnx_add", &add));
    REQUIRE(find("hnx_query", &query) && find("hnx_last_error", &last_error));
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.dim = DIM;
    for (size_t at = 0; at < COUNT * DIM; at++)
        rows[at] = (float)(at * 7919 % 1009);
    for (size_t at = 0; at < COUNT; at++)
        labels[at] = at;
    REQUIRE(init(&options, &index) == HNX_OK);
    REQUIRE(add(index, rows, labels, COUNT, NULL, NULL) == HNX_OK); /* threads come and go inside */
    REQUIRE(query(index, rows, COUNT, 1, NULL, found, NULL, NULL) == HNX_OK);
    REQUIRE(query(index, rows, 1, 0, NULL, found, NULL, NULL) == HNX_ERR_INVALID_ARGUMENT);
    REQUIRE(last_error(text, sizeof text) > 0); /* the text belongs to this thread */
    release(index);
    return 0;
}

static void *thread_main(void *result)
{
    *(int *)result = use_everything();
    pthread_barrier_wait(&used);
    pthread_barrier_wait(&closed);
    return NULL; /* whatever the library left for the end of the thread runs now */
}

int main(int count, char **arguments)
{
    REQUIRE(count == 2);
    for (int round = 0; round < 3; round++) {
        pthread_t thread;
        int result = 1;
        library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL)
            fprintf(stderr, "%s\n", dlerror());
        REQUIRE(library != NULL);
        REQUIRE(pthread_barrier_init(&used, NULL, 2) == 0 && pthread_barrier_init(&closed, NULL, 2) == 0);
        REQUIRE(pthread_create(&thread, NULL, thread_main, &result) == 0);
        pthread_barrier_wait(&used);
        REQUIRE(round != 1 || use_everything() == 0); /* in one round the main thread uses it, too */
        REQUIRE(dlclose(library) == 0);
        pthread_barrier_wait(&closed);
        REQUIRE(pthread_join(thread, NULL) == 0);
        REQUIRE(result == 0);
        pthread_barrier_destroy(&used);
        pthread_barrier_destroy(&closed);
    }
    return 0;
}
