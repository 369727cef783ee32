package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aof2/aof"
	"github.com/aof2/aof/bench/peer"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		if err := runChild(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestAChildLeavesWhatItAppended(t *testing.T) {
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprintf("clean %v", clean), func(t *testing.T) {
			j := job{Dir: filepath.Join(t.TempDir(), "log"), Size: 1 << 10, Load: 1 << 20, Clean: clean}
			for range 2 {
				if a, err := j.start(); err != nil || a.Elapsed == 0 {
					t.Fatalf("got %+v, %v", a, err)
				}
			}
			view, err := aof.Inspect(context.Background(), j.Dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer view.Close()
			if info, err := view.Stream(streamName(0)); err != nil || info.Records() != 2*(1+1024) {
				t.Errorf("got %d records, %v", info.Records(), err)
			}
			if view.Recovery().Clean != clean {
				t.Errorf("the last life ended cleanly: %v", view.Recovery().Clean)
			}
		})
	}
}

// TestAChildOpensEveryLogThatLoads runs twice what row P7 does with the others.
func TestAChildOpensEveryLogThatLoads(t *testing.T) {
	for _, k := range peer.Kinds() {
		for _, clean := range []bool{true, false} {
			if !k.Loads {
				continue
			}
			t.Run(fmt.Sprintf("%s clean %v", k.Name, clean), func(t *testing.T) {
				j := job{Log: k.Name, Dir: filepath.Join(t.TempDir(), "log"), Size: 1 << 10, Load: 1 << 20, Clean: clean}
				for range 2 {
					if a, err := j.start(); err != nil || a.Elapsed == 0 {
						t.Fatalf("got %+v, %v", a, err)
					}
				}
				l, err := k.Open(j.Dir, peer.Options{Writers: 1})
				if err != nil {
					t.Fatal(err)
				}
				if last, err := l.Last(); err != nil || last != 2*(1+1024) {
					t.Errorf("got %d records, %v", last, err)
				}
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestAChildThatFailsSaysWhy(t *testing.T) {
	for name, j := range map[string]job{
		"killed":  {Log: "nobody", Dir: t.TempDir(), Size: 1},
		"clean":   {Log: "nobody", Dir: t.TempDir(), Size: 1, Clean: true},
		"a place": {Dir: "/proc/nowhere", Size: 1},
	} {
		if _, err := j.start(); err == nil || !strings.Contains(err.Error(), "no") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpeningIsMeasuredAgainAndAgain(t *testing.T) {
	open, tail := openBytes, tailBytes
	openBytes, tailBytes = 2<<20, 1<<20
	t.Cleanup(func() { openBytes, tailBytes = open, tail })
	for name, of := range map[string]contestant{"clean": newOpening("", true), "killed": newOpening("", false), "many": newOpeningMany} {
		t.Run(name, func(t *testing.T) {
			s, err := of(t.TempDir(), work{size: 1 << 10, streams: 100})
			if err != nil {
				t.Fatal(err)
			}
			defer closeSide(t, s)
			if err := ready(s, 0); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				got, err := sampleOf(s, 0)
				if err != nil || got.elapsed == 0 || got.records != 1 || name == "killed" && got.scanned == 0 {
					t.Errorf("got %+v, %v", got, err)
				}
			}
		})
	}
}

func TestTheSnapshotIsRead(t *testing.T) {
	s, err := newSnapshotLoop(t.TempDir(), work{streams: 100})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := sampleOf(s, 0); err != nil || got.records == 0 || got.read < 100*int64(len(streamName(0))) {
		t.Errorf("got %+v, %v", got, err)
	}
}
