package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/fsys/memfs"
	"github.com/aof2/aof/internal/segment"
)

// The arranger lays frames of a stream side by side. It keeps the order within
// each stream, and nothing passes a decision or a mark.
func TestArrangedFramesKeepTheirOrder(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 5))
		var part []byte
		next := map[uint32]uint64{}
		streams := 1 + rng.IntN(6)
		type id struct {
			ordinal uint32
			first   uint64
		}
		group, groupOf := 0, map[id]int{}
		for range rng.IntN(40) {
			o := uint32(rng.IntN(streams + 1))
			kind := segment.KindData
			if o == 0 {
				kind = segment.KindControl
				group++
			}
			next[o]++
			groupOf[id{o, next[o]}] = group
			part = segment.AppendFrame(part, kind, o, next[o], 0, [][]byte{make([]byte, rng.IntN(20))})
			if o == 0 {
				group++
			}
		}
		var a arranger
		out := a.arrange(part)
		if len(out) != len(part) {
			t.Fatalf("seed %d: %d bytes became %d", seed, len(part), len(out))
		}
		seen := map[uint32]uint64{}
		last, lastOrdinal, closed := 0, uint32(0), map[uint32]bool{}
		for at := 0; at < len(out); {
			f := segment.Peek(out[at:])
			at += int(f.Length)
			if f.First != seen[f.Ordinal]+1 {
				t.Fatalf("seed %d: stream %d goes from %d to %d", seed, f.Ordinal, seen[f.Ordinal], f.First)
			}
			seen[f.Ordinal] = f.First
			g := groupOf[id{f.Ordinal, f.First}]
			if g < last {
				t.Fatalf("seed %d: a frame of stream %d passed a decision", seed, f.Ordinal)
			}
			if g > last {
				closed = map[uint32]bool{}
			} else if f.Ordinal != lastOrdinal && closed[f.Ordinal] {
				t.Fatalf("seed %d: frames of stream %d do not lie side by side", seed, f.Ordinal)
			}
			last, lastOrdinal = g, f.Ordinal
			closed[f.Ordinal] = true
		}
		for o, n := range next {
			if seen[o] != n {
				t.Fatalf("seed %d: stream %d has %d of %d frames", seed, o, seen[o], n)
			}
		}
	}
}

func TestPartsOfARoundBeginWhereSlotsDo(t *testing.T) {
	rows := []struct {
		bytes int
		cuts  []int
		want  string
	}{
		{8, nil, "0-8 "},
		{8, []int{0}, "0-8* "},
		{8, []int{4}, "0-4 4-8* "},
		{8, []int{0, 4}, "0-4* 4-8* "},
		{8, []int{2, 4, 6}, "0-2 2-4* 4-6* 6-8* "},
	}
	for _, row := range rows {
		r := newRound(1, nil)
		for i := range row.bytes {
			r.buf = append(r.buf, byte(i))
		}
		r.cuts = row.cuts
		got := ""
		r.parts(func(part []byte, begins bool) bool {
			got += fmt.Sprintf("%d-%d", part[0], int(part[len(part)-1])+1)
			if begins {
				got += "*"
			}
			got += " "
			return true
		})
		if got != row.want {
			t.Errorf("%+v: %s", row, got)
		}
	}
}

