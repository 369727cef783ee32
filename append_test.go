package aof_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

func TestAnAppendIsDurableByDefault(t *testing.T) {
	d, _, st := active(t, aoftest.Small())
	batchOf := func(recs ...[]byte) (aof.Seq, error) { return st.AppendBatch(ctx, batch(aof.AckDurable, recs...)) }
	ending, cancel := context.WithCancel(ctx)
	defer cancel()
	for i, appendOne := range []func(recs ...[]byte) (aof.Seq, error){
		func(recs ...[]byte) (aof.Seq, error) { return st.Append(ctx, recs...) },    // leads its round itself
		func(recs ...[]byte) (aof.Seq, error) { return st.Append(ending, recs...) }, // the writer leads
		batchOf,
	} {
		seq := aof.Seq(i + 1)
		if got, err := appendOne([]byte(text(seq))); got != seq || err != nil {
			t.Fatalf("append: seq %d, %v", got, err)
		}
		if b := st.Bounds(); b.Durable != seq {
			t.Errorf("acknowledged record %d, and durable is %d", seq, b.Durable)
		}
		for seed := range uint64(5) { // whatever power loss does
			after := d.Crash(seed).Open(aoftest.Small())
			expectSeqs(t, read(t, stream(t, after, "s"), aof.ReaderOptions{}), 1, seq)
		}
	}
}

// A buffered acknowledgement has to be asked for, and does not wait for the sync.
func TestAcceptedIsAcknowledgedBeforeTheSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _, st := active(t, aoftest.Small())
		hold := d.HoldSyncs()
		seq, err := st.AppendBatch(ctx, batch(aof.AckAccepted, []byte("record 1")))
		if seq != 1 || err != nil {
			t.Fatalf("seq %d, %v", seq, err)
		}
		if b := st.Bounds(); b.Durable != 0 || b.Next != 2 {
			t.Errorf("bounds %+v", b)
		}
		hold.Release()
		expect(t, "wait", st.WaitDurable(ctx, 1), nil)
		expectSeqs(t, read(t, st, aof.ReaderOptions{}), 1, 1)
	})
}

// A buffered append that had to wait for a file is flushed like any other, though
// nobody waits for it.
func TestABufferedAppendThatWaitedIsFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, aoftest.Small())
		fill(t, st, 1, 0)
		expect(t, "close", s.Close(), nil)
		s = d.Open(aoftest.Small())
		st = stream(t, s, "s")
		seq, err := st.AppendBatch(ctx, batch(aof.AckAccepted, []byte("record 2"))) // the first of this life
		if seq != 2 || err != nil {
			t.Fatalf("seq %d, %v", seq, err)
		}
		if s.Stats().WouldBlock[aof.BlockRollover] == 0 {
			t.Error("it did not have to wait")
		}
		synctest.Wait()
		if b := st.Bounds(); b.Durable != 2 {
			t.Errorf("it is not flushed: %+v", b)
		}
	})
}

func TestWaitDurableOfARecordThatWasNeverGiven(t *testing.T) {
	_, _, st := active(t, nil)
	fill(t, st, 2, 0)
	for _, seq := range []aof.Seq{0, 3, 1 << 60} {
		expect(t, "wait", st.WaitDurable(ctx, seq), aof.ErrInvalid)
	}
	cancelled, cancel := context.WithCancelCause(ctx)
	cancel(errStop)
	expect(t, "wait with a context that has ended", st.WaitDurable(cancelled, 1), errStop)
}

func TestBatchesOfEverySize(t *testing.T) {
	_, s, st := active(t, nil)
	for _, n := range []int{1, 2, 1000, 1_000_000} {
		before := st.Bounds()
		seq, err := st.Append(ctx, make([][]byte, n)...)
		expect(t, "append", err, nil)
		lawful(t, st, before, n, seq, err)
	}
	b := st.Bounds()
	r, err := st.Reader(aof.ReaderOptions{To: b.Durable})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want := aof.Seq(1)
	for rec, err := range r.All(ctx) {
		if err != nil || rec.Seq != want || len(rec.Data) != 0 {
			t.Fatalf("record %d of %d bytes, %v; want %d", rec.Seq, len(rec.Data), err, want)
		}
		want++
	}
	if want != 1_001_004 {
		t.Errorf("read up to %d", want-1)
	}
	if got := s.Stats(); got.Records != 1_001_003 || got.Appends != 4 {
		t.Errorf("stats tell of %d records in %d appends", got.Records, got.Appends)
	}
	expect(t, "append of nothing", func() error { _, err := st.AppendBatch(ctx, &aof.Batch{}); return err }(), aof.ErrInvalid)
	_, err = st.AppendBatch(ctx, nil)
	expect(t, "append of no batch", err, aof.ErrInvalid)
	_, err = st.TryAppendBatch(nil)
	expect(t, "try to append no batch", err, aof.ErrInvalid)
	_, err = st.AppendBatch(ctx, batch(aof.Ack(7), []byte("x")))
	expect(t, "append with an unknown acknowledgement", err, aof.ErrInvalid)
}

func TestTheLargestRecordAndTheLargestBatchFit(t *testing.T) {
	for _, size := range []int64{aof.MinHotFileSize, 100_000, 1 << 20} {
		_, _, st := active(t, &aof.Options{HotFileSize: size})
		lo, hi := 1, int(size) // the largest record that is taken
		for hi-lo > 1 {
			if mid := (lo + hi) / 2; tryOnce(t, st, mid) {
				lo = mid
			} else {
				hi = mid
			}
		}
		if lo < int(size)/3 {
			t.Errorf("files of %d bytes take records of %d", size, lo)
		}
		for range 3 {
			if _, err := st.Append(ctx, make([]byte, lo)); err != nil {
				t.Errorf("append of %d bytes to files of %d: %v", lo, size, err)
			}
		}
	}
}

