package main

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// split cuts text fed in pieces of n bytes and returns the records, and whether
// one was over the limit.
func split(text, delimiter string, limit, n int) (records []string, long bool) {
	s := &splitter{delimiter: []byte(delimiter), limit: int64(limit)}
	for {
		piece := text[:min(n, len(text))]
		text = text[len(piece):]
		s.feed([]byte(piece))
		if text == "" {
			s.end()
		}
		for {
			record, ok, err := s.next()
			if err != nil {
				return records, true
			}
			if !ok {
				break
			}
			records = append(records, string(record))
		}
		if s.ended {
			return records, false
		}
	}
}

// splitPlainly is what split should do, without pieces.
func splitPlainly(text, delimiter string) []string {
	records := strings.Split(text, delimiter)
	if records[len(records)-1] == "" {
		records = records[:len(records)-1]
	}
	return records
}

func TestRecordsAreTheBytesBetweenDelimiters(t *testing.T) {
	for _, text := range []string{"", "\n", "a", "a\n", "a\nb", "a\n\nb\n", "\n\n", "a\r\nb\r\n", "one\ntwo\nthree", "ab--c-d--", "----", "---", "a-", "-\n-"} {
		for _, delimiter := range []string{"\n", "--", "\r\n", "\x00", "-\n-"} {
			want := splitPlainly(text, delimiter)
			for n := 1; n <= len(text)+1; n++ {
				got, long := split(text, delimiter, 100, n)
				if long || !slices.Equal(got, want) {
					t.Errorf("%q at %q in pieces of %d: %q, want %q", text, delimiter, n, got, want)
				}
			}
		}
	}
}

func FuzzSplitterAgreesWithSplittingAtOnce(f *testing.F) {
	f.Add("one\ntwo\n\nthree", "\n", 3)
	f.Add("a--b---c", "--", 1)
	f.Fuzz(func(t *testing.T, text, delimiter string, n int) {
		if delimiter == "" || n < 1 || n > 1<<16 {
			t.Skip("an empty separator is refused elsewhere")
		}
		got, long := split(text, delimiter, len(text), n)
		if want := splitPlainly(text, delimiter); long || !slices.Equal(got, want) {
			t.Errorf("%q at %q in pieces of %d: %q, want %q", text, delimiter, n, got, want)
		}
	})
}

func TestARecordOverTheLimitIsFoundWithoutReadingItAll(t *testing.T) {
	for n := 1; n < 30; n++ {
		records, long := split("one\ntwo\n"+strings.Repeat("x", 11)+"\nfour\n", "\n", 10, n)
		if !long || !slices.Equal(records, []string{"one", "two"}) {
			t.Errorf("in pieces of %d: %q, long %v", n, records, long)
		}
		if _, long := split(strings.Repeat("x", 10)+"\n", "\n", 10, n); long {
			t.Errorf("in pieces of %d: a record of exactly the limit is refused", n)
		}
	}
	s := &splitter{delimiter: []byte("\r\n"), limit: 4}
	s.feed([]byte("12345\r"))
	if _, _, err := s.next(); err == nil {
		t.Error("an unfinished record over the limit is not noticed")
	}
}

func TestDelimitersAreTextWithEscapes(t *testing.T) {
	for s, want := range map[string]string{
		`\n`: "\n", `\r\n`: "\r\n", `\t`: "\t", `;`: ";", `\x1e`: "\x1e", `\\`: `\`, `"`: `"`, `'`: `'`, `é`: "é", `\x00`: "\x00", "\n": "\n",
		"\xff": "\xff", `\xff`: "\xff", `\u00e9`: "é", `a\tb"c`: "a\tb\"c",
	} {
		got, err := parseDelimiter(s)
		if err != nil || string(got) != want {
			t.Errorf("%q is %q, %v; want %q", s, got, err, want)
		}
	}
	for _, s := range []string{"", `\`, `\q`, `\x`} {
		if _, err := parseDelimiter(s); classify(err).code != exitUsage {
			t.Errorf("%q: %v, want a usage error", s, err)
		}
	}
}

func TestReadAheadGivesEverythingAndTheError(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789abcdef"), chunkBytes/8)
	for name, r := range map[string]io.Reader{
		"at once":       bytes.NewReader(text),
		"in halves":     iotest.HalfReader(bytes.NewReader(text)),
		"end with data": iotest.DataErrReader(bytes.NewReader(text)),
	} {
		var got []byte
		var err error
		for c := range readAhead(r, nil) {
			got, err = append(got, c.data...), c.err
		}
		if !bytes.Equal(got, text) || !errors.Is(err, io.EOF) {
			t.Errorf("%s: %d bytes and %v, want %d bytes and the end", name, len(got), err, len(text))
		}
	}
}

func TestReadAheadEndsWhenStopped(t *testing.T) {
	stop := make(chan struct{})
	chunks := readAhead(strings.NewReader("something"), stop)
	close(stop)
	for range chunks {
	}
}
