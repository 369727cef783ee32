package main

import (
	"errors"
	"os"
	"syscall"
)

// syncData makes the bytes of a file durable, and of its metadata only what is
// needed to find them.
func syncData(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
