package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"
)

// primeBytes is how much memory is touched before a cell. A guest's memory is slow the first time.
const primeBytes = 2 << 30

// measure runs a cell in a directory of its own below dir: pairs runs of either side, alternating, and
// alternating also in who begins. It returns a result for each of the cell's checks.
func measure(ctx context.Context, c cell, dir string, pairs int, d time.Duration) (_ []result, err error) {
	home, err := os.MkdirTemp(dir, "aof-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	var sides []side // ours, the other
	defer func() {
		for i := len(sides) - 1; i >= 0; i-- {
			err = errors.Join(err, sides[i].close())
		}
	}()
	for i, open := range c.contestants() {
		place := filepath.Join(home, fmt.Sprint(i))
		if err := os.Mkdir(place, 0o700); err != nil {
			return nil, err
		}
		s, err := open(place, c.work)
		if err != nil {
			return nil, fmt.Errorf("open: %w", err)
		}
		sides = append(sides, s)
		if err := ready(s, d); err != nil {
			return nil, fmt.Errorf("warm up: %w", err)
		}
	}
	samples, err := alternate(ctx, sides, pairs, d)
	if err != nil {
		return nil, err
	}
	var out []result
	for _, k := range c.checks {
		r := k.judge(c, samples)
		r.SecondsPerSample = d.Seconds()
		out = append(out, r)
	}
	return out, nil
}

func (c cell) contestants() []contestant {
	if c.other == nil {
		return []contestant{c.ours}
	}
	return []contestant{c.ours, c.other}
}

// alternate takes the samples of all sides, in the other order each time.
func alternate(ctx context.Context, sides []side, pairs int, d time.Duration) (samples [2][]sample, err error) {
	for pair := range pairs {
		for turn := range sides {
			who := (pair + turn) % len(sides)
			if err := ctx.Err(); err != nil {
				return samples, err
			}
			s, err := sampleOf(sides[who], d)
			if err != nil {
				return samples, err
			}
			samples[who] = append(samples[who], s)
		}
	}
	return samples, nil
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

// prime touches memory and gives it back to the operating system, so that neither side is the first to
// get at it.
func prime(bytes int) {
	b := make([]byte, bytes)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	runtime.KeepAlive(b)
	debug.FreeOSMemory()
}

// warm reads the files, so that their pages are cached: a write of part of a page that is not would
// have to read it first. A file that is gone by now is nobody's any more.
func warm(paths []string) error {
	for _, path := range paths {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
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
