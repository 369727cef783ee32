package main

import (
	"context"
	"path/filepath"
	"runtime"
	"time"

	"github.com/aof2/aof"
)

// idle is row P11: what a stream costs that nothing happens to, and what one costs that was appended to.
// That 1,000 active ones are as fast as one is row P3b.
func idle() []cell {
	heap := func(streams int, most float64) check {
		return limit("heap of a stream", byteCount, most, func(s sample) float64 { return float64(s.heap) / float64(streams) })
	}
	goroutines := limit("goroutines of all streams", number, 0, func(s sample) float64 { return float64(s.goroutines) })
	files := limit("descriptors and mappings of all streams", number, 0, func(s sample) float64 { return float64(s.files) })
	shown := heap(1000, 0)
	shown.atMost = false // there is no bar
	return []cell{
		{
			name: "10,000 idle streams, handles held", work: work{streams: 10_000}, quick: true,
			reference: "", ours: newIdle, checks: []check{heap(10_000, 2<<10), goroutines, files},
		},
		{
			name: "1,000 streams after an append to each", work: work{streams: 1000}, quick: true,
			reference: "", ours: newActive, checks: []check{shown, goroutines, files},
		},
	}
}

// idleStore measures what a store with many streams holds beyond one with a single one.
type idleStore struct {
	dir, one string
	streams  int
	append   bool
}

func newIdle(dir string, w work) (side, error) {
	return &idleStore{filepath.Join(dir, "many"), filepath.Join(dir, "one"), w.streams, false}, nil
}

func newActive(dir string, w work) (side, error) {
	return &idleStore{filepath.Join(dir, "many"), filepath.Join(dir, "one"), w.streams, true}, nil
}

// prepare makes the stores and ends their life, so that a run opens them.
func (s *idleStore) prepare(time.Duration) error {
	if err := makeStreams(s.dir, s.streams); err != nil {
		return err
	}
	return makeStreams(s.one, 1)
}

func (s *idleStore) run(time.Duration) (sample, error) {
	start := time.Now()
	one, err := s.hold(s.one, 1)
	if err != nil {
		return sample{}, err
	}
	many, err := s.hold(s.dir, s.streams)
	if err != nil {
		return sample{}, err
	}
	return sample{
		records: int64(s.streams), syncs: -1, elapsed: time.Since(start),
		heap: many.heap - one.heap, goroutines: many.goroutines - one.goroutines, files: many.files - one.files,
	}, nil
}

// hold opens a store, takes a handle of every stream, and counts what that holds.
func (s *idleStore) hold(dir string, streams int) (out sample, err error) {
	ctx := context.Background()
	before := heapBytes()
	store, err := aof.Open(ctx, dir, nil)
	if err != nil {
		return out, err
	}
	defer func() {
		if e := store.Close(); err == nil {
			err = e
		}
	}()
	handles := make([]*aof.Stream, streams)
	for i := range handles {
		if handles[i], err = store.Stream(ctx, streamName(i)); err != nil {
			return out, err
		}
		if s.append {
			if err := tryUntilTaken(handles[i], []byte("a record")); err != nil {
				return out, err
			}
		}
	}
	for _, st := range handles {
		if last := st.Bounds().Next - 1; s.append {
			if err := st.WaitDurable(ctx, last); err != nil {
				return out, err
			}
		}
	}
	if out.files, err = holds(dir); err != nil {
		return out, err
	}
	out.heap = heapBytes() - before
	out.goroutines = int64(runtime.NumGoroutine())
	runtime.KeepAlive(handles)
	return out, nil
}

func (s *idleStore) rest() error     { return nil }
func (s *idleStore) ahead() []string { return nil }
func (s *idleStore) close() error    { return nil }

// heapBytes is what is reachable. It collects twice, for what finalizers and pools let go in the first.
func heapBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
