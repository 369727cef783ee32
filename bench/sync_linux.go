package main

import (
	"os"
	"syscall"
)

// datasync makes what was written to f durable, and of its metadata only what reading it back needs.
func datasync(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return err
		}
	}
}
