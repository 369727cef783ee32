package main

import (
	"errors"
	"testing"
)

func TestLookupsFindWhatTheyAskFor(t *testing.T) {
	lessData(t)
	cold := coldBytes
	coldBytes = 1 << 20
	t.Cleanup(func() { coldBytes = cold })
	for name, open := range map[string]contestant{
		"reference": newLookupLoop, "reference, cold": newColdLookupLoop, "ours": newOursLookup, "ours, cold": newOursColdLookup,
	} {
		t.Run(name, func(t *testing.T) {
			s, err := open(t.TempDir(), work{size: 1 << 10, writers: 3, streams: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer closeSide(t, s)
			if err := ready(s, testRun); errors.Is(err, errors.ErrUnsupported) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
			if got, err := sampleOf(s, testRun); err != nil || got.records < 3 || got.read < got.records<<10 {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestALookupThatFailsEndsTheRun(t *testing.T) {
	lessData(t)
	s, err := newLookupLoop(t.TempDir(), work{size: 1 << 10, writers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer closeSide(t, s)
	harm(t, s.ahead()[0])
	s.(*lookupLoop).records = 500_000 / (1<<10 + groupHeader) // with the harmed one
	s.(*lookupLoop).records++
	if _, err := s.run(50 * testRun); !errors.Is(err, errChecksum) {
		t.Errorf("got %v", err)
	}
}

func TestIdleStreamsAreCounted(t *testing.T) {
	for name, open := range map[string]contestant{"idle": newIdle, "active": newActive} {
		s, err := open(t.TempDir(), work{streams: 50})
		if err != nil {
			t.Fatal(err)
		}
		if err := ready(s, 0); err != nil {
			t.Fatal(err)
		}
		if got, err := sampleOf(s, 0); err != nil || got.heap <= 0 || got.records != 50 {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}
