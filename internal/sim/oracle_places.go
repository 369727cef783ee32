package sim

import (
	"errors"
	"slices"
)

// mostKept is how many places clients remember.
const mostKept = 16

// kept is a place behind a record that a client saw or had accepted.
type kept struct {
	at     string
	stream *stream
	batch  *batch // of the record
	seq    uint64
}

// Newest returns the last record that is known to have been accepted, 0 when there is
// none.
func (o *Oracle) Newest(s *stream) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := len(s.placed); n > 0 {
		return s.placed[n-1].end() - 1
	}
	return 0
}

// Keep notes that a client keeps the place behind record seq.
func (o *Oracle) Keep(s *stream, seq uint64, at string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := s.at(seq)
	if b == nil {
		return // trimmed meanwhile
	}
	if len(o.kept) == mostKept {
		i := o.leastWanted()
		o.kept = slices.Delete(o.kept, i, i+1)
	}
	o.kept = append(o.kept, &kept{at, s, b, seq})
}

// leastWanted is the place to forget: the oldest but for those behind records that were
// lost, of which a crash leaves few.
func (o *Oracle) leastWanted() int {
	return max(0, slices.IndexFunc(o.kept, func(k *kept) bool { return !k.batch.lost || k.seq < k.stream.first }))
}

// Kept returns a place in a stream of that name, nil when none is kept. Every second one
// is behind a record that was lost, if there is one.
func (o *Oracle) Kept(name string, which int) *kept {
	o.mu.Lock()
	defer o.mu.Unlock()
	if which%2 == 0 {
		if k := o.keptLocked(which/2, func(k *kept) bool { return k.stream.name == name && k.batch.lost }); k != nil {
			return k
		}
	}
	return o.keptLocked(which/2, func(k *kept) bool { return k.stream.name == name })
}

func (o *Oracle) keptLocked(which int, wanted func(*kept) bool) *kept {
	var all []*kept
	for _, k := range o.kept {
		if wanted(k) {
			all = append(all, k)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[which%len(all)]
}

// Searched notes that a client looked for a time, and whether there was a record.
func (o *Oracle) Searched(found bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if found {
		o.met["time: found"]++
	} else {
		o.met["time: later than all"]++
	}
}

// resumption is what became of a reader that was to go on behind a place.
type resumption struct {
	stream *stream // which was asked
	before uint64  // where that began before, and after
	after  uint64
	lost   bool   // the record behind which it was to go on is not there
	to     uint64 // the last record it was to read
	next   uint64 // the one behind the last that it read
	err    error
}

// Resumed judges a resumption by a client.
func (o *Oracle) Resumed(k *kept, r *resumption) *Violation {
	o.mu.Lock()
	defer o.mu.Unlock()
	r.lost = k.batch.lost
	o.met[k.answer(r)]++
	return k.judge(r)
}

// answer names what a reader made of a place.
func (k *kept) answer(r *resumption) string {
	switch {
	case errors.Is(r.err, ErrDiverged) && k.stream != r.stream:
		return "place: of another stream"
	case errors.Is(r.err, ErrDiverged):
		return "place: of a record that was lost"
	case errors.Is(r.err, ErrTrimmed):
		return "place: trimmed"
	case r.before > k.seq:
		return "place: at the beginning"
	case r.next > k.seq+1:
		return "place: read on"
	}
	return "place: at the end"
}

// judge holds what a reader did against what it should: go on exactly behind the
// record, or say that it cannot.
func (k *kept) judge(r *resumption) *Violation {
	other := k.stream != r.stream
	began := r.next > k.seq+1
	switch {
	case errors.Is(r.err, ErrDiverged):
		if !other && !r.lost || began {
			return violation("place-refused", "stream %q: the place behind record %d is refused, and nothing has changed there: %v",
				k.stream.name, k.seq, r.err)
		}
	case errors.Is(r.err, ErrTrimmed):
		if other || r.after <= r.next {
			return violation("place-trimmed", "stream %q: behind record %d, at %d of a stream that begins at %d: %v",
				k.stream.name, k.seq, r.next, r.after, r.err)
		}
	case r.err == nil || began:
		if other || r.lost && r.after <= k.seq {
			return violation("place-mistaken", "stream %q: reading goes on behind record %d, which is another one or gone", k.stream.name, k.seq)
		}
		if r.before > k.seq+1 {
			return violation("place-mistaken", "stream %q: reading goes on behind record %d, the stream begins at %d", k.stream.name, k.seq, r.before)
		}
		if r.err == nil && r.next != max(r.to, k.seq)+1 {
			return violation("short", "stream %q: reading went on behind record %d and ended before %d of %d", k.stream.name, k.seq, r.next, r.to)
		}
	}
	return nil
}

// places goes on behind places that were kept in a stream of that name: any, the newest,
// and one whose record was lost and has a successor by now.
func (c *check) places(s *stream, state StreamState, st Stream) *Violation {
	seeking, ok := st.(Seeking)
	if !ok || c.damage != nil {
		return nil
	}
	some := int(state.Durable % mostKept)
	named := func(k *kept) bool { return k.stream.name == s.name }
	var all []*kept
	for _, k := range slices.Backward(c.kept) {
		if named(k) {
			all = append(all, k)
			break
		}
	}
	all = append(all, c.keptLocked(some, named), c.keptLocked(some, func(k *kept) bool {
		return named(k) && k.batch.lost && state.First <= k.seq && k.seq <= state.Durable
	}))
	for i, k := range all {
		if k == nil || slices.Contains(all[:i], k) {
			continue
		}
		if v := c.place(k, s, state, seeking); v != nil {
			return v
		}
	}
	return nil
}

// place goes on behind one of them, for one record.
func (c *check) place(k *kept, s *stream, state StreamState, st Seeking) *Violation {
	r := resumption{stream: s, before: state.First, after: state.First, next: k.seq + 1}
	r.lost = k.batch.lost || k.seq > state.Durable
	r.to = max(k.seq, min(k.seq+1, state.Durable))
	var broken *Violation
	at, err := st.Resume(c.ctx, k.at, r.to, func(rec Record) error {
		if rec.Seq != r.next {
			broken = violation("order", "stream %q: behind the place after record %d comes %d", s.name, k.seq, rec.Seq)
			return broken
		}
		r.next++
		return nil
	})
	if r.err = err; broken != nil {
		return broken
	}
	if c.met[k.answer(&r)]++; r.lost && k.seq <= state.Durable && errors.Is(err, ErrDiverged) {
		c.met["place: of a record that has a successor"]++
	}
	if v := k.judge(&r); v != nil {
		return v
	}
	if err != nil && !errors.Is(err, ErrDiverged) && !errors.Is(err, ErrTrimmed) {
		return violation("unreadable", "stream %q, behind the place after record %d: %v", s.name, k.seq, err)
	}
	if err == nil && r.next == k.seq+1 && at != k.at {
		return violation("place-changed", "stream %q: the place behind record %d became %s from %s without a record", s.name, k.seq, at, k.at)
	}
	return nil
}
