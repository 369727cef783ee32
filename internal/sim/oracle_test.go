package sim

import (
	"bytes"
	"context"
	"errors"
	"testing"
)

// fakeStore is a store that shows whatever a test wants. Only what a check
// asks for is there.
type fakeStore struct {
	Store
	streams []*fakeStream
	found   Found
	closed  bool // streams are listed and cannot be opened
}

func (f *fakeStore) Found() Found { return f.found }

func (f *fakeStore) Streams() (all []StreamState) {
	for _, s := range f.streams {
		all = append(all, s.state)
	}
	return all
}

func (f *fakeStore) Stream(_ context.Context, name string) (Stream, error) {
	for _, s := range f.streams {
		if s.state.Name == name && !f.closed {
			return s, nil
		}
	}
	return nil, errors.New("no such stream")
}

type fakeStream struct {
	Stream
	state StreamState
	recs  []Record
	err   error // of a read, behind the last record
}

func (f *fakeStream) Read(_ context.Context, from, to uint64, visit func(Record) error) error {
	for _, r := range f.recs {
		if r.Seq < from || r.Seq > to {
			continue
		}
		if err := visit(r); err != nil {
			return err
		}
	}
	return f.err
}

// put adds the records of a batch, and cut takes the last ones away.
func (f *fakeStream) put(b *batch) {
	for _, data := range b.recs {
		f.recs = append(f.recs, Record{Seq: f.state.Next, TimeMs: 7, Data: data})
		f.state.Next++
	}
	f.state.Durable = f.state.Next - 1
}

func (f *fakeStream) cut(n int) {
	f.recs = f.recs[:len(f.recs)-n]
	f.state.Next -= uint64(n)
	f.state.Durable -= uint64(n)
}

// history is what happened before a loss of power: two records acknowledged,
// three accepted, two sent, and one refused; a trim under way, and a stream
// that was deleted.
type history struct {
	*Oracle
	orders, old                   *stream
	acked, accepted, sent, denied *batch
}

func newHistory() *history {
	o := NewOracle()
	h := &history{Oracle: o, old: o.Creating("old"), orders: o.Creating("orders")}
	o.Created(h.orders, true, false)
	o.Created(h.old, true, false)
	o.Deleting(h.old)
	o.Deleted(h.old)
	h.acked = o.Sending(h.orders, []int{20, 30})
	h.accepted = o.Sending(h.orders, []int{20, 0, 40})
	h.sent = o.Sending(h.orders, []int{50, 60})
	h.denied = o.Sending(h.orders, []int{20})
	o.Sent(h.orders, h.acked, 1, true)
	o.Sent(h.orders, h.accepted, 3, false)
	o.Sent(h.orders, h.denied, 0, false)
	o.Trimming(h.orders, 2)
	return h
}

// recovered is a store that has everything which may be there.
func (h *history) recovered() (*fakeStore, *fakeStream) {
	s := &fakeStream{state: StreamState{Name: "orders", Meta: h.orders.meta(), First: 1, Next: 1}}
	for _, b := range []*batch{h.acked, h.accepted, h.sent} {
		s.put(b)
	}
	return &fakeStore{streams: []*fakeStream{s}}, s
}

