package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aof2/aof"
)

// coldBytes is how much data lies there where nothing of it is in the cache; a test takes less.
var coldBytes = 1 << 30

// mostLate is how late a sleeping goroutine may wake while cold records are read.
const mostLate = 2 * time.Millisecond

// looked is row P6: records by seq, at random, with all of the file in the cache, and with none of it.
// None of it is what a file much larger than the memory comes to: it is dropped from the cache before
// each run, and a run reads a small part of it.
func looked() []cell {
	out := bySize(cell{
		name: "random read, resident", work: work{writers: 1, streams: 1},
		reference: "g: pread + CRC", ours: newOursLookup, other: newLookupLoop,
	}, 0.9)
	for i := range out {
		out[i].checks = append(out[i].checks, limit("allocations a record", number, aFewAllocations, sample.allocsPerRecord), readPerRecord)
	}
	return append(out, cell{
		name: "random read, not in the cache, 8 readers", work: work{size: 1 << 10, writers: 8, streams: 1}, quick: true,
		reference: "g: pread + CRC", ours: newOursColdLookup, other: newColdLookupLoop,
		checks: []check{
			rate(0.9),
			limit("p50 a sleeper is late", seconds, mostLate.Seconds(), func(s sample) float64 { return s.late.Seconds() }),
			limit("allocations a record", number, aFewAllocations, sample.allocsPerRecord),
			readPerRecord,
		},
	})
}

// readPerRecord is shown: it has no bar.
var readPerRecord = check{measure: "bytes read a record", unit: byteCount, ours: func(s sample) float64 {
	return float64(s.read / max(1, s.records))
}}

// oursLookup reads single records of one stream by seq.
type oursLookup struct {
	*ours
	cold    bool
	records uint64
	readers []*aof.Reader
}

func newOursLookup(dir string, w work) (side, error) { return openOursLookup(dir, w, scanBytes, false) }

func newOursColdLookup(dir string, w work) (side, error) {
	return openOursLookup(dir, w, coldBytes, true)
}

func openOursLookup(dir string, w work, bytes int, cold bool) (side, error) {
	o, err := openOurs(dir, w, hotFile, goOn)
	if err != nil {
		return nil, err
	}
	l := &oursLookup{ours: o, cold: cold}
	if err := l.lay(bytes); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *oursLookup) lay(bytes int) error {
	if err := l.load(bytes); err != nil {
		return err
	}
	l.records = uint64(l.streams[0].Bounds().Durable)
	for range l.work.writers {
		r, err := l.streams[0].Reader(aof.ReaderOptions{})
		if err != nil {
			return err
		}
		l.readers = append(l.readers, r)
	}
	return nil
}

func (l *oursLookup) prepare(time.Duration) error { return l.rest() }

func (l *oursLookup) run(d time.Duration) (sample, error) {
	return lookups(l.work, d, l.records, func(reader int) getter {
		r := l.readers[reader]
		return func(seq uint64) error {
			if err := r.Seek(aof.Seq(seq)); err != nil {
				return err
			}
			rec, err := r.Next(context.Background())
			if err == nil && rec.Seq != aof.Seq(seq) {
				return fmt.Errorf("record %d came for %d", rec.Seq, seq)
			}
			return err
		}
	})
}

func (l *oursLookup) rest() error {
	if !l.cold {
		return nil
	}
	return forget(l.all())
}

func (l *oursLookup) ahead() []string {
	if l.cold {
		return nil
	}
	return l.all()
}

func (l *oursLookup) close() error {
	var errs []error
	for _, r := range l.readers {
		errs = append(errs, r.Close())
	}
	return errors.Join(append(errs, l.ours.close())...)
}
