package aoftest

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/aof2/aof"
	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/fsys/memfs"
)

// SmallFile is the HotFileSize of Small: a few dozen records fill it.
const SmallFile = 32 << 10

// Small returns options under which files roll, are sealed and recycled after a
// few dozen records.
func Small() *aof.Options { return &aof.Options{HotFileSize: SmallFile} }

// Memory returns an open store on a new disk in memory.
func Memory(tb testing.TB, o *aof.Options) *aof.Store {
	tb.Helper()
	return NewDisk(tb).Open(o)
}

// Dir returns an open store on a temporary directory.
func Dir(tb testing.TB, o *aof.Options) *aof.Store {
	tb.Helper()
	return NewDir(tb).Open(o)
}

// Disk is what a store lies on: one directory tree that knows which of its files
// are open. Those in memory take faults as well.
type Disk struct {
	tb   testing.TB
	path string
	fs   fsys.FS
	mem  *memfs.Mem // nil for a directory

	mu struct {
		sync.Mutex
		stores  []*aof.Store
		handles map[string]int // open ones, by name; locks too
		damaged bool
		touched bool // somebody else than the last store has written
	}
	faults faults
}

// NewDisk returns an empty disk in memory.
func NewDisk(tb testing.TB) *Disk {
	tb.Helper()
	return newDisk(tb, "memory", memfs.New(1))
}

// NewDir returns an empty temporary directory.
func NewDir(tb testing.TB) *Disk {
	tb.Helper()
	path := tb.TempDir()
	fs, err := fsys.Dir(path, true)
	if err != nil {
		tb.Fatalf("open %s: %v", path, err)
	}
	tb.Cleanup(func() {
		if err := fs.Close(); err != nil {
			tb.Errorf("close %s: %v", path, err)
		}
	})
	return newDisk(tb, path, fs)
}

func newDisk(tb testing.TB, path string, fs fsys.FS) *Disk {
	d := &Disk{tb: tb, path: path, fs: fs}
	d.mu.handles = map[string]int{}
	if m, ok := fs.(*memfs.Mem); ok {
		d.mem = m
		d.faults.lastWrite = map[string]int64{}
		m.SetHook(d.faults.hook)
	}
	tb.Cleanup(d.finish)
	return d
}

// Path is the directory, or "memory".
func (d *Disk) Path() string { return d.path }

// Options returns a copy of o, which may be nil, for stores and views on d.
func (d *Disk) Options(o *aof.Options) *aof.Options {
	var c aof.Options
	if o != nil {
		c = *o
	}
	c.FS = &tracker{FS: d.fs, disk: d}
	return &c
}

// TryOpen opens the store on d as aof.Open does.
func (d *Disk) TryOpen(o *aof.Options) (*aof.Store, error) {
	s, err := aof.Open(context.Background(), d.path, d.Options(o))
	if err == nil {
		d.mu.Lock()
		d.mu.stores = append(d.mu.stores, s)
		d.mu.touched = false
		d.mu.Unlock()
	}
	return s, err
}

// Open opens the store on d; a failure ends the test.
func (d *Disk) Open(o *aof.Options) *aof.Store {
	d.tb.Helper()
	s, err := d.TryOpen(o)
	if err != nil {
		d.tb.Fatalf("open the store: %v", err)
	}
	return s
}

// Inspect returns a view of d, closed when the test ends; a failure ends the test.
func (d *Disk) Inspect(o *aof.Options) *aof.View {
	d.tb.Helper()
	v, err := aof.Inspect(context.Background(), d.path, d.Options(o))
	if err != nil {
		d.tb.Fatalf("inspect the store: %v", err)
	}
	d.tb.Cleanup(func() {
		if err := v.Close(); err != nil {
			d.tb.Errorf("close the view: %v", err)
		}
	})
	return v
}

// Kill returns the disk as the death of the process leaves it now: what was
// written is there, synced or not. d and the stores on it live on.
func (d *Disk) Kill(seed uint64) *Disk {
	d.tb.Helper()
	return newDisk(d.tb, d.path, d.memory("Kill").Kill(rand.New(rand.NewPCG(seed, 1))))
}

// Crash returns one of the disks that a loss of power now could leave; equal seeds
// leave equal ones. d and the stores on it live on.
func (d *Disk) Crash(seed uint64) *Disk {
	d.tb.Helper()
	return newDisk(d.tb, d.path, d.memory("Crash").Crash(rand.New(rand.NewPCG(seed, 2)), memfs.Loss{}))
}

