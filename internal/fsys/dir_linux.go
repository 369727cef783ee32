package fsys

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// syncFile leaves out the times of the file, which a log does not need and
// which cost a second write.
func syncFile(f *os.File) error {
	if err := withDescriptor(f, unix.Fdatasync); err != nil {
		return fmt.Errorf("fdatasync %s: %w", f.Name(), err)
	}
	return nil
}

// allocate ignores the present length: reserving what is already there is
// free, and fills the holes in it.
func allocate(f *os.File, _, size int64) error {
	err := withDescriptor(f, func(fd int) error { return unix.Fallocate(fd, 0, 0, size) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return errNotOffered
	}
	return err
}

func dropCache(f *os.File) error {
	err := withDescriptor(f, func(fd int) error { return unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED) })
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	return err
}

func usage(dir *os.File) (Usage, error) {
	var st unix.Statfs_t
	if err := withDescriptor(dir, func(fd int) error { return unix.Fstatfs(fd, &st) }); err != nil {
		return Usage{}, fmt.Errorf("fstatfs: %w", err)
	}
	unit := int64(st.Frsize)
	return Usage{Free: int64(st.Bavail) * unit, Total: int64(st.Blocks) * unit}, nil
}
