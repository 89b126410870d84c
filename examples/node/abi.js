'use strict';
// The declarations of include/hnx.h for koffi, and nothing else. Arrays are void *: koffi passes the memory of typed arrays.
const koffi = require('koffi');

const constants = {
    HNX_METRIC_L2: 0,
    HNX_METRIC_IP: 1,
    HNX_METRIC_COSINE: 2,
    HNX_ALLOW_REPLACE_DELETED: 1,
    HNX_LOAD_MMAP: 2,
    HNX_LOAD_READ_ONLY: 4,
    HNX_CHECK_DEFAULT: 0,
    HNX_CHECK_FAST: 1,
    HNX_CHECK_DEEP: 2,
    HNX_ADD_REPLACE_DELETED: 1,
    HNX_ADD_INSERT_ONLY: 2,
    HNX_ADD_UPDATE_ONLY: 4,
    HNX_ADD_GUIDED: 8,
    HNX_EXACTNESS_DEFAULT: 0,
    HNX_EXACTNESS_F32: 1,
    HNX_EXACTNESS_CERTIFIED: 2,
    HNX_EXACTNESS_GUIDED: 3,
    HNX_FILTER_ONLY: 1,
    HNX_FILTER_EXCEPT: 2,
    HNX_LABELS_LIVE: 0,
    HNX_LABELS_DELETED: 1,
    HNX_LABELS_ALL: 2,
    HNX_FORMAT_HNSWLIB: 0,
    HNX_FORMAT_CHROMA: 1,
    HNX_FORMAT_CHROMA_DIRECTORY: 2,
    HNX_SALVAGE_BEYOND_COUNT: 8,
    HNX_DAMAGE_HEADER: 1,
    HNX_DAMAGE_RECORDS: 2,
    HNX_DAMAGE_LENGTHS: 4,
    HNX_DAMAGE_LISTS: 8,
    HNX_OK: 0,
    HNX_ERR_INVALID_ARGUMENT: -1,
    HNX_ERR_OUT_OF_MEMORY: -2,
    HNX_ERR_FULL: -3,
    HNX_ERR_NOT_FOUND: -4,
    HNX_ERR_ALREADY_DELETED: -5,
    HNX_ERR_NOT_DELETED: -6,
    HNX_ERR_IO: -7,
    HNX_ERR_CORRUPT: -8,
    HNX_ERR_VERSION: -9,
    HNX_ERR_UNSUPPORTED: -10,
    HNX_ERR_LOCKED: -11,
    HNX_ERR_READ_ONLY: -12,
    HNX_ERR_CANCELLED: -13,
    HNX_ERR_POISONED: -14,
    HNX_ERR_INTERNAL: -15,
    HNX_ERR_EXISTS: -16,
    HNX_ERR_CONFLICT: -17,
};

koffi.opaque('hnx_index');
koffi.proto('int32_t hnx_accept_fn(void *context, uint64_t label)');

const structs = {
    hnx_options: {
        struct_size: 'size_t', metric: 'uint32_t', flags: 'uint32_t', dim: 'size_t', max_elements: 'size_t', m: 'size_t',
        ef_construction: 'size_t', random_seed: 'uint64_t', persist_path: 'const char *',
    },
    hnx_load_options: {
        struct_size: 'size_t', metric: 'uint32_t', flags: 'uint32_t', dim: 'size_t', max_elements: 'size_t',
        check: 'uint32_t', reserved: 'uint32_t',
    },
    hnx_add_options: { struct_size: 'size_t', threads: 'uint32_t', flags: 'uint32_t' },
    hnx_filter: {
        struct_size: 'size_t', accept: 'hnx_accept_fn *', context: 'void *', labels: 'void *', label_count: 'size_t',
        flags: 'uint32_t', reserved: 'uint32_t',
    },
    hnx_query_options: {
        struct_size: 'size_t', ef: 'size_t', threads: 'uint32_t', exactness: 'uint32_t', filter: 'hnx_filter *',
    },
    hnx_persist_options: { struct_size: 'size_t', flags: 'uint32_t', reserved: 'uint32_t' },
    hnx_persist_info: {
        struct_size: 'size_t', generation: 'uint64_t', records_written: 'uint64_t', bytes_written: 'uint64_t',
    },
    hnx_verify_info: {
        struct_size: 'size_t', records: 'uint64_t', checked: 'uint64_t', damaged: 'uint64_t', first_record: 'uint64_t',
        first_offset: 'uint64_t', first_file: 'const char *',
    },
    hnx_salvage_options: {
        struct_size: 'size_t', metric: 'uint32_t', flags: 'uint32_t', dim: 'size_t', m: 'size_t', ef_construction: 'size_t',
        threads: 'uint32_t', reserved: 'uint32_t',
    },
    hnx_salvage_info: {
        struct_size: 'size_t', damage: 'uint32_t', reserved: 'uint32_t', stated: 'uint64_t', records: 'uint64_t',
        kept: 'uint64_t', deleted: 'uint64_t', missing: 'uint64_t', unwritten: 'uint64_t', unreadable: 'uint64_t',
        not_finite: 'uint64_t', implausible: 'uint64_t', duplicates: 'uint64_t', lengths_lost: 'uint64_t',
        mismatched: 'uint64_t',
    },
    hnx_stats_info: {
        struct_size: 'size_t', metric: 'uint32_t', flags: 'uint32_t', dim: 'size_t', count: 'size_t', deleted: 'size_t',
        capacity: 'size_t', m: 'size_t', ef_construction: 'size_t', ef: 'size_t', max_level: 'int32_t',
        exactness: 'uint32_t', record_bytes: 'uint64_t', other_bytes: 'uint64_t', dirty_records: 'uint64_t',
        code_bytes: 'uint64_t', vector_bytes: 'uint64_t', link_bytes: 'uint64_t', label_bytes: 'uint64_t',
    },
};

