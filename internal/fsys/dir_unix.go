//go:build linux || darwin

package fsys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openFlags keep an open from waiting for the other end of a fifo. They mean
// nothing to a regular file.
const openFlags = syscall.O_NONBLOCK

func syncDir(dir *os.File) error { return dir.Sync() }

func allocated(info fs.FileInfo) int64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info.Size()
	}
	return st.Blocks * 512
}

// tryLock takes the lock if exclusive, or else only looks. Held says that
// somebody else has it.
func tryLock(f *os.File, exclusive bool) (held bool, err error) {
	how := unix.LOCK_SH
	if exclusive {
		how = unix.LOCK_EX
	}
	err = withDescriptor(f, func(fd int) error { return unix.Flock(fd, how|unix.LOCK_NB) })
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

func diskFull(error) bool { return false }

// withDescriptor calls do with f's descriptor, which cannot be closed
// meanwhile, and calls it again while signals interrupt it.
func withDescriptor(f *os.File, do func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var doErr error
	err = conn.Control(func(fd uintptr) {
		for {
			if doErr = do(int(fd)); !errors.Is(doErr, unix.EINTR) {
				return
			}
		}
	})
	if err != nil {
		return fmt.Errorf("%w: %w", fs.ErrClosed, err) // the only reason there is
	}
	return doErr
}
