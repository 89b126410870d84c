//go:build hnx_system

package hnx

// The library that pkg-config knows.

// #cgo pkg-config: hnx
import "C"
