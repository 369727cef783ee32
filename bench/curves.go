package main

import (
	"context"
	"errors"
	"fmt"
	"os"
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

// trace measures every point of a curve, each contestant alone: a picture of ten programs that are all
// open at once would show what they do to each other. A contestant that fails at a point has none there,
// and is named.
func (c curve) trace(ctx context.Context, dir string, rounds int, d time.Duration) (curveResult, error) {
	out := curveResult{Name: c.name, Title: c.title, Axis: c.axis}
	for _, s := range c.series {
		line := seriesResult{Name: s.name}
		for _, at := range c.at {
			if s.most > 0 && at > s.most {
				continue
			}
			rates, err := s.point(ctx, dir, at, rounds, d)
			if ctx.Err() != nil {
				return out, ctx.Err()
			}
			if err != nil {
				out.Errors = append(out.Errors, fmt.Sprintf("%s, %d %s: %v", s.name, at, c.axis, err))
				continue
			}
			line.Points = append(line.Points, point{at, median(rates)})
		}
		out.Series = append(out.Series, line)
	}
	return out, nil
}

// point returns the rates of a contestant at one number.
func (s series) point(ctx context.Context, dir string, at, rounds int, d time.Duration) (rates []float64, err error) {
	home, err := os.MkdirTemp(dir, "aof-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	one, err := s.open(home, s.work(at))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, one.close()) }()
	if err := ready(one, d); err != nil {
		return nil, err
	}
	for range rounds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		got, err := sampleOf(one, d)
		if err != nil {
			return nil, err
		}
		rates = append(rates, got.rate())
	}
	return rates, nil
}
