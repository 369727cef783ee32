package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestMedian(t *testing.T) {
	tests := []struct {
		name   string
		values []float64
		want   float64
	}{
		{"one value", []float64{7}, 7},
		{"an odd number of values", []float64{9, 1, 5}, 5},
		{"an even number of values", []float64{8, 1, 4, 2}, 3},
		{"an outlier does not move it", []float64{1, 1, 1, 1e9}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.values)
			if got := median(tt.values); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if !slices.Equal(tt.values, before) {
				t.Error("the values have changed")
			}
		})
	}
}

func TestBootstrapOfEqualValuesIsAPoint(t *testing.T) {
	if got, want := bootstrap([]float64{2, 2, 2}), (interval{2, 2, 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestBootstrapIsRepeatable(t *testing.T) {
	values := []float64{1, 5, 2, 4, 3, 9, 7}
	if a, b := bootstrap(values), bootstrap(values); a != b || a.Lower > a.Median || a.Upper < a.Median {
		t.Errorf("got %+v and %+v", a, b)
	}
}

// TestBootstrapCoversTheTruth draws samples whose true median is 1 and counts how often the interval
// holds it. For a median of 20 values the percentile bootstrap covers a little less than 95 %.
func TestBootstrapCoversTheTruth(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const samples = 400
	covered, tooHigh := 0, 0
	for range samples {
		values := make([]float64, 20)
		for i := range values {
			values[i] = math.Exp(rng.NormFloat64() * 0.2)
		}
		switch got := bootstrap(values); {
		case got.Lower > 1:
			tooHigh++
		case got.Upper >= 1:
			covered++
		}
	}
	t.Logf("%d of %d intervals hold the median, the lower end is above it in %d", covered, samples, tooHigh)
	if covered < samples*90/100 || covered > samples*99/100 || tooHigh > samples*6/100 {
		t.Error("the interval is not one of 95 %")
	}
}
