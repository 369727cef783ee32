package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aof2/aof/internal/fsys/memfs"
)

// isRound reports whether op writes or syncs the frames of a round: not a header,
// not current.
func isRound(op *memfs.Op) bool {
	switch {
	case !strings.Contains(op.Name, ".aof"):
		return false
	case op.Kind == memfs.OpWrite:
		return op.Off > 0 && op.Len > markBytes
	}
	return op.Kind == memfs.OpSync
}

// A write or sync that fails once costs a file and nothing else, at whatever round
// it happens, during a roll too: everything is acknowledged, read back, and there
// in the next life.
func TestOneFailureCostsOneFile(t *testing.T) {
	for _, kind := range []memfs.OpKind{memfs.OpSync, memfs.OpWrite} {
		for n := range 40 {
			w := begin(t)
			l := w.create()
			seen, failed := 0, ""
			w.mem.SetHook(func(op *memfs.Op) error {
				if op.Kind != kind || !isRound(op) {
					return nil
				}
				if seen++; seen == n+1 {
					failed = op.Name
					op.Partial = int(op.Len) / 2
					return memfs.ErrIO
				}
				return nil
			})
			var want []string
			for i := range 12 {
				rec := strings.Repeat(fmt.Sprint(i%10), 3000)
				seq, err := w.tryAppend(l, rec)
				for try := 0; try < 2 && seq == 0 && errors.Is(err, memfs.ErrIO); try++ {
					seq, err = w.tryAppend(l, rec) // a file could not be prepared: that is told, once
				}
				if err != nil {
					t.Fatalf("%s %d: %v", kind, n, err)
				}
				want = append(want, rec)
			}
			if failed == "" {
				if n < 12 {
					t.Fatalf("%s: only %d of them", kind, n)
				}
				break
			}
			if len(w.j.mu.files) > 0 && w.j.Err() != nil {
				t.Fatalf("%s %d: read-only: %v", kind, n, w.j.Err())
			}
			w.wantRecords(l, want...)
			power := w.mem.Crash(newRand(uint64(n)), memfs.Loss{})
			for _, mem := range []*memfs.Mem{w.kill(), power} {
				outcome{records: want}.check(t, mem, life{})
			}
		}
	}
}

// What waits behind the failed round, in the same slot and in the next, moves with
// it, in order.
func TestAPoisonedSlotMovesWithAllThatIsInIt(t *testing.T) {
	w := begin(t)
	l := w.create()
	w.append(l, strings.Repeat("a", 6000))
	if err := w.pump(); err != nil {
		t.Fatal(err)
	}
	armed := true
	w.mem.SetHook(func(op *memfs.Op) error {
		if armed && op.Kind == memfs.OpSync && strings.HasPrefix(op.Name, fileName(1)) {
			armed = false
			return memfs.ErrIO
		}
		return nil
	})
	b, c := strings.Repeat("b", 2000), strings.Repeat("c", 7000)
	if err := w.together(l, b, c); err != nil { // c does not fit the file
		t.Fatal(err)
	}
	w.append(l, "d")
	w.wantRecords(l, strings.Repeat("a", 6000), b, c, "d")
	if got := w.count(Poisoned); got != 1 {
		t.Errorf("%d files poisoned", got)
	}
	for _, f := range w.j.mu.files {
		if f.State() == StateRolled && f.End() > f.Size() {
			t.Errorf("file %d ends at %d of %d", f.ID, f.End(), f.Size())
		}
	}
	outcome{records: []string{strings.Repeat("a", 6000), b, c, "d"}}.check(t, w.kill(), life{})
}