// Whatever mixture of streams, batches and files, a round's frames are where the
// lanes say they are.
func TestRoundsOverManyFiles(t *testing.T) {
	for seed := range uint64(15) {
		rng := rand.New(rand.NewPCG(seed, 9))
		w := begin(t)
		lanes := []*Lane{w.create(), w.create(), w.create()}
		want := map[uint32][]string{}
		for range 30 {
			var first *Ticket
			for n := range 1 + rng.IntN(12) {
				l := lanes[rng.IntN(3)]
				rec := fmt.Sprintf("%d.%d %s", l.Ordinal, n, strings.Repeat("x", rng.IntN(1500)))
				if err := w.keepGoing(func() error {
					ticket, err := w.j.TryAppend(l, Batch{Records: [][]byte{[]byte(rec)}}, first == nil, nil)
					if err == nil && first == nil {
						first = &ticket
					}
					var b *BlockError
					if errors.As(err, &b) && first != nil { // who leads must not wait for others
						ticket := *first
						first = nil
						_ = w.j.Wait(context.Background(), ticket)
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
				want[l.Ordinal] = append(want[l.Ordinal], rec)
			}
			if first != nil {
				if err := w.j.Wait(context.Background(), *first); err != nil {
					t.Fatal(err)
				}
			}
			w.idle()
			if rng.IntN(3) == 0 && w.j.Rolled() != nil {
				w.seal()
			}
		}
		for _, l := range lanes {
			w.wantRecords(l, want[l.Ordinal]...)
		}
		w = open(t, w.kill(), life{})
		for o, recs := range want {
			w.wantRecords(w.j.Lane(o), recs...)
		}
		w.end()
	}
}

func TestRollingAnEmptySlotNeitherLosesItNorOpensAnother(t *testing.T) {
	w := begin(t)
	if ticket, err := w.j.TryRoll(); err == nil && ticket != nil {
		t.Error("a journal without a file was rolled")
	}
	if err := w.pump(); err != nil { // a slot is there and nothing in it
		t.Fatal(err)
	}
	w.roll()
	l := w.create()
	// A slot is full to the last byte, so that the roll itself has to open one.
	w.append(l, "a")
	for i := range 3 {
		w.roll()
		if w.j.mu.unbound != 0 {
			t.Fatalf("roll %d: %d slots are bound to no file", i, w.j.mu.unbound)
		}
		room := w.j.mu.slot.capacity - w.j.mu.slot.used - segment.IndexBound(w.j.mu.slot.frames+1, w.j.mu.slot.lanes+1) - segment.FooterBytes
		n := room - segment.FrameLength(1, 0)
		w.append(l, strings.Repeat("f", int(n)))
		if w.j.mu.slot.fits(markBytes, true) {
			t.Fatalf("roll %d: there is still room", i)
		}
		if err := w.together(l, "b"); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range w.j.mu.files {
		if f.End() > testFileSize {
			t.Errorf("file %d ends at %d", f.ID, f.End())
		}
	}
	if w.j.mu.unbound != 0 {
		t.Errorf("%d slots are bound to no file", w.j.mu.unbound)
	}
}

func TestRefusalsHaveNoEffect(t *testing.T) {
	w := open(t, memfs.New(4), life{flush: 4096})
	l := w.create()
	w.append(l, "a")
	first, durable, next := w.j.Bounds(l)
	check := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		if f, d, n := w.j.Bounds(l); f != first || d != durable || n != next {
			t.Errorf("%s: the bounds went to %d, %d, %d", what, f, d, n)
		}
	}
	_, err := w.j.TryAppend(l, Batch{Records: [][]byte{make([]byte, testFileSize)}}, false, nil)
	check("a batch larger than a file", err, ErrTooLarge)
	w.roll()
	_, err = w.j.TryAppend(l, Batch{Records: [][]byte{make([]byte, BatchRoom(testFileSize)+1)}}, false, nil)
	check("a batch larger than the room in a file", err, ErrTooLarge)
	gone := w.create()
	w.j.mu.Lock()
	w.j.GoneLocked(gone)
	w.j.mu.Unlock()
	_, err = w.j.TryAppend(gone, Batch{Records: [][]byte{nil}}, false, nil)
	check("a stream that is gone", err, ErrGone)

	// The largest batch is taken though it exceeds what may be accepted, when
	// nothing else is.
	w.append(l, string(make([]byte, BatchRoom(testFileSize)-segment.FrameLength(1, 0)-8)))
	first, durable, next = w.j.Bounds(l)
	w.mem.SetFree(0)
	if err := w.pump(); !errors.Is(err, fsys.ErrNoSpace) {
		t.Fatalf("prepare on a full disk: %v", err)
	}
	w.j.SetClearing(false, w.j.changed.At())
	_, err = w.j.TryAppend(l, Batch{Records: [][]byte{make([]byte, 8000)}}, false, nil)
	check("a full disk", err, ErrFull)
	var stale *StaleError
	if !errors.As(err, &stale) {
		t.Errorf("a full disk: %T", err)
	}
	w.mem.SetFree(-1)
	if !w.j.Wants().Prepare {
		t.Error("no further attempt was asked for")
	}
	w.append(l, string(make([]byte, 8000)))
	_ = w.close()
	_, err = w.j.TryAppend(l, Batch{Records: [][]byte{nil}}, false, nil)
	first, durable, next = w.j.Bounds(l)
	check("a closed journal", err, ErrClosed)
	_, err = w.j.TryRoll()
	check("a roll of a closed journal", err, ErrClosed)
}

// What waits for room in the buffer waits for a round that comes.
func TestFlushRefusesUntilARoundEnds(t *testing.T) {
	w := open(t, memfs.New(4), life{flush: 1000})
	l := w.create()
	lead, err := w.j.TryAppend(l, Batch{Records: [][]byte{make([]byte, 900)}}, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.j.TryAppend(l, Batch{Records: [][]byte{make([]byte, 900)}}, false, nil)
	var b *BlockError
	if !errors.As(err, &b) || b.Block != Flush {
		t.Fatalf("refused with %v", err)
	}
	select {
	case <-b.Mark.Reached(b.Target):
		t.Fatal("worthwhile before the round")
	default:
	}
	if err := w.j.Wait(context.Background(), lead); err != nil {
		t.Fatal(err)
	}
	<-b.Mark.Reached(b.Target)
	w.append(l, string(make([]byte, 900)))
	if s := w.j.Stats(); s.Unflushed != 0 || s.BlockedFlush != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestTimeDoesNotStepBackALittle(t *testing.T) {
	w := begin(t)
	now := int64(1_000_000)
	w.j.cfg.Now = func() time.Time { return time.UnixMilli(now) }
	l := w.create()
	var want []int64
	for _, step := range []struct{ now, want int64 }{
		{1_001_000, 1_001_000},
		{991_001, 1_001_000},
		{1_000_999, 1_001_000},
		{1_001_001, 1_001_001},
		{991_001, 991_001},
		{991_006, 991_006},
	} {
		now = step.now
		w.append(l, "r")
		want = append(want, step.want)
	}
	c := w.j.Cursor(l, 1)
	defer c.Release()
	for i := range want {
		if !c.Holds() {
			if err := c.Fill(); err != nil {
				t.Fatal(err)
			}
		}
		r, err := c.Next()
		if err != nil || r.TimeMs != want[i] {
			t.Errorf("record %d has time %d, want %d (%v)", i+1, r.TimeMs, want[i], err)
		}
	}
	if n := w.count(ClockWentBack); n != 1 {
		t.Errorf("%d events about the clock", n)
	}
	// The next life does not step back either.
	now += 100
	w.append(l, "last")
	w2 := open(t, w.kill(), life{})
	if w2.j.mu.lastTime < now {
		t.Errorf("the next life begins at %d, this one was at %d", w2.j.mu.lastTime, now)
	}
}
