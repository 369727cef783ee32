package sim

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// recovered is what a check saw of one stream.
type recovered struct {
	stream *stream
	state  StreamState
	placed map[*batch]uint64 // flying batches that are there
}

// Verdict is what a check of a whole store saw.
type Verdict struct {
	Found    Found
	Records  int // compared
	Reported int // acknowledged records that the store says are damaged
	Silent   int // acknowledged records that are missing without a word
	streams  []recovered
}

// Check compares every record of a store just opened with what was sent. It
// changes nothing. With damage, records may be missing where the store says
// so; no record may be wrong.
func (o *Oracle) Check(ctx context.Context, st Store, damage *Damaged) (*Verdict, *Violation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	failed := damage != nil && damage.Failed
	if failed {
		damage = nil
	}
	c := &check{Oracle: o, ctx: ctx, store: st, damage: damage, found: st.Found()}
	if damage == nil {
		if len(c.found.Damage) > 0 {
			return nil, violation("false-alarm", "damage reported where there is none: %s", c.found.Damage[0])
		}
		if c.found.ReadOnly && !failed {
			return nil, violation("false-alarm", "read-only without damage: %s", c.found.Why)
		}
	}
	return c.run()
}

// check is one comparison under way. The oracle's mutex is held: everybody
// else is parked.
type check struct {
	*Oracle
	ctx     context.Context
	store   Store
	damage  *Damaged
	found   Found
	verdict Verdict
}

func (c *check) run() (*Verdict, *Violation) {
	seen := make(map[*stream]bool)
	for _, state := range c.store.Streams() {
		s, v := c.identify(state)
		if v != nil && c.undecided() {
			continue // its deletion is among what is missing
		}
		if v != nil {
			return nil, v
		}
		if seen[s] {
			return nil, violation("stream-twice", "%q is listed twice", state.Name)
		}
		seen[s] = true
		if v := c.stream(s, state); v != nil {
			return nil, v
		}
	}
	for name, all := range c.names {
		for _, s := range all {
			if s.created && !s.deleting && !seen[s] && !c.undecided() {
				return nil, violation("stream-lost", "%q is gone", name)
			}
		}
	}
	return &c.verdict, nil
}

// undecided reports whether acknowledged decisions may be missing: streams made
// or deleted, and trims.
func (c *check) undecided() bool {
	d := c.damage
	return d != nil && (d.Silent || d.Exposed != nil && d.Exposed.Decisions || c.found.ReadOnly && c.found.Why != "")
}

// excused returns the last record of first..last up to which the store accounts
// for all that are missing, first-1 if it does not even for the first. silent
// says that it did so without a word, as it may at the end of the log.
func (c *check) excused(state StreamState, first, last uint64) (upTo uint64, silent bool) {
	d := c.damage
	switch {
	case d == nil:
		return first - 1, false
	case c.found.ReadOnly && c.found.Why != "":
		return last, false
	case d.Silent:
		return last, true
	}
	if c.exposed(state.ID, first) {
		return last, true
	}
	for _, r := range c.found.Ranges {
		if r.Stream == state.Name && r.First <= first && first <= r.Last {
			return min(last, r.Last), false
		}
	}
	return first - 1, false
}

// identify finds the incarnation a store shows.
func (c *check) identify(state StreamState) (*stream, *Violation) {
	if len(state.Meta) == 8 {
		id := binary.LittleEndian.Uint64(state.Meta)
		for _, s := range c.names[state.Name] {
			if s.id == id {
				return s, nil
			}
		}
	}
	return nil, violation("stream-stranger", "%q (%x) should not be there", state.Name, state.Meta)
}

// stream compares one stream.
func (c *check) stream(s *stream, state StreamState) *Violation {
	if state.First != s.first && !slices.Contains(s.trims, state.First) && !c.undecided() {
		return violation("trim", "stream %q starts at %d; trims acknowledged %d, under way %d", s.name, state.First, s.first, s.trims)
	}
	if state.Next != state.Durable+1 || state.First > state.Next {
		return violation("bounds", "stream %q after recovery: %+v", s.name, state)
	}
	if state.Durable < s.durable && state.First <= s.durable {
		if v := c.missing(s, state, state.Durable+1, s.durable, "the stream ends at "+fmt.Sprint(state.Durable)); v != nil {
			return v
		}
	}
	rec := recovered{stream: s, state: state, placed: make(map[*batch]uint64)}
	if v := c.records(&rec); v != nil {
		return v
	}
	c.verdict.streams = append(c.verdict.streams, rec)
	return nil
}

// missing judges acknowledged records that are not there.
func (c *check) missing(s *stream, state StreamState, first, last uint64, how string) *Violation {
	for next := max(first, s.first); next <= last; {
		upTo, silent := c.excused(state, next, last)
		if upTo < next {
			return violation("lost", "stream %q: acknowledged records %d to %d are missing, %s", s.name, next, last, how)
		}
		if silent {
			c.verdict.Silent += int(upTo + 1 - next)
		} else {
			c.verdict.Reported += int(upTo + 1 - next)
		}
		next = upTo + 1
	}
	return nil
}

