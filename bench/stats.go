package main

import (
	"math/rand/v2"
	"slices"
)

// resamples is how many times the pairs are drawn anew for an interval.
const resamples = 10_000

// interval is a median and the two ends of its 95 % bootstrap interval.
type interval struct {
	Median float64 `json:"median"`
	Lower  float64 `json:"lower"`
	Upper  float64 `json:"upper"`
}

// median returns the middle of the values, which it does not change; there must be one.
func median(values []float64) float64 {
	return sortedMedian(slices.Sorted(slices.Values(values)))
}

func sortedMedian(values []float64) float64 {
	n := len(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}

// bootstrap draws as many values as there are, with replacement, and takes their median, again and
// again; the interval leaves out 2.5 % of these medians at either end. The same values always give the
// same interval.
func bootstrap(values []float64) interval {
	rng := rand.New(rand.NewPCG(1, 2))
	medians := make([]float64, resamples)
	drawn := make([]float64, len(values))
	for i := range medians {
		for k := range drawn {
			drawn[k] = values[rng.IntN(len(values))]
		}
		slices.Sort(drawn)
		medians[i] = sortedMedian(drawn)
	}
	slices.Sort(medians)
	return interval{
		Median: median(values),
		Lower:  medians[resamples*25/1000],
		Upper:  medians[resamples-1-resamples*25/1000],
	}
}
