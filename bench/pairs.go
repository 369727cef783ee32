package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"
)

// result is what a cell came to.
type result struct {
	Row              string    `json:"row"`
	Name             string    `json:"name"`
	Bytes            int       `json:"record_bytes"`
	Writers          int       `json:"writers"`
	Batch            int       `json:"batch"`
	Reference        string    `json:"reference"`
	Ours             float64   `json:"ours_records_per_second"`
	Other            float64   `json:"reference_records_per_second"`
	Ratio            interval  `json:"ratio"`
	Bar              float64   `json:"bar"`
	Holds            bool      `json:"holds"`
	OursSyncs        float64   `json:"ours_syncs_per_append"`
	OtherSyncs       float64   `json:"reference_syncs_per_append"`
	FreshFiles       int       `json:"fresh_files"`
	Ratios           []float64 `json:"ratios"`
	SecondsPerSample float64   `json:"seconds_per_sample"`
}

// primeBytes is how much memory is touched before a cell. A guest's memory is slow the first time.
const primeBytes = 2 << 30

// measure runs a cell in a directory of its own below dir: pairs runs of either side, alternating, and
// alternating also in who begins.
func measure(ctx context.Context, c cell, dir string, pairs int, d time.Duration) (_ result, err error) {
	home, err := os.MkdirTemp(dir, "aof-bench-")
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	var sides [2]side // ours, the other
	for i, open := range []contestant{c.ours, c.other} {
		place := filepath.Join(home, fmt.Sprint(i))
		if err := os.Mkdir(place, 0o700); err != nil {
			return result{}, err
		}
		s, err := open(place, c.work)
		if err != nil {
			return result{}, fmt.Errorf("open: %w", err)
		}
		defer func() { err = errors.Join(err, s.close()) }()
		if err := ready(s, d); err != nil {
			return result{}, fmt.Errorf("warm up: %w", err)
		}
		sides[i] = s
	}
	var samples [2][]sample
	for pair := range pairs {
		for turn := range 2 {
			who := (pair + turn) % 2
			if err := ctx.Err(); err != nil {
				return result{}, err
			}
			s, err := sampleOf(sides[who], d)
			if err != nil {
				return result{}, err
			}
			samples[who] = append(samples[who], s)
		}
	}
	return c.result(samples, d), nil
}

// ready brings a side into the state in which it is measured.
func ready(s side, d time.Duration) error {
	if p, ok := s.(interface{ prepare(time.Duration) error }); ok {
		return p.prepare(d)
	}
	_, err := s.run(d)
	return err
}

// sampleOf runs a side once, between its own preparations and its own tidying up.
func sampleOf(s side, d time.Duration) (sample, error) {
	if err := warm(s.ahead()); err != nil {
		return sample{}, err
	}
	runtime.GC()
	out, err := s.run(d)
	return out, errors.Join(err, s.rest())
}

func (c cell) result(samples [2][]sample, d time.Duration) result {
	r := result{
		Row: c.row, Name: c.name, Bytes: c.work.size, Writers: c.work.writers, Batch: c.work.batch,
		Reference: c.reference, Bar: c.bar, SecondsPerSample: d.Seconds(),
	}
	var rates [2][]float64
	var syncs [2]float64
	for who := range samples {
		appends, synced := int64(0), int64(0)
		for _, s := range samples[who] {
			rates[who] = append(rates[who], s.rate())
			appends, synced = appends+s.appends, synced+s.syncs
			r.FreshFiles += s.fresh
		}
		syncs[who] = float64(synced) / float64(appends)
	}
	for i := range rates[0] {
		r.Ratios = append(r.Ratios, rates[0][i]/rates[1][i])
	}
	r.Ours, r.Other = median(rates[0]), median(rates[1])
	r.OursSyncs, r.OtherSyncs = syncs[0], syncs[1]
	r.Ratio = bootstrap(r.Ratios)
	r.Holds = r.Ratio.Lower >= c.bar
	return r
}

// prime touches memory and gives it back to the operating system, so that neither side is the first to
// get at it.
func prime(bytes int) {
	b := make([]byte, bytes)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	runtime.KeepAlive(b)
	b = nil
	debug.FreeOSMemory()
}

// warm reads the files, so that their pages are cached: a write of part of a page that is not would
// have to read it first.
func warm(paths []string) error {
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}
