package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestBenchMeasuresEveryRowAndLeavesNothing(t *testing.T) {
	c := &cli{t: t, dir: t.TempDir()}
	report := decode[benchReport](t, c.ok("bench", "--seconds", "0.2", "--size", "100", "--json"))
	var rows []string
	for _, r := range report.Rows {
		rows = append(rows, r.Name+" "+plural(r.Writers, "writer"))
		if r.Ops == 0 || r.Seconds <= 0 || r.Rate <= 0 || r.ByteRate <= r.Rate || r.P50 <= 0 || r.P99 < r.P50 || (r.PerSync > 0) != (r.Name == "append") {
			t.Errorf("got %+v", r)
		}
	}
	if want := []string{"raw 1 writer", "large 1 writer", "append 1 writer", "append 8 writers", "append 64 writers", "scan 1 writer"}; !slices.Equal(rows, want) {
		t.Errorf("got rows %q, want %q", rows, want)
	}
	if report.Dir != c.dir || report.Size != 100 || report.CPUs < 1 || len(report.Verdict) != 4 || report.Sync == "" {
		t.Errorf("got %+v", report)
	}
	if entries, err := os.ReadDir(c.dir); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// The directory of the store need not be there, and a store that is there is not
// touched.
func TestBenchGoesWhereTheStoreIsOrWillBe(t *testing.T) {
	absent := &cli{t: t, dir: filepath.Join(t.TempDir(), "deep", "store")}
	text := absent.ok("bench", "--seconds", "0.01")
	if above := filepath.Dir(filepath.Dir(absent.dir)); !strings.HasPrefix(text, "records of 1KiB in "+above+", ") || !strings.Contains(text, "\nThe disk: ") {
		t.Errorf("got:\n%s", text)
	}
	if _, err := os.Stat(filepath.Dir(absent.dir)); !os.IsNotExist(err) {
		t.Errorf("the directory was made: %v", err)
	}
	c := ten(t)
	c.hold()
	before := c.files(filepath.Join(c.dir, "journal"))
	if r := c.run("bench", "--seconds", "0.01"); r.code != exitDone {
		t.Errorf("beside a running program: %+v", r)
	}
	for path, data := range c.files(filepath.Join(c.dir, "journal")) {
		if before[path] != data {
			t.Errorf("%s has changed", path)
		}
	}
	if left, err := filepath.Glob(filepath.Join(c.dir, "aof-bench-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func TestAnInterruptedBenchRemovesItsDirectory(t *testing.T) {
	needSignals(t)
	for _, row := range []struct{ seconds, reached string }{
		{"3600", "raw"},
		{"1", "store/journal/0000000000000001.aof"},
	} {
		c := &cli{t: t, dir: t.TempDir()}
		p := c.start("bench", "--seconds", row.seconds)
		for found := []string(nil); len(found) == 0; { // the program makes it, sooner or later
			var err error
			if found, err = filepath.Glob(filepath.Join(c.dir, "aof-bench-*", "round", filepath.FromSlash(row.reached))); err != nil || t.Context().Err() != nil {
				t.Fatal(err)
			}
		}
		r := p.signal(syscall.SIGINT)
		c.wantFailure(r, interrupted, "the measuring is given up and its directory removed", "run the same command again")
		if entries, err := os.ReadDir(c.dir); err != nil || len(entries) > 0 || r.stdout != "" {
			t.Errorf("left behind: %v, %v; stdout %q", entries, err, r.stdout)
		}
	}
}

func TestBenchRefusesWhatCannotBeMeasured(t *testing.T) {
	c := newCLI(t)
	for _, row := range []struct {
		code int
		args []string
		want []string
	}{
		{exitUsage, []string{"--seconds", "0"}, []string{"--seconds", "above 0"}},
		{exitUsage, []string{"--seconds", "NaN"}, []string{"--seconds", "above 0"}},
		{exitUsage, []string{"--seconds", "1e9"}, []string{"86400 at most"}},
		{exitUsage, []string{"--seconds", "ten"}, []string{"--seconds"}},
		{exitUsage, []string{"--size", "0"}, []string{"--size", "at least a byte"}},
		{exitUsage, []string{"--size", "1M"}, []string{`not in "M"`}},
		{exitUsage, []string{"--size", "17MiB"}, []string{"--size 17MiB is over the limit of a record, 16MiB", "--max-record"}},
		{exitUsage, []string{"--hot-file-size", "1KiB"}, []string{"the settings do not fit together"}},
		{exitUsage, []string{"--dir", program}, []string{"is not a directory"}},
		{exitUsage, []string{"--dir", ""}, []string{"is not a directory name"}},
		{exitUsage, []string{"x"}, []string{"does not know what to do with x"}},
	} {
		c.fails(row.code, row.want, append([]string{"bench"}, row.args...)...)
	}
}

func TestTheVerdictSaysWhatLimitsAndWhetherToBelieve(t *testing.T) {
	rows := func(raw, rawMS, largeBytes, one, many, manyBytes, perSync float64) []benchRow {
		return []benchRow{
			{Name: "raw", Writers: 1, Ops: 9, Rate: raw, P50: rawMS},
			{Name: "large", Writers: 1, Ops: 9, ByteRate: largeBytes},
			{Name: "append", Writers: 1, Ops: 9, Rate: one},
			{Name: "append", Writers: 64, Ops: 9, Rate: many, ByteRate: manyBytes, PerSync: perSync},
			{Name: "scan", Writers: 1, Ops: 9, Rate: 1e6, ByteRate: 1 << 30},
		}
	}
	for _, row := range []struct {
		name string
		rows []benchRow
		sync syncSpeed
		want []string
	}{
		{"a plain disk", rows(200, 5, 1e8, 190, 10_000, 1e7, 60), syncBelievable, []string{
			"a write and its sync take 5 ms. A disk that really flushes can be like that.",
			"190 appends/s, 95 % of the raw loop. The disk's sync limits it",
			"64 writers: 10000 appends/s, 52.6 times one writer, 60 records per sync. Nearly all wait for the same sync", "Scan: 1000000 records/s, 1 GiB/s",
		}},
		{"a protected cache", rows(20_000, 0.05, 1e9, 8_000, 100_000, 1e8, 20), syncProtected, []string{
			"take 50 us. Only a disk whose cache survives", "40 % of the raw loop. Besides the sync", "They do not wait for the same sync: the processors",
		}},
		{"memory", rows(1e6, 0.001, 1e10, 3e5, 8e5, 8e8, 40), syncImpossible, []string{
			"take 1 us. No disk is so fast", "may NOT survive a loss of power", "what the log itself costs", "The processors limit.",
		}},
		{"its bandwidth", rows(200, 5, 1e8, 190, 90_000, 9e7, 60), syncBelievable, []string{"That is 90 % of what the disk takes in large writes: its bandwidth limits."}},
		{"nothing measured", nil, syncImpossible, []string{"One writer: nothing was finished in the time", "Many writers: nothing was finished"}},
	} {
		r := benchReport{Rows: row.rows}
		r.judge()
		text := strings.Join(r.Verdict, "\n")
		for _, want := range row.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in:\n%s", row.name, want, text)
			}
		}
		if r.Sync != row.sync || strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Errorf("%s: %s:\n%s", row.name, r.Sync, text)
		}
	}
}

func TestLatenciesAreKeptToASixteenth(t *testing.T) {
	for d := time.Nanosecond; d < 1000*time.Hour; d = d*5/4 + 1 {
		var l latencies
		l.addMany(d, 10)
		if got := l.quantile(0.5); math.Abs(got-float64(d)/1e6) > float64(d)/1e6/16 {
			t.Errorf("%v is kept as %v ms", d, got)
		}
	}
	var few, slow latencies
	if few.quantile(0.99) != 0 {
		t.Error("nothing has a quantile")
	}
	few.addMany(time.Millisecond, 98)
	slow.addMany(time.Second, 2)
	few.join(&slow)
	if p50, p99 := few.quantile(0.5), few.quantile(0.99); few.count != 100 || p50 > 1.1 || p99 < 900 {
		t.Errorf("of %d, half take %v ms and 99 %% take %v ms", few.count, p50, p99)
	}
	few.add(0)
	few.add(-time.Second)
	few.add(math.MaxInt64)
	if few.count != 103 {
		t.Errorf("%d are counted", few.count)
	}
}
