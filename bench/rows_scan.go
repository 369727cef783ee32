package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/aof2/aof"
)

// scanBytes is how much data the rows that scan lay down; a test takes less.
var scanBytes = 256 << 20

// scanSizes are the records of row P5; the others than scanBarSize are shown without a bar.
var scanSizes = []int{128, scanBarSize}

const scanBarSize = 1 << 10

// scanned is row P5: all records of hot data, in order, verified.
func scanned() []cell {
	var out []cell
	for _, size := range scanSizes {
		bar := 0.0
		if size == scanBarSize {
			bar = 0.6
		}
		out = append(out, cell{
			name: "scan, verifying", work: work{size: size, streams: 1}, quick: size == quickSize,
			reference: "e: verifying walk over a mapping", ours: newOursScan, other: newWalkLoop,
			checks: []check{rate(bar), limit("allocations a record", number, aFewAllocations, sample.allocsPerRecord)},
		})
	}
	return out
}

// interleaved is row P5b: one stream of several whose records alternate in the files.
func interleaved() []cell {
	var out []cell
	for _, of := range []struct {
		name    string
		streams int
	}{{"scan of the only stream", 1}, {"scan of one of 100 interleaved streams", 100}, {"scan of one of 1,000 interleaved streams", 1000}} {
		w := work{size: 1 << 10, streams: of.streams}
		checks := []check{rate(0.6)}
		if countsReads() {
			checks = append(checks, limit("bytes read / the stream's own", number, 4, func(s sample) float64 {
				return float64(s.read) / float64(s.records*int64(w.size))
			}))
		}
		out = append(out, cell{
			name: of.name, work: w, quick: true,
			reference: "f: pread of the extents", ours: newOursScan, other: newExtentLoop, checks: checks,
		})
	}
	return out
}

// countsReads says whether this system tells what was read.
func countsReads() bool { return bytesRead() > 0 }

// oursScan reads one whole stream after the other.
type oursScan struct {
	*ours
	next int // the stream to be read
}

func newOursScan(dir string, w work) (side, error) {
	o, err := openOurs(dir, w, hotFile, goOn)
	if err != nil {
		return nil, err
	}
	if err := o.load(scanBytes); err != nil {
		return nil, errors.Join(err, o.close())
	}
	return &oursScan{ours: o}, nil
}

// load lays down so many bytes of records and has the files sealed. A stream that is not alone has a
// writer that waits for each of its records, so that a round holds one of each stream: the records
// alternate in the files one by one.
func (o *ours) load(bytes int) error {
	record := noise(o.work.size)
	per := bytes / o.work.size / len(o.streams)
	add := tryUntilTaken
	if len(o.streams) > 1 {
		add = appendDurable
	}
	errs := make([]error, len(o.streams))
	var wait sync.WaitGroup
	for i, st := range o.streams {
		wait.Go(func() {
			for n := 0; n < per && errs[i] == nil; n++ {
				errs[i] = add(st, record)
			}
			if errs[i] == nil {
				errs[i] = st.WaitDurable(context.Background(), aof.Seq(per))
			}
		})
	}
	wait.Wait()
	return errors.Join(errors.Join(errs...), o.store.Seal(context.Background()))
}

func appendDurable(st *aof.Stream, record []byte) error {
	_, err := st.Append(context.Background(), record)
	return err
}

func (o *oursScan) prepare(time.Duration) error { return nil }
func (o *oursScan) rest() error                 { return nil }

func (o *oursScan) run(d time.Duration) (sample, error) {
	return passes(d, func() (int64, error) {
		st := o.streams[o.next]
		o.next = (o.next + 1) % len(o.streams)
		r, err := st.Reader(aof.ReaderOptions{To: st.Bounds().Durable})
		if err != nil {
			return 0, err
		}
		records, err := toTheEnd(r)
		return records, errors.Join(err, r.Close())
	})
}

// toTheEnd reads what is left and counts it.
func toTheEnd(r *aof.Reader) (records int64, err error) {
	for ; ; records++ {
		rec, err := r.Next(context.Background())
		if err == io.EOF {
			return records, nil
		}
		if err != nil {
			return records, err
		}
		touch(rec.Data)
	}
}

// lineBytes is what a processor fetches at once.
const lineBytes = 64

// touch looks at every part of a record that memory hands over at once, as whoever reads records for
// their content does. A log that verifies has done so before; one that hands out a mapping has not.
//
//go:noinline
func touch(rec []byte) (sum byte) {
	for i := 0; i < len(rec); i += lineBytes {
		sum += rec[i]
	}
	return sum
}

// ahead returns every file: all of them are read.
func (o *oursScan) ahead() []string { return o.all() }

func (o *ours) all() []string {
	var paths []string
	for _, f := range o.store.Files() {
		paths = append(paths, filepath.Join(o.dir, filepath.FromSlash(f.Path)))
	}
	return paths
}
