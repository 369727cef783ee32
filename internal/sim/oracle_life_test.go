package sim

import "testing"

// Rules about what clients are told while the store is open.
func TestOracleOfARunningStore(t *testing.T) {
	for _, tt := range []struct {
		name, class string
		happens     func(*history) *Violation
	}{
		{"nothing", "", func(*history) *Violation { return nil }},
		{"a batch gets the number it was read at", "", func(h *history) *Violation {
			v := h.Shown(h.orders, Record{Seq: 6, Data: h.sent.recs[0]})
			h.Sent(h.orders, h.sent, 6, true)
			return v
		}},
		{"a batch gets another number than it was read at", "seq-changed", func(h *history) *Violation {
			v := h.Shown(h.orders, Record{Seq: 6, Data: h.sent.recs[0]})
			h.Sent(h.orders, h.sent, 7, true)
			return v
		}},
		{"a number is given twice", "seq-twice", func(h *history) *Violation {
			h.Sent(h.orders, h.sent, 5, true)
			return nil
		}},
		{"a batch is refused after it was read", "refused-yet-there", func(h *history) *Violation {
			v := h.Shown(h.orders, Record{Seq: 6, Data: h.sent.recs[0]})
			h.Sent(h.orders, h.sent, 0, false)
			return v
		}},
		{"a reader is shown something else", "wrong-bytes", func(h *history) *Violation {
			return h.Shown(h.orders, Record{Seq: 1, Data: h.acked.recs[1]})
		}},
		{"a reader is shown what was refused", "stranger", func(h *history) *Violation {
			return h.Shown(h.orders, Record{Seq: 6, Data: h.denied.recs[0]})
		}},
		{"a record changes its time", "time-changed", func(h *history) *Violation {
			if v := h.Shown(h.orders, Record{Seq: 1, TimeMs: 5, Data: h.acked.recs[0]}); v != nil {
				return v
			}
			return h.Shown(h.orders, Record{Seq: 1, TimeMs: 6, Data: h.acked.recs[0]})
		}},
		{"a stream is made twice", "stream-twice", func(h *history) *Violation {
			h.Created(h.Creating("orders"), true, false)
			return nil
		}},
		{"a stream is made again after it was deleted", "", func(h *history) *Violation {
			h.Created(h.Creating("old"), true, false)
			return nil
		}},
		{"the trim under way is to be seen", "", func(h *history) *Violation {
			h.ShownState(h.orders, StreamState{First: 2, Durable: 2, Next: 6})
			return nil
		}},
		{"a trim nobody asked for is to be seen", "trim", func(h *history) *Violation {
			h.ShownState(h.orders, StreamState{First: 3, Durable: 5, Next: 6})
			return nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHistory()
			v := tt.happens(h)
			if v == nil {
				v = h.Broken()
			}
			wantClass(t, v, tt.class)
		})
	}
}

// What clients were told has to hold after the next recovery.
func TestOracleRemembers(t *testing.T) {
	for _, tt := range []struct {
		name, class string
		happens     func(*history)
		change      func(*history, *fakeStore, *fakeStream)
	}{
		{
			"what was awaited", "lost", func(h *history) { h.Durable(h.orders, 5) },
			func(_ *history, _ *fakeStore, s *fakeStream) { s.cut(5) },
		},
		{
			"what was shown", "lost", func(h *history) { _ = h.Shown(h.orders, Record{Seq: 5, Data: h.accepted.recs[2]}) },
			func(_ *history, _ *fakeStore, s *fakeStream) { s.cut(5) },
		},
		{
			"where the end was shown", "lost", func(h *history) { h.ShownState(h.orders, StreamState{First: 1, Durable: 5, Next: 6}) },
			func(_ *history, _ *fakeStore, s *fakeStream) { s.cut(5) },
		},
		{
			"that the store was closed", "lost", func(h *history) { h.Closed() },
			func(_ *history, _ *fakeStore, s *fakeStream) { s.cut(5) },
		},
		{
			"a trim", "trim", func(h *history) { h.Trimmed(h.orders, 2) },
			func(*history, *fakeStore, *fakeStream) {},
		},
		{
			"where the beginning was shown", "trim", func(h *history) { h.ShownState(h.orders, StreamState{First: 2, Durable: 2, Next: 6}) },
			func(*history, *fakeStore, *fakeStream) {},
		},
		{
			"a deletion", "stream-stranger", func(h *history) { h.Deleting(h.orders); h.Deleted(h.orders) },
			func(*history, *fakeStore, *fakeStream) {},
		},
		{
			"a deletion without an answer, that happened", "", func(h *history) { h.Deleting(h.orders) },
			func(_ *history, f *fakeStore, _ *fakeStream) { f.streams = nil },
		},
		{
			"a deletion without an answer, that did not", "", func(h *history) { h.Deleting(h.orders) },
			func(*history, *fakeStore, *fakeStream) {},
		},
		{
			"a stream whose making was not answered", "", func(h *history) { h.Creating("audit") },
			func(h *history, f *fakeStore, _ *fakeStream) {
				s := h.names["audit"][0]
				f.streams = append(f.streams, &fakeStream{state: StreamState{Name: "audit", Meta: s.meta(), First: 1, Next: 1}})
			},
		},
		{
			"a stream whose making was refused", "stream-stranger", func(h *history) { h.Created(h.Creating("audit"), false, true) },
			func(_ *history, f *fakeStore, _ *fakeStream) {
				s := &stream{id: 7}
				f.streams = append(f.streams, &fakeStream{state: StreamState{Name: "audit", Meta: s.meta(), First: 1, Next: 1}})
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHistory()
			tt.happens(h)
			f, s := h.recovered()
			tt.change(h, f, s)
			_, v := h.Check(t.Context(), f, nil)
			wantClass(t, v, tt.class)
		})
	}
}

// What was not there after a recovery never comes back, and what was there
// stays.
func TestOracleAdopts(t *testing.T) {
	for _, tt := range []struct {
		name, class   string
		first, second func(*history, *fakeStream)
	}{
		{"the same twice", "", func(*history, *fakeStream) {}, func(*history, *fakeStream) {}},
		{"what was gone is back", "stranger", func(_ *history, s *fakeStream) { s.cut(2) }, func(h *history, s *fakeStream) { s.put(h.sent) }},
		{"what was accepted and gone is back", "stranger", func(_ *history, s *fakeStream) { s.cut(5) }, func(h *history, s *fakeStream) { s.put(h.accepted) }},
		{"what was there is gone", "lost", func(*history, *fakeStream) {}, func(_ *history, s *fakeStream) { s.cut(2) }},
		{"a time is another one", "time-changed", func(*history, *fakeStream) {}, func(_ *history, s *fakeStream) { s.recs[0].TimeMs++ }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHistory()
			f, s := h.recovered()
			tt.first(h, s)
			verdict, v := h.Check(t.Context(), f, nil)
			if v != nil {
				t.Fatal(v)
			}
			h.Adopt(verdict)
			tt.second(h, s)
			_, v = h.Check(t.Context(), f, nil)
			wantClass(t, v, tt.class)
		})
	}
}
