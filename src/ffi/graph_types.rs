//! The structs and constants of graphs, under their C names.

use std::ffi::{c_char, c_void};

use super::callbacks::{hnx_draw_fn, hnx_emit_fn, hnx_filter, hnx_measure_fn, hnx_stop};

/// Squared L2 of floats.
pub const HNX_DISTANCE_L2: u32 = 0;
/// 1 - dot product of floats.
pub const HNX_DISTANCE_IP: u32 = 1;
/// Squared L2 of uint8_t, an int32_t.
pub const HNX_DISTANCE_L2_U8: u32 = 2;
/// What hnx_graph_options.measure measures.
pub const HNX_DISTANCE_CALLBACK: u32 = 3;

/// hnx_graph_options.flags: keep a float beside each record, as Chroma keeps the lengths of normalised vectors.
pub const HNX_GRAPH_LENGTHS: u32 = 1;

/// hnx_graph_point.flags, hnx_graph_query.flags: deleted records may exist. Without it marks are not looked at.
pub const HNX_GRAPH_DELETIONS: u32 = 1;
/// hnx_graph_point.flags: the record is deleted; the mark is cleared once the new data is in place.
pub const HNX_GRAPH_REVIVE: u32 = 2;

/// hnx_graph_query.start: at the entry point.
pub const HNX_GRAPH_TOP: u32 = u32::MAX;

/// What hnx_graph_init() builds, and what hnx_graph_load() expects. Set struct_size and zero the rest.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_graph_options {
    /// sizeof(hnx_graph_options).
    pub struct_size: usize,
    /// HNX_DISTANCE_L2, _IP, _L2_U8 or _CALLBACK.
    pub distance: u32,
    /// 0 or HNX_GRAPH_LENGTHS.
    pub flags: u32,
    /// Values that a built-in distance reads, at the start of the data; not used with HNX_DISTANCE_CALLBACK.
    pub dim: usize,
    /// Bytes of data per record, 1 to 8 MiB.
    pub data_size: usize,
    /// Records whose memory is usable at once.
    pub max_elements: usize,
    /// Links a record makes when it is added, 2 to 10,000. Not used by hnx_graph_load(): the file says.
    pub m: usize,
    /// NULL without HNX_DISTANCE_CALLBACK. Called until hnx_graph_free().
    pub measure: hnx_measure_fn,
    /// With HNX_DISTANCE_CALLBACK: key of the largest finite distance.
    pub max_key: i64,
    /// NULL, or a lock-free atomic size_t of the host's, which is the number of records from now on. The host may write
    /// it while nothing else runs; it must stay until hnx_graph_free().
    pub count: *mut c_void,
    /// NULL, or 8 bytes of the host's on an address divisible by 8, likewise until hnx_graph_free(): an int32_t, the
    /// highest level (-1: empty), and a uint32_t, the id of the entry point.
    pub entry: *mut c_void,
}

/// Where the records are. The addresses stay what they are until hnx_graph_free(), also when the graph is resized.
/// What hnx_graph_options.max_elements and hnx_graph_resize() made usable may be read and, while nothing else runs,
/// written.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_graph_memory {
    /// sizeof(hnx_graph_memory), set by the caller.
    pub struct_size: usize,
    /// Record id starts at records + id * stride: uint16_t number of links, uint8_t flags (1: deleted), uint8_t 0,
    /// 2 * m uint32_t links, the data, the uint64_t label.
    pub records: *mut c_char,
    /// 4 + 8 * m + data_size + 8, rounded up to a multiple of 4.
    pub stride: usize,
    /// Offset of the data in a record.
    pub data_offset: usize,
    /// Offset of the label in a record.
    pub label_offset: usize,
    /// For each id, one block of the C heap that holds the lists of the upper levels, or NULL.
    pub lists: *mut *mut c_char,
    /// Bytes of one upper-level list, 4 + 4 * m: a uint32_t number of links, then links.
    pub list_size: usize,
    /// Level of each id.
    pub levels: *mut i32,
    /// Length of each id; NULL without HNX_GRAPH_LENGTHS.
    pub lengths: *mut f32,
}

