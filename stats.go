package aof

import "github.com/aof2/aof/internal/metric"

// Histogram is how values of one kind were distributed since Open. Its buckets grow by a quarter of an octave.
type Histogram struct {
	Count, Sum uint64
	Buckets    []Bucket // those that are not empty, in order
}

// Bucket is how many values were at most Upper and more than any value of the bucket before.
type Bucket struct{ Upper, Count uint64 }

// Quantile returns a value that a share q of the values, 0 to 1, does not exceed; 0 when there are none. It is at most a
// quarter above the least such value.
func (h Histogram) Quantile(q float64) uint64 {
	rank := max(1, min(h.Count, uint64(q*float64(h.Count)+0.999999)))
	for _, b := range h.Buckets {
		if b.Count >= rank {
			return b.Upper
		}
		rank -= b.Count
	}
	return 0
}

// Mean is the arithmetic mean, 0 when there are no values.
func (h Histogram) Mean() float64 {
	if h.Count == 0 {
		return 0
	}
	return float64(h.Sum) / float64(h.Count)
}

// histogram is what a part of the store has counted.
func histogram(m *metric.Histogram) Histogram {
	h := Histogram{Sum: m.Sum()}
	for upper, count := range m.Buckets() {
		h.Count += count
		h.Buckets = append(h.Buckets, Bucket{upper, count})
	}
	return h
}
