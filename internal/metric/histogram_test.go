package metric

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Every value is in a bucket that holds it, and the buckets follow each other without a gap.
func TestBucketsCoverEveryValue(t *testing.T) {
	below := uint64(0)
	for i := range buckets {
		upper := upperOf(i)
		if bucketOf(upper) != i || bucketOf(below) != i {
			t.Fatalf("bucket %d goes from %d to %d, and these are counted in %d and %d", i, below, upper, bucketOf(below), bucketOf(upper))
		}
		if width := upper - below; below > 0 && float64(width) > float64(below)/4 {
			t.Errorf("bucket %d is wider than a quarter: %d to %d", i, below, upper)
		}
		below = upper + 1
	}
	if below != 0 {
		t.Errorf("the last bucket ends before %d", below)
	}
}

// count adds up the buckets.
func count(h *Histogram) (n uint64) {
	last := uint64(0)
	for upper, c := range h.Buckets() {
		if n > 0 && upper <= last {
			panic("buckets out of order")
		}
		n, last = n+c, upper
	}
	return n
}

func TestSinceCountsNanoseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h Histogram
		begin := time.Now()
		<-time.After(3 * time.Microsecond) // on a clock of its own: it takes no time and exactly so much
		h.Since(begin)
		h.Since(begin.Add(time.Hour)) // a time to come is none
		if h.Sum() != 3000 || count(&h) != 2 {
			t.Errorf("%d values of %d in all", count(&h), h.Sum())
		}
	})
}

func TestManyRecordAtOnce(t *testing.T) {
	var h Histogram
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for k := range 1000 {
				h.Record(uint64(i * k))
			}
		})
	}
	wait.Wait()
	if h.Sum() != 28*999*500 || count(&h) != 8000 {
		t.Errorf("%d values of %d in all", count(&h), h.Sum())
	}
}

func BenchmarkRecord(b *testing.B) {
	var h Histogram
	v := uint64(0)
	for b.Loop() {
		h.Record(v)
		v += 997
	}
}
