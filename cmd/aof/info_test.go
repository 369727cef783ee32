package main

import (
	"strings"
	"testing"
	"time"

	"github.com/aof2/aof"
)

// paced is a store whose clock this test holds: orders is made at start and gets
// two records of ten bytes each second after that.
func paced(t *testing.T, start time.Time, records int) *cli {
	t.Helper()
	c := newCLI(t)
	var clock wall
	clock.set(start)
	s, err := aof.Open(t.Context(), c.dir, &aof.Options{Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	orders, err := s.CreateStream(t.Context(), "orders", nil)
	if err != nil {
		t.Fatal(err)
	}
	for range records {
		clock.set(clock.now().Add(time.Second))
		if _, err := orders.Append(t.Context(), []byte("ten bytes."), []byte("ten bytes.")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return c
}

var start = time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)

func TestInfoTellsWhenTheRecordsCameAndHowFast(t *testing.T) {
	c := paced(t, start, 10)
	c.ok("trim", "orders", "--before", "5")
	got := decode[infoReport](t, c.ok("info", "orders", "--json"))
	if !got.FirstTime.Equal(start.Add(3*time.Second)) || !got.LastTime.Equal(start.Add(10*time.Second)) {
		t.Errorf("the first is of %v, the last of %v", got.FirstTime, got.LastTime)
	}
	if *got.RecordRate != 2 {
		t.Errorf("%v records/s, want 2: all that ever came, over the stream's life", *got.RecordRate)
	}
	if want := float64(got.Bytes) / 10; *got.ByteRate != want {
		t.Errorf("%v bytes/s, want %v", *got.ByteRate, want)
	}
	if got.Lag == nil || *got.Lag != 0 || got.Problem != "" {
		t.Errorf("lag %v, problem %q", got.Lag, got.Problem)
	}
	text := c.ok("info", "orders")
	for _, want := range []string{"\nfirst     2020-01-02 03:04:08 UTC\n", "\nlast      2020-01-02 03:04:15 UTC\n", "\nrate      2 records/s, ", "\nlag       none: no program uses the store\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}

// Where no time lies between there is no rate, and none is made up.
func TestInfoInventsNoRate(t *testing.T) {
	empty := decode[infoReport](t, paced(t, start, 0).ok("info", "orders", "--json"))
	if empty.FirstTime != nil || empty.LastTime != nil || empty.RecordRate != nil || empty.ByteRate != nil {
		t.Errorf("an empty stream: %+v", empty.paceReport)
	}
	for _, last := range []time.Time{start, start.Add(-time.Hour)} {
		p := paceReport{LastTime: &last}
		p.rate(aof.StreamInfo{ID: 1, Created: start, Bounds: aof.Bounds{First: 1, Durable: 2, Next: 3}, Bytes: 100},
			[]aof.FileInfo{{Runs: []aof.RunInfo{{ID: 1, First: 1, Last: 2}}}})
		if p.RecordRate != nil || p.ByteRate != nil {
			t.Errorf("created %v, last record %v: %+v", start, last, p)
		}
	}
	trimmed := paced(t, start, 3)
	trimmed.ok("trim", "orders", "--before", "7")
	if got := decode[infoReport](t, trimmed.ok("info", "orders", "--json")); got.Records != 0 || got.FirstTime != nil || got.RecordRate != nil {
		t.Errorf("trimmed to empty: %+v", got.paceReport)
	}
}

func TestInfoBesideARunningProgramClaimsNoLag(t *testing.T) {
	c := ten(t)
	c.hold()
	if got := decode[infoReport](t, c.run("info", "orders", "--json").stdout); got.Lag != nil || got.LastTime == nil {
		t.Errorf("got %+v", got.paceReport)
	}
	if got := c.run("info", "orders").stdout; !strings.Contains(got, "\nlag       known only to the program that uses the store") {
		t.Errorf("got:\n%s", got)
	}
}

func TestInfoOfAStreamWhoseFirstRecordIsDamaged(t *testing.T) {
	c := newCLI(t)
	c.okPipe("the-needle\nwhole\n", "append", "orders")
	path, at := c.find("the-needle")
	c.write(path, at, []byte("T"))
	got := decode[infoReport](t, c.ok2("info", "orders", "--json"))
	if got.FirstTime != nil || got.RecordRate != nil || !strings.Contains(got.Problem, "journal/") || got.Records != 2 {
		t.Errorf("got %+v", got)
	}
	if text := c.ok2("info", "orders"); !strings.Contains(text, "\ntimes     not all known: ") {
		t.Errorf("got:\n%s", text)
	}
}

func TestRatesAreWrittenWithThreeDigits(t *testing.T) {
	for v, want := range map[float64]string{0.001234: "0.00123", 1: "1", 12.345: "12.3", 99.9: "99.9", 123456.7: "123457"} {
		if got := rateText(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}
