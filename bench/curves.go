package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/aof2/aof/bench/peer"
)

// curve is how the rate of several contestants changes with one number.
type curve struct {
	name   string // of its file
	title  string
	axis   string // what the number is
	at     []int
	series []series
}

type series struct {
	name string
	open contestant
	work func(at int) work
	most int // the largest number it is asked for; 0 is no bound
}

// curveResult is what came of it.
type curveResult struct {
	Name   string         `json:"name"`
	Title  string         `json:"title"`
	Axis   string         `json:"axis"`
	Series []seriesResult `json:"series"`
	Errors []string       `json:"errors,omitempty"`
}

type seriesResult struct {
	Name   string  `json:"name"`
	Points []point `json:"points"`
}

type point struct {
	At   int     `json:"at"`
	Rate float64 `json:"records_per_second"`
}

// curves are the plots, each of durable appends of 1 KiB; the short run has fewer points.
func curves(quick bool) []curve {
	onOne := func(at int) work { return work{size: 1 << 10, writers: at, batch: 1} }
	onOwn := func(at int) work { return work{size: 1 << 10, writers: at, batch: 1, streams: at} }
	counts := []int{1, 4, 16, 64, 256, 1000}
	if quick {
		counts = []int{1, 16, 256}
	}
	writers := curve{
		name: "writers", title: "Durable appends of 1 KiB to one stream", axis: "writers", at: counts,
		series: []series{{name: "ours", open: newOurs, work: onOne}, {name: "b: group buffer", open: newGroupLoop, work: onOne}},
	}
	streams := curve{
		name: "streams", title: "Durable appends of 1 KiB, a writer for each stream", axis: "streams", at: counts,
		series: []series{{name: "ours", open: newOurs, work: onOwn}, {name: "ours, all on one stream", open: newOurs, work: onOne}},
	}
	for _, k := range peer.Kinds() {
		writers.series = append(writers.series, series{name: k.Title(), open: besidePeer(k), work: onOne})
		if k.Grouped {
			streams.series = append(streams.series, series{name: k.Name + ", a log each", open: besideManyPeers(k), work: onOwn, most: mostLogs})
		}
	}
	return []curve{writers, streams}
}

// trace measures every point of a curve: the contestants alternate, rounds times. A contestant that
// fails is left out from there on, and named.
func (c curve) trace(ctx context.Context, dir string, rounds int, d time.Duration) (curveResult, error) {
	out := curveResult{Name: c.name, Title: c.title, Axis: c.axis}
	for _, s := range c.series {
		out.Series = append(out.Series, seriesResult{Name: s.name})
	}
	for _, at := range c.at {
		rates, problems, err := c.point(ctx, dir, at, rounds, d)
		if err != nil {
			return out, err
		}
		for i, of := range rates {
			if len(of) > 0 {
				out.Series[i].Points = append(out.Series[i].Points, point{at, median(of)})
			}
		}
		out.Errors = append(out.Errors, problems...)
	}
	return out, nil
}

// point measures all contestants at one number. Its error is the caller's end of patience; what fails in
// a contestant is a problem.
func (c curve) point(ctx context.Context, dir string, at, rounds int, d time.Duration) (rates [][]float64, problems []string, err error) {
	home, err := os.MkdirTemp(dir, "aof-bench-")
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	sides := make([]side, len(c.series))
	drop := func(i int, cause error) {
		if sides[i] != nil {
			cause = errors.Join(cause, sides[i].close())
		}
		sides[i] = nil
		problems = append(problems, fmt.Sprintf("%s, %d %s: %v", c.series[i].name, at, c.axis, cause))
	}
	for i, s := range c.series {
		if s.most > 0 && at > s.most {
			continue
		}
		place := filepath.Join(home, fmt.Sprint(i))
		if err := os.Mkdir(place, 0o700); err != nil {
			return nil, problems, err
		}
		one, err := s.open(place, s.work(at))
		if err == nil {
			sides[i] = one
			err = ready(one, d)
		}
		if err != nil {
			drop(i, err)
		}
	}
	rates = make([][]float64, len(sides))
	for range rounds {
		for i, s := range sides {
			if err := ctx.Err(); err != nil {
				return nil, problems, err
			}
			if s == nil {
				continue
			}
			one, err := sampleOf(s, d)
			if err != nil {
				drop(i, err)
				continue
			}
			rates[i] = append(rates[i], one.rate())
		}
	}
	for i, s := range sides {
		if s != nil {
			if err := s.close(); err != nil {
				sides[i] = nil
				drop(i, err)
			}
		}
	}
	return rates, problems, nil
}
