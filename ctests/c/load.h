/* Opening files in the ways there are. */
#ifndef HNX_TEST_LOAD_H
#define HNX_TEST_LOAD_H

#include "files.h"
#include "index.h"

static inline hnx_load_options load_options(uint32_t metric, size_t dim, uint32_t flags)
{
    hnx_load_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.metric = metric;
    options.dim = dim;
    options.flags = flags;
    return options;
}

static inline hnx_index *load_index(const char *path, uint32_t metric, size_t dim, uint32_t flags)
{
    const hnx_load_options options = load_options(metric, dim, flags);
    hnx_index *index = NULL;
    CHECK_OK(hnx_load(path, &options, &index));
    CHECK(index != NULL);
    return index;
}

/* Opening fails with this status, and the handle is untouched. */
static inline void load_refused(hnx_status expected, const char *path, const hnx_load_options *options)
{
    char place, text[8];
    hnx_index *const before = (hnx_index *)(void *)&place;
    hnx_index *index = before;
    CHECK_STATUS(expected, hnx_load(path, options, &index));
    CHECK(index == before);
    CHECK(hnx_last_error(text, sizeof text) > 0);
}

#endif
