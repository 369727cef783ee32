package aoftest

import (
	"strings"
	"sync"

	"github.com/aof2/aof/internal/fsys/memfs"
)

// faults is what the operations on a disk in memory meet.
type faults struct {
	mu        sync.Mutex
	lastWrite map[string]int64 // where the last write to a file went, by its name
	fail      func(kind, name string) bool
	failSyncs int // of hot files that hold records; negative is all of them
	hold      *Hold
}

// Hold stops syncs of hot files that hold records, until it is released.
type Hold struct {
	reached  chan struct{}
	released chan struct{}
	first    sync.Once
	last     sync.Once
}

// Reached is closed when the first sync is held.
func (h *Hold) Reached() <-chan struct{} { return h.reached }

// Release lets the syncs go on, and those that come later.
func (h *Hold) Release() { h.last.Do(func() { close(h.released) }) }

// HoldSyncs holds every sync of a hot file that holds records from now on, until
// the Hold is released, at the latest when the test ends.
func (d *Disk) HoldSyncs() *Hold {
	d.tb.Helper()
	d.memory("HoldSyncs")
	h := &Hold{reached: make(chan struct{}), released: make(chan struct{})}
	d.faults.mu.Lock()
	defer d.faults.mu.Unlock()
	d.faults.hold = h
	d.tb.Cleanup(h.Release)
	return h
}

// FailSyncs lets the next n syncs of hot files that hold records fail, all of them
// when n is negative, the way kernels fail them: part of the data is lost, and
// none of it is ever reported again.
func (d *Disk) FailSyncs(n int) {
	d.tb.Helper()
	d.memory("FailSyncs")
	d.faults.mu.Lock()
	defer d.faults.mu.Unlock()
	d.faults.failSyncs = n
}

// Fail lets every operation fail for which match is true; nil ends that. kind is
// one of create, open, open-write, rename, remove, mkdir, list, sync-dir, read,
// write, size, allocate, truncate, sync, drop-cache. match is called by several
// goroutines, one at a time.
func (d *Disk) Fail(match func(kind, name string) bool) {
	d.tb.Helper()
	d.memory("Fail")
	d.faults.mu.Lock()
	defer d.faults.mu.Unlock()
	d.faults.fail = match
}

// SetFree makes the disk as large as what is in use and that many bytes; a
// negative number makes it practically endless.
func (d *Disk) SetFree(bytes int64) {
	d.tb.Helper()
	d.memory("SetFree").SetFree(bytes)
}

// Used is how many bytes of the disk are taken. It may be asked while an operation
// is being matched by Fail.
func (d *Disk) Used() int64 {
	d.tb.Helper()
	return d.memory("Used").Used()
}

// FlipBit inverts one bit of a file.
func (d *Disk) FlipBit(name string, bit int64) {
	d.tb.Helper()
	if !d.memory("FlipBit").FlipBit(name, bit) {
		d.tb.Fatalf("%s has no bit %d", name, bit)
	}
}

// hook sees every operation on the disk.
func (f *faults) hook(op *memfs.Op) error {
	f.mu.Lock()
	fail := f.fail != nil && f.fail(op.Kind.String(), op.Name)
	var hold *Hold
	switch {
	case op.Kind == memfs.OpWrite:
		f.lastWrite[op.Name] = op.Off
	case op.Kind == memfs.OpSync && strings.Contains(op.Name, ".aof") && f.lastWrite[op.Name] > 0:
		hold = f.hold
		if f.failSyncs != 0 {
			fail = true
			f.failSyncs = max(-1, f.failSyncs-1)
		}
	}
	f.mu.Unlock()
	if hold != nil {
		hold.first.Do(func() { close(hold.reached) })
		<-hold.released
	}
	if fail {
		return memfs.ErrIO
	}
	return nil
}
