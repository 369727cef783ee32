package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/aof2/aof"
)

// textDir is a directory with n files of some lines each.
func textDir(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		text := strings.ReplaceAll(lines(400), "line", fmt.Sprintf("file %d, line", i))
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.txt", i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheDemoLosesNothingThatWasAcknowledged(t *testing.T) {
	c, place := newCLI(t), t.TempDir()
	r := c.run("demo", textDir(t, 60), "--dir", place, "--json")
	if r.code != exitDone {
		t.Fatalf("%+v", r)
	}
	report := decode[demoReport](t, r.stdout)
	if !report.OK || len(report.Streams) != demoStreams || report.TextFiles != 60 || report.TextLines != 60*400 || report.Followed == 0 {
		t.Errorf("got %+v", report)
	}
	for _, s := range report.Streams {
		if s.Acknowledged == 0 || s.CameBack < s.Acknowledged || s.CameBack > s.Lines || s.Missing != 0 || s.Different != 0 || s.End != s.Lines {
			t.Errorf("got %+v", s)
		}
	}
	if back := report.sum(func(s demoStreamReport) uint64 { return s.CameBack }); back == report.TextLines {
		t.Error("the child had written everything before it was killed")
	}
	if v := report.Verified; !v.OK || v.Records < report.TextLines || len(report.Files) == 0 {
		t.Errorf("verified %+v, files %+v", v, report.Files)
	}
	if left, err := os.ReadDir(place); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestTheDemoTellsItsStoryAndKeepsTheStoreWhenAsked(t *testing.T) {
	c, place := newCLI(t), t.TempDir()
	story := c.ok("demo", textDir(t, 20), "--dir", place, "--keep")
	for _, want := range []string{
		"1. The text: 20 files of ", "2. A child process appends", "was killed with SIGKILL, in the middle of writing",
		"3. The store is opened again.", "ACKNOWLEDGED  CAME BACK  DIFFERENCE", "nothing missing", "0 acknowledged records missing",
		"4. The rest is appended", "5. Verify", "0 ranges damaged", "8000 records compared with their source by SHA-256",
		"6. Where the bytes are.", "7. Kept.", "nothing that was acknowledged is missing",
	} {
		if !strings.Contains(story, want) {
			t.Errorf("the story lacks %q:\n%s", want, story)
		}
	}
	stores, err := filepath.Glob(filepath.Join(place, "aof-demo-*", "store"))
	if err != nil || len(stores) != 1 {
		t.Fatalf("kept: %q, %v", stores, err)
	}
	for i := range demoStreams {
		text, err := os.ReadFile(demoPartPath(filepath.Join(filepath.Dir(stores[0]), "text"), i))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ok("cat", demoStreamName(i), "--dir", stores[0]); got != string(text) {
			t.Errorf("%s is not its source", demoStreamName(i))
		}
	}
}

func TestTheDemoTakesOneFileHoweverSmall(t *testing.T) {
	c := newCLI(t)
	story := c.ok("demo", c.file("tiny.txt", "just this"), "--dir", t.TempDir())
	if !strings.Contains(story, "1 file of ") || !strings.Contains(story, "1 line, 10 B") || !strings.Contains(story, "nothing that was acknowledged is missing") {
		t.Errorf("got:\n%s", story)
	}
}

func TestTheDemoNeedsText(t *testing.T) {
	c := newCLI(t)
	c.fails(exitUsage, []string{"there is no text in", "aof demo DIRECTORY"}, "demo", t.TempDir())
	c.fails(exitUsage, []string{"there is no text in"}, "demo", c.file("binary", "a\x00b"))
	c.fails(exitNotFound, []string{"missing"}, "demo", filepath.Join(t.TempDir(), "missing"))
	c.fails(exitNotFound, []string{"missing"}, "demo", c.file("a", "a"), "--dir", filepath.Join(t.TempDir(), "missing"))
}

func TestAnInterruptedDemoLeavesNothingBehind(t *testing.T) {
	needSignals(t)
	c, place := newCLI(t), t.TempDir()
	p := c.start("demo", textDir(t, 200), "--dir", place)
	for !strings.HasPrefix(p.line(), "2. A child process") {
	}
	c.wantFailure(p.signal(syscall.SIGINT), interrupted, "aof: interrupted: ")
	if left, err := os.ReadDir(place); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestTheChildReportsEveryAcknowledgementAndEndsWithItsParent(t *testing.T) {
	c := newCLI(t)
	dir := t.TempDir()
	text, err := gatherText(t.Context(), textDir(t, 10), filepath.Join(dir, "text"), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	p := c.start("demo-writer", filepath.Join(dir, "text"))
	var h heard
	for !h.done {
		if err := h.take(p.line()); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if r := p.wait(); r.code != exitDone || r.stderr != "" {
		t.Errorf("%+v", r)
	}
	for i, part := range text.parts {
		if uint64(h.acked[i]) != part.lines {
			t.Errorf("%s: %d acknowledged of %d", part.stream, h.acked[i], part.lines)
		}
	}
	if !h.ready || h.total != text.lines() || h.followed == 0 {
		t.Errorf("heard %+v", h)
	}
}

func TestOnlyWholeLinesOfTheChildCount(t *testing.T) {
	kills := 0
	h, err := listen(t.Context(), strings.NewReader("ready\nacked 0 5\nacked 2 7\nfollowed 3\nacked 0 8\nacked 0 99"), 10, func() error { kills++; return nil })
	if err != nil || h.acked[0] != 8 || h.acked[2] != 7 || h.total != 15 || h.followed != 3 || !h.ready || h.done {
		t.Errorf("heard %+v, %v", h, err)
	}
	for _, line := range []string{"", "acked 99 1", "acked -1 1", "acked x", "hello"} {
		if err := (&heard{}).take(line); err == nil {
			t.Errorf("%q is taken", line)
		}
	}
}

func TestTheChildIsKilledAtTheGoalAndHeardToItsEnd(t *testing.T) {
	r, w := io.Pipe()
	killed := make(chan struct{})
	go func() {
		fmt.Fprintln(w, "ready")
		fmt.Fprintln(w, "acked 0 11")
		<-killed
		fmt.Fprintln(w, "acked 0 12")
		w.Close()
	}()
	h, err := listen(t.Context(), r, 10, func() error { close(killed); return nil })
	if err != nil || h.acked[0] != 12 {
		t.Errorf("heard %+v, %v", h, err)
	}
}

func TestTextIsDealtOutWholeAndInOrder(t *testing.T) {
	source := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(source, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	large := lines(5000)
	write("a/large", large)
	write("b", "no newline at the end")
	write("c", "")
	write("d", "bin\x00ary")
	write(".hidden", "hidden\n")
	write(".git/config", "hidden\n")
	write("e", "last\n")
	dir := filepath.Join(t.TempDir(), "text")
	text, err := gatherText(t.Context(), source, dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if text.files != 3 || text.lines() != 5002 || text.bytes != int64(len(large)+len("no newline at the end\n")+len("last\n")) {
		t.Errorf("%d files, %d lines, %d bytes", text.files, text.lines(), text.bytes)
	}
	all := map[string]int{}
	for _, p := range text.parts {
		data, err := os.ReadFile(p.path)
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(data)) != p.bytes || uint64(bytes.Count(data, []byte("\n"))) != p.lines {
			t.Errorf("%+v is %d bytes", p, len(data))
		}
		for line := range strings.Lines(string(data)) {
			all[line]++
		}
	}
	for line := range strings.Lines(large + "no newline at the end\nlast\n") {
		if all[line]--; all[line] < 0 {
			t.Fatalf("%q is missing", line)
		}
	}
	limited, err := gatherText(t.Context(), source, filepath.Join(t.TempDir(), "text"), 1000)
	if err != nil || limited.bytes > 1000 || limited.bytes < 900 {
		t.Errorf("at most 1000 bytes: %+v, %v", limited, err)
	}
}

// A demo that lies would be worse than none: what is missing or different must
// end it with exit code 1.
func TestTheDemoNoticesWhatIsMissingOrDifferent(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "text")
	source := (&cli{t: t}).file("source", "one\ntwo\nthree\n")
	text, err := gatherText(t.Context(), source, dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name                string
		records             []string
		acked, followed     uint64
		missing, different  uint64
		back                uint64
		difference, verdict string
	}{
		{"all back", []string{"one", "two"}, 2, 1, 0, 0, 2, "nothing missing", ""},
		{"one more", []string{"one", "two"}, 1, 1, 0, 0, 2, "nothing missing, 1 more", ""},
		{"one missing", []string{"one"}, 2, 1, 1, 0, 1, "1 ACKNOWLEDGED RECORDS ARE MISSING", "1 record missing, 0 different"},
		{"the stream is missing", nil, 2, 1, 2, 0, 0, "2 ACKNOWLEDGED RECORDS ARE MISSING", "2 records missing"},
		{"the follower saw more", []string{"one"}, 1, 3, 2, 0, 1, "2 ACKNOWLEDGED RECORDS ARE MISSING", "2 records missing"},
		{"one different", []string{"one", "too"}, 2, 1, 0, 1, 2, "1 RECORDS DIFFER FROM THE SOURCE", "0 records missing, 1 different"},
		{"more than were written", []string{"one", "two", "three", "four"}, 3, 1, 0, 1, 4, "1 RECORDS DIFFER", "1 different"},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := &demoRun{app: &app{}, tell: io.Discard, store: t.TempDir(), text: text}
			if err := d.introduce(t.Context()); err != nil {
				t.Fatal(err)
			}
			d.report.Streams[0].Acknowledged, d.report.Followed = row.acked, aof.Seq(row.followed)
			d.report.Verified = &verifyReport{OK: true}
			s, err := d.open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if row.records != nil {
				stream, err := s.CreateStream(t.Context(), demoStreamName(0), nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range row.records {
					if _, err := stream.Append(t.Context(), []byte(r)); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := errors.Join(d.compareAll(t.Context(), s), s.Close()); err != nil {
				t.Fatal(err)
			}
			got := d.report.Streams[0]
			if got.Missing != row.missing || got.Different != row.different || got.CameBack != row.back || !strings.HasPrefix(got.difference(), row.difference) {
				t.Errorf("got %+v: %s", got, got.difference())
			}
			err = d.verdict()
			if row.verdict == "" && err != nil || row.verdict != "" && (err == nil || classify(err).code != exitDamage || !strings.Contains(err.Error(), row.verdict)) {
				t.Errorf("the verdict is %v", err)
			}
		})
	}
}

func TestTheDemoFindsTheGoDistribution(t *testing.T) {
	root, err := goroot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "src", "fmt", "print.go")); err != nil {
		t.Error(err)
	}
}