// memory returns the disk in memory, or ends the test.
func (d *Disk) memory(what string) *memfs.Mem {
	d.tb.Helper()
	if d.mem == nil {
		d.tb.Fatalf("%s is for a disk in memory", what)
	}
	return d.mem
}

// Contents returns the bytes of every file below the directory, by name, except
// the lock's.
func (d *Disk) Contents() map[string]string {
	d.tb.Helper()
	all := map[string]string{}
	d.walk(".", func(name string, _ fsys.Entry) {
		if b := d.Read(name); name != "LOCK" {
			all[name] = string(b)
		}
	})
	return all
}

// walk visits every file.
func (d *Disk) walk(dir string, visit func(name string, e fsys.Entry)) {
	d.tb.Helper()
	entries, err := d.fs.List(dir)
	if err != nil {
		d.tb.Fatalf("list %s: %v", dir, err)
	}
	for _, e := range entries {
		name := strings.TrimPrefix(dir+"/"+e.Name, "./")
		if e.Dir {
			d.walk(name, visit)
		} else {
			visit(name, e)
		}
	}
}

// Read returns the bytes of one file.
func (d *Disk) Read(name string) []byte {
	d.tb.Helper()
	f, err := d.fs.Open(name)
	if err != nil {
		d.tb.Fatalf("open %s: %v", name, err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		d.tb.Fatalf("size of %s: %v", name, err)
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		d.tb.Fatalf("read %s: %v", name, err)
	}
	return b
}

// Write puts b into a file at off and syncs it; the file and its directory are
// made when they are not there.
func (d *Disk) Write(name string, b []byte, off int64) {
	d.tb.Helper()
	if dir, _, ok := strings.Cut(name, "/"); ok {
		if err := d.fs.Mkdir(dir); err != nil {
			d.tb.Fatalf("make %s: %v", dir, err)
		}
	}
	f, err := d.fs.OpenWrite(name)
	if err != nil {
		f, err = d.fs.Create(name)
	}
	if err != nil {
		d.tb.Fatalf("open %s: %v", name, err)
	}
	_, err = f.WriteAt(b, off)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		d.tb.Fatalf("write %s: %v", name, err)
	}
	d.touch()
}

// Remove removes a file.
func (d *Disk) Remove(name string) {
	d.tb.Helper()
	if err := d.fs.Remove(name); err != nil {
		d.tb.Fatalf("remove %s: %v", name, err)
	}
	d.touch()
}

func (d *Disk) touch() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.touched = true
}

// Handles is how many files and locks are open, for stores and views on d.
func (d *Disk) Handles() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, k := range d.mu.handles {
		n += k
	}
	return n
}

// count notes that a handle was opened or closed.
func (d *Disk) count(name string, by int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.handles[name] += by; d.mu.handles[name] == 0 {
		delete(d.mu.handles, name)
	}
}

// tracker is the file system of a Disk as a store sees it: it counts what is open.
type tracker struct {
	fsys.FS
	disk *Disk
}

// Create implements fsys.FS.
func (t *tracker) Create(name string) (fsys.File, error) { return t.track(name, t.FS.Create) }

// Open implements fsys.FS.
func (t *tracker) Open(name string) (fsys.File, error) { return t.track(name, t.FS.Open) }

// OpenWrite implements fsys.FS.
func (t *tracker) OpenWrite(name string) (fsys.File, error) { return t.track(name, t.FS.OpenWrite) }

func (t *tracker) track(name string, open func(string) (fsys.File, error)) (fsys.File, error) {
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	t.disk.count(name, 1)
	return &file{File: f, once: closeOnce{disk: t.disk, name: name}}, nil
}

// Lock implements fsys.FS.
func (t *tracker) Lock(name string, note []byte) (io.Closer, error) {
	c, err := t.FS.Lock(name, note)
	if err != nil {
		return nil, err
	}
	t.disk.count(name, 1)
	return &lock{Closer: c, once: closeOnce{disk: t.disk, name: name}}, nil
}

// closeOnce takes one handle off the account, however often it is closed.
type closeOnce struct {
	disk *Disk
	name string
	sync.Once
}

func (c *closeOnce) closed() { c.Do(func() { c.disk.count(c.name, -1) }) }

type file struct {
	fsys.File
	once closeOnce
}

// Close implements io.Closer.
func (f *file) Close() error {
	f.once.closed()
	return f.File.Close()
}

type lock struct {
	io.Closer
	once closeOnce
}

// Close implements io.Closer.
func (l *lock) Close() error {
	l.once.closed()
	return l.Closer.Close()
}
