//! The structs and constants that C sees, under their C names. Numbers in, never Rust enums or bools.

use std::ffi::{c_char, c_void};

/// Squared Euclidean distance.
pub const HNX_METRIC_L2: u32 = 0;
/// 1 - dot product.
pub const HNX_METRIC_IP: u32 = 1;
/// 1 - cosine: vectors and queries are normalised inside, hnx_get() gives the originals back.
pub const HNX_METRIC_COSINE: u32 = 2;

/// hnx_options.flags, hnx_load_options.flags: HNX_ADD_REPLACE_DELETED may be used on this index.
pub const HNX_ALLOW_REPLACE_DELETED: u32 = 1;
/// hnx_load_options.flags: map the file instead of reading it. Opening touches the header and the link lists only, and
/// the checksums of a directory that is opened to be written; what is written goes to private copies of pages. A file
/// that another program truncates while it is mapped kills the process with SIGBUS: map only files that nobody
/// shortens. A directory is mapped by its writer, or while there is none, which cannot persist meanwhile then; beside a
/// writer it is copied. Codes that hnx_save_codes() has written beside are mapped, too, if the records' file has the
/// size and the time of last change that it had then; else the index opens without, and hnx_stats_info.code_bytes is 0.
/// HNX_CHECK_DEEP compares all codes with their vectors instead of times, and returns HNX_ERR_CORRUPT where codes are
/// damaged.
pub const HNX_LOAD_MMAP: u32 = 2;
/// hnx_load_options.flags: every call that would change the index returns HNX_ERR_READ_ONLY.
pub const HNX_LOAD_READ_ONLY: u32 = 4;

/// hnx_load_options.check: as HNX_CHECK_FAST for a mapped index; else also every link of every record, and in a copy of
/// a directory the checksums of hnx_verify().
pub const HNX_CHECK_DEFAULT: u32 = 0;
/// Header, sizes, levels and entry point. Every later operation is memory-safe all the same.
pub const HNX_CHECK_FAST: u32 = 1;
/// Everything, vectors included: values must be finite, and a directory must fit the checksums that libhnx has written
/// beside it: see hnx_verify().
pub const HNX_CHECK_DEEP: u32 = 2;

/// hnx_add_options.flags: put a new label into the place of a deleted one, if there is one. A label that exists is
/// updated where it is (hnswlib would store it twice); a deleted label that is added again gets its own place back.
pub const HNX_ADD_REPLACE_DELETED: u32 = 1;
/// hnx_add_options.flags: a label that exists, deleted or not, is HNX_ERR_EXISTS instead of an update.
pub const HNX_ADD_INSERT_ONLY: u32 = 2;
/// hnx_add_options.flags: a label that does not exist is HNX_ERR_NOT_FOUND instead of an insertion; one that is
/// deleted exists.
pub const HNX_ADD_UPDATE_ONLY: u32 = 4;
/// hnx_add_options.flags: codes find the candidates for the links of a new record; f32, or codes that are the vectors,
/// choose among them. Faster; recall at a given ef is that of an exact build, but the graph is not hnswlib's to the
/// link. Give many rows to a call (64 or more to each thread, 16 to a single one): on CPUs with AVX-512 and VNNI the
/// candidates of up to 128 rows are looked up in all records together, as long as that takes less time than a walk for
/// each (200 candidates: up to 108,000 records of 100 floats). So the graph also depends on the CPU and on how rows are
/// handed over. An update waits for a look-up, about a millisecond. Without codes (HNX_EXACTNESS_GUIDED) without
/// effect.
pub const HNX_ADD_GUIDED: u32 = 8;

