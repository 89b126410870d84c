// Package hnx is libhnx for Go: an HNSW vector index.
//
// Any method of an Index may be called from any goroutine at any time, Close too. The library reads and writes the
// slices of a call while it runs and keeps nothing of them.
package hnx

/*
#include <hnx.h>
#include <stdlib.h>

extern int32_t hnxGoAccept(void *context, uint64_t label);

// Go must not put pointers to its memory into structs that it passes; so these are made on C's stack.
static hnx_status hnx_go_query(const hnx_index *index, const float *queries, size_t count, size_t k,
                               const hnx_query_options *given, const uint64_t *labels, size_t label_count, uint32_t flags,
                               void *context, uint64_t *out_labels, float *out_distances, size_t *out_counts) {
	hnx_query_options options = *given;
	hnx_filter filter = {sizeof filter, context ? hnxGoAccept : NULL, context, labels, label_count, flags, 0};
	options.struct_size = sizeof options;
	options.filter = context || flags ? &filter : NULL;
	return hnx_query(index, queries, count, k, &options, out_labels, out_distances, out_counts);
}
*/
import "C"

import (
	"fmt"
	"math"
	"runtime"
	"runtime/cgo"
	"strings"
	"sync"
	"unsafe"
)

// Metric says what distances are.
type Metric uint32

// Check says what Load checks.
type Check uint32

// Exactness says how exact a query is.
type Exactness uint32

// Format says what Save writes.
type Format uint32

// Which says which labels Labels lists.
type Which uint32

// Options says what New builds. Zero means default everywhere but in Dim.
type Options struct {
	Metric              Metric
	Dim                 int    // floats per vector
	MaxElements         int    // capacity; 0: grow on demand
	M                   int    // links a record makes; 0: 16
	EfConstruction      int    // 0: 200
	Seed                uint64 // 0: 100
	PersistPath         string // directory of Persist; "": memory only
	AllowReplaceDeleted bool
}

// LoadOptions says how Load opens. Metric and Dim are not in the files.
type LoadOptions struct {
	Metric              Metric
	Dim                 int
	MaxElements         int // capacity; 0: grow on demand
	Check               Check
	Mmap                bool
	ReadOnly            bool
	AllowReplaceDeleted bool
}

// AddOptions says how Add adds. nil means default.
type AddOptions struct {
	Threads        int // 0: all cores; 1: rows in order
	ReplaceDeleted bool
	InsertOnly     bool
	UpdateOnly     bool
	Guided         bool // codes find the candidates for links: faster, not hnswlib's graph to the link
}

// QueryOptions says how Query searches. nil means default.
type QueryOptions struct {
	Ef        int // size of the candidate list; 0: the index's
	Threads   int // 0: all cores
	Exactness Exactness
	// Only, unless nil, holds the labels that may be found; Except those that may not. Not both.
	Only, Except []uint64
	// Filter, unless nil, says whether a label may be found. A call into Go costs more than a look-up in a list.
	Filter func(label uint64) bool
}

// Result is what Query found: K cells for each query, nearest first, of which Counts are used; the others are
// math.MaxUint64 and infinity.
type Result struct {
	K         int
	Labels    []uint64
	Distances []float32
	Counts    []int
}

// Persisted is what Persist did.
type Persisted struct {
	Generation, Records, Bytes uint64
}

// Stats is the state of an index.
type Stats struct {
	Metric                                Metric
	Dim, Count, Deleted, Capacity, M      int
	EfConstruction, Ef, MaxLevel          int
	Exactness                             Exactness // what ExactnessDefault stands for on this index
	RecordBytes, OtherBytes, DirtyRecords uint64
	CodeBytes                             uint64 // memory of the codes; 0 while there are none
	VectorBytes, LinkBytes, LabelBytes    uint64 // of records and what stands beside: vectors, links of all levels, labels with their map
	AllowReplaceDeleted, Mapped, ReadOnly bool
}

// Index is an index of the library. Make it by New or Load, give it back by Close.
type Index struct {
	dim int

	mutex   sync.Mutex
	pointer *C.hnx_index // nil once it is freed
	users   int          // calls that run
	closed  bool
}

func size(n int, name string) (C.size_t, error) {
	if n < 0 {
		return 0, invalid(fmt.Sprintf("%s is %d", name, n))
	}
	return C.size_t(n), nil
}

func sizes(names string, to []*C.size_t, from ...int) (err error) {
	for at, name := range strings.Fields(names) {
		if *to[at], err = size(from[at], name); err != nil {
			return err
		}
	}
	return nil
}

