package sim

import (
	"context"
	"errors"
	"testing"
)

// What a reader may do that goes on behind record 5, the last of those accepted.
func TestOracleOfPlaces(t *testing.T) {
	lost := func(h *history) { h.accepted.lost = true }
	for _, tt := range []struct {
		name, class string
		happens     func(*history)
		r           resumption
	}{
		{"it goes on behind it", "", nil, resumption{before: 1, after: 1, to: 7, next: 8}},
		{"there is nothing behind it", "", nil, resumption{before: 1, after: 1, to: 5, next: 6}},
		{"it fails on the way", "", nil, resumption{before: 1, after: 1, to: 7, next: 7, err: errors.New("bad")}},
		{"it ends early", "short", nil, resumption{before: 1, after: 1, to: 7, next: 7}},
		{"it is refused", "place-refused", nil, resumption{before: 1, after: 1, to: 7, next: 6, err: ErrDiverged}},
		{"it is refused, and lost", "", lost, resumption{before: 1, after: 1, to: 7, next: 6, err: ErrDiverged}},
		{"it is refused too late", "place-refused", lost, resumption{before: 1, after: 1, to: 7, next: 7, err: ErrDiverged}},
		{"it goes on, and it was lost", "place-mistaken", lost, resumption{before: 1, after: 1, to: 7, next: 8}},
		{"it stands, and it was lost", "place-mistaken", lost, resumption{before: 1, after: 1, to: 5, next: 6}},
		{"it goes on, and it was lost and its successor trimmed", "", lost, resumption{before: 6, after: 6, to: 7, next: 8}},
		{"it goes on, and it was trimmed", "", nil, resumption{before: 6, after: 6, to: 7, next: 8}},
		{"it goes on, and more was trimmed", "place-mistaken", nil, resumption{before: 7, after: 7, to: 7, next: 8}},
		{"more was trimmed", "", nil, resumption{before: 7, after: 7, to: 8, next: 6, err: ErrTrimmed}},
		{"more was trimmed, it says", "place-trimmed", nil, resumption{before: 6, after: 6, to: 8, next: 6, err: ErrTrimmed}},
		{"more was trimmed on the way", "", nil, resumption{before: 1, after: 8, to: 8, next: 7, err: ErrTrimmed}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHistory()
			h.Keep(h.orders, 5, "here")
			if tt.happens != nil {
				tt.happens(h)
			}
			tt.r.stream = h.orders
			wantClass(t, h.Resumed(h.Kept("orders", 1), &tt.r), tt.class)
		})
	}
}

// A place in a stream that was deleted is none in the one that has its name now.
func TestOracleOfPlacesInANamesake(t *testing.T) {
	for _, tt := range []struct {
		name, class string
		r           resumption
	}{
		{"it is refused", "", resumption{err: ErrDiverged}},
		{"it goes on", "place-mistaken", resumption{to: 5}},
		{"it is taken for trimmed", "place-trimmed", resumption{before: 9, after: 9, err: ErrTrimmed}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHistory()
			h.Keep(h.orders, 5, "here")
			h.Deleting(h.orders)
			h.Deleted(h.orders)
			tt.r.stream, tt.r.next = h.Creating("orders"), 6
			wantClass(t, h.Resumed(h.Kept("orders", 1), &tt.r), tt.class)
		})
	}
}

// seekingStream is a stream that goes on as a test wants.
type seekingStream struct {
	*fakeStream
	begin   uint64
	failure error
}

func (s *seekingStream) Since(context.Context, int64, uint64, func(Record) error) error { return nil }

func (s *seekingStream) Cursor(uint64) (string, error) { return "", nil }

func (s *seekingStream) Resume(ctx context.Context, at string, to uint64, visit func(Record) error) (string, error) {
	if s.failure != nil {
		return "", s.failure
	}
	return at, s.Read(ctx, s.begin, max(to, s.begin), visit)
}

// seekingStore hands out such a stream.
type seekingStore struct {
	*fakeStore
	stream *seekingStream
}

func (s *seekingStore) Stream(context.Context, string) (Stream, error) { return s.stream, nil }

// After a recovery places are gone back to as well.
func TestOracleOfPlacesAfterACrash(t *testing.T) {
	for _, tt := range []struct {
		name, class string
		seq, begin  uint64
		cut         int
		failure     error
	}{
		{"it goes on", "", 2, 3, 0, nil},
		{"it repeats", "order", 2, 2, 0, nil},
		{"it skips", "order", 2, 4, 0, nil},
		{"it ends", "short", 2, 9, 0, nil},
		{"it is refused", "place-refused", 2, 0, 0, ErrDiverged},
		{"it cannot be read", "unreadable", 2, 0, 0, errors.New("bad")},
		{"what was lost is refused", "", 5, 0, 5, ErrDiverged},
		{"what was lost is not noticed", "place-mistaken", 5, 6, 5, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHistory()
			h.Keep(h.orders, tt.seq, "here")
			f, s := h.recovered()
			s.cut(tt.cut)
			st := &seekingStore{f, &seekingStream{s, tt.begin, tt.failure}}
			_, v := h.Check(t.Context(), st, nil)
			wantClass(t, v, tt.class)
		})
	}
}

// Of the places behind records that were lost none is forgotten while there are others.
func TestOracleForgetsPlaces(t *testing.T) {
	h := newHistory()
	h.Keep(h.orders, 5, "lost")
	h.accepted.lost = true
	for range 3 * mostKept {
		h.Keep(h.orders, 2, "there")
	}
	if k := h.Kept("orders", 0); k.at != "lost" || len(h.kept) != mostKept {
		t.Errorf("%d places, among those lost first %q", len(h.kept), k.at)
	}
	if k := h.Kept("orders", 3); k.at != "there" {
		t.Errorf("the place %q", k.at)
	}
	if k := h.Kept("audit", 0); k != nil {
		t.Errorf("the place %q of another stream", k.at)
	}
}
