package fsys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// osFile is a file of the operating system. What differs between systems is
// in the functions of dir_linux.go, dir_darwin.go and dir_windows.go:
//
//	syncFile   make data and length durable
//	syncDir    make the names of a directory durable
//	allocate   reserve blocks and grow; errNotOffered where it cannot
//	allocated  bytes taken on the disk
//	dropCache  forget clean cached pages
//	tryLock    take the lock (exclusive) or look at it
//	usage      room on the file system
type osFile struct{ f *os.File }

func (o *osFile) ReadAt(p []byte, off int64) (int, error) { return o.f.ReadAt(p, off) }

func (o *osFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := o.f.WriteAt(p, off)
	return n, wrapNoSpace(err)
}

func (o *osFile) Close() error { return o.f.Close() }

func (o *osFile) Size() (int64, error) {
	info, err := o.f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (o *osFile) Allocate(size int64) error {
	if size < 0 {
		return o.invalid("allocate")
	}
	before, err := o.Size()
	if err != nil || size == 0 {
		return err
	}
	err = allocate(o.f, before, size)
	if errors.Is(err, errNotOffered) {
		err = o.fillZeros(before, size)
	}
	if err == nil {
		return nil
	}
	// Some file systems keep what they could get; give it back.
	if cutErr := o.f.Truncate(before); cutErr != nil {
		err = errors.Join(err, cutErr)
	}
	return fmt.Errorf("allocate %d bytes of %s: %w", size, o.f.Name(), wrapNoSpace(err))
}

const zeroBytes = 256 << 10 // written at once where blocks cannot be reserved

// fillZeros writes zeros between the old end and the new one, and drops them
// from memory, because pages cached as large folios are rewritten whole by
// every small sync.
func (o *osFile) fillZeros(from, to int64) error {
	zeros := make([]byte, min(zeroBytes, max(to-from, 0)))
	for off := from; off < to; {
		n, err := o.f.WriteAt(zeros[:min(int64(len(zeros)), to-off)], off)
		if err != nil {
			return err
		}
		off += int64(n)
	}
	if err := o.Sync(); err != nil {
		return err
	}
	return o.DropCache()
}

func (o *osFile) Truncate(size int64) error {
	now, err := o.Size()
	if err != nil {
		return err
	}
	if size < 0 || size > now {
		return o.invalid("truncate")
	}
	return wrapNoSpace(o.f.Truncate(size))
}

func (o *osFile) Allocated() (int64, error) {
	info, err := o.f.Stat()
	if err != nil {
		return 0, err
	}
	return allocated(info), nil
}

func (o *osFile) Sync() error { return wrapNoSpace(syncFile(o.f)) }

func (o *osFile) DropCache() error { return dropCache(o.f) }

func (o *osFile) invalid(op string) error {
	return &fs.PathError{Op: op, Path: o.f.Name(), Err: fs.ErrInvalid}
}

// errNotOffered says that the system or the file system cannot do it.
var errNotOffered = errors.New("fsys: not offered here")

// wrapNoSpace marks a full disk or quota with ErrNoSpace, and lets everything
// else through as it is.
func wrapNoSpace(err error) error {
	if err == nil || errors.Is(err, ErrNoSpace) {
		return err
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || diskFull(err) {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}