func TestOracleOfARecoveredStore(t *testing.T) {
	for _, tt := range []struct {
		name, class string // class is empty where nothing is broken
		change      func(*history, *fakeStore, *fakeStream)
	}{
		{"everything is there", "", func(*history, *fakeStore, *fakeStream) {}},
		{"what was not answered is missing", "", func(_ *history, _ *fakeStore, s *fakeStream) { s.cut(2) }},
		{"what was accepted is missing", "", func(_ *history, _ *fakeStore, s *fakeStream) { s.cut(5) }},
		{"the trim under way has happened", "", func(_ *history, _ *fakeStore, s *fakeStream) { s.recs, s.state.First = s.recs[1:], 2 }},
		{"acknowledged records are missing", "lost", func(_ *history, _ *fakeStore, s *fakeStream) { s.cut(6) }},
		{"half of a batch is there", "batch-torn", func(_ *history, _ *fakeStore, s *fakeStream) { s.cut(3) }},
		{"half of an unanswered batch is there", "batch-torn", func(_ *history, _ *fakeStore, s *fakeStream) { s.cut(1) }},
		{"the stream is missing", "stream-lost", func(_ *history, f *fakeStore, _ *fakeStream) { f.streams = nil }},
		{"the stream is there twice", "stream-twice", func(_ *history, f *fakeStore, s *fakeStream) { f.streams = append(f.streams, s) }},
		{"a deleted stream is back", "stream-stranger", func(h *history, f *fakeStore, _ *fakeStream) {
			f.streams = append(f.streams, &fakeStream{state: StreamState{Name: "old", Meta: h.old.meta(), First: 1, Next: 1}})
		}},
		{"a byte is wrong", "wrong-bytes", func(_ *history, _ *fakeStore, s *fakeStream) {
			s.recs[1].Data = bytes.Replace(s.recs[1].Data, s.recs[1].Data[8:], make([]byte, 22), 1)
		}},
		{"records have changed places", "wrong-bytes", func(_ *history, _ *fakeStore, s *fakeStream) {
			s.recs[0].Data, s.recs[1].Data = s.recs[1].Data, s.recs[0].Data
		}},
		{"a refused batch is there", "stranger", func(h *history, _ *fakeStore, s *fakeStream) { s.put(h.denied) }},
		{"a batch is there twice", "stranger", func(h *history, _ *fakeStore, s *fakeStream) { s.put(h.acked) }},
		{"something nobody sent is there", "stranger", func(_ *history, _ *fakeStore, s *fakeStream) { s.put(&batch{recs: [][]byte{{1}}}) }},
		{"a record is missing in the middle", "order", func(_ *history, _ *fakeStore, s *fakeStream) { s.recs = append(s.recs[:1], s.recs[2:]...) }},
		{"the reader ends early", "short", func(_ *history, _ *fakeStore, s *fakeStream) { s.recs = s.recs[:3] }},
		{"the reader fails", "unreadable", func(_ *history, _ *fakeStore, s *fakeStream) { s.recs, s.err = s.recs[:3], ErrDamaged }},
		{"the stream cannot be opened", "unreadable", func(_ *history, f *fakeStore, _ *fakeStream) { f.closed = true }},
		{"it begins where nobody trimmed", "trim", func(_ *history, _ *fakeStore, s *fakeStream) { s.recs, s.state.First = s.recs[2:], 3 }},
		{"records are accepted after recovery", "bounds", func(_ *history, _ *fakeStore, s *fakeStream) { s.state.Next++ }},
		{"damage is reported", "false-alarm", func(_ *history, f *fakeStore, _ *fakeStream) { f.found.Damage = []string{"here"} }},
		{"it is read-only", "false-alarm", func(_ *history, f *fakeStore, _ *fakeStream) { f.found.ReadOnly = true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHistory()
			f, s := h.recovered()
			tt.change(h, f, s)
			_, v := h.Check(t.Context(), f, nil)
			wantClass(t, v, tt.class)
		})
	}
}

func TestOracleOfADamagedStore(t *testing.T) {
	lost := func(_ *fakeStore, s *fakeStream) { s.cut(7) }
	for _, tt := range []struct {
		name, class string
		damage      Damaged
		change      func(*fakeStore, *fakeStream)
	}{
		{"nothing happened", "", Damaged{}, func(*fakeStore, *fakeStream) {}},
		{"records are missing without a word", "lost", Damaged{}, lost},
		{"records are missing and reported", "", Damaged{}, func(f *fakeStore, s *fakeStream) {
			lost(f, s)
			f.found.Ranges = []Range{{"orders", 1, 2}}
		}},
		{"one is reported and two are missing", "lost", Damaged{}, func(f *fakeStore, s *fakeStream) {
			lost(f, s)
			f.found.Ranges = []Range{{"orders", 1, 1}}
		}},
		{"those of another stream are reported", "lost", Damaged{}, func(f *fakeStore, s *fakeStream) {
			lost(f, s)
			f.found.Ranges = []Range{{"audit", 1, 2}}
		}},
		{"no trace is left", "", Damaged{Silent: true}, lost},
		{"a trace is left of the first", "lost", Damaged{Exposed: &Exposure{From: map[uint32]uint64{0: 2}}}, lost},
		{"no trace is left of either", "", Damaged{Exposed: &Exposure{From: map[uint32]uint64{0: 1}}}, lost},
		{"the stream is missing", "stream-lost", Damaged{}, func(f *fakeStore, _ *fakeStream) { f.streams = nil }},
		{"the reader names the damage", "", Damaged{}, func(_ *fakeStore, s *fakeStream) {
			s.recs, s.err = s.recs[:3], &DamageError{4, 7}
		}},
		{"the reader names other records", "wrong-range", Damaged{}, func(_ *fakeStore, s *fakeStream) {
			s.recs, s.err = s.recs[:3], &DamageError{5, 7}
		}},
		{"wrong bytes are shown", "wrong-bytes", Damaged{}, func(_ *fakeStore, s *fakeStream) { s.recs[0].Data = make([]byte, 20) }},
		{"operations failed and it is read-only", "", Damaged{Failed: true}, func(f *fakeStore, _ *fakeStream) { f.found.ReadOnly = true }},
		{"operations failed and records are missing", "lost", Damaged{Failed: true}, lost},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHistory()
			f, s := h.recovered()
			tt.change(f, s)
			_, v := h.Check(t.Context(), f, &tt.damage)
			wantClass(t, v, tt.class)
		})
	}
}

func wantClass(t *testing.T, v *Violation, class string) {
	t.Helper()
	if v == nil && class != "" {
		t.Errorf("no violation, want %q", class)
	}
	if v != nil && v.Class != class {
		t.Errorf("%v, want %q", v, class)
	}
}
