package main

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/aof2/aof"
)

// withLengths is records as --length-prefixed has them.
func withLengths(records ...string) string {
	var b []byte
	for _, r := range records {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(r))), r...)
	}
	return string(b)
}

// cutPrefixed cuts text fed in pieces of n bytes.
func cutPrefixed(text string, limit, n int) (records []string, err error) {
	p := &prefixed{limit: int64(limit)}
	for {
		piece := text[:min(n, len(text))]
		text = text[len(piece):]
		p.feed([]byte(piece))
		if text == "" {
			p.end()
		}
		for {
			record, ok, err := p.next()
			if err != nil {
				return records, err
			}
			if !ok {
				break
			}
			records = append(records, string(record))
		}
		if p.ended {
			return records, nil
		}
	}
}

func TestPrefixedRecordsAreFoundInPiecesOfAnySize(t *testing.T) {
	for _, want := range [][]string{nil, {""}, {"", "", ""}, {"one", "", "two\n", "\x00\xff"}, {strings.Repeat("x", 100)}} {
		text := withLengths(want...)
		for n := 1; n <= len(text)+1; n++ {
			if got, err := cutPrefixed(text, 100, n); err != nil || !slices.Equal(got, want) {
				t.Errorf("%q in pieces of %d: %q, %v", text, n, got, err)
			}
		}
	}
}

// Every place where the input can end: behind a record it is complete, everywhere
// else it is cut, and the missing bytes are counted.
func TestPrefixedInputThatIsCutIsNoticedWhereverItEnds(t *testing.T) {
	text := withLengths("one", "", "three")
	for end := range len(text) + 1 {
		want, missing, inside := 0, 0, ""
		switch {
		case end < 4:
			missing, inside = 4-end, "the length of record 1, at the very beginning"
		case end < 7:
			missing, inside = 7-end, "record 1, at the very beginning"
		case end < 11:
			want, missing, inside = 1, 11-end, "the length of record 2, after record 1"
		case end < 15:
			want, missing, inside = 2, 15-end, "the length of record 3, after record 2"
		case end < 20:
			want, missing, inside = 2, 20-end, "record 3, after record 2"
		}
		if end == 0 || end == 7 || end == 11 {
			missing = 0
		}
		got, err := cutPrefixed(text[:end], 100, 3)
		var bad *inputError
		switch {
		case missing == 0 && err != nil:
			t.Errorf("cut at %d, behind a record: %v", end, err)
		case missing > 0 && (!errors.As(err, &bad) || bad.code != exitDamage):
			t.Errorf("cut at %d: %v", end, err)
		case missing > 0 && (!strings.Contains(bad.what, inside+": "+isAre(uint64(missing), "byte")+" missing") || len(got) != want):
			t.Errorf("cut at %d: %q, %v; want %d records and %d missing in %s", end, got, err, want, missing, inside)
		}
	}
}

func FuzzPrefixedInputIsCutOrRefused(f *testing.F) {
	f.Add(withLengths("one", "", "two"), 3)
	f.Add(withLengths("one")[:5], 1)
	f.Add("\xff\xff\xff\xff", 2)
	f.Fuzz(func(t *testing.T, text string, n int) {
		if n < 1 || n > 1<<16 {
			n = 1
		}
		got, err := cutPrefixed(text, 1<<10, n)
		if whole := withLengths(got...); !strings.HasPrefix(text, whole) || (err == nil) != (whole == text) {
			t.Errorf("%q in pieces of %d: %q, %v", text, n, got, err)
		}
	})
}

