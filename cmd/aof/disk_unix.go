//go:build unix

package main

import (
	"io/fs"
	"syscall"
)

// diskBytes is how much a file has allocated on the disk.
func diskBytes(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(st.Blocks) * 512 //nolint:unconvert // its type differs between systems
	}
	return info.Size()
}
