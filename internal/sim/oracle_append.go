package sim

import "time"

// Asking notes with what besides its records a batch is about to be appended, and
// returns the last seq that is known to have been given: no answer may come from
// before.
func (o *Oracle) Asking(s *stream, b *batch, expect uint64, timed bool) (known uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b.expect = expect
	if timed {
		for i := range b.recs {
			b.events = append(b.events, eventTime(b.id, i))
		}
	}
	return s.highest
}

// eventTime is the time that a client gives a record: none, or any that there is.
func eventTime(id uint64, index int) time.Time {
	x := (id<<16 | uint64(index)) * 0x9e3779b97f4a7c15
	x ^= x >> 29
	switch x % 5 {
	case 0:
		return time.Time{}
	case 1:
		return time.Unix(int64(x>>2), int64(x%1e9)) // ages from now
	case 2:
		return time.Unix(-int64(x>>20), 999_999_999)
	}
	return time.Unix(int64(x>>32), int64(x%1e9))
}

// expected compares where a batch came to lie with what it expected.
func (s *stream) expected(b *batch) *Violation {
	if b.expect != 0 && b.first != b.expect {
		return violation("expectation", "stream %q: batch %d was accepted as %d, and only as %d should it be", s.name, b.id, b.first, b.expect)
	}
	return nil
}

// event compares the time that a client gave a record.
func (s *stream) event(b *batch, r Record) *Violation {
	var want time.Time
	if b.events != nil {
		want = b.events[r.Seq-b.first]
	}
	if !r.Event.Equal(want) {
		return violation("event-time", "stream %q, record %d: its client's time is %v, sent was %v", s.name, r.Seq, r.Event.UTC(), want.UTC())
	}
	return nil
}

// Mismatched judges the refusal of a batch that expected another next record: what it
// says was the next one must have been it at some moment of the call. known is what
// Asking returned.
func (o *Oracle) Mismatched(s *stream, b *batch, known uint64, m *MismatchError) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.met["append: another next record"]++
	least, most := known+1, s.highest+1
	for _, other := range s.flying {
		if other != b {
			most += uint64(len(other.recs))
		}
	}
	if b.expect == 0 || m.Expected != b.expect || m.Next == b.expect || m.Next < least || m.Next > most {
		o.breach(violation("mismatch", "stream %q: batch %d, which expected %d, was refused with %q; the next record was one of %d to %d",
			s.name, b.id, b.expect, m, least, most))
	}
}
