// Package metric hides how distributions are counted: fixed buckets that grow by a quarter of an octave, so that a
// recorded value costs two atomic additions and no memory, and any quantile is right to within a fifth.
//
// Concurrency: all methods may be called by any number of goroutines. What is read while values are recorded may lack some
// of them.
package metric

import (
	"iter"
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	subBits = 2 // each octave has 1<<subBits buckets
	buckets = (64 - subBits + 1) << subBits
)

// Histogram counts values of one kind. The zero value is empty and ready. It must not be copied.
type Histogram struct {
	counts [buckets]atomic.Uint64
	sum    atomic.Uint64
}

// bucketOf is where a value is counted: the small ones each by itself, the others by their highest bits.
func bucketOf(v uint64) int {
	if v < 1<<subBits {
		return int(v)
	}
	shift := bits.Len64(v) - 1 - subBits
	return (shift+1)<<subBits + int(v>>shift)&(1<<subBits-1)
}

// upperOf is the largest value that is counted in a bucket.
func upperOf(bucket int) uint64 {
	if bucket < 1<<subBits {
		return uint64(bucket)
	}
	shift := bucket>>subBits - 1
	base := uint64(1<<subBits+bucket&(1<<subBits-1)) << shift
	return base + (1<<shift - 1)
}

// Record counts a value.
func (h *Histogram) Record(v uint64) {
	h.counts[bucketOf(v)].Add(1)
	h.sum.Add(v)
}

// Since counts the time since begin, in nanoseconds.
func (h *Histogram) Since(begin time.Time) { h.Record(uint64(max(0, time.Since(begin)))) }

// Sum is the sum of all values.
func (h *Histogram) Sum() uint64 { return h.sum.Load() }

// Buckets yields the buckets that are not empty, in order: the largest value that is counted in it, and how many are.
func (h *Histogram) Buckets() iter.Seq2[uint64, uint64] {
	return func(yield func(upper, count uint64) bool) {
		for i := range h.counts {
			if n := h.counts[i].Load(); n > 0 && !yield(upperOf(i), n) {
				return
			}
		}
	}
}