/// What files state beside the records. hnx_graph_load() fills it in; the host gives it when it saves.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_graph_header {
    /// sizeof(hnx_graph_header), set by the caller.
    pub struct_size: usize,
    /// Capacity.
    pub max_elements: usize,
    /// Links a record makes; not used when saving.
    pub m: usize,
    /// Candidates an insertion looks at.
    pub ef_construction: usize,
    /// Scale of the level distribution, 1 / ln m.
    pub mult: f64,
    /// HNX_FORMAT_HNSWLIB, _CHROMA or _CHROMA_DIRECTORY; not used when saving.
    pub format: u32,
    /// 0.
    pub reserved: u32,
}

/// A record to be added, or what a record is to become.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_graph_point {
    /// sizeof(hnx_graph_point).
    pub struct_size: usize,
    /// data_size bytes, at any address; they may be those of a record.
    pub data: *const c_void,
    /// Its label.
    pub label: u64,
    /// Its length, with HNX_GRAPH_LENGTHS.
    pub length: f32,
    /// hnx_graph_insert(): level of the new record, 0 to 63.
    pub level: i32,
    /// Candidates to look at, hnswlib's ef_construction.
    pub ef: usize,
    /// hnx_graph_insert(): HNX_ERR_FULL when there are as many records.
    pub max_elements: usize,
    /// HNX_GRAPH_DELETIONS, HNX_GRAPH_REVIVE.
    pub flags: u32,
    /// hnx_graph_update(): see draw.
    pub probability: f32,
    /// hnx_graph_update(): NULL to relink all neighbours, or asked once about each on each level.
    pub draw: hnx_draw_fn,
    /// Passed to draw and to hnx_graph_options.measure.
    pub context: *mut c_void,
}

/// A search.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_graph_query {
    /// sizeof(hnx_graph_query).
    pub struct_size: usize,
    /// Read as far as the distance reads it, no further.
    pub query: *const c_void,
    /// Nearest records wanted.
    pub k: usize,
    /// Size of the candidate list; raised to k.
    pub ef: usize,
    /// 0 or HNX_GRAPH_DELETIONS.
    pub flags: u32,
    /// HNX_GRAPH_TOP: from the entry point down to the ground. Else the id of a record: only its level is searched from
    /// there, and all ef found ones are emitted, in the order of hnswlib's heap.
    pub start: u32,
    /// Level to search when start is a record.
    pub level: i32,
    /// 0.
    pub reserved: u32,
    /// NULL, or which labels may be found.
    pub filter: *const hnx_filter,
    /// NULL, or when to stop and what to keep; k and ef are not used then, and everything kept is emitted.
    pub stop: *const hnx_stop,
    /// Receives what was found, nearest first, equal distances by label (with stop, in the order of hnswlib's heap).
    pub emit: hnx_emit_fn,
    /// Passed to emit and to hnx_graph_options.measure.
    pub context: *mut c_void,
    /// Written: lists looked at above the ground, or on the one level that was searched.
    pub out_hops: u64,
    /// Written: links in these lists, as many as hnswlib counts for distances.
    pub out_distances: u64,
}

/// The contents of a directory's four files. Chroma calls it HnswData.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_graph_buffers {
    /// sizeof(hnx_graph_buffers).
    pub struct_size: usize,
    /// header.bin, 100 bytes.
    pub header: *mut c_char,
    /// Bytes there.
    pub header_size: usize,
    /// data_level0.bin.
    pub records: *mut c_char,
    /// Bytes there.
    pub records_size: usize,
    /// length.bin.
    pub lengths: *mut c_char,
    /// Bytes there.
    pub lengths_size: usize,
    /// link_lists.bin.
    pub lists: *mut c_char,
    /// Bytes there.
    pub lists_size: usize,
}
