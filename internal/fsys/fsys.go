// Package fsys is the only way the log touches a disk. It hides the
// differences between operating systems in what a log depends on: allocating
// ahead, syncing data, syncing a directory, holding a lock for life.
//
// Two implementations stand behind one interface: Dir, the operating system,
// and memfs, a disk in memory that can lose power between any two operations.
// Nothing above this package opens a file any other way, so what the memory
// disk can do to a store is what a machine can do to it.
package fsys

import (
	"errors"
	"fmt"
	"io"
)

// FS is one directory tree. Names are slash separated and relative to its
// root; "." is the root itself. A name that would leave the root is refused.
//
// Errors wrap fs.ErrExist, fs.ErrNotExist, fs.ErrInvalid, fs.ErrClosed,
// ErrNoSpace and ErrLocked where these apply.
type FS interface {
	// Create makes a new file, readable and writable by its owner only. A name
	// already taken is fs.ErrExist. The name is durable after SyncDir.
	Create(name string) (File, error)

	// Open opens an existing file for reading.
	Open(name string) (File, error)

	// OpenWrite opens an existing file for reading and writing.
	OpenWrite(name string) (File, error)

	// Rename gives a file a new name and replaces what had it. The change is
	// atomic, and durable after SyncDir of both directories.
	Rename(oldName, newName string) error

	// Remove removes a file or an empty directory. The change is durable after
	// SyncDir; without it the name may come back.
	Remove(name string) error

	// Mkdir makes a directory that only its owner may enter. It returns nil
	// when there is one of that name.
	Mkdir(name string) error

	// List returns the entries of a directory, sorted by name.
	List(dir string) ([]Entry, error)

	// SyncDir makes every creation, rename and removal in dir durable.
	SyncDir(dir string) error

	// Lock takes the exclusive lock named name, and writes note where the one
	// who is refused can read it. It fails at once with a *LockedError when
	// somebody holds the lock. Closing the result releases it; so does the
	// death of the process.
	Lock(name string, note []byte) (io.Closer, error)

	// Locked reports whether somebody holds the lock, and their note. It takes
	// nothing and writes nothing.
	Locked(name string) (held bool, note []byte, err error)

	// Usage reports the room on the file system the tree is on.
	Usage() (Usage, error)

	// Close releases the tree. Files and locks opened from it stay open.
	Close() error
}

// File is an open file. Its methods may be called at the same time by several
// goroutines; overlapping writes leave an unspecified mixture.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer

	// Size returns the length of the file.
	Size() (int64, error)

	// Allocate reserves blocks for the first size bytes and makes the file at
	// least that long; bytes never written read as zeros. It never shrinks a
	// file. When there is no room it fails with ErrNoSpace and leaves the
	// length and the contents as they were.
	Allocate(size int64) error

	// Truncate cuts the file to size bytes and returns the room behind them. A
	// size beyond the file is refused.
	Truncate(size int64) error

	// Allocated returns how many bytes the file takes on the disk.
	Allocated() (int64, error)

	// Sync returns when the data, the length and the allocation of the file
	// would survive a loss of power. After an error nothing is known about any
	// byte written since the last success, and no later call will tell: a nil
	// from a later Sync says nothing about them.
	Sync() error

	// DropCache asks for later reads to come from the disk and not from
	// memory. Data not yet written back stays. It returns nil where the system
	// offers no such thing.
	DropCache() error
}

// Entry is one name in a directory.
type Entry struct {
	Name      string
	Size      int64 // 0 for directories
	Allocated int64 // bytes it takes on the disk; 0 for directories
	Dir       bool
}

// Usage is the room on a file system, in bytes.
type Usage struct {
	Free  int64 // what this process may still take
	Total int64
}

var (
	// ErrLocked says that somebody else holds the lock.
	ErrLocked = errors.New("fsys: locked")

	// ErrNoSpace says that the disk or the quota is full.
	ErrNoSpace = errors.New("fsys: no space left")
)

// LockedError carries the note of whoever holds the lock. It wraps ErrLocked.
type LockedError struct {
	Name string
	Note []byte
}

// Error implements error.
func (e *LockedError) Error() string {
	return fmt.Sprintf("fsys: %s is locked by %q", e.Name, e.Note)
}

// Unwrap makes errors.Is(err, ErrLocked) true.
func (e *LockedError) Unwrap() error { return ErrLocked }
