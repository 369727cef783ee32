package journal

import (
	"cmp"
	"slices"

	"github.com/aof2/aof/internal/segment"
)

// round is a group of frames that becomes durable together. It is filled under
// Journal.mu while it is the gather, and belongs to the leader from then on.
type round struct {
	no    uint64 // counts up; the journal's durable mark speaks of it
	buf   []byte // unfinished frames, in the order they were accepted
	cuts  []int  // where a new slot begins in buf
	ends  []laneEnd
	last  *Lane         // whose frame came last
	mixed bool          // frames of one lane do not all lie side by side
	after []func()      // run once durable, in order, before anybody is told
	done  chan struct{} // closed when err holds the outcome
	err   error
}

// laneEnd is where a lane stands after the round.
type laneEnd struct {
	lane *Lane
	next uint64
}

func newRound(no uint64, buf []byte) *round {
	return &round{no: no, buf: buf[:0], done: make(chan struct{})}
}

// touch notes that the lane's records now end before next.
func (r *round) touch(l *Lane, next uint64) {
	if l.turn != r.no {
		l.turn = r.no
		l.nth = len(r.ends)
		r.ends = append(r.ends, laneEnd{lane: l})
	} else if l != r.last {
		r.mixed = true
	}
	r.last = l
	r.ends[l.nth].next = next
}

// parts yields the frames of each slot and whether that slot begins there.
func (r *round) parts(yield func(part []byte, begins bool) bool) {
	from, begins := 0, false
	for _, cut := range r.cuts {
		if cut > from && !yield(r.buf[from:cut], begins) {
			return
		}
		from, begins = cut, true
	}
	if from < len(r.buf) {
		yield(r.buf[from:], begins)
	}
}

// lane finds a lane of the round; ends is sorted by ordinal by then.
func (r *round) lane(ordinal uint32) *Lane {
	i, ok := slices.BinarySearchFunc(r.ends, ordinal, func(e laneEnd, o uint32) int {
		return cmp.Compare(e.lane.Ordinal, o)
	})
	if !ok {
		return nil
	}
	return r.ends[i].lane
}

func (r *round) sortEnds() {
	slices.SortFunc(r.ends, func(a, b laneEnd) int { return cmp.Compare(a.lane.Ordinal, b.lane.Ordinal) })
}

// arranger lays the frames of each stream side by side.
type arranger struct {
	refs []frameRef
	out  []byte
}

type frameRef struct {
	barrier, ordinal uint32
	off, len         int
}

// arrange returns the frames of part in writing order, which is part itself when
// they lie right already. Frames of one stream keep their order, and none moves
// past a decision: a stream exists before its first frame and no frame follows
// its end.
func (a *arranger) arrange(part []byte) []byte {
	a.refs = a.refs[:0]
	barrier, ordered := uint32(0), true
	for off := 0; off < len(part); {
		f := segment.Peek(part[off:])
		n, ordinal := int(f.Length), f.Ordinal
		if ordinal == 0 {
			barrier++
		}
		ref := frameRef{barrier, ordinal, off, n}
		if len(a.refs) > 0 && compareRefs(a.refs[len(a.refs)-1], ref) > 0 {
			ordered = false
		}
		a.refs = append(a.refs, ref)
		if ordinal == 0 {
			barrier++
		}
		off += n
	}
	if ordered {
		return part
	}
	slices.SortFunc(a.refs, compareRefs)
	a.out = a.out[:0]
	for _, ref := range a.refs {
		a.out = append(a.out, part[ref.off:ref.off+ref.len]...)
	}
	return a.out
}

func compareRefs(a, b frameRef) int {
	return cmp.Or(cmp.Compare(a.barrier, b.barrier), cmp.Compare(a.ordinal, b.ordinal), cmp.Compare(a.off, b.off))
}
