package fsys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

const openFlags = 0

// syncFile is FlushFileBuffers.
func syncFile(f *os.File) error { return f.Sync() }

// syncDir does nothing: this system has no way to sync a directory.
func syncDir(*os.File) error { return nil }

// allocate sets the end of the file, for which the file system reserves room.
func allocate(f *os.File, before, size int64) error {
	if size <= before {
		return nil
	}
	return f.Truncate(size)
}

func allocated(info fs.FileInfo) int64 { return info.Size() }

func dropCache(*os.File) error { return nil }

// lockOffset is the high word of where the locked byte is: far behind any
// note, because a locked range cannot be read by others here.
const lockOffset = 1 << 30

// tryLock takes the lock if exclusive, or else only looks. Held says that
// somebody else has it.
func tryLock(f *os.File, exclusive bool) (held bool, err error) {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if exclusive {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return false, err
	}
	var lockErr error
	err = conn.Control(func(fd uintptr) {
		at := windows.Overlapped{OffsetHigh: lockOffset}
		lockErr = windows.LockFileEx(windows.Handle(fd), flags, 0, 1, 0, &at)
	})
	if err != nil {
		return false, err
	}
	if errors.Is(lockErr, windows.ERROR_LOCK_VIOLATION) || errors.Is(lockErr, windows.ERROR_IO_PENDING) {
		return true, nil
	}
	return false, lockErr
}

func diskFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

func usage(dir *os.File) (Usage, error) {
	path, err := windows.UTF16PtrFromString(dir.Name())
	if err != nil {
		return Usage{}, err
	}
	var free, total, all uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, &total, &all); err != nil {
		return Usage{}, fmt.Errorf("read disk usage: %w", err)
	}
	return Usage{Free: int64(free), Total: int64(total)}, nil
}