/// What hnx_set_exactness() has set. At first the fastest mode that keeps recall at a given ef at hnswlib's:
/// HNX_EXACTNESS_GUIDED on an index of 1,000 records or more, else, and on an index that was opened with HNX_LOAD_MMAP
/// without codes beside it and not changed since, HNX_EXACTNESS_F32.
pub const HNX_EXACTNESS_DEFAULT: u32 = 0;
/// Traversal on the stored f32 vectors, as hnswlib does it.
pub const HNX_EXACTNESS_F32: u32 = 1;
/// The ids and distances of HNX_EXACTNESS_F32, reached by any means that are proven to give them: codes prove which
/// distances cannot matter, f32 measures the rest (src/search/certified.rs). With a filter, or without codes, f32
/// measures all. Where codes are the vectors themselves (squared L2 of integers from 0 to 255, in up to 258 dimensions)
/// they suffice. An index that has codes of half a byte only (HNX_EXACTNESS_GUIDED) gets those of a byte with the first
/// such query that finds nobody changing it; changes wait meanwhile, as long as reading all vectors takes. They take a
/// byte per float until hnx_set_exactness() gives them back.
pub const HNX_EXACTNESS_CERTIFIED: u32 = 2;
/// Codes guide the search: of a byte per float or, in large indexes (8 MB of such codes) of more than 128 floats, of
/// half a byte; of both in those of more than 64 integers. f32 decides between the best that they found. The walk keeps
/// some more candidates than ef, so that recall at a given ef is that of f32. Distances are exact, ids may differ from
/// HNX_EXACTNESS_F32 at the level of recall noise. Without codes (hnx_stats_info.code_bytes 0) f32 from the first step
/// on.
pub const HNX_EXACTNESS_GUIDED: u32 = 3;

/// hnx_labels(): labels that are not deleted.
pub const HNX_LABELS_LIVE: u32 = 0;
/// hnx_labels(): deleted labels.
pub const HNX_LABELS_DELETED: u32 = 1;
/// hnx_labels(): both.
pub const HNX_LABELS_ALL: u32 = 2;
/// nmslib hnswlib's saveIndex() file.
pub const HNX_FORMAT_HNSWLIB: u32 = 0;
/// chroma-hnswlib's saveIndex() file, which also holds the vectors' lengths.
pub const HNX_FORMAT_CHROMA: u32 = 1;
/// chroma-hnswlib's persisted directory: header.bin, data_level0.bin, length.bin, link_lists.bin.
pub const HNX_FORMAT_CHROMA_DIRECTORY: u32 = 2;

/// What hnx_init() builds. Set struct_size = sizeof(hnx_options) and zero the rest: zero means default everywhere
/// but in dim, which must be given.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_options {
    /// sizeof(hnx_options).
    pub struct_size: usize,
    /// HNX_METRIC_L2, _IP or _COSINE.
    pub metric: u32,
    /// 0 or HNX_ALLOW_REPLACE_DELETED.
    pub flags: u32,
    /// Floats per vector, 1 to 1,000,000.
    pub dim: usize,
    /// Records (deleted ones included) the index may hold; one more is HNX_ERR_FULL. 0: grow on demand.
    pub max_elements: usize,
    /// Links a record makes when it is added; it holds up to 2 * m on the ground level. 2 to 10,000; 0: 16.
    pub m: usize,
    /// Candidates an insertion looks at; raised to m where it is smaller. 0: 200.
    pub ef_construction: usize,
    /// Seed of the level generator. The same seed and the same adds from one thread give the same graph as
    /// hnswlib 0.8.0. 0: 100.
    pub random_seed: u64,
    /// Directory for hnx_persist_dirty(), made if it is missing; its parent must exist, and it must not hold an
    /// index yet. NULL: the index lives in memory only.
    pub persist_path: *const c_char,
}

/// How hnx_load() opens an index. The upstream formats store neither metric nor dim, so they are given here.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_load_options {
    /// sizeof(hnx_load_options).
    pub struct_size: usize,
    /// HNX_METRIC_L2, _IP or _COSINE.
    pub metric: u32,
    /// HNX_ALLOW_REPLACE_DELETED, HNX_LOAD_MMAP, HNX_LOAD_READ_ONLY.
    pub flags: u32,
    /// Floats per vector; a file whose records have another size is HNX_ERR_CORRUPT.
    pub dim: usize,
    /// Capacity, as in hnx_options; raised to the number of stored records where it is smaller. 0: grow on demand.
    pub max_elements: usize,
    /// HNX_CHECK_DEFAULT, _FAST or _DEEP.
    pub check: u32,
    /// 0.
    pub reserved: u32,
}

