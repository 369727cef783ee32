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
		row: "P2", name: "durable", checks: []check{rate(0.9)}, work: work{size: 128, writers: 1, batch: 1}, reference: "a",
		ours:  open(&fake{"ours", 95, log, nil}),
		other: open(&fake{"theirs", 100, log, err}),
	}
}

func TestPairsAlternateAndAreTidiedUp(t *testing.T) {
	dir := t.TempDir()
	var log []string
	all, err := measure(context.Background(), fakeCell(&log, nil), dir, 2, time.Second)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	r := all[0]
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

func TestAVerdictIsAboutTheBoundThatIsWorse(t *testing.T) {
	at := func(rates ...int64) (out []sample) {
		for _, rate := range rates {
			out = append(out, sample{records: rate, appends: 1, elapsed: time.Second})
		}
		return out
	}
	samples := [2][]sample{at(80, 95, 120, 99, 85), at(100, 100, 100, 100, 100)}
	noisy := rate(0.9).judge(cell{}, samples)
	if noisy.Ratio.Median < 0.9 || noisy.Holds {
		t.Errorf("a median of %v with a lower end of %v holds: %v", noisy.Ratio.Median, noisy.Ratio.Lower, noisy.Holds)
	}
	most := rate(1)
	most.atMost = true
	upper := most.judge(cell{}, samples)
	if upper.Ratio.Median > 1 || upper.Holds {
		t.Errorf("a median of %v with an upper end of %v holds: %v", upper.Ratio.Median, upper.Ratio.Upper, upper.Holds)
	}
	if alone := limit("records", number, 130, sample.rate).judge(cell{}, samples); !alone.Holds || alone.Ours != 95 || !alone.Absolute {
		t.Errorf("got %+v", alone)
	}
}

func TestCells(t *testing.T) {
	for _, f := range families {
		got, err := cells(f.row, "", false)
		if err != nil || len(got) == 0 || got[0].row != f.row {
			t.Errorf("%s: %d cells, %v", f.row, len(got), err)
		}
		for _, c := range got {
			if len(c.checks) == 0 || c.ours == nil || c.name == "" {
				t.Errorf("%s: a cell without name, checks or our side: %+v", f.row, c)
			}
		}
		short, err := cells(f.row, "", true)
		if err != nil || len(short) == 0 || len(short) > len(got) {
			t.Errorf("%s: %d cells of %d in the short run, %v", f.row, len(short), len(got), err)
		}
	}
	if all, err := cells("P3b, P2", "", false); err != nil || all[0].row != "P2" {
		t.Errorf("%d cells, %v", len(all), err)
	}
	if _, err := cells("P2,P99", "", false); err == nil || !strings.Contains(err.Error(), `"P99"`) {
		t.Errorf("got %v", err)
	}
}

func TestACellThatFailsIsInTheReportAndTheOthersGoOn(t *testing.T) {
	var log []string
	r := report{Pairs: 2}
	broken := fakeCell(&log, errors.New("disk | on\nfire"))
	s := settings{pairs: 2, seconds: 1, dir: t.TempDir()}
	if err := r.fill(context.Background(), s, []cell{broken, fakeCell(&log, nil)}); err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != 2 || r.failures() != 1 || r.Results[1].Error != "" {
		t.Fatalf("got %+v", r.Results)
	}
	var markdown bytes.Buffer
	if err := r.writeMarkdown(&markdown); err != nil || !strings.Contains(markdown.String(), "FAILED: warm up: disk / on fire") {
		t.Errorf("%v in\n%s", err, &markdown)
	}
	wantRows(t, markdown.String())
	stopped, stop := context.WithCancel(context.Background())
	stop()
	if err := r.fill(stopped, s, []cell{broken}); !errors.Is(err, context.Canceled) || len(r.Results) != 2 {
		t.Errorf("a stopped run: %v, %d results", err, len(r.Results))
	}
}

func wantRows(t *testing.T, markdown string) {
	t.Helper()
	for line := range strings.Lines(markdown) {
		if strings.HasPrefix(line, "|") && strings.Count(line, "|") != len(columns)+1 {
			t.Errorf("not a row of %d columns: %s", len(columns), line)
		}
	}
}

func TestReport(t *testing.T) {
	var log []string
	all, err := measure(context.Background(), fakeCell(&log, nil), t.TempDir(), 3, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	one := all[0]
	missed := one
	missed.Holds, missed.FreshFiles, missed.Bytes = false, 2, 16<<10
	late := limit("late", seconds, 0.002, func(s sample) float64 { return s.elapsed.Seconds() }).judge(
		fakeCell(&log, nil), [2][]sample{{{elapsed: 1234567 * time.Nanosecond}}})
	r := report{Date: "2026-01-02", Machine: describe("."), Pairs: 3, Results: []result{one, missed, late}}
	var text, markdown, asJSON bytes.Buffer
	if err := errors.Join(r.writeText(&text), r.writeMarkdown(&markdown), r.writeJSON(&asJSON)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"holds", "MISSED*", "16 KiB", "0.95", "2026-01-02", r.Machine.Go, "2 files that were not recycled",
		"1.23ms", "≤ 2ms", "≥ 0.90", "not a verdict",
	} {
		if !strings.Contains(text.String(), want) || !strings.Contains(markdown.String(), want) {
			t.Errorf("%q is missing in\n%s\n%s", want, &text, &markdown)
		}
	}
	wantRows(t, markdown.String())
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