// When nothing can be made durable the journal says so to everybody who waits, and
// to everybody who comes later; what was acknowledged is read.
func TestWhenEveryFileFailsTheJournalIsReadOnly(t *testing.T) {
	w := begin(t)
	l := w.create()
	w.append(l, "acknowledged")
	w.mem.SetHook(func(op *memfs.Op) error {
		if op.Kind == memfs.OpSync {
			return memfs.ErrIO
		}
		return nil
	})
	first, err := w.j.TryAppend(l, Batch{Records: [][]byte{[]byte("one")}}, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.j.TryAppend(l, Batch{Records: [][]byte{[]byte("two")}}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	waits := make(chan error, 3)
	go func() { waits <- w.j.WaitDone(second) }()
	go func() { waits <- w.j.WaitDurable(context.Background(), l, second.First) }()
	go func() { waits <- w.j.Wait(context.Background(), first) }()
	for range 3 {
		if err := <-waits; !errors.Is(err, ErrReadOnly) || !errors.Is(err, memfs.ErrIO) {
			t.Errorf("a waiter was told %v", err)
		}
	}
	<-w.j.Failed()
	if _, err := w.tryAppend(l, "three"); !errors.Is(err, ErrReadOnly) {
		t.Errorf("append: %v", err)
	}
	if wants := w.j.Wants(); wants != (Wants{}) {
		t.Errorf("a read-only journal wants %+v", wants)
	}
	w.wantRecords(l, "acknowledged")
	if w.count(ReadOnly) != 1 || w.count(Poisoned) == 0 {
		t.Errorf("events: %d read-only, %d poisoned", w.count(ReadOnly), w.count(Poisoned))
	}
	mem := w.mem.Clone()
	if err := w.j.Close(context.Background()); !errors.Is(err, ErrReadOnly) {
		t.Errorf("close: %v", err)
	}
	w.over = true
	w = open(t, mem, life{})
	if got := w.read(w.j.Lane(1)); w.found.ReadOnly == nil && (len(got) == 0 || got[0] != "acknowledged") {
		t.Errorf("the next life has %q", got)
	}
	if w.found.Clean {
		t.Error("the end counts as clean")
	}
}

// A file that was given up while the journal rolled is not taken for a prepared
// one by the life after a clean end, though its roll frame may be lost.
func TestAnAbandonedFileIsNotUsedAgainAsItIs(t *testing.T) {
	for seed := range uint64(20) {
		w := begin(t)
		l := w.create()
		w.append(l, "a")
		for range 2 { // so that another is ready when the first fails
			if err := w.j.Prepare(nothingBefore); err != nil {
				t.Fatal(err)
			}
		}
		armed := true
		w.mem.SetHook(func(op *memfs.Op) error {
			if armed && op.Kind == memfs.OpWrite && strings.HasPrefix(op.Name, fileName(2)) {
				armed = false
				return memfs.ErrIO
			}
			return nil
		})
		w.roll()
		w.append(l, "b")
		abandoned := headerOf(t, w.mem, 2).Nonce
		mem := w.close().Crash(newRand(seed), memfs.Loss{})
		w = open(t, mem, life{})
		for _, f := range w.j.mu.prepared {
			if f.Nonce == abandoned {
				t.Fatal("the abandoned file counts as prepared")
			}
		}
		w.wantRecords(w.j.Lane(1), "a", "b")
		w.end()
	}
}

// Close does not wait for ever, and who was not made durable is told.
func TestCloseTellsThoseItAbandons(t *testing.T) {
	w := begin(t)
	l := w.create()
	ticket, err := w.j.TryAppend(l, Batch{Records: [][]byte{[]byte("a")}}, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // before the one who is to lead has come to it
	closed := make(chan error)
	go func() { closed <- w.j.Close(ctx) }()
	for !w.j.Closed() {
	}
	w.j.mu.Lock()
	for !w.j.mu.stopped {
		w.j.mu.Unlock()
		w.j.mu.Lock()
	}
	w.j.mu.Unlock()
	if err := w.j.Wait(context.Background(), ticket); !errors.Is(err, ErrClosed) {
		t.Errorf("the one who was to lead is told %v, and nothing was written", err)
	}
	if err := <-closed; !errors.Is(err, context.Canceled) {
		t.Errorf("close: %v", err)
	}
	w.over = true
	w = open(t, w.mem, life{})
	if got := w.read(w.j.Lane(1)); len(got) != 0 {
		t.Errorf("the next life has %q", got)
	}
}
