/* Salvaging, and what the result must be like. */
#ifndef HNX_TEST_SALVAGE_H
#define HNX_TEST_SALVAGE_H

#include "files.h"
#include "index.h"

static inline hnx_salvage_options salvage_options(uint32_t metric, size_t dim, uint32_t flags)
{
    hnx_salvage_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.metric = metric;
    options.dim = dim;
    options.flags = flags;
    return options;
}

/* The numbers of a report add up. */
static inline void salvage_check_info(const hnx_salvage_info *info, const hnx_index *index)
{
    CHECK(info->records == info->kept + info->missing + info->unwritten + info->unreadable + info->not_finite +
                               info->implausible + info->duplicates);
    CHECK(info->kept == hnx_count(index) && info->deleted == hnx_deleted_count(index));
    CHECK(info->lengths_lost <= info->kept && info->mismatched <= info->kept && info->reserved == 0);
}

/* Salvages; hnx_free() the index. */
static inline hnx_index *salvage(const char *path, const hnx_salvage_options *options, hnx_salvage_info *info)
{
    hnx_index *index = NULL;
    memset(info, 0, sizeof *info);
    info->struct_size = sizeof *info;
    CHECK_OK(hnx_salvage(path, options, &index, info));
    salvage_check_info(info, index);
    return index;
}

/* Nothing can be salvaged, and nothing is touched. */
static inline void salvage_refused(hnx_status expected, const char *path, const hnx_salvage_options *options)
{
    char place;
    hnx_index *const before = (hnx_index *)(void *)&place;
    hnx_index *index = before;
    hnx_salvage_info info;
    memset(&info, 0x77, sizeof info);
    info.struct_size = sizeof info;
    CHECK_STATUS(expected, hnx_salvage(path, options, &index, &info));
    CHECK(index == before && info.kept == 0x7777777777777777u);
}

#endif
