package budget

import (
	"sync/atomic"

	"github.com/aof2/aof/internal/fsys"
)

// Create implements fsys.FS.
func (d *Disk) Create(name string) (fsys.File, error) {
	f, err := d.FS.Create(name)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.newNode(name, 1)
	d.mu.files[name] = n
	return &file{File: f, disk: d, node: n}, nil
}

// Open implements fsys.FS.
func (d *Disk) Open(name string) (fsys.File, error) {
	f, err := d.FS.Open(name)
	return d.opened(name, f, err)
}

// OpenWrite implements fsys.FS.
func (d *Disk) OpenWrite(name string) (fsys.File, error) {
	f, err := d.FS.OpenWrite(name)
	return d.opened(name, f, err)
}

func (d *Disk) opened(name string, f fsys.File, err error) (fsys.File, error) {
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	n := d.mu.files[name]
	known := n != nil
	if !known {
		n = d.newNode(name, 0) // somebody else's; from now on it counts
		d.mu.files[name] = n
	}
	n.handles++
	d.mu.Unlock()
	if !known {
		n.holes.Store(true)
		d.settle(n, f)
	}
	return &file{File: f, disk: d, node: n}, nil
}

// Rename implements fsys.FS.
func (d *Disk) Rename(oldName, newName string) error {
	if err := d.FS.Rename(oldName, newName); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.mu.files[oldName]
	if n == nil || oldName == newName {
		return nil
	}
	d.unnameLocked(newName)
	delete(d.mu.files, oldName)
	d.mu.files[newName] = n
	return nil
}

// Remove implements fsys.FS.
func (d *Disk) Remove(name string) error {
	if err := d.FS.Remove(name); err != nil {
		return err
	}
	d.unname(name)
	return nil
}

// file is an open file whose growth is on the account.
type file struct {
	fsys.File
	disk   *Disk
	node   *node
	closed atomic.Bool
}

// Allocate implements fsys.File. Beyond the limit it is an *Error, and nothing
// has changed.
func (f *file) Allocate(size int64) error {
	f.disk.mu.Lock()
	grow := max(0, blocks(size)-f.node.taken)
	f.disk.mu.Unlock()
	if err := f.disk.take(f.node, grow); err != nil {
		return err
	}
	err := f.File.Allocate(size)
	f.disk.settle(f.node, f.File)
	if err == nil && size >= f.node.covered.Load() {
		f.node.covered.Store(size)
		f.node.holes.Store(false)
	}
	return err
}

// WriteAt implements io.WriterAt. Beyond the limit it is an *Error, and nothing
// has been written.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	end, covered := off+int64(len(p)), f.node.covered.Load()
	if end <= covered && !f.node.holes.Load() {
		return f.File.WriteAt(p, off)
	}
	if err := f.disk.take(f.node, max(0, blocks(end)-blocks(covered))); err != nil {
		return 0, err
	}
	if off > covered {
		f.node.holes.Store(true)
	}
	n, err := f.File.WriteAt(p, off)
	f.disk.settle(f.node, f.File)
	f.node.covered.Store(max(covered, off+int64(n)))
	return n, err
}

// Truncate implements fsys.File.
func (f *file) Truncate(size int64) error {
	err := f.File.Truncate(size)
	if err == nil {
		f.node.covered.Store(min(size, f.node.covered.Load()))
	}
	f.disk.settle(f.node, f.File)
	return err
}

// DropCache implements fsys.File. What a failed sync lost may have taken room.
func (f *file) DropCache() error {
	err := f.File.DropCache()
	f.disk.settle(f.node, f.File)
	return err
}

// Close implements io.Closer.
func (f *file) Close() error {
	err := f.File.Close()
	if !f.closed.Swap(true) {
		f.disk.mu.Lock()
		defer f.disk.mu.Unlock()
		f.node.handles--
		f.disk.releaseLocked(f.node)
	}
	return err
}