func TestRecordsOfAnyBytesGoThroughAppendAndCat(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	records := []string{"", "\n", "a\nb\n", "\x00\x00\x00\x01", "\xff\xfe", strings.Repeat("long ", 200_000)}
	for range 500 {
		b := make([]byte, random.IntN(2000))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		records = append(records, string(b))
	}
	text := withLengths(records...)
	c := newCLI(t)
	r := decode[appended](t, c.okPipe(text, "append", "s", "--length-prefixed", "--json"))
	if r.Records != uint64(len(records)) || r.Bytes != int64(len(text)-4*len(records)) {
		t.Errorf("%d records, %d bytes are reported", r.Records, r.Bytes)
	}
	for _, args := range [][]string{{"cat", "s", "--length-prefixed"}, {"cat", "s", "--length-prefixed", "--read-only"}} {
		if got := c.ok(args...); got != text {
			t.Errorf("%q: %d bytes came back, not the %d that were appended", args, len(got), len(text))
		}
	}
	if got, want := c.ok("cat", "s", "--length-prefixed", "--from", "3", "--limit", "2"), withLengths(records[2:4]...); got != want {
		t.Errorf("a range: %q, want %q", got, want)
	}
	c.okPipe(c.ok("cat", "s", "--length-prefixed"), "append", "copy", "--length-prefixed")
	if got := c.ok("cat", "copy", "--length-prefixed"); got != text {
		t.Errorf("the copy has %d bytes, not %d", len(got), len(text))
	}
}

func TestPrefixedInputThatIsCutKeepsWhatCameBefore(t *testing.T) {
	for _, row := range []struct {
		name, input, problem, next string
		kept                       []string
	}{
		{"inside a length", withLengths("one", "two") + "\x00\x00", "stdin: the input ends in the middle of the length of record 3, after record 2: 2 bytes are missing", "record 3", []string{"one", "two"}},
		{"inside a record", withLengths("one", "two", "three")[:19], "stdin: the input ends in the middle of record 3, after record 2: 4 bytes are missing", "record 3", []string{"one", "two"}},
		{"in the last byte", withLengths("one", "two")[:13], "the input ends in the middle of record 2, after record 1: 1 byte is missing", "record 2", []string{"one"}},
		{"before any record", "\x00", "the input ends in the middle of the length of record 1, at the very beginning: 3 bytes are missing", "record 1", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newCLI(t)
			r := c.pipe(row.input, "append", "s", "--length-prefixed", "--json")
			durable := isAre(uint64(len(row.kept)), "record") + " durable in stream s"
			c.wantFailure(r, exitDamage, row.problem, durable, "get the rest of the input; then go on with "+row.next+" of stdin")
			if len(row.kept) > 0 {
				if done := decode[appended](t, r.stdout); done.Records != uint64(len(row.kept)) {
					t.Errorf("stdout reports %+v", done)
				}
			}
			if got, want := c.ok("cat", "s", "--length-prefixed"), withLengths(row.kept...); got != want {
				t.Errorf("the stream holds %q, want %q", got, want)
			}
		})
	}
}

func TestALengthOverTheLimitIsRefusedWithItsPlace(t *testing.T) {
	c := newCLI(t)
	limit := strings.Repeat("x", aof.DefaultMaxRecord)
	c.okPipe(withLengths(limit), "append", "limit", "--length-prefixed")
	for _, length := range []uint32{aof.DefaultMaxRecord + 1, 1 << 31, 1<<32 - 1} {
		input := withLengths("one", "two") + string(binary.BigEndian.AppendUint32(nil, length)) + "and so on"
		r := c.pipe(input, "append", "over", "--length-prefixed")
		c.wantFailure(r, exitUsage, "stdin: record 3, whose length stands at byte 14, would have ", "over the limit of 16 MiB", "2 records are durable", "go on with record 3 of stdin")
	}
	if got, want := c.ok("cat", "over"), strings.Repeat("one\ntwo\n", 3); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Each file is cut for itself: a file that ends inside a record does not take the
// beginning of the next.
func TestAPrefixedFileEndsItsLastRecord(t *testing.T) {
	c := newCLI(t)
	a, b := c.file("a", withLengths("one", "two")[:12]), c.file("b", withLengths("three"))
	r := c.run("append", "s", "--length-prefixed", b, a, b)
	c.wantFailure(r, exitDamage, a+": the input ends in the middle of record 2, after record 1: 2 bytes are missing", "2 records are durable", "go on with record 2 of "+a)
	if got := c.ok("cat", "s"); got != "three\none\n" {
		t.Errorf("the stream holds %q", got)
	}
}
