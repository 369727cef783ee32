// Package memfs is a disk in memory that can lose power. It hides the whole
// model of what a page cache, a directory and a disk do to each other: which
// pages reach the disk when nobody asked, what is left of a write that was
// under way, which names come back.
//
// A Mem keeps two images of every file, what readers see (cached) and what
// the disk has (durable), the set of dirty pages between them, and the
// directory changes not yet synced. Crash makes a new Mem holding one of the
// many disks a loss of power could leave; Kill makes one as the death of the
// process leaves it, with the cache. Both leave the original as it is, so
// many can be taken from one moment. Pages are shared and copied on write,
// which makes that cheap.
//
// Everything random comes from generators given by the caller, so equal seeds
// and equal operations give equal disks.
//
// # Concurrency
//
// A Mem may be used by many goroutines. Its mutex is never held while a hook
// runs, so a hook may park its goroutine for as long as it likes.
package memfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"sync"
	"syscall"

	"github.com/aof2/aof/internal/fsys"
)

// PageBytes is the size of a page, the unit of write-back.
const PageBytes = 4096

// SectorBytes is the size of a sector, the unit a disk writes whole.
const SectorBytes = 512

const defaultCapacity = 1 << 40

var (
	// ErrDead is what every operation of a life returns after Stop.
	ErrDead = fmt.Errorf("memfs: this life is over: %w", fs.ErrClosed)

	// ErrIO stands for EIO, what a failed sync or read reports.
	ErrIO = errors.New("memfs: input/output error")

	errNoSpace = fmt.Errorf("%w: %w", fsys.ErrNoSpace, syscall.ENOSPC)
)

// Mem is a disk and its cache during one life. It implements fsys.FS.
type Mem struct {
	counters *Counters

	mu       sync.Mutex
	root     *node
	nodes    []*node // every node of this life, at its index
	pending  []change
	locks    map[string][]byte
	inflight []*Op
	hook     Hook
	rng      *rand.Rand
	capacity int64 // in pages
	used     int64 // pages
	gen      uint64
	version  uint64 // of the youngest page
	opened   uint64 // operations begun
	dead     bool
}

// New returns an empty disk. What the disk decides by itself, such as the
// pages a failed sync lets through, follows from seed.
func New(seed uint64) *Mem {
	m := &Mem{
		counters: new(Counters),
		locks:    make(map[string][]byte),
		rng:      rand.New(rand.NewPCG(seed, 0x5eed)),
		capacity: defaultCapacity / PageBytes,
		gen:      1,
	}
	m.root = m.newNode(true)
	return m
}

// Uint64 returns a random number that follows from the seed of this disk. A
// store that takes its nonces from here does the same each time.
func (m *Mem) Uint64() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rng.Uint64()
}

// Yield lets other goroutines run first. It is an operation like others, so that
// a hook can hold up who would go on.
func (m *Mem) Yield(who string) {
	_ = m.do(&Op{Kind: OpYield, Name: who}, func() error { return nil })
	runtime.Gosched()
}

// Counters returns what happened so far on this disk, in all its lives.
func (m *Mem) Counters() *Counters { return m.counters }

// SetHook makes h see every operation of this life before it takes effect.
// Nil removes the hook. Operations already begun keep the old one.
func (m *Mem) SetHook(h Hook) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hook = h
}

// SetCapacity sets the size of the disk in bytes. Below what is in use
// nothing is lost, but nothing more fits.
func (m *Mem) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = bytes / PageBytes
}

// SetFree sets the size of the disk so that bytes are free now. Less than 0
// makes it practically endless.
func (m *Mem) SetFree(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.capacity = defaultCapacity / PageBytes; bytes >= 0 {
		m.capacity = m.used + bytes/PageBytes
	}
}

// Stop ends this life: locks go, and every operation begun from now on, and
// every one parked in a hook, returns ErrDead.
func (m *Mem) Stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
	clear(m.locks)
}

// Create implements fsys.FS.
func (m *Mem) Create(name string) (fsys.File, error) {
	return m.openFile(&Op{Kind: OpCreate, Name: name}, m.create)
}

// Open implements fsys.FS.
func (m *Mem) Open(name string) (fsys.File, error) {
	return m.openFile(&Op{Kind: OpOpen, Name: name}, m.file)
}

