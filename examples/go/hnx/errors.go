package hnx

/*
#include <hnx.h>
*/
import "C"

import (
	"errors"
	"runtime"
	"unsafe"
)

// ErrClosed is what calls return after Close.
var ErrClosed = errors.New("hnx: the index is closed")

// Status is a number of the library for a failure; it is an error, too, so that errors.Is can look for it.
type Status int32

// Error is the status by its name, such as "HNX_ERR_NOT_FOUND".
func (s Status) Error() string {
	return C.GoString(C.hnx_status_name(C.int32_t(s)))
}

// Error is a call that failed.
type Error struct {
	Status Status
	// Text names the cause.
	Text string
}

func (e *Error) Error() string {
	return "hnx: " + e.Status.Error() + ": " + e.Text
}

// Unwrap makes errors.Is(err, hnx.ErrNotFound) true for this status.
func (e *Error) Unwrap() error {
	return e.Status
}

// call runs one function of the library. The text of a failure belongs to the operating system's thread, so the
// goroutine stays on it until the text is read.
func call(function func() C.hnx_status) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	status := function()
	if status == C.HNX_OK {
		return nil
	}
	var text [1024]byte
	C.hnx_last_error((*C.char)(unsafe.Pointer(&text[0])), C.size_t(len(text)))
	return &Error{Status(status), C.GoString((*C.char)(unsafe.Pointer(&text[0])))}
}

func invalid(text string) error {
	return &Error{ErrInvalidArgument, text}
}

// Version is that of the loaded library.
func Version() string {
	return C.GoString(C.hnx_version())
}

// CPUName is the instruction set the library uses.
func CPUName() string {
	return C.GoString(C.hnx_cpu_name())
}
