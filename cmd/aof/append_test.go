package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/aof2/aof"
)

// lines is n different lines.
func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d of some text that is long enough to look like one\n", i+1)
	}
	return b.String()
}

func (c *cli) file(name, text string) string {
	c.t.Helper()
	path := filepath.Join(c.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

func TestAppendTakesARecordPerLine(t *testing.T) {
	c := newCLI(t)
	got := normalise(c.dir, c.okPipe("one\ntwo\n\nthree", "append", "orders"))
	if want := "orders: 4 records are durable, seq 1 to 4, 11 B, N s\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := c.ok("cat", "orders"); got != "one\ntwo\n\nthree\n" {
		t.Errorf("what is there now: %q", got)
	}
	got = normalise(c.dir, c.okPipe("four\n", "append", "orders"))
	if want := "orders: 1 record is durable, seq 5, 4 B, N s\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAppendCutsAtTheDelimiterThatIsAskedFor(t *testing.T) {
	for _, row := range []struct {
		name    string
		args    []string
		stdin   string
		records []string
	}{
		{"a carriage return stays in the record", nil, "a\r\nb\r\n", []string{"a\r", "b\r"}},
		{"NUL", []string{"--null"}, "a\nb\x00c\x00", []string{"a\nb", "c"}},
		{"NUL, in short", []string{"-0"}, "a\x00", []string{"a"}},
		{"several bytes", []string{"--delimiter", `\r\n`}, "a\nb\r\nc", []string{"a\nb", "c"}},
		{"a letter", []string{"-d", ";"}, "a;;b;", []string{"a", "", "b"}},
		{"bytes that are not text", nil, "\xff\xfe\n\x00\n", []string{"\xff\xfe", "\x00"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newCLI(t)
			c.okPipe(row.stdin, append([]string{"append", "s"}, row.args...)...)
			if got, want := c.ok("cat", "s"), strings.Join(row.records, "\n")+"\n"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestAppendReportsAsJSON(t *testing.T) {
	c := newCLI(t)
	r := decode[appended](t, c.okPipe("one\ntwo\n", "append", "two words", "--json"))
	if r.Seconds <= 0 {
		t.Errorf("%v seconds", r.Seconds)
	}
	r.Seconds = 0
	if want := (appended{Stream: "two words", First: 1, Last: 2, Records: 2, Bytes: 6, Next: 3}); r != want {
		t.Errorf("got %+v, want %+v", r, want)
	}
	if r := decode[appended](t, c.ok("append", "two words", "--json")); r.First != 0 || r.Last != 0 || r.Records != 0 {
		t.Errorf("nothing on stdin: %+v", r)
	}
}

func TestAppendOfNothingCreatesTheStream(t *testing.T) {
	c := newCLI(t)
	if got := c.ok("append", "orders"); got != "orders: nothing to append\n" {
		t.Errorf("got %q", got)
	}
	if got := c.ok("cat", "orders"); got != "" {
		t.Errorf("the stream holds %q", got)
	}
}

func TestAppendTakesFilesInOrder(t *testing.T) {
	c := newCLI(t)
	a, b := c.file("a", "a1\na2"), c.file("b", "b1\n")
	c.okPipe("in\n", "append", "s", b, a, "-", b)
	if got, want := c.ok("cat", "s"), "b1\na1\na2\nin\nb1\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAppendChangesNothingWhenAFileIsMissing(t *testing.T) {
	c := newCLI(t)
	missing := filepath.Join(t.TempDir(), "missing")
	c.fails(exitNotFound, []string{missing, "look at the name"}, "append", "s", c.file("a", "a\n"), missing)
	c.fails(exitUsage, []string{"is a directory"}, "append", "s", t.TempDir())
	if _, err := os.Stat(c.dir); !os.IsNotExist(err) {
		t.Errorf("the store was made: %v", err)
	}
}

func TestAppendOfMuchKeepsEverythingInOrder(t *testing.T) {
	c := newCLI(t)
	text := lines(100_000)
	r := decode[appended](t, c.okPipe(text, "append", "s", "--json"))
	if want := int64(len(text) - 100_000); r.Records != 100_000 || r.Bytes != want || r.Last != 100_000 {
		t.Errorf("got %+v, want %d bytes", r, want)
	}
	if got := c.ok("cat", "s"); got != text {
		t.Errorf("%d bytes came back, not the %d that were appended", len(got), len(text))
	}
}

func TestAppendTakesAMillionEmptyRecords(t *testing.T) {
	c := newCLI(t)
	r := decode[appended](t, c.okPipe(strings.Repeat("\n", 1_000_000), "append", "s", "--json"))
	if r.Records != 1_000_000 || r.Bytes != 0 {
		t.Errorf("got %+v", r)
	}
	if got := c.ok("cat", "s", "--from", "999999"); got != "\n\n" {
		t.Errorf("the last two are %q", got)
	}
}

func TestARecordOverTheLimitLosesNothingBeforeIt(t *testing.T) {
	c := newCLI(t)
	limit := strings.Repeat("x", aof.DefaultMaxRecord)
	c.okPipe(limit+"\n", "append", "limit")
	if got := c.ok("cat", "limit"); got != limit+"\n" {
		t.Errorf("a record of exactly the limit came back as %d bytes", len(got))
	}
	r := c.pipe("one\ntwo\n"+limit+"x\nfour\n", "append", "over", "--json")
	c.wantFailure(r, exitUsage, "stdin: record 3 is over the limit of 16 MiB", "2 records are durable in stream over (seq 1 to 2)", "shorten or split it, or allow larger ones with --max-record; then go on with record 3 of stdin")
	if done := decode[appended](t, r.stdout); done.Records != 2 {
		t.Errorf("stdout reports %+v", done)
	}
	if got := c.ok("cat", "over"); got != "one\ntwo\n" {
		t.Errorf("the stream holds %q", got)
	}
	c.wantFailure(c.pipe(limit+"x", "append", "never"), exitUsage, "record 1 is over the limit", "0 records are durable")
}

// What it says is durable after Ctrl-C is exactly what is there.
func TestAnInterruptedAppendSaysHowFarItCame(t *testing.T) {
	needSignals(t)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		c := newCLI(t)
		p := c.start("append", "s")
		text := lines(60_000)
		if _, err := p.stdin.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		r := p.signal(s)
		c.wantFailure(r, exitSignal+int(s), "aof: interrupted: ", "go on with record ")
		durable := numberIn(t, `(\d+) records are durable in stream s`, r.stderr)
		next := numberIn(t, `go on with record (\d+) of stdin`, r.stderr)
		got := c.ok("cat", "s")
		if durable == 0 || next != durable+1 || strings.Count(got, "\n") != durable || !strings.HasPrefix(text, got) {
			t.Errorf("%v: it says %d are durable and to go on with %d, and %d came back", s, durable, next, strings.Count(got, "\n"))
		}
	}
}

func TestAppendInterruptedBeforeAnyInputHasNothingToTell(t *testing.T) {
	needSignals(t)
	c := newCLI(t)
	c.okPipe("old\n", "append", "s")
	p := c.start("append", "s", "-", "/dev/null")
	if _, err := p.stdin.Write(bytes.Repeat([]byte("no line yet "), 60_000)); err != nil {
		t.Fatal(err)
	}
	c.wantFailure(p.signal(syscall.SIGINT), interrupted, "0 records are durable in stream s", "go on with record 1 of stdin")
	if got := c.ok("cat", "s"); got != "old\n" {
		t.Errorf("the stream holds %q", got)
	}
}

func numberIn(t *testing.T, pattern, text string) int {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no %s in %q", pattern, text)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Each record is durable as soon as it was there to read, not only at the end.
func TestAppendDoesNotWaitForMoreInput(t *testing.T) {
	c := newCLI(t)
	p := c.start("append", "s")
	if _, err := p.stdin.Write([]byte("one\ntwo\nunfinished")); err != nil {
		t.Fatal(err)
	}
	for {
		r := c.run("cat", "s", "--read-only")
		if r.code == exitDone && r.stdout == "one\ntwo\n" {
			break
		}
		early := r.code == exitNotFound || r.code == exitDone && strings.HasPrefix("one\ntwo\n", r.stdout)
		if !early {
			t.Fatalf("beside the append: %+v", r)
		}
	}
	if err := p.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	r := p.wait()
	if r.code != exitDone || !strings.HasPrefix(r.stdout, "s: 3 records are durable") {
		t.Errorf("at the end of the input: %+v", r)
	}
}