// OpenWrite implements fsys.FS.
func (m *Mem) OpenWrite(name string) (fsys.File, error) {
	return m.openFile(&Op{Kind: OpOpenWrite, Name: name}, m.file)
}

func (m *Mem) openFile(op *Op, find func(name string) (*node, error)) (fsys.File, error) {
	var h *handle
	err := m.do(op, func() error {
		n, err := find(op.Name)
		if err != nil {
			return err
		}
		n.handles++
		h = &handle{mem: m, node: n, name: op.Name, writes: op.Kind != OpOpen, seen: n.failures}
		if !n.reported && n.failures > 0 {
			h.seen-- // nobody was told about the last one
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

// Rename implements fsys.FS.
func (m *Mem) Rename(oldName, newName string) error {
	return m.do(&Op{Kind: OpRename, Name: oldName, To: newName}, func() error { return m.rename(oldName, newName) })
}

// Remove implements fsys.FS.
func (m *Mem) Remove(name string) error {
	return m.do(&Op{Kind: OpRemove, Name: name}, func() error { return m.remove(name) })
}

// Mkdir implements fsys.FS.
func (m *Mem) Mkdir(name string) error {
	return m.do(&Op{Kind: OpMkdir, Name: name}, func() error { return m.mkdir(name) })
}

// List implements fsys.FS.
func (m *Mem) List(dir string) ([]fsys.Entry, error) {
	var entries []fsys.Entry
	err := m.do(&Op{Kind: OpList, Name: dir}, func() error {
		n, err := m.directory("list", dir)
		if err != nil {
			return err
		}
		for _, e := range n.cached {
			entry := fsys.Entry{Name: e.name, Size: e.node.cache.size, Dir: e.node.dir}
			if !e.node.dir {
				entry.Allocated = e.node.cache.blocks() * PageBytes
			}
			entries = append(entries, entry)
		}
		return nil
	})
	return entries, err
}

// SyncDir implements fsys.FS. It makes no more durable than it must.
func (m *Mem) SyncDir(dir string) error {
	return m.do(&Op{Kind: OpSyncDir, Name: dir}, func() error {
		n, err := m.directory("sync", dir)
		if err != nil {
			return err
		}
		m.persist(func(c change) bool { return c.to.dir == n || c.from.dir == n })
		return nil
	})
}

// Lock implements fsys.FS. The lock dies with this life.
func (m *Mem) Lock(name string, note []byte) (io.Closer, error) {
	err := m.do(&Op{Kind: OpLock, Name: name}, func() error {
		if held, ok := m.locks[name]; ok {
			return &fsys.LockedError{Name: name, Note: held}
		}
		dir, base, err := m.parent("lock", name)
		if err != nil {
			return err
		}
		n := dir.cached.get(base)
		if n == nil {
			n = m.newNode(false)
			m.change(change{kind: changeLink, to: spot{dir, base}, node: n})
		}
		m.locks[name] = append([]byte(nil), note...)
		if _, err := m.write(n, note, 0); err == nil {
			m.cut(n, int64(len(note)))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &held{mem: m, name: name}, nil
}

// Locked implements fsys.FS.
func (m *Mem) Locked(name string) (held bool, note []byte, err error) {
	err = m.do(&Op{Kind: OpLocked, Name: name}, func() error {
		note, held = m.locks[name]
		note = append([]byte(nil), note...)
		return nil
	})
	return held, note, err
}

// Locks is how many locks are held. No hook sees that somebody asks.
func (m *Mem) Locks() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.locks)
}

// held is a lock held.
type held struct {
	mem  *Mem
	name string
	once sync.Once
}

// Close releases the lock. The second time it does nothing.
func (h *held) Close() error {
	h.once.Do(func() {
		h.mem.mu.Lock()
		defer h.mem.mu.Unlock()
		delete(h.mem.locks, h.name)
	})
	return nil
}

// Used is how many bytes are taken. No hook sees that somebody asks.
func (m *Mem) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used * PageBytes
}

// Usage implements fsys.FS.
func (m *Mem) Usage() (u fsys.Usage, err error) {
	err = m.do(&Op{Kind: OpUsage}, func() error {
		u = fsys.Usage{Free: max(m.capacity-m.used, 0) * PageBytes, Total: m.capacity * PageBytes}
		return nil
	})
	return u, err
}

// Close implements fsys.FS. The disk stays as it is.
func (m *Mem) Close() error { return nil }
