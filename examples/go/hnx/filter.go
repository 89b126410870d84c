package hnx

/*
#include <hnx.h>

extern int32_t hnxGoAccept(void *context, uint64_t label);
*/
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

// filter is a function of the caller's while a query runs, and what it panicked with.
type filter struct {
	accept   func(label uint64) bool
	panicked any
}

// A panic must not unwind through the library: it ends the query, and goes on in Query.
//
//export hnxGoAccept
func hnxGoAccept(context unsafe.Pointer, label C.uint64_t) (answer C.int32_t) {
	asked := (*(*cgo.Handle)(context)).Value().(*filter)
	answer = -1
	defer func() {
		if answer < 0 {
			asked.panicked = recover()
		}
	}()
	if asked.accept(uint64(label)) {
		return 1
	}
	return 0
}
