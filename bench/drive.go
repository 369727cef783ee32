package main

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// work is what both sides of a cell do.
type work struct {
	size    int // bytes of a record
	writers int
	batch   int // records of one append
	streams int // streams the writers are spread over; 0 is one
}

// sample is what one side did in one run. A field that the side's work is not about is 0.
type sample struct {
	records int64
	appends int64
	syncs   int64 // -1: nobody counts them
	elapsed time.Duration
	fresh   int // files it had to take that were never written before

	allocs    int64         // made meanwhile
	slowGroup time.Duration // p99.9 of the time that groupCalls calls take
	read      int64         // bytes asked of the operating system
	late      time.Duration // p50 of how late a sleeping goroutine woke meanwhile
	scanned   int64         // bytes of unsealed files that had to be walked

	heap       int64 // bytes
	goroutines int64
	files      int64 // descriptors and mappings
}

// rate returns records per second.
func (s sample) rate() float64 { return float64(s.records) / s.elapsed.Seconds() }

// each returns the seconds a record takes.
func (s sample) each() float64 { return 1 / s.rate() }

func (s sample) allocsPerRecord() float64 { return float64(s.allocs) / float64(max(1, s.records)) }

// side is one of the two that a cell compares. It is used by one goroutine.
type side interface {
	// run works for about d, ends when all of it is done, and counts.
	run(d time.Duration) (sample, error)
	// rest returns when nothing of the last run goes on in the background, and what the next run needs
	// is ready.
	rest() error
	// ahead returns the files that the next run will write to.
	ahead() []string
	close() error
}

// appender appends one batch; each writer has its own.
type appender func(recs [][]byte) error

// drive lets the writers append for d. The time ends when the last of them has returned.
func drive(w work, d time.Duration, newAppender func(writer int) appender) (sample, error) {
	payload := noise(w.size)
	var stop atomic.Bool
	var appends atomic.Int64
	errs := make([]error, w.writers)
	var wait sync.WaitGroup
	begin := make(chan struct{})
	for i := range w.writers {
		add := newAppender(i)
		recs := make([][]byte, w.batch)
		for k := range recs {
			recs[k] = payload
		}
		wait.Go(func() {
			<-begin
			n := int64(0)
			for ; errs[i] == nil && (n == 0 || !stop.Load()); n++ {
				errs[i] = add(recs)
			}
			appends.Add(n)
		})
	}
	start := time.Now()
	timer := time.AfterFunc(d, func() { stop.Store(true) })
	defer timer.Stop()
	close(begin)
	wait.Wait()
	n := appends.Load()
	return sample{appends: n, records: n * int64(w.batch), elapsed: time.Since(start)}, errors.Join(errs...)
}
