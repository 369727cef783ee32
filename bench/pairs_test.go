package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// fake is a side of a known speed that writes down what it is asked.
type fake struct {
	name    string
	records int64
	log     *[]string
	err     error
}

func (f *fake) note(what string) { *f.log = append(*f.log, f.name+" "+what) }

func (f *fake) run(d time.Duration) (sample, error) {
	f.note("run")
	return sample{records: f.records, appends: f.records, syncs: f.records / 2, elapsed: d}, f.err
}
func (f *fake) rest() error     { f.note("rest"); return nil }
func (f *fake) ahead() []string { return nil }
func (f *fake) close() error    { f.note("close"); return nil }

func fakeCell(log *[]string, err error) cell {
	open := func(f *fake) contestant { return func(string, work) (side, error) { return f, nil } }
	return cell{
		row: "P2", name: "durable", bar: 0.9, work: work{size: 128, writers: 1, batch: 1}, reference: "a",
		ours:  open(&fake{"ours", 95, log, nil}),
		other: open(&fake{"theirs", 100, log, err}),
	}
}

func TestPairsAlternateAndAreTidiedUp(t *testing.T) {
	dir := t.TempDir()
	var log []string
	r, err := measure(context.Background(), fakeCell(&log, nil), dir, 2, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split("ours run,theirs run,"+ // the warm-up
		"ours run,ours rest,theirs run,theirs rest,theirs run,theirs rest,ours run,ours rest,"+
		"theirs close,ours close", ",")
	if !slices.Equal(log, want) {
		t.Errorf("got  %q\nwant %q", log, want)
	}
	if r.Ours != 95 || r.Other != 100 || r.Ratio != (interval{0.95, 0.95, 0.95}) || !r.Holds || r.OursSyncs > 0.5 {
		t.Errorf("got %+v", r)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAFailureEndsTheCellAndClosesBothSides(t *testing.T) {
	var log []string
	broken := errors.New("disk on fire")
	_, err := measure(context.Background(), fakeCell(&log, broken), t.TempDir(), 2, time.Second)
	if !errors.Is(err, broken) || !slices.Contains(log, "ours close") || !slices.Contains(log, "theirs close") {
		t.Errorf("got %v after %q", err, log)
	}
}

func TestAVerdictIsAboutTheLowerEnd(t *testing.T) {
	c := cell{bar: 0.9}
	at := func(rates ...int64) (out []sample) {
		for _, rate := range rates {
			out = append(out, sample{records: rate, appends: 1, elapsed: time.Second})
		}
		return out
	}
	noisy := c.result([2][]sample{at(80, 95, 120, 99, 85), at(100, 100, 100, 100, 100)}, time.Second)
	if noisy.Ratio.Median < c.bar || noisy.Holds {
		t.Errorf("a median of %v with a lower end of %v holds: %v", noisy.Ratio.Median, noisy.Ratio.Lower, noisy.Holds)
	}
}

func TestCells(t *testing.T) {
	tests := []struct {
		rows  string
		cells int
		bar   float64
	}{{"P2", 3, 0.9}, {"P3", 9, 0.85}, {"P3b", 6, 0.8}, {"P4", 3, 0.6}}
	for _, tt := range tests {
		got, err := cells(tt.rows)
		if err != nil || len(got) != tt.cells || got[0].bar != tt.bar || got[0].row != tt.rows {
			t.Errorf("%s: %d cells, %v", tt.rows, len(got), err)
		}
	}
	if all, err := cells("P3b, P2"); err != nil || len(all) != 9 || all[0].row != "P2" {
		t.Errorf("%d cells, %v", len(all), err)
	}
	if _, err := cells("P2,P99"); err == nil || !strings.Contains(err.Error(), `"P99"`) {
		t.Errorf("got %v", err)
	}
}

func TestReport(t *testing.T) {
	var log []string
	one, err := measure(context.Background(), fakeCell(&log, nil), t.TempDir(), 3, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	missed := one
	missed.Holds, missed.FreshFiles, missed.Bytes = false, 2, 16<<10
	r := report{Date: "2026-01-02", Machine: describe("."), Pairs: 3, Results: []result{one, missed}}
	var text, markdown, asJSON bytes.Buffer
	if err := errors.Join(r.writeText(&text), r.writeMarkdown(&markdown), r.writeJSON(&asJSON)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"holds", "MISSED*", "16 KiB", "0.95", "2026-01-02", r.Machine.Go, "2 files that were not recycled"} {
		if !strings.Contains(text.String(), want) || !strings.Contains(markdown.String(), want) {
			t.Errorf("%q is missing in\n%s\n%s", want, &text, &markdown)
		}
	}
	for line := range strings.Lines(markdown.String()) {
		if strings.HasPrefix(line, "|") && strings.Count(line, "|") != len(columns)+1 {
			t.Errorf("not a row of %d columns: %s", len(columns), line)
		}
	}
	var back report
	if err := json.Unmarshal(asJSON.Bytes(), &back); err != nil || fmt.Sprint(back) != fmt.Sprint(r) {
		t.Errorf("came back as %+v, %v", back, err)
	}
}

func TestCount(t *testing.T) {
	for v, want := range map[float64]string{9: "9", 6543: "6.5k", 192345: "192k", 8.25e6: "8.25M"} {
		if got := count(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}
