package aof

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/aof2/aof/internal/metric"
)

// A quantile is never below the true one, and at most a quarter above.
func TestQuantiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 50 {
		var h metric.Histogram
		values := make([]uint64, 1+rng.IntN(3000))
		sum := uint64(0)
		for i := range values {
			values[i] = uint64(math.Exp(rng.Float64() * 20))
			h.Record(values[i])
			sum += values[i]
		}
		slices.Sort(values)
		s := histogram(&h)
		if s.Count != uint64(len(values)) || s.Sum != sum || s.Mean() != float64(sum)/float64(len(values)) {
			t.Fatalf("round %d: %d values of %d, want %d of %d", round, s.Count, s.Sum, len(values), sum)
		}
		for _, q := range []float64{0, 0.5, 0.9, 0.99, 1} {
			want := values[max(0, min(len(values), int(math.Ceil(q*float64(len(values)))))-1)]
			if got := s.Quantile(q); got < want || float64(got) > float64(want)*1.25 {
				t.Errorf("round %d: quantile %v of %d values is %d, want %d", round, q, len(values), got, want)
			}
		}
	}
}

func TestNothingWasRecorded(t *testing.T) {
	var h metric.Histogram
	if s := histogram(&h); s.Count != 0 || s.Quantile(0.5) != 0 || s.Mean() != 0 || len(s.Buckets) != 0 {
		t.Errorf("%+v", s)
	}
}
