package main

import (
	"errors"
	"testing"

	"github.com/aof2/aof/bench/peer"
)

// TestEveryPeerRunsEveryKindOfWork takes each of the other logs through the life of each kind of cell.
func TestEveryPeerRunsEveryKindOfWork(t *testing.T) {
	lessData(t)
	cold := coldBytes
	coldBytes = 1 << 20
	t.Cleanup(func() { coldBytes = cold })
	appends := work{size: 1 << 10, writers: 8, batch: 2, streams: 8}
	reads := work{size: 1 << 10, writers: 2, streams: 1}
	for _, k := range peer.Kinds() {
		works := map[string]struct {
			can  bool
			open contestant
			work work
		}{
			"appends":           {true, besidePeer(k), appends},
			"a log each":        {k.Grouped, besideManyPeers(k), appends},
			"batches of 100":    {true, besidePeerInBatches(k), work{size: 128, writers: 1, batch: 1}},
			"accepted":          {k.Accepts, besidePeerAccepting(k), work{size: 16 << 10, writers: 1, batch: 1}},
			"scan":              {k.Scans, besidePeerReading(k, true), reads},
			"lookup":            {k.Random, besidePeerReading(k, false), reads},
			"lookup, not there": {k.Random, besidePeerReadingCold(k), reads},
		}
		for name, of := range works {
			if !of.can {
				continue
			}
			t.Run(k.Name+" "+name, func(t *testing.T) {
				s, err := of.open(t.TempDir(), of.work)
				if err != nil {
					t.Fatal(err)
				}
				defer closeSide(t, s)
				if err := ready(s, testRun); errors.Is(err, errors.ErrUnsupported) {
					t.Skip(err)
				} else if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if got, err := sampleOf(s, testRun); err != nil || got.records == 0 || got.elapsed == 0 {
						t.Fatalf("got %+v, %v", got, err)
					}
				}
			})
		}
	}
}
