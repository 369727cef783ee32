package main

import (
	"context"
	"errors"
	"time"

	"github.com/aof2/aof"
)

// accepted is row P1: an append that returns when the record is in memory.
func accepted() []cell {
	beside := bySize(cell{
		name: "accepted, 1 writer, bursts of 16 MiB", work: work{writers: 1, batch: 1},
		reference: "d: header + CRC + copy", ours: newOursAccepted, other: newCopyLoop,
	}, 0)
	for i := range beside {
		beside[i].checks = []check{
			times("time a record", 2, sample.each),
			times("p99.9 of 64 calls", 3, func(s sample) float64 { return s.slowGroup.Seconds() }),
			limit("allocations a record", number, aFewAllocations, sample.allocsPerRecord),
		}
	}
	return beside
}

// aFewAllocations is what "none" comes to where what goes on in the background is counted too: it
// allocates now and then, for a round or a file and not for a record.
const aFewAllocations = 0.05

// oursAccepted appends bursts with TryAppend.
type oursAccepted struct{ *ours }

func newOursAccepted(dir string, w work) (side, error) {
	o, err := openOurs(dir, w, hotFile, goOn)
	if err != nil {
		return nil, err
	}
	return &oursAccepted{o}, nil
}

func (o *oursAccepted) run(d time.Duration) (sample, error) {
	before := o.store.Stats()
	st := o.streams[0]
	record := noise(o.work.size)
	group := func(calls int) error {
		for range calls {
			if err := tryUntilTaken(st, record); err != nil {
				return err
			}
		}
		return nil
	}
	stop := o.retain()
	out, err := bursts(o.work, d, group, func() error {
		return st.WaitDurable(context.Background(), st.Bounds().Next-1)
	})
	err = errors.Join(err, stop())
	o.count(&out, before)
	return out, err
}

// tryUntilTaken waits for room where there is none; that is part of the time.
func tryUntilTaken(st *aof.Stream, record []byte) error {
	for {
		_, err := st.TryAppend(record)
		if err == nil {
			return nil
		}
		var blocked *aof.WouldBlockError
		if !errors.As(err, &blocked) {
			return err
		}
		<-blocked.Ready()
	}
}