func flag(on bool, bit C.uint32_t) C.uint32_t {
	if on {
		return bit
	}
	return 0
}

func threads(n int) (C.uint32_t, error) {
	if n < 0 || n > math.MaxInt32 {
		return 0, invalid(fmt.Sprintf("Threads is %d", n))
	}
	return C.uint32_t(n), nil
}

// path copies a path for C; free it.
func path(name string) (*C.char, error) {
	if strings.IndexByte(name, 0) >= 0 {
		return nil, invalid("a path contains a zero byte")
	}
	return C.CString(name), nil
}

// first is the address of a slice's first item, nil for an empty one.
func first[T any](items []T) *T {
	if len(items) == 0 {
		return nil
	}
	return &items[0]
}

// New makes an empty index.
func New(options Options) (*Index, error) {
	var c C.hnx_options
	c.struct_size = C.sizeof_hnx_options
	c.metric = C.uint32_t(options.Metric)
	c.flags = flag(options.AllowReplaceDeleted, C.HNX_ALLOW_REPLACE_DELETED)
	c.random_seed = C.uint64_t(options.Seed)
	err := sizes("Dim MaxElements M EfConstruction", []*C.size_t{&c.dim, &c.max_elements, &c.m, &c.ef_construction},
		options.Dim, options.MaxElements, options.M, options.EfConstruction)
	if err != nil {
		return nil, err
	}
	if options.PersistPath != "" {
		name, err := path(options.PersistPath)
		if err != nil {
			return nil, err
		}
		defer C.free(unsafe.Pointer(name))
		c.persist_path = name
	}
	return open(func(out **C.hnx_index) C.hnx_status { return C.hnx_init(&c, out) })
}

// Load opens a file of hnswlib or Chroma, or a directory of Chroma, which Persist then writes to.
func Load(name string, options LoadOptions) (*Index, error) {
	var c C.hnx_load_options
	c.struct_size = C.sizeof_hnx_load_options
	c.metric = C.uint32_t(options.Metric)
	c.check = C.uint32_t(options.Check)
	c.flags = flag(options.AllowReplaceDeleted, C.HNX_ALLOW_REPLACE_DELETED) |
		flag(options.Mmap, C.HNX_LOAD_MMAP) | flag(options.ReadOnly, C.HNX_LOAD_READ_ONLY)
	if err := sizes("Dim MaxElements", []*C.size_t{&c.dim, &c.max_elements}, options.Dim, options.MaxElements); err != nil {
		return nil, err
	}
	file, err := path(name)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(file))
	return open(func(out **C.hnx_index) C.hnx_status { return C.hnx_load(file, &c, out) })
}

func open(function func(out **C.hnx_index) C.hnx_status) (*Index, error) {
	var pointer *C.hnx_index
	if err := call(func() C.hnx_status { return function(&pointer) }); err != nil {
		return nil, err
	}
	index := &Index{pointer: pointer, dim: int(C.hnx_dim(pointer))}
	runtime.SetFinalizer(index, (*Index).Close)
	return index, nil
}

// Close frees the index: now, or when the calls that run have ended. Calling it again does nothing. An index that is
// not closed is freed by the garbage collector, some time.
func (index *Index) Close() error {
	index.mutex.Lock()
	defer index.mutex.Unlock()
	index.closed = true
	index.free()
	return nil
}

func (index *Index) free() {
	if index.closed && index.users == 0 && index.pointer != nil {
		C.hnx_free(index.pointer)
		index.pointer = nil
		runtime.SetFinalizer(index, nil)
	}
}

// use calls function with the handle, which is not freed meanwhile.
func (index *Index) use(function func(pointer *C.hnx_index) C.hnx_status) error {
	index.mutex.Lock()
	if index.closed {
		index.mutex.Unlock()
		return ErrClosed
	}
	index.users++
	index.mutex.Unlock()
	defer func() { // also when a filter panics
		index.mutex.Lock()
		index.users--
		index.free()
		index.mutex.Unlock()
	}()
	return call(func() C.hnx_status { return function(index.pointer) })
}

// rows is how many vectors a slice holds.
func (index *Index) rows(vectors []float32, name string) (int, error) {
	if len(vectors)%index.dim != 0 {
		return 0, invalid(fmt.Sprintf("%d floats in %s are no vectors of %d", len(vectors), name, index.dim))
	}
	return len(vectors) / index.dim, nil
}

// Dim is the number of floats per vector.
func (index *Index) Dim() int {
	return index.dim
}