// records reads and compares every record of a stream.
func (c *check) records(rec *recovered) *Violation {
	s, next := rec.stream, rec.state.First
	st, err := c.store.Stream(c.ctx, s.name)
	if err != nil {
		return violation("unreadable", "stream %q is listed: %v", s.name, err)
	}
	cur := cursor{check: c, rec: rec}
	for next <= rec.state.Durable {
		var broken *Violation
		err := st.Read(c.ctx, next, rec.state.Durable, func(r Record) error {
			if r.Seq != next {
				broken = violation("order", "stream %q: record %d where %d is due", s.name, r.Seq, next)
			} else {
				broken = cur.take(r)
			}
			if broken != nil {
				return broken
			}
			next++
			return nil
		})
		var damage *DamageError
		switch {
		case broken != nil:
			return broken
		case errors.As(err, &damage) && c.damage != nil:
			if damage.First > next || damage.Last < next {
				return violation("wrong-range", "stream %q: at record %d: %v", s.name, next, err)
			}
			c.verdict.Reported += int(min(damage.Last, rec.state.Durable) + 1 - next)
			next = damage.Last + 1
			cur.batch = nil
		case err != nil:
			return violation("unreadable", "stream %q, record %d: %v", s.name, next, err)
		case next <= rec.state.Durable:
			return violation("short", "stream %q ends before record %d of %d", s.name, next, rec.state.Durable)
		}
	}
	if b := cur.batch; b != nil && cur.first+uint64(len(b.recs)) != next && c.damage == nil {
		return violation("batch-torn", "stream %q ends with %d within batch %d of %d to %d",
			s.name, next-1, b.id, cur.first, cur.first+uint64(len(b.recs))-1)
	}
	return c.places(s, rec.state, st)
}

// cursor follows the batches of a stream while its records are read.
type cursor struct {
	check *check
	rec   *recovered
	batch *batch
	first uint64 // of batch
	taken []*batch
}

func (c *cursor) take(r Record) *Violation {
	v := c.compare(r)
	if v != nil && sent(r) && (c.check.exposed(c.rec.state.ID, r.Seq) || v.Class == "stranger" && c.check.revived()) {
		// It was given up, and of what took its place, or of where it was cut off,
		// no trace is left.
		c.batch = nil
		c.check.verdict.Silent++
		return nil
	}
	return v
}

// exposed reports whether no trace may be left of what was acknowledged as seq.
func (c *check) exposed(id uint32, seq uint64) bool {
	if c.damage == nil || c.damage.Exposed == nil {
		return false
	}
	from, ok := c.damage.Exposed.From[id]
	return ok && from <= seq
}

// revived reports whether what was given up may be back.
func (c *check) revived() bool {
	return c.damage != nil && c.damage.Exposed != nil && c.damage.Exposed.Revived
}

// sent reports whether a client sent this record at some time.
func sent(r Record) bool {
	if len(r.Data) < idBytes {
		return true
	}
	key := binary.LittleEndian.Uint64(r.Data)
	return bytes.Equal(r.Data, content(key>>16, int(key&0xffff), len(r.Data)))
}

func (c *cursor) compare(r Record) *Violation {
	s := c.rec.stream
	if c.batch == nil || r.Seq >= c.first+uint64(len(c.batch.recs)) {
		c.batch = s.at(r.Seq)
		if c.batch != nil {
			c.first = c.batch.first
		} else if b, index := s.match(r, c.taken); b != nil {
			c.batch, c.first = b, r.Seq-index
			c.taken = append(c.taken, c.batch)
			c.rec.placed[b] = c.first
		} else if c.check.undecided() && r.Seq < s.first {
			return nil // trimmed, and the trim is among what is missing
		} else {
			return c.check.stranger(s, r)
		}
	}
	c.check.verdict.Records++
	b := *c.batch
	b.first = c.first
	if v := s.expected(&b); v != nil {
		return v
	}
	return c.check.same(s, &b, r)
}

// Adopt makes what a store shows after Open the truth: what is there is
// durable, what is not will never be.
func (o *Oracle) Adopt(v *Verdict) {
	o.mu.Lock()
	defer o.mu.Unlock()
	present := make(map[*stream]bool)
	for _, rec := range v.streams {
		s := rec.stream
		present[s] = true
		s.created, s.deleting = true, false
		for b, first := range rec.placed {
			o.breach(s.place(b, first))
		}
		for _, b := range s.flying {
			o.gone[b.id] = "it was not there after recovery"
		}
		s.flying = nil
		s.placed = slices.DeleteFunc(s.placed, func(b *batch) bool {
			if b.first <= rec.state.Durable {
				b.round = max(b.round, 1)
				return false
			}
			o.gone[b.id], b.lost = "it was not there after recovery", true
			return true
		})
		s.startAt(rec.state.First)
		s.trims, s.durable, s.highest = nil, rec.state.Durable, rec.state.Durable
	}
	for _, all := range o.names {
		for _, s := range slices.Clone(all) {
			if !present[s] {
				o.drop(s)
			}
		}
	}
}
