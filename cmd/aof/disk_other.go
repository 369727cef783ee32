//go:build !unix

package main

import "io/fs"

// diskBytes is the size of a file: what it has allocated this system does not say
// with it.
func diskBytes(info fs.FileInfo) int64 {
	if !info.Mode().IsRegular() {
		return 0
	}
	return info.Size()
}
