package sim

import (
	"testing"
	"time"
)

// asking is a history in which a batch was sent that wants to become record expect, with
// a time of its own.
func asking(expect uint64) (*history, *batch, uint64) {
	h := newHistory()
	b := h.Sending(h.orders, []int{20})
	return h, b, h.Asking(h.orders, b, expect, true)
}

func TestOracleOfConditionalAppends(t *testing.T) {
	for _, tt := range []struct {
		name, class string
		expect      uint64
		happens     func(*history, *batch, uint64)
	}{
		{"it becomes what it expected", "", 6, func(h *history, b *batch, _ uint64) { h.Sent(h.orders, b, 6, false) }},
		{"it becomes another", "expectation", 6, func(h *history, b *batch, _ uint64) { h.Sent(h.orders, b, 8, false) }},
		{"it is read as another", "expectation", 6, func(h *history, b *batch, _ uint64) {
			h.Breach(h.Shown(h.orders, Record{Seq: 8, Event: b.events[0], Data: b.recs[0]}))
		}},
		{"refused for the next record", "", 5, func(h *history, b *batch, known uint64) {
			h.Mismatched(h.orders, b, known, &MismatchError{5, 6})
		}},
		{"refused for one that was under way", "", 6, func(h *history, b *batch, known uint64) {
			h.Mismatched(h.orders, b, known, &MismatchError{6, 8})
		}},
		{"refused for one from the past", "mismatch", 6, func(h *history, b *batch, known uint64) {
			h.Mismatched(h.orders, b, known, &MismatchError{6, 5})
		}},
		{"refused for one that nobody sent", "mismatch", 6, func(h *history, b *batch, known uint64) {
			h.Mismatched(h.orders, b, known, &MismatchError{6, 10})
		}},
		{"refused for what it expected", "mismatch", 6, func(h *history, b *batch, known uint64) {
			h.Mismatched(h.orders, b, known, &MismatchError{6, 6})
		}},
		{"refused for what it did not expect", "mismatch", 5, func(h *history, b *batch, known uint64) {
			h.Mismatched(h.orders, b, known, &MismatchError{4, 6})
		}},
		{"refused and expected nothing", "mismatch", 0, func(h *history, b *batch, known uint64) {
			h.Mismatched(h.orders, b, known, &MismatchError{0, 6})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, b, known := asking(tt.expect)
			tt.happens(h, b, known)
			wantClass(t, h.Broken(), tt.class)
		})
	}
}

// A batch that was refused for its expectation is nowhere, and one that was not answered
// is where it expected to be.
func TestOracleOfConditionalAppendsAfterACrash(t *testing.T) {
	for _, tt := range []struct {
		name, class string
		expect      uint64
	}{
		{"as it expected", "", 8},
		{"not as it expected", "expectation", 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, b, _ := asking(tt.expect)
			b.events = nil // put gives none
			f, s := h.recovered()
			s.put(b)
			_, v := h.Check(t.Context(), f, nil)
			wantClass(t, v, tt.class)
		})
	}
}

func TestOracleOfClientsTimes(t *testing.T) {
	for _, tt := range []struct {
		name, class string
		change      func(*Record)
	}{
		{"as it was sent", "", func(*Record) {}},
		{"in another place of the world", "", func(r *Record) { r.Event = r.Event.In(time.FixedZone("", 3600)) }},
		{"later by a nanosecond", "event-time", func(r *Record) { r.Event = r.Event.Add(1) }},
		{"none", "event-time", func(r *Record) { r.Event = time.Time{} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, b, _ := asking(0)
			b.events[0] = time.Unix(-7, 7)
			r := Record{Seq: 8, Event: b.events[0], Data: b.recs[0]}
			tt.change(&r)
			wantClass(t, h.Shown(h.orders, r), tt.class)
		})
	}
	h := newHistory()
	wantClass(t, h.Shown(h.orders, Record{Seq: 1, Event: time.Unix(1, 0), Data: h.acked.recs[0]}), "event-time")
}
