// Package budget knows how many bytes a store takes on its disk, and is the one
// place that refuses more. It hides how that is counted: in bytes that the file
// system has set aside, for every file under the store's directory, whoever made
// it, also while a file that has lost its name is still open.
//
// A Disk is the file system as a store sees it. Whatever takes room asks first:
// the room is on the account before the file system is asked for it, and off it
// only once the file system has given it back. So the account is never below what
// is taken, and never above the limit.
//
// # Concurrency
//
// A Disk may be used by many goroutines. Its mutex is held for no operation of
// the file system.
package budget

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aof2/aof/internal/fsys"
)

const (
	blockBytes = 4 << 10   // what file systems hand out at once, as a rule
	smallRoom  = 16 << 10  // what a larger file leaves to small ones: replacing one must be possible at the limit
	maxReserve = 256 << 20 // of a file system without a limit, at most
	reserveOf  = 50        // and at most one part in so many of it: 2 %
)

// Error refuses room. It wraps fsys.ErrNoSpace.
type Error struct {
	Need    int64 // bytes that were asked for
	Used    int64 // bytes that the store takes
	Limit   int64 // that it may take; 0 when it is the disk that is short of room
	Free    int64 // of the disk, when it is that
	Reserve int64 // of the disk, which is left alone
}

// Error implements error.
func (e *Error) Error() string {
	if e.Limit > 0 {
		return fmt.Sprintf("%d bytes more do not fit into the budget of %d, of which %d are taken", e.Need, e.Limit, e.Used)
	}
	return fmt.Sprintf("%d bytes more would leave less than %d of the %d bytes that are free on the disk", e.Need, e.Reserve, e.Free)
}

// Unwrap makes errors.Is(err, fsys.ErrNoSpace) true.
func (e *Error) Unwrap() error { return fsys.ErrNoSpace }

// Disk is a file system that counts what its files take.
type Disk struct {
	fsys.FS
	limit int64
	vital string // files below this directory may grow while more is taken than the limit

	mu struct {
		sync.Mutex
		used  int64
		files map[string]*node
	}
}

// node is a file, under whatever name.
type node struct {
	taken   int64 // on the account; guarded by Disk.mu
	handles int   // guarded by Disk.mu
	unnamed bool  // it goes with its last handle; guarded by Disk.mu
	vital   bool  // guarded by Disk.mu

	covered atomic.Int64 // writes below take no room
	holes   atomic.Bool  // they may, for it had holes when it was found
}

// New counts what lies in the root and the named directories of fs. A limit of 0
// is none. What is in the last directory is vital: where the limit was lowered
// below what is taken, these files still grow, because that is how room is given
// back.
func New(fsy fsys.FS, limit int64, dirs ...string) (*Disk, error) {
	d := &Disk{FS: fsy, limit: limit, vital: dirs[len(dirs)-1] + "/"}
	d.mu.files = make(map[string]*node)
	for _, dir := range append([]string{"."}, dirs...) {
		entries, err := fsy.List(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", dir, err)
		}
		for _, e := range entries {
			if e.Dir {
				continue
			}
			name := e.Name
			if dir != "." {
				name = dir + "/" + name
			}
			n := d.newNode(name, 0)
			n.taken = e.Allocated
			n.covered.Store(e.Size)
			n.holes.Store(e.Allocated < e.Size)
			d.mu.files[name] = n
			d.mu.used += e.Allocated
		}
	}
	return d, nil
}

func (d *Disk) newNode(name string, handles int) *node {
	return &node{handles: handles, vital: strings.HasPrefix(name, d.vital)}
}

// Used is how many bytes are taken.
func (d *Disk) Used() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.used
}

// Limit is how many may be, 0 when as many as the disk has.
func (d *Disk) Limit() int64 { return d.limit }

// Over reports whether more is taken than may be: the limit was lowered.
func (d *Disk) Over() bool { return d.limit > 0 && d.Used() > d.limit }

// Admit says whether a new file of n bytes may be made for appends: without a
// limit, the disk is left a reserve for what gives room back, and for others.
func (d *Disk) Admit(n int64) error {
	if d.limit > 0 {
		return nil // taking the room says
	}
	return d.Look(n)
}

// Look says whether the disk has room for n bytes more.
func (d *Disk) Look(n int64) error {
	u, err := d.Usage()
	if err != nil {
		return err
	}
	reserve := min(maxReserve, u.Total/reserveOf)
	if d.limit > 0 {
		reserve = 0
	}
	if u.Free-n < reserve {
		return &Error{Need: n, Used: d.Used(), Free: u.Free, Reserve: reserve}
	}
	return nil
}

// take puts grow bytes on the account before they are asked for. The file system
// may add a block to each file for its own accounts: that much is left.
func (d *Disk) take(n *node, grow int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	margin := int64(len(d.mu.files))*blockBytes + min(grow, smallRoom)
	lowered := n.vital && d.mu.used > d.limit
	if grow > 0 && d.limit > 0 && d.mu.used+grow+margin > d.limit && !lowered {
		return &Error{Need: grow, Used: d.mu.used, Limit: d.limit}
	}
	d.mu.used += grow
	n.taken += grow
	return nil
}

// settle makes what a file takes by the file system's word the account.
func (d *Disk) settle(n *node, h fsys.File) {
	have, err := h.Allocated()
	if err != nil {
		return // what was foreseen stays
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.used += have - n.taken
	n.taken = have
}

// unname takes the file of that name off, once nobody has it open.
func (d *Disk) unname(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unnameLocked(name)
}

func (d *Disk) unnameLocked(name string) {
	n := d.mu.files[name]
	if n == nil {
		return
	}
	delete(d.mu.files, name)
	n.unnamed = true
	d.releaseLocked(n)
}

func (d *Disk) releaseLocked(n *node) {
	if n.unnamed && n.handles == 0 {
		d.mu.used -= n.taken
		n.taken = 0
	}
}

// blocks rounds up to what takes room.
func blocks(size int64) int64 { return (size + blockBytes - 1) / blockBytes * blockBytes }
