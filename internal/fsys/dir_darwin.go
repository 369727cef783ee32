package fsys

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// syncFile relies on os.File.Sync, which asks for F_FULLFSYNC on this system.
func syncFile(f *os.File) error { return f.Sync() }

// allocate reserves what lies behind the present end, then grows the file.
func allocate(f *os.File, before, size int64) error {
	if size <= before {
		return nil
	}
	store := unix.Fstore_t{Flags: unix.F_ALLOCATEALL, Posmode: unix.F_PEOFPOSMODE, Length: size - before}
	err := withDescriptor(f, func(fd int) error {
		return unix.FcntlFstore(uintptr(fd), unix.F_PREALLOCATE, &store)
	})
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) {
		return errNotOffered
	}
	if err != nil {
		return err
	}
	return f.Truncate(size)
}

func dropCache(*os.File) error { return nil }

func usage(dir *os.File) (Usage, error) {
	var st unix.Statfs_t
	if err := withDescriptor(dir, func(fd int) error { return unix.Fstatfs(fd, &st) }); err != nil {
		return Usage{}, fmt.Errorf("fstatfs: %w", err)
	}
	unit := int64(st.Bsize)
	return Usage{Free: int64(st.Bavail) * unit, Total: int64(st.Blocks) * unit}, nil
}
