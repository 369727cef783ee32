package journal

import (
	"sort"
	"sync"
	"sync/atomic"

	"github.com/aof2/aof/internal/mark"
	"github.com/aof2/aof/internal/segment"
)

// Lane is the part of the journal that belongs to one stream: where it stands
// and where its records lie. Records first..next-1 exist; those up to durable
// have been synced, and only those have a place in runs.
//
//	first <= durable+1 <= next
type Lane struct {
	Ordinal uint32

	// Guarded by Journal.mu.
	next uint64 // what the next accepted record will be
	slot uint64 // the newest slot that holds frames of it
	turn uint64 // the newest round that holds frames of it
	nth  int    // its place in that round's ends
	gone bool   // deleted: no more frames

	durable atomic.Uint64 // written by the leader
	tail    mark.Mark     // follows durable

	mu struct {
		sync.Mutex
		first uint64
		runs  []*run // in seq order
	}
}

// run is the records of one stream in one file.
type run struct {
	file    *File
	first   uint64
	last    uint64
	bytes   int64
	newest  int64            // no record in it has a later time
	extents []segment.Extent // nil when they are to be had from the file's run index
}

// Run describes a run.
type Run struct {
	File        *File
	First, Last uint64
	Bytes       int64
}

func newLane(ordinal uint32, next uint64) *Lane {
	l := &Lane{Ordinal: ordinal, next: next}
	l.mu.first = 1
	l.durable.Store(next - 1)
	l.tail.Advance(next - 1)
	return l
}

// Durable is the newest synced record.
func (l *Lane) Durable() uint64 { return l.durable.Load() }

// Tail follows Durable, and ends when the journal ends.
func (l *Lane) Tail() *mark.Mark { return &l.tail }

// First is the oldest record that has not been trimmed.
func (l *Lane) First() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.first
}

// Trim forgets the records below first. It is called when that decision is
// durable.
func (l *Lane) Trim(first uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first <= l.mu.first {
		return
	}
	l.mu.first = first
	n := 0
	for n < len(l.mu.runs) && l.mu.runs[n].last < first {
		n++
	}
	if n > 0 {
		l.mu.runs = append([]*run(nil), l.mu.runs[n:]...)
	}
}

// Runs lists where the records lie, oldest first.
func (l *Lane) Runs() []Run {
	l.mu.Lock()
	defer l.mu.Unlock()
	runs := make([]Run, len(l.mu.runs))
	for i, r := range l.mu.runs {
		runs[i] = Run{File: r.file, First: r.first, Last: r.last, Bytes: r.bytes}
	}
	return runs
}

// extentOf is where one frame lies.
func extentOf(fr segment.Frame) segment.Extent {
	return segment.Extent{Off: fr.Offset, Len: fr.Length, First: fr.First, Newest: fr.TimeMs}
}

// joined makes p reach over e, when e follows it and the two are not longer than limit. A mark frame may lie in between:
// one does behind each append of a lone writer, and nothing else is as short.
func joined(p *segment.Extent, e segment.Extent, limit int64) bool {
	gap := e.Off - (p.Off + p.Len)
	if gap != 0 && gap != markBytes || p.Len+gap+e.Len > limit {
		return false
	}
	p.Len += gap + e.Len
	p.Newest = max(p.Newest, e.Newest)
	return true
}

// publish adds durable frames that lie side by side. Only the leader calls it.
func (l *Lane) publish(f *File, e segment.Extent, next uint64) {
	l.mu.Lock()
	l.addLocked(f, e, next)
	l.mu.Unlock()
	l.durable.Store(next - 1)
}

// addLocked appends an extent that ends before next to the run in f.
func (l *Lane) addLocked(f *File, e segment.Extent, next uint64) {
	var r *run
	if n := len(l.mu.runs); n > 0 && l.mu.runs[n-1].file == f {
		r = l.mu.runs[n-1]
	} else {
		r = &run{file: f, first: e.First, newest: e.Newest}
		l.mu.runs = append(l.mu.runs, r)
	}
	r.last = next - 1
	r.bytes += e.Len
	r.newest = max(r.newest, e.Newest)
	if n := len(r.extents); n > 0 {
		if joined(&r.extents[n-1], e, extentBytes) {
			return
		}
	}
	r.extents = append(r.extents, e)
}

// livesLocked reports whether a record that is not trimmed lies in f, or may come
// to lie in it, being accepted for its slot.
func (l *Lane) livesLocked(f *File, slot uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.mu.runs)
	return n > 0 && l.mu.runs[n-1].file == f || l.slot == slot && l.next > l.mu.first
}

// find returns the run that holds seq, or the first one behind it, and takes a
// lease on its file; without a lease ok is false. The extents from the one that
// holds seq on, as many as there is room for in some, are copied there: the
// leader goes on to change its own.
func (l *Lane) find(seq uint64, some *[16]segment.Extent) (found run, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := sort.Search(len(l.mu.runs), func(i int) bool { return l.mu.runs[i].last >= seq })
	if i == len(l.mu.runs) {
		return run{}, false
	}
	found = *l.mu.runs[i]
	if found.extents != nil {
		e := found.extents
		from := max(0, sort.Search(len(e), func(i int) bool { return e[i].First > seq })-1)
		n := copy(some[:], e[from:])
		if from+n < len(e) {
			found.last = e[from+n].First - 1
		}
		found.extents = some[:n]
	}
	return found, found.file.acquire()
}

// sealed lets go of the extents of the run in f: from now on its index has them.
func (l *Lane) sealed(f *File) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.mu.runs {
		if r.file == f {
			r.extents = nil
		}
	}
}