/// How hnx_add() adds.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_add_options {
    /// sizeof(hnx_add_options).
    pub struct_size: usize,
    /// Threads to add with. 1: the calling thread, rows in order. 0: all cores, when there are rows enough.
    pub threads: u32,
    /// HNX_ADD_REPLACE_DELETED, HNX_ADD_GUIDED, and one of HNX_ADD_INSERT_ONLY, HNX_ADD_UPDATE_ONLY.
    pub flags: u32,
}

/// How hnx_query() searches.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_query_options {
    /// sizeof(hnx_query_options).
    pub struct_size: usize,
    /// Size of the candidate list: larger finds more and takes longer; raised to k. 0: the index's (hnx_set_ef()).
    pub ef: usize,
    /// Threads to search with. 1: the calling thread. 0: all cores, when there are queries enough.
    pub threads: u32,
    /// HNX_EXACTNESS_DEFAULT (the index's: hnx_set_exactness()), _F32, _CERTIFIED or _GUIDED.
    pub exactness: u32,
    /// NULL, or a struct hnx_filter: which labels may be found. The calling thread searches alone then.
    pub filter: *const c_void,
}

/// How hnx_persist_dirty() persists.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_persist_options {
    /// sizeof(hnx_persist_options).
    pub struct_size: usize,
    /// 0.
    pub flags: u32,
    /// 0.
    pub reserved: u32,
}

/// What hnx_persist_dirty() did.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_persist_info {
    /// sizeof(hnx_persist_info), set by the caller.
    pub struct_size: usize,
    /// Persists of this handle that wrote something, this one included.
    pub generation: u64,
    /// Records written.
    pub records_written: u64,
    /// Bytes handed to the operating system, those of the journal included.
    pub bytes_written: u64,
}

/// What hnx_verify() found.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_verify_info {
    /// sizeof(hnx_verify_info), set by the caller.
    pub struct_size: usize,
    /// Records there are.
    pub records: u64,
    /// Records that have checksums; the others were last written by another program.
    pub checked: u64,
    /// Records that differ from their checksums, and other places that are damaged.
    pub damaged: u64,
    /// Of the first damage: the record, and where its damaged part begins in the file.
    pub first_record: u64,
    /// Bytes from the start of the file.
    pub first_offset: u64,
    /// The file's name, such as "link_lists.bin"; static. NULL: there is no damage.
    pub first_file: *const c_char,
}

/// hnx_salvage_options.flags: keep also what looks like a record behind the number that the header states: for a header
/// that is older than the records. Records that were never part of the index can come along.
pub const HNX_SALVAGE_BEYOND_COUNT: u32 = 8;

/// hnx_salvage_info.damage: the header is missing, of an unknown version, or contradicted by itself, the records or the
/// checksums.
pub const HNX_DAMAGE_HEADER: u32 = 1;
/// hnx_salvage_info.damage: records are missing, were dropped (duplicates aside), or differ from their checksums.
pub const HNX_DAMAGE_RECORDS: u32 = 2;
/// hnx_salvage_info.damage: lengths of cosine vectors are missing or are none.
pub const HNX_DAMAGE_LENGTHS: u32 = 4;
/// hnx_salvage_info.damage: the lists of the upper levels are missing, or their sizes lead nowhere.
pub const HNX_DAMAGE_LISTS: u32 = 8;