// tryOnce reports whether a record of n bytes is taken.
func tryOnce(t *testing.T, st *aof.Stream, n int) bool {
	t.Helper()
	before := st.Bounds()
	seq, err := st.Append(ctx, make([]byte, n))
	lawful(t, st, before, 1, seq, err)
	if err != nil {
		expect(t, "append", err, aof.ErrTooLarge)
	}
	return err == nil
}

// After a crash a batch is there whole or not at all.
func TestABatchIsAtomicAcrossACrash(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			d, _, st := active(t, aoftest.Small())
			fill(t, st, 2, 0)
			hold := d.HoldSyncs()
			ends := map[aof.Seq]bool{2: true}
			for range 3 {
				var recs [][]byte
				for range 1 + rng.IntN(20) {
					recs = append(recs, bytes.Repeat([]byte("x"), rng.IntN(600)))
				}
				seq, err := st.TryAppend(recs...)
				if err != nil {
					t.Fatal(err)
				}
				ends[seq+aof.Seq(len(recs))-1] = true
			}
			<-hold.Reached()
			after := d.Crash(seed).Open(aoftest.Small())
			if b := stream(t, after, "s").Bounds(); !ends[b.Durable] {
				t.Errorf("seed %d: %d records came back, and no batch ends there: %v", seed, b.Durable, ends)
			}
			hold.Release()
		})
	}
}

// The copy is made before the append returns.
func TestAnAppendCopiesItsRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _, st := active(t, aoftest.Small())
		hold := d.HoldSyncs()
		b := []byte("record 1")
		if _, err := st.TryAppend(b); err != nil {
			t.Fatal(err)
		}
		copy(b, "xxxxxxxx")
		hold.Release()
		expect(t, "wait", st.WaitDurable(ctx, 1), nil)
		expectSeqs(t, read(t, st, aof.ReaderOptions{}), 1, 1)
	})
}

// WouldBlock has no effect, and its Ready closes when trying again is worthwhile.
func TestWouldBlockFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, &aof.Options{HotFileSize: aoftest.SmallFile, MaxUnflushed: 200})
		hold := d.HoldSyncs()
		if _, err := st.TryAppend([]byte("record 1")); err != nil {
			t.Fatal(err)
		}
		before := st.Bounds()
		seq, err := st.TryAppend(make([]byte, 200))
		b := blocked(t, err, aof.BlockFlush)
		lawful(t, st, before, 1, seq, err)
		if isClosed(b.Ready()) {
			t.Error("ready while the sync hangs")
		}
		hold.Release()
		<-b.Ready()
		if _, err := st.TryAppend([]byte("record 2")); err != nil {
			t.Errorf("try again: %v", err)
		}
		if n := s.Stats().WouldBlock[aof.BlockFlush]; n != 1 {
			t.Errorf("counted %d", n)
		}
	})
}

func TestWouldBlockRollover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, aoftest.Small())
		synctest.Wait()
		gate := make(chan struct{})
		d.Fail(func(kind, name string) bool {
			if kind == "create" {
				<-gate // preparing a file takes long
			}
			return false
		})
		var b *aof.WouldBlockError
		for b == nil {
			before := st.Bounds()
			seq, err := st.TryAppend(bytes.Repeat([]byte("."), 1000))
			lawful(t, st, before, 1, seq, err)
			if err != nil {
				b = blocked(t, err, aof.BlockRollover)
			}
		}
		if isClosed(b.Ready()) {
			t.Error("ready while no file is prepared")
		}
		close(gate)
		<-b.Ready()
		if _, err := st.TryAppend([]byte("x")); err != nil {
			t.Errorf("try again: %v", err)
		}
		if s.Stats().WouldBlock[aof.BlockRollover] == 0 {
			t.Error("not counted")
		}
	})
}

func TestManyAppendersShareRoundsAndKeepEachOrder(t *testing.T) {
	d, s, _ := active(t, &aof.Options{HotFileSize: 256 << 10})
	const streams, writers, each = 4, 4, 50
	var wg sync.WaitGroup
	for i := range streams {
		st := create(t, s, string(rune('a'+i)))
		for range writers {
			wg.Go(func() {
				last := aof.Seq(0)
				for range each {
					seq, err := st.Append(ctx, []byte("x"), []byte("y"))
					if err != nil || seq <= last {
						t.Errorf("seq %d behind %d, %v", seq, last, err)
					}
					last = seq
				}
			})
		}
	}
	wg.Wait()
	for name, info := range s.Streams() {
		if n := info.Records(); name != "s" && n != writers*each*2 {
			t.Errorf("%s has %d records", name, n)
		}
	}
	d.CheckFiles(s)
}

// An append that is accepted takes no memory but that of its bytes.
func TestAnAcceptedAppendAllocatesNothing(t *testing.T) {
	d, _, st := active(t, &aof.Options{HotFileSize: 8 << 20})
	hold := d.HoldSyncs() // nothing else goes on
	defer hold.Release()
	rec := []byte(text(1))
	var err error
	if n := testing.AllocsPerRun(5000, func() {
		if err == nil {
			_, err = st.TryAppend(rec)
		}
	}); n != 0 || err != nil {
		t.Errorf("%v allocations for each append, %v", n, err)
	}
}