// Add adds a vector for each label, or updates those whose label exists. It ends at the first row that fails, which the
// error names.
func (index *Index) Add(vectors []float32, labels []uint64, options *AddOptions) error {
	if options == nil {
		options = &AddOptions{}
	}
	rows, err := index.rows(vectors, "vectors")
	if err != nil {
		return err
	}
	if rows != len(labels) {
		return invalid(fmt.Sprintf("%d vectors for %d labels", rows, len(labels)))
	}
	var c C.hnx_add_options
	c.struct_size = C.sizeof_hnx_add_options
	if c.threads, err = threads(options.Threads); err != nil {
		return err
	}
	c.flags = flag(options.ReplaceDeleted, C.HNX_ADD_REPLACE_DELETED) | flag(options.InsertOnly, C.HNX_ADD_INSERT_ONLY) |
		flag(options.UpdateOnly, C.HNX_ADD_UPDATE_ONLY) | flag(options.Guided, C.HNX_ADD_GUIDED)
	return index.use(func(pointer *C.hnx_index) C.hnx_status {
		return C.hnx_add(pointer, (*C.float)(first(vectors)), (*C.uint64_t)(first(labels)), C.size_t(rows), &c, nil)
	})
}

// Query finds the k nearest vectors of each query. Fewer is no error.
func (index *Index) Query(queries []float32, k int, options *QueryOptions) (*Result, error) {
	result := &Result{K: k}
	rows, err := index.rows(queries, "queries")
	if err != nil {
		return nil, err
	}
	if k <= 0 || rows > 0 && k > math.MaxInt32/rows {
		return nil, invalid(fmt.Sprintf("k is %d", k))
	}
	result.Labels, result.Distances = make([]uint64, rows*k), make([]float32, rows*k)
	result.Counts = make([]int, rows)
	if err := index.QueryInto(result, queries, options); err != nil {
		return nil, err
	}
	return result, nil
}

// QueryInto is Query into slices that exist: result.K is k, Labels and Distances hold K cells for each query, Counts
// one. Distances and Counts may be nil.
func (index *Index) QueryInto(result *Result, queries []float32, options *QueryOptions) error {
	if options == nil {
		options = &QueryOptions{}
	}
	rows, err := index.rows(queries, "queries")
	if err != nil {
		return err
	}
	if result.K <= 0 || rows > 0 && result.K > math.MaxInt/rows {
		return invalid(fmt.Sprintf("k is %d", result.K))
	}
	cells := rows * result.K
	if len(result.Labels) != cells || result.Distances != nil && len(result.Distances) != cells ||
		result.Counts != nil && len(result.Counts) != rows {
		return invalid(fmt.Sprintf("%d queries and k %d for results of %d labels, %d distances, %d counts", rows, result.K,
			len(result.Labels), len(result.Distances), len(result.Counts)))
	}
	var c C.hnx_query_options
	c.exactness = C.uint32_t(options.Exactness)
	if c.threads, err = threads(options.Threads); err != nil {
		return err
	}
	if c.ef, err = size(options.Ef, "Ef"); err != nil {
		return err
	}
	labels, flags := options.Only, flag(options.Only != nil, C.HNX_FILTER_ONLY)
	if options.Except != nil {
		if options.Only != nil {
			return invalid("Only and Except exclude each other")
		}
		labels, flags = options.Except, C.HNX_FILTER_EXCEPT
	}
	var handle *cgo.Handle
	asked := filter{accept: options.Filter}
	if options.Filter != nil {
		h := cgo.NewHandle(&asked)
		defer h.Delete()
		handle = &h
	}
	err = index.use(func(pointer *C.hnx_index) C.hnx_status {
		return C.hnx_go_query(pointer, (*C.float)(first(queries)), C.size_t(rows), C.size_t(result.K), &c,
			(*C.uint64_t)(first(labels)), C.size_t(len(labels)), flags, unsafe.Pointer(handle),
			(*C.uint64_t)(first(result.Labels)), (*C.float)(first(result.Distances)),
			(*C.size_t)(unsafe.Pointer(first(result.Counts))))
	})
	if asked.panicked != nil {
		panic(asked.panicked)
	}
	return err
}

// MarkDeleted deletes a label.
func (index *Index) MarkDeleted(label uint64) error {
	return index.use(func(pointer *C.hnx_index) C.hnx_status { return C.hnx_mark_deleted(pointer, C.uint64_t(label)) })
}

// UnmarkDeleted takes a deletion back.
func (index *Index) UnmarkDeleted(label uint64) error {
	return index.use(func(pointer *C.hnx_index) C.hnx_status { return C.hnx_unmark_deleted(pointer, C.uint64_t(label)) })
}