/// How hnx_salvage() salvages. Set struct_size, metric and dim, zero the rest.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_salvage_options {
    /// sizeof(hnx_salvage_options).
    pub struct_size: usize,
    /// HNX_METRIC_L2, _IP or _COSINE.
    pub metric: u32,
    /// HNX_ALLOW_REPLACE_DELETED (for the new index), HNX_SALVAGE_BEYOND_COUNT.
    pub flags: u32,
    /// Floats per vector.
    pub dim: usize,
    /// m of the damaged index and of the new one. 0: found out, from the header or from the records.
    pub m: usize,
    /// Candidates an insertion looks at. 0: as the header states, or 200.
    pub ef_construction: usize,
    /// Threads to build with. 1: the calling thread. 0: all cores.
    pub threads: u32,
    /// 0.
    pub reserved: u32,
}

/// What hnx_salvage() found. records = kept + missing + unwritten + unreadable + not_finite + implausible + duplicates.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_salvage_info {
    /// sizeof(hnx_salvage_info), set by the caller.
    pub struct_size: usize,
    /// HNX_DAMAGE_HEADER, _RECORDS, _LENGTHS, _LISTS; 0 when nothing was found to be wrong.
    pub damage: u32,
    /// 0.
    pub reserved: u32,
    /// Records that the header states, or hnx.sums in its place; 0 where neither is whole.
    pub stated: u64,
    /// Records looked for: as many as stated, and those kept behind them; where the header is not whole, all there is
    /// room for.
    pub records: u64,
    /// Records in the new index, deleted ones included.
    pub kept: u64,
    /// Those of them that are deleted.
    pub deleted: u64,
    /// Dropped: the file ends before them, or in them.
    pub missing: u64,
    /// Dropped: nothing but zeros, in a hole of the file or not.
    pub unwritten: u64,
    /// Dropped: the operating system could not read them.
    pub unreadable: u64,
    /// Dropped: a value, or the square of the length, is not finite.
    pub not_finite: u64,
    /// Dropped: not of length 1 under HNX_METRIC_COSINE; where the header is not whole, also what does not look like a
    /// record.
    pub implausible: u64,
    /// Dropped: another record has the label: one that does not differ from its checksum before one that does, a live
    /// one before deleted ones, then the last.
    pub duplicates: u64,
    /// Kept, with length 1 in hnx_get(), because the length under HNX_METRIC_COSINE is lost.
    pub lengths_lost: u64,
    /// Kept, but different from its checksum in hnx.sums: vector, label, length, deletion or links are not what was
    /// written.
    pub mismatched: u64,
}

/// The state of an index.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_stats_info {
    /// sizeof(hnx_stats_info), set by the caller.
    pub struct_size: usize,
    /// HNX_METRIC_L2, _IP or _COSINE.
    pub metric: u32,
    /// Flags the index was made or opened with.
    pub flags: u32,
    /// Floats per vector.
    pub dim: usize,
    /// Records, deleted ones included.
    pub count: usize,
    /// Deleted records.
    pub deleted: usize,
    /// Records that fit before the index is full or grows.
    pub capacity: usize,
    /// Links a record makes when it is added.
    pub m: usize,
    /// Candidates an insertion looks at.
    pub ef_construction: usize,
    /// Size of the candidate list of queries that give none.
    pub ef: usize,
    /// Highest level of the graph; -1 when it is empty.
    pub max_level: i32,
    /// The exactness that HNX_EXACTNESS_DEFAULT stands for on this index.
    pub exactness: u32,
    /// Memory of the records in bytes, mapped files included.
    pub record_bytes: u64,
    /// Memory of upper-level lists, levels, lengths, locks, label map and dirty set in bytes.
    pub other_bytes: u64,
    /// Records that the next hnx_persist_dirty() writes.
    pub dirty_records: u64,
    /// Bytes of the codes: derived from the records; 0 while an index has none. Those of hnx_save_codes() are the
    /// file's, and take no memory of the process' own until they are changed.
    pub code_bytes: u64,
    /// Of record_bytes the vectors, with what pads them; of a mapped index those in the file.
    pub vector_bytes: u64,
    /// Of record_bytes and other_bytes the links of all levels.
    pub link_bytes: u64,
    /// Of record_bytes and other_bytes the labels, and the map from labels to records.
    pub label_bytes: u64,
}
