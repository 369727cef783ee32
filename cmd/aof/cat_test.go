package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aof2/aof"
)

func TestCatPlansTheRangeFromFlagsAndBounds(t *testing.T) {
	kept := aof.Bounds{First: 5, Durable: 9, Next: 10}
	empty := aof.Bounds{First: 1, Durable: 0, Next: 1}
	n := func(v uint64) number { return number{value: v, set: true} }
	for _, row := range []struct {
		name     string
		o        catOptions
		b        aof.Bounds
		from, to aof.Seq
	}{
		{"everything", catOptions{}, kept, 5, 9},
		{"from", catOptions{from: n(7)}, kept, 7, 9},
		{"from and to", catOptions{from: n(7), to: n(8)}, kept, 7, 8},
		{"to beyond the end", catOptions{to: n(100)}, kept, 5, 9},
		{"from the next one is empty", catOptions{from: n(10)}, kept, 10, 9},
		{"the last two", catOptions{last: n(2)}, kept, 8, 9},
		{"the last of all", catOptions{last: n(1000)}, kept, 5, 9},
		{"the last none", catOptions{last: n(0)}, kept, 10, 9},
		{"an empty stream", catOptions{}, empty, 1, 0},
		{"the last of an empty stream", catOptions{last: n(3)}, empty, 1, 0},
		{"follow has no end", catOptions{follow: true}, kept, 5, 0},
		{"follow from now", catOptions{follow: true, last: n(0)}, kept, 10, 0},
		{"follow to a record to come", catOptions{follow: true, to: n(20)}, kept, 5, 20},
		{"follow an empty stream", catOptions{follow: true}, empty, 1, 0},
	} {
		got, err := row.o.plan("s", row.b)
		if err != nil || got.From != row.from || got.To != row.to {
			t.Errorf("%s: %+v, %v; want %d to %d", row.name, got, err, row.from, row.to)
		}
	}
	for _, row := range []struct {
		name string
		from uint64
		b    aof.Bounds
		code int
		is   error
	}{
		{"trimmed", 4, kept, exitNotFound, aof.ErrTrimmed},
		{"the future", 11, kept, exitUsage, nil},
		{"the future of an empty stream", 2, empty, exitUsage, nil},
	} {
		o := catOptions{from: n(row.from)}
		if _, err := o.plan("s", row.b); classify(err).code != row.code || row.is != nil && !errors.Is(err, row.is) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

func ten(t *testing.T) *cli {
	t.Helper()
	c := newCLI(t)
	c.okPipe("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", "append", "orders")
	return c
}

func TestCatPrintsTheAskedRecords(t *testing.T) {
	c := ten(t)
	for args, want := range map[string]string{
		"":                     "1 2 3 4 5 6 7 8 9 10",
		"--from 8":             "8 9 10",
		"--from 3 --to 5":      "3 4 5",
		"--to 2":               "1 2",
		"--to 99":              "1 2 3 4 5 6 7 8 9 10",
		"--from 3 --to 3":      "3",
		"--last 2":             "9 10",
		"--last 99 --limit 1":  "1",
		"--last 0":             "",
		"--limit 3":            "1 2 3",
		"--from 11":            "",
		"--last 5 --to 7":      "6 7",
		"--last 2 --to 3":      "",
		"-f --to 3":            "1 2 3",
		"-f --limit 2":         "1 2",
		"-f --last 1 --to 10":  "10",
		"-f --from 11 --to 10": "",
	} {
		flags := strings.Fields(args)
		if strings.Contains(args, "--from 11 --to") {
			c.fails(exitUsage, []string{"--to 10 is before"}, append([]string{"cat", "orders"}, flags...)...)
			continue
		}
		modes := [][]string{nil, {"--read-only"}}
		if strings.Contains(args, "-f ") {
			modes = modes[:1]
		}
		for _, mode := range modes {
			got := c.ok(append(append([]string{"cat", "orders"}, flags...), mode...)...)
			if words := strings.Join(strings.Fields(got), " "); words != want {
				t.Errorf("cat %s %v: %q, want %q", args, mode, words, want)
			}
		}
	}
}

func TestCatRefusesRecordsThatAreNotThere(t *testing.T) {
	c := ten(t)
	c.fails(exitUsage, []string{"--from 12 lies in the future of stream orders", "holds seq 1 to 10; the next will be seq 11"}, "cat", "orders", "--from", "12")
	c.fails(exitUsage, []string{"--from 18446744073709551615 lies in the future"}, "cat", "orders", "--from", "18446744073709551615")
	c.ok("trim", "orders", "--before", "4")
	c.fails(exitNotFound, []string{"record 3 of stream orders has been trimmed", "holds seq 4 to 10"}, "cat", "orders", "--from", "3")
	c.fails(exitNotFound, []string{"has been trimmed"}, "cat", "orders", "--from", "3", "--read-only")
	if got := c.ok("cat", "orders"); got != "4\n5\n6\n7\n8\n9\n10\n" {
		t.Errorf("what is left: %q", got)
	}
	c.fails(exitNotFound, []string{"there is no stream order in " + c.dir, "aof ls"}, "cat", "order")
	c.fails(exitNotFound, []string{"there is no stream order in " + c.dir}, "cat", "order", "--read-only")
}

func TestCatWritesJSONLines(t *testing.T) {
	c := newCLI(t)
	c.okPipe("plain\n\n<&>\" \\\n\xff\xfe\né\u2028\n", "append", "s")
	out := c.ok("cat", "s", "--format", "json")
	type record struct {
		Seq    uint64  `json:"seq"`
		Time   string  `json:"time"`
		Data   *string `json:"data"`
		Base64 []byte  `json:"data_base64"`
	}
	var got []string
	for line := range strings.Lines(out) {
		r := decode[record](t, line)
		at, err := time.Parse(time.RFC3339Nano, r.Time)
		if err != nil || at.Location() != time.UTC || time.Since(at) > time.Hour {
			t.Errorf("time %q: %v", r.Time, err)
		}
		data := "base64 " + string(r.Base64)
		if r.Data != nil {
			data = *r.Data
		}
		got = append(got, fmt.Sprintf("%d %q", r.Seq, data))
	}
	want := []string{`1 "plain"`, `2 ""`, `3 "<&>\" \\"`, `4 "base64 \xff\xfe"`, `5 "é\u2028"`}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
	if !strings.Contains(out, `"data":"<&>\" \\"`) {
		t.Errorf("signs that need no escape are escaped: %s", out)
	}
	if !json.Valid([]byte("[" + strings.ReplaceAll(strings.TrimSpace(out), "\n", ",") + "]")) {
		t.Error("a line is no JSON")
	}
}

func TestCatShowsTheTimeThatTheCallerGave(t *testing.T) {
	c := newCLI(t)
	times := []time.Time{
		{},
		time.Unix(0, 7), time.Date(2026, 11, 23, 4, 5, 6, 789_012_345, time.FixedZone("", 3600)), time.Date(1850, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Unix(math.MaxInt64, 999_999_999), time.Unix(math.MinInt64, 0), // the ends of the range
	}
	c.writing(nil, func(st *aof.Stream) {
		var b aof.Batch
		for i, at := range times {
			b.Records = append(b.Records, aof.Entry{Data: []byte{byte('a' + i)}, EventTime: at})
		}
		if _, err := st.AppendBatch(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	})
	want := []string{"", "1970-01-01T00:00:00.000000007Z", "2026-11-23T03:05:06.789012345Z", "1850-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"}
	for _, mode := range []string{"--format=json", "--read-only"} {
		n := 0
		for line := range strings.Lines(c.ok("cat", "orders", "--format", "json", mode)) {
			r := decode[recordLine](t, line)
			if n < len(want) && r.EventTime != want[n] || strings.Contains(line, "event_time") != !times[n].IsZero() || *r.Data != string(byte('a'+n)) {
				t.Errorf("record %d is %s", n+1, line)
			}
			n++
		}
		if n != len(times) {
			t.Errorf("%d records, want %d", n, len(times))
		}
	}
	if got := c.ok("cat", "orders", "--from", "2", "--limit", "1"); got != "b\n" {
		t.Errorf("without json: %q", got)
	}
}

func TestCatFollowsUntilInterrupted(t *testing.T) {
	needSignals(t)
	c := ten(t)
	p := c.start("cat", "orders", "-f", "--last", "3")
	for _, want := range []string{"8", "9", "10"} {
		if got := p.line(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	r := p.signal(syscall.SIGINT)
	c.wantFailure(r, interrupted, "aof: interrupted: 3 records printed, the last was seq 10", "go on with --from 11")
	if r.stdout != "" {
		t.Errorf("more on stdout: %q", r.stdout)
	}
}

func TestCatEndsQuietlyWhenItsReaderLeaves(t *testing.T) {
	c := newCLI(t)
	c.okPipe(lines(50_000), "append", "s")
	p := c.start("cat", "s")
	p.line()
	if err := p.out.Close(); err != nil {
		t.Fatal(err)
	}
	if r := p.end(); r.code != exitDone || r.stderr != "" {
		t.Errorf("exit code %d, stderr %q", r.code, r.stderr)
	}
}

// leave runs the program with an output whose reader is gone before it writes.
func (c *cli) leave(args ...string) result {
	c.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		c.t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	cmd := c.command(args...)
	cmd.Stdout = w
	return c.finish(cmd)
}

func TestEveryVerbEndsQuietlyWhenItsReaderLeaves(t *testing.T) {
	c := ten(t)
	for _, args := range [][]string{{"ls"}, {"info", "orders"}, {"segments"}, {"verify"}, {"version"}, {"cat", "orders"}, {"--help"}} {
		if r := c.leave(args...); r.code != exitDone || r.stderr != "" {
			t.Errorf("%q: exit code %d, stderr %q", args, r.code, r.stderr)
		}
	}
}

func TestAFullOutputIsAnIOError(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /dev/full")
	}
	c := ten(t)
	for _, args := range [][]string{{"ls"}, {"cat", "orders"}, {"cat", "orders", "--format", "json"}, {"version", "--json"}} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		cmd := c.command(args...)
		cmd.Stdout = full
		c.wantFailure(c.finish(cmd), exitIO, "write the output: ", "no space left on device")
		full.Close()
	}
}
