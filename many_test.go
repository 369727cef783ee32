package aof_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
	"github.com/aof2/aof/internal/fsys/memfs"
)

// manySize is a number of things, a tenth of it in short runs.
func manySize(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

// heap is what lives on the heap now.
func heap() int64 {
	var m runtime.MemStats
	for range 2 { // what a pool keeps goes with the second
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// streamName is the name of the i-th of many streams, in their order.
func streamName(i int) string { return fmt.Sprintf("tenant/%05d/orders", i) }

// inParallel calls do for 0..n-1, from a few goroutines.
func inParallel(n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}

// idle makes n streams.
func idle(t *testing.T, s *aof.Store, n int) {
	t.Helper()
	inParallel(n, func(i int) {
		if _, err := s.CreateStream(ctx, streamName(i), nil); err != nil {
			t.Errorf("create: %v", err)
		}
	})
}

// listed fails unless exactly n streams are there, in order, and has the store give out all their handles.
func listed(t *testing.T, s *aof.Store, n int) {
	t.Helper()
	i := 0
	for name, info := range s.Streams() {
		if name != streamName(i) || info.Name != name {
			t.Fatalf("stream %d of the list is %q", i, name)
		}
		i++
	}
	if i != n || s.Stats().Streams != n {
		t.Fatalf("%d streams are listed and %d counted, want %d", i, s.Stats().Streams, n)
	}
}

// The heap of a store with many streams, by what closing it gives back: made in this life, and found at open.
func TestAnIdleStreamTakesLittleMemory(t *testing.T) {
	n, most := manySize(10_000), int64(2<<10)
	m := memfs.New(1)
	for life, what := range []string{"just made", "found at open"} {
		goroutines := runtime.NumGoroutine()
		s, err := aof.Open(ctx, "memory", &aof.Options{FS: m, HotFileSize: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		if life == 0 {
			idle(t, s, n)
		}
		listed(t, s, n)
		more := runtime.NumGoroutine() - goroutines
		with := heap()
		expect(t, "close", s.Close(), nil)
		each := (with - heap()) / int64(n)
		t.Logf("%d idle streams, %s: %d bytes of heap each, %d goroutines for all", n, what, each, more)
		if each > most || more > 8 {
			t.Errorf("%d bytes of heap for an idle stream, %d goroutines for all; at most %d and 8", each, more, most)
		}
	}
}

// turns counts what the coordinator looks at and what the disk is asked to do.
type turns struct {
	*memfs.Mem
	looks, ops atomic.Int64
}

// Yield is called before the coordinator looks what there is to do.
func (y *turns) Yield(who string) {
	if who == "coordinator" {
		y.looks.Add(1)
	}
	y.Mem.Yield(who)
}

func TestNothingHappensWhileStreamsAreIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := &turns{Mem: memfs.New(1)}
		y.SetHook(func(*memfs.Op) error {
			y.ops.Add(1)
			return nil
		})
		s, err := aof.Open(ctx, "memory", &aof.Options{FS: y, HotFileSize: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		idle(t, s, manySize(10_000))
		synctest.Wait()
		before, looks, ops := s.Stats(), y.looks.Load(), y.ops.Load()
		if looks == 0 || ops == 0 {
			t.Fatal("nothing is counted")
		}
		<-time.After(time.Hour)
		after := s.Stats()
		if l, o := y.looks.Load()-looks, y.ops.Load()-ops; l > 0 || o > 0 {
			t.Errorf("in an idle hour the coordinator looked %d times, and the disk was asked %d times", l, o)
		}
		if fmt.Sprint(before) != fmt.Sprint(after) {
			t.Errorf("an idle hour changed\n%+v to\n%+v", before, after)
		}
	})
}

// A tenth of many streams is appended to; all of them are deleted, and the room comes back.
func TestManyStreamsAreMadeUsedAndDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := manySize(10_000)
		d := aoftest.NewDisk(t)
		s := d.Open(&aof.Options{HotFileSize: 256 << 10})
		idle(t, s, n)
		inParallel(n/10, func(i int) { fill(t, stream(t, s, streamName(i*10)), 3, 1000) })
		listed(t, s, n)
		inParallel(n, func(i int) {
			last := aof.Seq(0)
			if i%10 == 0 {
				last = 3
			}
			expectSeqs(t, read(t, stream(t, s, streamName(i)), aof.ReaderOptions{}), 1, last)
		})
		if h := d.Handles(); h > maxOpen {
			t.Errorf("%d files are open for %d streams", h, n)
		}
		synctest.Wait()
		full := s.Stats()
		inParallel(n, func(i int) { expect(t, "delete", s.DeleteStream(ctx, streamName(i)), nil) })
		listed(t, s, 0)
		expect(t, "seal", s.Seal(ctx), nil)
		synctest.Wait()
		empty := s.Stats()
		if most := int64(8 * 256 << 10); empty.Files > 3 || empty.HotBytes > most { // open, next, reserve, and a few free ones
			t.Errorf("without any stream %d files are there and %d bytes taken; at most 3 and %d", empty.Files, empty.HotBytes, most)
		}
		t.Logf("%d streams, %d of them with 3 KB: %d files, %d KiB; all of them deleted: %d files, %d KiB", n, n/10, full.Files, full.HotBytes>>10, empty.Files, empty.HotBytes>>10)
	})
}
