package main

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/aof2/aof"
)

func TestAppendExpectsTheNextRecord(t *testing.T) {
	c := newCLI(t)
	c.okPipe("1\n2\n", "append", "orders", "--expect-next", "1")
	for _, row := range []struct {
		expect uint64
		advice string
	}{
		{1, "look at the records from 1 on"},
		{2, "look at the records from 2 on"},
		{4, "fewer records than were counted on"},
		{1000, "fewer records"},
		{math.MaxUint64, "fewer records"},
	} {
		for _, input := range []string{"one\ntwo\n", ""} {
			args := []string{"append", "orders", "--expect-next", fmt.Sprint(row.expect)}
			r := c.pipe(input, args...)
			c.wantFailure(r, exitDamage, fmt.Sprintf("the next record of stream orders is 3, and %d was expected; 0 records are durable in stream orders", row.expect),
				row.advice, "decide again with --expect-next 3; then go on with record 1 of stdin")
			if r.stdout != "" {
				t.Errorf("stdout: %q", r.stdout)
			}
			r = c.pipe(input, append(args, "--json")...)
			done := decode[appended](t, r.stdout)
			done.Seconds = 0
			if want := (appended{Stream: "orders", Next: 3, Expected: aof.Seq(row.expect)}); r.code != exitDamage || done != want {
				t.Errorf("exit code %d, %+v, want %+v", r.code, done, want)
			}
		}
	}
	c.prints("1 2", "")
	c.okPipe("", "append", "orders", "--expect-next", "3")
	done := decode[appended](t, c.okPipe("3\n4\n5\n", "append", "orders", "--expect-next", "3", "--json"))
	if done.First != 3 || done.Last != 5 || done.Next != 6 || done.Expected != 0 {
		t.Errorf("%+v", done)
	}
	c.ok("trim", "orders", "--before", "6")
	c.wantFailure(c.pipe("1\n", "append", "orders", "--expect-next", "1"), exitDamage, "is 6, and 1 was expected")
	c.okPipe("6\n", "append", "orders", "--expect-next", "6")
	c.prints("6", "")
}

func TestAnExpectationIsHeldAgainstWhatThereIs(t *testing.T) {
	c := newCLI(t)
	c.wantFailure(c.pipe("1\n", "append", "orders", "--expect-next", "2"), exitNotFound, "there is no store in "+c.dir)
	if _, err := os.Stat(c.dir); !os.IsNotExist(err) {
		t.Errorf("the store was made: %v", err)
	}
	c.ok("append", "other")
	c.wantFailure(c.pipe("1\n", "append", "orders", "--expect-next", "2"), exitNotFound, "there is no stream orders in "+c.dir)
	if got := c.ok("ls", "--json"); strings.Contains(got, "orders") {
		t.Errorf("the stream was made: %s", got)
	}
	c.okPipe("1\n", "append", "orders", "--expect-next", "1")
	c.prints("1", "")
}

// All of a long input is expected to follow on itself, over as many batches as it takes.
func TestAnExpectationHoldsOverManyBatches(t *testing.T) {
	c := newCLI(t)
	text := lines(3 * maxBatchRecords)
	for i, args := range [][]string{nil, {"--max-batch", "64KiB", "--max-record", "1KiB"}} {
		next := fmt.Sprint(1 + i*3*maxBatchRecords)
		done := decode[appended](t, c.okPipe(text, append([]string{"append", "orders", "--json", "--expect-next", next}, args...)...))
		if done.Records != 3*maxBatchRecords {
			t.Errorf("%q: %+v", args, done)
		}
	}
	if got := c.ok("cat", "orders"); got != text+text {
		t.Errorf("%d bytes came back, want %d", len(got), 2*len(text))
	}
}

// Somebody else's record between two batches ends the append, and what was accepted before it is durable.
func TestAnExpectationThatEndsBetweenTwoBatches(t *testing.T) {
	c := newCLI(t)
	c.writing(nil, func(st *aof.Stream) {
		ap := &appender{stream: st, expect: 1, limit: aof.DefaultMaxRecord, progress: &progress{}, in: "stdin"}
		ap.done.Stream = "orders"
		batch := []aof.Entry{{Data: []byte("mine")}, {Data: []byte("mine too")}}
		if err := ap.hand(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if _, err := st.Append(t.Context(), []byte("theirs")); err != nil {
			t.Fatal(err)
		}
		failed := ap.hand(t.Context(), batch)
		err := ap.explain(t.Context(), failed, ap.settle(t.Context()))
		want := "the next record of stream orders is 4, and 3 was expected; 2 records are durable in stream orders (seq 1 to 2)"
		if f := classify(err); f.code != exitDamage || f.what != want || !strings.Contains(f.do, "go on with record 3 of stdin") {
			t.Errorf("%+v", f)
		}
		if ap.done.Records != 2 || ap.done.Next != 4 || ap.done.Expected != 3 {
			t.Errorf("%+v", ap.done)
		}
	})
	if got, want := c.ok("cat", "orders"), "mine\nmine too\ntheirs\n"; got != want {
		t.Errorf("the stream holds %q, want %q", got, want)
	}
}
