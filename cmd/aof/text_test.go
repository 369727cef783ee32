package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aof2/aof"
)

func TestNamesAreQuotedUnlessPlain(t *testing.T) {
	for name, want := range map[string]string{
		"orders":       "orders",
		"a/b.c-d_e:1":  "a/b.c-d_e:1",
		"größe":        "größe",
		"..":           "..",
		"":             `""`,
		"two words":    `"two words"`,
		"-f":           `"-f"`,
		"a\nb":         `"a\nb"`,
		"\x1b[31mred":  `"\x1b[31mred"`,
		`say "x"`:      `"say \"x\""`,
		"🙂":            `"🙂"`,
		"bad\xffutf8":  `"bad\xffutf8"`,
		"\u202eevil":   `"\u202eevil"`,
		"nul\x00":      `"nul\x00"`,
		"a,b":          `"a,b"`,
		"non\u00a0sep": `"non\u00a0sep"`,
	} {
		if got := quoteName(name); got != want {
			t.Errorf("quoteName(%q) is %s, want %s", name, got, want)
		}
	}
}

func TestNamesAreCheckedBeforeAStoreIsTouched(t *testing.T) {
	for _, name := range []string{"a", "..", "/", "/etc/passwd", "🙂", strings.Repeat("x", 255), strings.Repeat("é", 127), "-", "a\nb"} {
		if err := checkName(name); err != nil {
			t.Errorf("%q is refused: %v", name, err)
		}
	}
	for name, want := range map[string]string{
		"":                       "empty",
		strings.Repeat("x", 256): "256 bytes",
		strings.Repeat("é", 128): "256 bytes",
		"\xff":                   `"\xff" is not valid UTF-8`,
		"a\x00b":                 `"a\x00b" contains NUL`,
	} {
		err := checkName(name)
		if err == nil || !strings.Contains(err.Error(), want) || classify(err).code != exitUsage {
			t.Errorf("%q: %v, want usage with %q", name, err, want)
		}
	}
}

func TestSizesAreWrittenForPeople(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1: "1 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 1 << 20: "1 MiB",
		64<<20 + 100<<10: "64.1 MiB", 1 << 62: "4 EiB",
	} {
		if got := sizeText(n); got != want {
			t.Errorf("%d is written %q, want %q", n, got, want)
		}
	}
}

func TestCountsAndRangesAreWrittenForPeople(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{plural(0, "record"), "0 records"},
		{plural(1, "record"), "1 record"},
		{plural(uint64(2), "record"), "2 records"},
		{isDamaged(1), "1 range is damaged"},
		{isDamaged(2), "2 ranges are damaged"},
		{isAre(1, "record"), "1 record is"},
		{isAre(0, "record"), "0 records are"},
		{seqRange(1, 0), "none"},
		{seqRange(0, 0), "none"},
		{seqRange(7, 7), "seq 7"},
		{seqRange(7, 9), "seq 7 to 9"},
		{firstLast(aof.Bounds{First: 5, Durable: 4, Next: 5}), "-\t-"},
		{firstLast(aof.Bounds{First: 5, Durable: 8, Next: 9}), "5\t8"},
		{secondsText(1500 * time.Millisecond), "1.500 s"},
		{metadataText(nil), "none"},
		{metadataText([]byte("a\n")), `2 bytes: "a\n"`},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestProgressIsSilentAtFirstAndElsewhereThanOnATerminal(t *testing.T) {
	var out strings.Builder
	long := time.Now().Add(-time.Minute)
	(&progress{w: &out, start: long}).show("not a terminal")
	(&progress{w: &out, on: true, start: time.Now()}).show("too early")
	if out.Len() > 0 {
		t.Errorf("progress was shown: %q", out.String())
	}
	p := &progress{w: &out, on: true, start: long}
	p.show("half %s", "way")
	p.show("too soon after the last")
	p.done()
	p.done()
	if want := "\r\x1b[Khalf way\r\x1b[K"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestAQuotedNameIsAlwaysOneValidWord(t *testing.T) {
	for _, name := range []string{"", "a b", "\xff\xfe", "x\x00y", "tab\t", "🙂🙂", "--json", "\u2028"} {
		q := quoteName(name)
		if !utf8.ValidString(q) || strings.ContainsAny(q, "\n\r\t\x00\x1b") {
			t.Errorf("%q is written %q", name, q)
		}
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestAReportThatCannotBeWrittenIsAFailure(t *testing.T) {
	broken := errors.New("broken")
	a := &app{out: failingWriter{broken}}
	err := a.report(nil, func(w io.Writer) { _, _ = io.WriteString(w, "text") })
	if !errors.Is(err, broken) || classify(err).code != exitIO {
		t.Errorf("got %v", err)
	}
}

func TestATableLinesUpItsColumns(t *testing.T) {
	var out strings.Builder
	table(&out, "NAME\t>SIZE\tSTATE", "é\t8.0 MiB\topen", "long name\t512 B\t-")
	want := "NAME          SIZE  STATE\n" +
		"é          8.0 MiB  open\n" +
		"long name    512 B  -\n"
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
}
