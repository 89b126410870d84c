//go:build !hnx_system

package hnx

// The library of this source tree, else the system's. LD_LIBRARY_PATH names another one at run time.

// #cgo CFLAGS: -I${SRCDIR}/../../../include
// #cgo LDFLAGS: -L${SRCDIR}/../../../target/release -lhnx -Wl,-rpath,${SRCDIR}/../../../target/release
import "C"
