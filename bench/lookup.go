package main

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// getter reads one record by its seq, the first of which is 1, and verifies it if it can. It belongs to
// one goroutine.
type getter func(seq uint64) error

// lookups lets w.writers goroutines read records at random places for d. Beside them a goroutine sleeps
// for a millisecond again and again and sees how late it wakes: that is what the reads cost everybody
// else in the program.
func lookups(w work, d time.Duration, records uint64, newGetter func(reader int) getter) (sample, error) {
	out := sample{syncs: -1}
	var stop atomic.Bool
	var done atomic.Int64
	errs := make([]error, w.writers)
	late := make([]time.Duration, 0, 1+d/nap)
	var wait sync.WaitGroup
	var before, after runtime.MemStats
	read := bytesRead()
	runtime.ReadMemStats(&before)
	start := time.Now()
	timer := time.AfterFunc(d, func() { stop.Store(true) })
	defer timer.Stop()
	for i := range w.writers {
		get := newGetter(i)
		rng := rand.New(rand.NewPCG(uint64(start.UnixNano()), uint64(i)))
		wait.Go(func() {
			n := int64(0)
			for ; errs[i] == nil && (n == 0 || !stop.Load()); n++ {
				errs[i] = get(1 + rng.Uint64N(records))
			}
			done.Add(n)
		})
	}
	wait.Go(func() {
		for len(late) == 0 || !stop.Load() {
			begin := time.Now()
			time.Sleep(nap)
			late = append(late, time.Since(begin)-nap)
		}
	})
	wait.Wait()
	out.elapsed = time.Since(start)
	runtime.ReadMemStats(&after)
	out.allocs = int64(after.Mallocs - before.Mallocs)
	out.read = bytesRead() - read
	out.records = done.Load()
	slices.Sort(late)
	out.late = late[len(late)/2]
	return out, errors.Join(errs...)
}

// nap is how long the goroutine sleeps that is watched.
const nap = time.Millisecond
