package hnx

// The declarations of include/hnx.h are the header itself, which cgo reads; this file names its constants in Go.

/*
#include <hnx.h>
*/
import "C"

// What distances are.
const (
	L2     Metric = C.HNX_METRIC_L2
	IP     Metric = C.HNX_METRIC_IP
	Cosine Metric = C.HNX_METRIC_COSINE
)

// What Load checks.
const (
	CheckDefault Check = C.HNX_CHECK_DEFAULT
	CheckFast    Check = C.HNX_CHECK_FAST
	CheckDeep    Check = C.HNX_CHECK_DEEP
)

// How exact a query is.
const (
	ExactnessDefault   Exactness = C.HNX_EXACTNESS_DEFAULT
	ExactnessF32       Exactness = C.HNX_EXACTNESS_F32
	ExactnessCertified Exactness = C.HNX_EXACTNESS_CERTIFIED
	ExactnessGuided    Exactness = C.HNX_EXACTNESS_GUIDED
)

// What Save writes.
const (
	FormatHnswlib         Format = C.HNX_FORMAT_HNSWLIB
	FormatChroma          Format = C.HNX_FORMAT_CHROMA
	FormatChromaDirectory Format = C.HNX_FORMAT_CHROMA_DIRECTORY
)

// Which labels Labels lists.
const (
	Live    Which = C.HNX_LABELS_LIVE
	Deleted Which = C.HNX_LABELS_DELETED
	All     Which = C.HNX_LABELS_ALL
)

// What Salvage found to be damaged.
const (
	DamageHeader  Damage = C.HNX_DAMAGE_HEADER
	DamageRecords Damage = C.HNX_DAMAGE_RECORDS
	DamageLengths Damage = C.HNX_DAMAGE_LENGTHS
	DamageLists   Damage = C.HNX_DAMAGE_LISTS
)

// What went wrong: errors.Is(err, hnx.ErrNotFound).
const (
	ErrInvalidArgument Status = C.HNX_ERR_INVALID_ARGUMENT
	ErrOutOfMemory     Status = C.HNX_ERR_OUT_OF_MEMORY
	ErrFull            Status = C.HNX_ERR_FULL
	ErrNotFound        Status = C.HNX_ERR_NOT_FOUND
	ErrAlreadyDeleted  Status = C.HNX_ERR_ALREADY_DELETED
	ErrNotDeleted      Status = C.HNX_ERR_NOT_DELETED
	ErrIO              Status = C.HNX_ERR_IO
	ErrCorrupt         Status = C.HNX_ERR_CORRUPT
	ErrVersion         Status = C.HNX_ERR_VERSION
	ErrUnsupported     Status = C.HNX_ERR_UNSUPPORTED
	ErrLocked          Status = C.HNX_ERR_LOCKED
	ErrReadOnly        Status = C.HNX_ERR_READ_ONLY
	ErrCancelled       Status = C.HNX_ERR_CANCELLED
	ErrPoisoned        Status = C.HNX_ERR_POISONED
	ErrInternal        Status = C.HNX_ERR_INTERNAL
	ErrExists          Status = C.HNX_ERR_EXISTS
	ErrConflict        Status = C.HNX_ERR_CONFLICT
)
