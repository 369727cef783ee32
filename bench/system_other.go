//go:build !linux

package main

import (
	"errors"
	"fmt"
	"os"
)

// datasync makes what was written to f durable.
func datasync(f *os.File) error { return f.Sync() }

// mapFile reads the file into memory: what a mapping shows when all of it is there.
func mapFile(path string) (b []byte, unmap func() error, err error) {
	b, err = os.ReadFile(path)
	return b, func() error { return nil }, err
}

// bytesRead is not known here.
func bytesRead() int64 { return 0 }

// errNotHere: the row that needs it is measured on Linux only.
var errNotHere = fmt.Errorf("%w: measured on Linux only", errors.ErrUnsupported)

func forget([]string) error { return errNotHere }

func holds(string) (int64, error) { return 0, errNotHere }
