package main

import (
	"runtime"
	"slices"
	"time"
)

// An append that is accepted and not yet durable is measured in bursts that every log can take into
// memory; between them all becomes durable, outside the time.
const (
	burstBytes = 16 << 20
	groupCalls = 64 // calls whose time is taken together
)

// bursts appends bursts of records, one at a time, until d is over. group appends so many; settle
// returns when what was appended is durable, or will never be.
func bursts(w work, d time.Duration, group func(calls int) error, settle func() error) (sample, error) {
	perBurst := burstBytes / w.size
	out := sample{syncs: -1}
	var took []time.Duration
	var before, after runtime.MemStats
	for start := time.Now(); out.appends == 0 || time.Since(start) < d; {
		took = slices.Grow(took, perBurst/groupCalls+1)
		runtime.ReadMemStats(&before)
		begin := time.Now()
		last := begin
		for left := perBurst; left > 0; left -= groupCalls {
			if err := group(min(left, groupCalls)); err != nil {
				return out, err
			}
			now := time.Now()
			took = append(took, now.Sub(last))
			last = now
		}
		runtime.ReadMemStats(&after)
		out.elapsed += last.Sub(begin)
		out.appends += int64(perBurst)
		out.allocs += int64(after.Mallocs - before.Mallocs)
		if err := settle(); err != nil {
			return out, err
		}
	}
	out.records = out.appends
	slices.Sort(took)
	out.slowGroup = took[len(took)*999/1000]
	return out, nil
}
