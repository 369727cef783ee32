package journal

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/aof2/aof/internal/fsys"
)

// maxHandles bounds how many files stay open because somebody read them once. A
// log may have more hot files than a process may have descriptors.
const maxHandles = 128

// handle is an open file that is closed when the last who uses it is done.
type handle struct {
	fsys.File
	users atomic.Int64 // at work, plus one while a File holds it
}

func newFileHandle(h fsys.File) *handle {
	x := &handle{File: h}
	x.users.Store(1)
	return x
}

// take adds a user. It is false when the handle has been closed.
func (h *handle) take() bool {
	for {
		n := h.users.Load()
		if n == 0 {
			return false
		}
		if h.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// done takes a user away; the last one closes the file.
func (h *handle) done() error {
	if h.users.Add(-1) > 0 {
		return nil
	}
	return h.Close()
}

// handlePool closes the handle that was opened first when readers have opened
// too many. Files that are written to are not in it.
type handlePool struct {
	mu struct {
		sync.Mutex
		open []pooledHandle
	}
}

type pooledHandle struct {
	file   *File
	handle *handle
}

// opened notes that a reader opened a file.
func (p *handlePool) opened(f *File, h *handle) {
	p.mu.Lock()
	p.mu.open = append(p.mu.open, pooledHandle{f, h})
	var victim pooledHandle
	if len(p.mu.open) > maxHandles {
		victim = p.mu.open[0]
		p.mu.open = append(p.mu.open[:0], p.mu.open[1:]...)
	}
	p.mu.Unlock()
	if victim.file != nil {
		victim.file.dropHandle(victim.handle)
	}
}

// use returns the handle with one user more; the caller calls done. Two readers
// may open at once; one handle stays.
func (f *File) use() (*handle, error) {
	for {
		f.mu.Lock()
		h, shut := f.mu.handle, f.mu.shut
		if h != nil && !shut && h.take() {
			f.mu.Unlock()
			return h, nil
		}
		f.mu.Unlock()
		if shut {
			return nil, ErrClosed
		}
		if err := f.openRead(); err != nil {
			if f.isShut() {
				return nil, ErrClosed // and so may be the file system it was to be opened in
			}
			return nil, err
		}
	}
}

// openRead opens the file for reading, unless somebody has done so meanwhile.
func (f *File) openRead() error {
	raw, err := f.fs.Open(f.name)
	if err != nil {
		return fmt.Errorf("open %s: %w", f.name, err)
	}
	h := newFileHandle(raw)
	f.mu.Lock()
	keep := !f.mu.shut && f.mu.handle == nil
	if keep {
		f.mu.handle = h
	}
	f.mu.Unlock()
	if !keep {
		return h.done()
	}
	if f.pool != nil {
		f.pool.opened(f, h)
	}
	return nil
}

// open returns the handle without taking part in its use. It is for who decides
// when that is closed: the leader of the file that is written to, and recovery.
func (f *File) open() (fsys.File, error) {
	h, err := f.use()
	if err != nil {
		return nil, err
	}
	return h.File, h.done()
}

// setHandle gives the file an open handle, in place of one it may have.
func (f *File) setHandle(raw fsys.File) error {
	var h *handle
	if raw != nil {
		h = newFileHandle(raw)
	}
	f.mu.Lock()
	old := f.mu.handle
	f.mu.handle = h
	f.mu.Unlock()
	if old == nil {
		return nil
	}
	return old.done()
}

// dropHandle closes the handle if it is still the file's.
func (f *File) dropHandle(h *handle) {
	f.mu.Lock()
	ours := f.mu.handle == h
	if ours {
		f.mu.handle = nil
	}
	f.mu.Unlock()
	if ours {
		_ = h.done() // it was only read from
	}
}

// openWrite replaces the handle of a file that was found at open by one that can
// write. A reader may be at work with the one before: that stays open as long.
func (f *File) openWrite() error {
	if f.writable {
		return nil
	}
	h, err := f.fs.OpenWrite(f.name)
	if err != nil {
		return err
	}
	f.writable = true
	return f.setHandle(h)
}

// isShut reports whether the journal has been closed.
func (f *File) isShut() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.shut
}

// close closes the handle for good, and does not wait for readers at work. Their
// handle stays open until the last of them is done, so that a descriptor that
// was given to another file is never read from. What they read is not theirs to
// use any more, see ReadAt.
func (f *File) close() error {
	f.mu.Lock()
	f.mu.shut = true
	f.mu.Unlock()
	return f.closeHandle()
}

// closeHandle closes the handle once nobody uses it.
func (f *File) closeHandle() error { return f.setHandle(nil) }
