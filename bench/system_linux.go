package main

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// datasync makes what was written to f durable, and of its metadata only what reading it back needs.
func datasync(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return err
		}
	}
}

// mapFile maps a whole file for reading and faults its pages in.
func mapFile(path string) (b []byte, unmap func() error, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	b, err = unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, nil, err
	}
	return b, func() error { return unix.Munmap(b) }, nil
}

// bytesRead returns how many bytes this process has asked the operating system for, from wherever.
func bytesRead() int64 {
	n, err := strconv.ParseInt(field("/proc/self/io", "rchar"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// forget drops the files' pages from the cache. They must not be mapped by anybody.
func forget(paths []string) error {
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		err = errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
		if err != nil {
			return err
		}
	}
	return nil
}

// holds counts the descriptors of this process, and its mappings of files below dir.
func holds(dir string) (int64, error) {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0, err
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0, err
	}
	return int64(len(open) + strings.Count(string(maps), dir)), nil
}