const functions = {
    hnx_init: ['int32_t', ['const hnx_options *', '_Out_ hnx_index **']],
    hnx_load: ['int32_t', ['const char *', 'const hnx_load_options *', '_Out_ hnx_index **']],
    hnx_free: ['void', ['hnx_index *']],
    hnx_add: ['int32_t', ['hnx_index *', 'const void *', 'const void *', 'size_t', 'const hnx_add_options *', 'void *']],
    hnx_mark_deleted: ['int32_t', ['hnx_index *', 'uint64_t']],
    hnx_unmark_deleted: ['int32_t', ['hnx_index *', 'uint64_t']],
    hnx_resize: ['int32_t', ['hnx_index *', 'size_t']],
    hnx_set_ef: ['int32_t', ['hnx_index *', 'size_t']],
    hnx_set_exactness: ['int32_t', ['hnx_index *', 'uint32_t']],
    hnx_query: ['int32_t', ['const hnx_index *', 'const void *', 'size_t', 'size_t', 'const hnx_query_options *', 'void *',
        'void *', 'void *']],
    hnx_get: ['int32_t', ['const hnx_index *', 'const void *', 'size_t', 'void *']],
    hnx_labels: ['int32_t', ['const hnx_index *', 'uint32_t', 'void *', 'size_t', '_Out_ size_t *']],
    hnx_persist_dirty: ['int32_t', ['hnx_index *', 'const hnx_persist_options *', '_Inout_ hnx_persist_info *']],
    hnx_save: ['int32_t', ['const hnx_index *', 'const char *', 'uint32_t']],
    hnx_save_codes: ['int32_t', ['const hnx_index *', 'const char *']],
    hnx_verify: ['int32_t', ['const char *', '_Inout_ hnx_verify_info *']],
    hnx_salvage: ['int32_t', ['const char *', 'const hnx_salvage_options *', '_Out_ hnx_index **', '_Inout_ hnx_salvage_info *']],
    hnx_count: ['size_t', ['const hnx_index *']],
    hnx_deleted_count: ['size_t', ['const hnx_index *']],
    hnx_capacity: ['size_t', ['const hnx_index *']],
    hnx_dim: ['size_t', ['const hnx_index *']],
    hnx_stats: ['int32_t', ['const hnx_index *', '_Inout_ hnx_stats_info *']],
    hnx_version: ['const char *', []],
    hnx_cpu_name: ['const char *', []],
    hnx_status_name: ['const char *', ['int32_t']],
    hnx_last_error: ['size_t', ['void *', 'size_t']],
};

const sizes = {};
for (const [name, fields] of Object.entries(structs)) sizes[name] = koffi.sizeof(koffi.struct(name, fields));

/** Opens a library and declares its functions. */
function open(path) {
    const library = koffi.load(path);
    const lib = {};
    for (const [name, [result, parameters]] of Object.entries(functions)) lib[name] = library.func(name, result, parameters);
    return lib;
}

/** A struct with its size set, the fields given, and zero in the rest. */
function struct(name, given = {}) {
    const value = {};
    for (const [field, type] of Object.entries(structs[name])) value[field] = type.endsWith('*') ? null : 0;
    return Object.assign(value, { struct_size: sizes[name] }, given);
}

module.exports = { ...constants, structs, functions, sizes, open, struct };