// Resize sets the capacity.
func (index *Index) Resize(maxElements int) error {
	n, err := size(maxElements, "maxElements")
	if err != nil {
		return err
	}
	return index.use(func(pointer *C.hnx_index) C.hnx_status { return C.hnx_resize(pointer, n) })
}

// SetEf sets the size of the candidate list of queries that give none; 10 at first.
func (index *Index) SetEf(ef int) error {
	n, err := size(ef, "ef")
	if err != nil {
		return err
	}
	return index.use(func(pointer *C.hnx_index) C.hnx_status { return C.hnx_set_ef(pointer, n) })
}

// SetExactness sets what ExactnessDefault stands for on this index, and the codes that it keeps: none for ExactnessF32.
func (index *Index) SetExactness(exactness Exactness) error {
	return index.use(func(pointer *C.hnx_index) C.hnx_status {
		return C.hnx_set_exactness(pointer, C.uint32_t(exactness))
	})
}

// Get reads the vectors of labels back.
func (index *Index) Get(labels []uint64) ([]float32, error) {
	vectors := make([]float32, len(labels)*index.dim)
	err := index.use(func(pointer *C.hnx_index) C.hnx_status {
		return C.hnx_get(pointer, (*C.uint64_t)(first(labels)), C.size_t(len(labels)), (*C.float)(first(vectors)))
	})
	if err != nil {
		return nil, err
	}
	return vectors, nil
}

// Labels lists labels.
func (index *Index) Labels(which Which) ([]uint64, error) {
	for labels := []uint64(nil); ; {
		var count C.size_t
		err := index.use(func(pointer *C.hnx_index) C.hnx_status {
			return C.hnx_labels(pointer, C.uint32_t(which), (*C.uint64_t)(first(labels)), C.size_t(len(labels)), &count)
		})
		if err != nil {
			return nil, err
		}
		if int(count) <= len(labels) {
			return labels[:count], nil
		}
		labels = make([]uint64, count+16) // others may add meanwhile
	}
}

// Persist writes what changed since the last call to the directory of the index.
func (index *Index) Persist() (Persisted, error) {
	var info C.hnx_persist_info
	info.struct_size = C.sizeof_hnx_persist_info
	err := index.use(func(pointer *C.hnx_index) C.hnx_status { return C.hnx_persist_dirty(pointer, nil, &info) })
	return Persisted{uint64(info.generation), uint64(info.records_written), uint64(info.bytes_written)}, err
}

// Save writes the whole index to a file or directory.
func (index *Index) Save(name string, format Format) error {
	file, err := path(name)
	if err != nil {
		return err
	}
	defer C.free(unsafe.Pointer(file))
	return index.use(func(pointer *C.hnx_index) C.hnx_status { return C.hnx_save(pointer, file, C.uint32_t(format)) })
}

// SaveCodes writes the codes beside the file or directory of this index, so that Load with Mmap has them at once.
func (index *Index) SaveCodes(name string) error {
	file, err := path(name)
	if err != nil {
		return err
	}
	defer C.free(unsafe.Pointer(file))
	return index.use(func(pointer *C.hnx_index) C.hnx_status { return C.hnx_save_codes(pointer, file) })
}

// Stats is the state of the index.
func (index *Index) Stats() (Stats, error) {
	var c C.hnx_stats_info
	c.struct_size = C.sizeof_hnx_stats_info
	err := index.use(func(pointer *C.hnx_index) C.hnx_status { return C.hnx_stats(pointer, &c) })
	return Stats{
		Metric: Metric(c.metric), Dim: int(c.dim), Count: int(c.count), Deleted: int(c.deleted), Capacity: int(c.capacity),
		M: int(c.m), EfConstruction: int(c.ef_construction), Ef: int(c.ef), MaxLevel: int(c.max_level),
		RecordBytes: uint64(c.record_bytes), OtherBytes: uint64(c.other_bytes), DirtyRecords: uint64(c.dirty_records),
		Exactness: Exactness(c.exactness), CodeBytes: uint64(c.code_bytes),
		VectorBytes: uint64(c.vector_bytes), LinkBytes: uint64(c.link_bytes), LabelBytes: uint64(c.label_bytes),
		AllowReplaceDeleted: c.flags&C.HNX_ALLOW_REPLACE_DELETED != 0,
		Mapped:              c.flags&C.HNX_LOAD_MMAP != 0,
		ReadOnly:            c.flags&C.HNX_LOAD_READ_ONLY != 0,
	}, err
}
