package hnx

/*
#include <hnx.h>
#include <stdlib.h>
*/
import "C"

import "unsafe"

// Damage says what of an index is damaged.
type Damage uint32

// Verified is what Verify compared: the others were last written by another program.
type Verified struct {
	Records, Checked uint64
}

// Verify compares a directory with the checksums beside it. Damage is ErrCorrupt; the text names file, byte and record.
func Verify(name string) (Verified, error) {
	directory, err := path(name)
	if err != nil {
		return Verified{}, err
	}
	defer C.free(unsafe.Pointer(directory))
	var c C.hnx_verify_info
	c.struct_size = C.sizeof_hnx_verify_info
	err = call(func() C.hnx_status { return C.hnx_verify(directory, &c) })
	return Verified{uint64(c.records), uint64(c.checked)}, err
}

// SalvageOptions says how Salvage builds. Metric and Dim are not in the files.
type SalvageOptions struct {
	Metric              Metric
	Dim                 int
	M                   int // 0: found out
	EfConstruction      int // 0: as the header states, or 200
	Threads             int // 0: all cores
	AllowReplaceDeleted bool
	BeyondCount         bool // keep also what looks like a record behind the number that the header states
}

// Salvaged is what Salvage kept and dropped; hnx_salvage_info in hnx.h says what each number is.
type Salvaged struct {
	Damage                                          Damage
	Stated, Records, Kept, Deleted                  uint64
	Missing, Unwritten, Unreadable                  uint64
	NotFinite, Implausible, Duplicates, LengthsLost uint64
	Mismatched                                      uint64
}

// Salvage builds an index, in memory, from what can be read of a damaged directory or file.
func Salvage(name string, options SalvageOptions) (*Index, Salvaged, error) {
	var c C.hnx_salvage_options
	c.struct_size = C.sizeof_hnx_salvage_options
	c.metric = C.uint32_t(options.Metric)
	c.flags = flag(options.AllowReplaceDeleted, C.HNX_ALLOW_REPLACE_DELETED) |
		flag(options.BeyondCount, C.HNX_SALVAGE_BEYOND_COUNT)
	err := sizes("Dim M EfConstruction", []*C.size_t{&c.dim, &c.m, &c.ef_construction},
		options.Dim, options.M, options.EfConstruction)
	if err != nil {
		return nil, Salvaged{}, err
	}
	if c.threads, err = threads(options.Threads); err != nil {
		return nil, Salvaged{}, err
	}
	damaged, err := path(name)
	if err != nil {
		return nil, Salvaged{}, err
	}
	defer C.free(unsafe.Pointer(damaged))
	var info C.hnx_salvage_info
	info.struct_size = C.sizeof_hnx_salvage_info
	index, err := open(func(out **C.hnx_index) C.hnx_status { return C.hnx_salvage(damaged, &c, out, &info) })
	return index, Salvaged{
		Damage: Damage(info.damage),
		Stated: uint64(info.stated), Records: uint64(info.records), Kept: uint64(info.kept), Deleted: uint64(info.deleted),
		Missing: uint64(info.missing), Unwritten: uint64(info.unwritten), Unreadable: uint64(info.unreadable),
		NotFinite: uint64(info.not_finite), Implausible: uint64(info.implausible), Duplicates: uint64(info.duplicates),
		LengthsLost: uint64(info.lengths_lost), Mismatched: uint64(info.mismatched),
	}, err
}
