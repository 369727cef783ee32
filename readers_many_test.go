package aof_test

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

// crowd is many followers of streams, and what woke them.
type crowd struct {
	t       *testing.T
	readers []*aof.Reader
	work    sync.WaitGroup
	woken   []atomic.Int64 // by stream: waits at the tail that ended
	got     []atomic.Int64 // by stream: records
}

// follow has a goroutine read what comes to a stream, by Try calls and their waits, until the store closes.
func (c *crowd) follow(i int, st *aof.Stream) {
	r, err := st.Reader(aof.ReaderOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	c.readers = append(c.readers, r)
	c.work.Go(func() {
		for {
			_, err := r.TryNext()
			var b *aof.WouldBlockError
			switch {
			case err == nil:
				c.got[i].Add(1)
			case errors.As(err, &b):
				<-b.Ready()
				if b.Kind == aof.BlockTail {
					c.woken[i].Add(1)
				}
			default:
				expect(c.t, "a follower of a store that was closed", err, aof.ErrClosed)
				return
			}
		}
	})
}

// take returns the counts of a stream and sets them to 0.
func (c *crowd) take(i int) (woken, got int64) { return c.woken[i].Swap(0), c.got[i].Swap(0) }

// An append wakes the followers of its stream, each once, and nobody else; those that wait take little memory, also
// when they have read a lot before.
func TestAnAppendWakesTheFollowersOfItsStreamOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, most := manySize(1000), int64(4<<10)
		d := aoftest.NewDisk(t)
		s := d.Open(nil)
		streams := make([]*aof.Stream, n+1) // the first has as many followers as all others
		for i := range streams {
			streams[i] = create(t, s, streamName(i))
		}
		inParallel(len(streams), func(i int) { fill(t, streams[i], 20, 1000) })
		synctest.Wait()
		before := heap()
		c := &crowd{t: t, woken: make([]atomic.Int64, n+1), got: make([]atomic.Int64, n+1)}
		for i := range n {
			c.follow(0, streams[0])
			c.follow(i+1, streams[i+1])
		}
		synctest.Wait()
		each := (heap() - before) / int64(2*n)
		t.Logf("%d followers of one stream and %d of as many: %d bytes of heap each", n, n, each)
		if each > most {
			t.Errorf("a follower that waits holds %d bytes of heap, at most %d", each, most)
		}
		for i := range streams {
			c.take(i)
		}
		for _, i := range []int{0, 1, n} {
			fill(t, streams[i], 1, 100)
			synctest.Wait()
			for k := range streams {
				want := int64(0)
				if k == i {
					want = 1
					if k == 0 {
						want = int64(n)
					}
				}
				if woken, got := c.take(k); woken != want || got != want {
					t.Fatalf("an append to stream %d woke followers of stream %d %d times, and they got %d records; want %d", i, k, woken, got, want)
				}
			}
		}
		if h := d.Handles(); h > maxOpen {
			t.Errorf("%d files are open for %d followers", h, 2*n)
		}
		expect(t, "close", s.Close(), nil)
		c.work.Wait()
		runtime.KeepAlive(c.readers)
	})
}

// fillAtOnce appends n records that one round writes, so that they lie side by side.
func fillAtOnce(t *testing.T, d *aoftest.Disk, st *aof.Stream, n, size int) {
	t.Helper()
	hold := d.HoldSyncs()
	b := &aof.Batch{Ack: aof.AckAccepted, Records: make([]aof.Entry, 1)}
	for seq := aof.Seq(1); seq <= aof.Seq(n); seq++ {
		b.Records[0].Data = append(make([]byte, 0, size), text(seq)...)
		for len(b.Records[0].Data) < size {
			b.Records[0].Data = append(b.Records[0].Data, '.')
		}
		if got, err := st.AppendBatch(ctx, b); err != nil || got != seq {
			t.Fatalf("append: %d, %v; want %d", got, err, seq)
		}
		if seq == 1 {
			<-hold.Reached() // all others wait for the next round
		}
	}
	hold.Release()
	expect(t, "wait", st.WaitDurable(ctx, aof.Seq(n)), nil)
}

// inTheMiddle returns readers that have stopped within a sequential scan.
func inTheMiddle(t *testing.T, st *aof.Stream, n int) []*aof.Reader {
	t.Helper()
	readers := make([]*aof.Reader, n)
	for i := range readers {
		r, err := st.Reader(aof.ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for range 100 { // beyond the first extent, from where on a reader fetches more at once
			if _, err := r.Next(ctx); err != nil {
				t.Fatal(err)
			}
		}
		readers[i] = r
	}
	return readers
}

// Readers that stopped in the middle hold a window each; of the large ones there is a limit. Who was forgotten gives it
// back.
func TestSlowAndForgottenReadersHoldBoundedMemory(t *testing.T) {
	n := manySize(1000)
	d, _, st := active(t, nil)
	fillAtOnce(t, d, st, 1000, 1000)
	var reads atomic.Int64
	d.Fail(func(kind, _ string) bool {
		if kind == "read" {
			reads.Add(1)
		}
		return false
	})
	scan := func() int64 {
		reads.Store(0)
		expectSeqs(t, read(t, st, aof.ReaderOptions{}), 1, 1000)
		return reads.Load()
	}
	unhindered := scan()
	before := heap()
	readers := inTheMiddle(t, st, n)
	held := heap() - before
	t.Logf("%d readers in the middle of a scan hold %d KiB, %d each", n, held>>10, held>>10/int64(n))
	if most := int64(32<<20) + int64(n)*72<<10; held > most {
		t.Errorf("%d readers in the middle of a scan hold %d bytes, at most %d", n, held, most)
	}
	if h := d.Handles(); h > maxOpen {
		t.Errorf("%d files are open for %d readers", h, n)
	}
	for _, r := range readers { // with small windows they read the same
		for want := aof.Seq(101); want <= 130; want++ {
			if rec, err := r.Next(ctx); err != nil || rec.Seq != want || string(rec.Data[:len(text(want))]) != text(want) {
				t.Fatalf("record %d: %v, %v", want, rec.Seq, err)
			}
		}
	}
	hindered := scan()
	t.Logf("a scan of 1 MB takes %d reads, beside those readers %d", unhindered, hindered)
	runtime.KeepAlive(readers)
	if left := heap() - before; left > 2<<20 {
		t.Errorf("readers that were forgotten hold %d bytes", left)
	}
	for try := 0; scan() > unhindered; try++ { // until the collector has told who is gone
		if runtime.GC(); try == 100 {
			t.Fatalf("after readers were forgotten a scan still takes %d reads", reads.Load())
		}
	}
}
