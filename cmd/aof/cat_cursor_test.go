package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/aof2/aof"
)

var goOn = regexp.MustCompile(`^aof: note: go on with --after (\S+)\n$`)

// seen runs cat on orders with --cursor and returns what it printed and the cursor it told.
func (c *cli) seen(flags ...string) (records, cursor string) {
	c.t.Helper()
	r := c.run(append([]string{"cat", "orders", "--cursor"}, flags...)...)
	found := goOn.FindStringSubmatch(r.stderr)
	if r.code != exitDone || found == nil {
		c.t.Fatalf("cat --cursor %q: exit code %d, stderr:\n%s", flags, r.code, r.stderr)
	}
	return strings.Join(strings.Fields(r.stdout), " "), found[1]
}

func TestCatGoesOnBehindEveryCursor(t *testing.T) {
	c := ten(t)
	r := c.run("cat", "orders", "--cursor", "--format", "json")
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	all := strings.Fields("1 2 3 4 5 6 7 8 9 10")
	if r.code != exitDone || len(lines) != len(all) {
		t.Fatalf("%+v", r)
	}
	for i, line := range lines {
		cursor := decode[recordLine](t, line).Cursor
		if !strings.HasSuffix(line, `,"cursor":"`+cursor+`"}`) {
			t.Errorf("the cursor is not the last field of %s", line)
		}
		c.prints(strings.Join(all[i+1:], " "), "--after "+cursor)
		c.prints(strings.Join(all[i+1:min(i+3, len(all))], " "), "--limit 2 --after "+cursor)
		if told := goOn.FindStringSubmatch(r.stderr); i == len(lines)-1 && (told == nil || told[1] != cursor) {
			t.Errorf("the end tells %q, the last line has %s", r.stderr, cursor)
		}
	}
	if out := c.ok("cat", "orders", "--format", "json"); strings.Contains(out, "cursor") {
		t.Errorf("nobody asked for cursors: %s", out)
	}
}

// Whoever keeps the cursor sees each record once, whatever comes and goes in between.
func TestCatWithACursorShowsEachRecordOnce(t *testing.T) {
	c := newCLI(t)
	c.ok("append", "orders")
	_, cursor := c.seen()
	var all, want []string
	for n := 1; n <= 12; n++ {
		if n <= 8 {
			c.okPipe(fmt.Sprintf("%da\n%db\n", n, n), "append", "orders")
			want = append(want, fmt.Sprintf("%da %db", n, n))
		}
		flags := []string{"--after", cursor, "--limit", "3"}
		if n%2 == 0 {
			flags = append(flags, "--read-only")
		}
		if n == 5 {
			c.ok("seal")
		}
		var got string
		if got, cursor = c.seen(flags...); got != "" {
			all = append(all, got)
		}
	}
	if strings.Join(all, " ") != strings.Join(want, " ") {
		t.Errorf("got %q, want %q", all, want)
	}
	if got, again := c.seen("--after", cursor); got != "" || again != cursor {
		t.Errorf("with nothing new: %q, and the cursor is %s, not %s", got, again, cursor)
	}
	c.ok("trim", "orders", "--before", "17")
	c.prints("", "--after "+cursor) // what was trimmed has been seen
	c.okPipe("new\n", "append", "orders")
	c.prints("new", "--after "+cursor)
}

func TestTheCursorIsBehindWhatWasPrinted(t *testing.T) {
	c := stored(t, day(1), day(2), day(3), day(4))
	got, cursor := c.seen("--until", "2020-01-03T00:00:00Z")
	if got != "1 2" {
		t.Errorf("got %q", got)
	}
	c.prints("3 4", "--after "+cursor) // 3 was looked at and not printed
	c.prints("3", "--after "+cursor+" --until 2020-01-04T00:00:00Z")
	c.prints("3", "--after "+cursor+" --to 3")
	got, cursor = c.seen("--limit", "1", "--since", "2020-01-03T12:00:00Z")
	if got != "3" {
		t.Errorf("got %q", got)
	}
	c.prints("4", "-f --limit 1 --after "+cursor)
	if _, none := c.seen("--after", cursor, "--until", "2019-01-01T00:00:00Z"); none != cursor {
		t.Errorf("nothing was printed, and the cursor went from %s to %s", cursor, none)
	}
}

func TestAnInterruptedCatTellsTheCursor(t *testing.T) {
	needSignals(t)
	c := ten(t)
	_, cursor := c.seen("--to", "4")
	p := c.start("cat", "orders", "-f", "--after", cursor, "--cursor")
	for _, want := range strings.Fields("5 6 7 8 9 10") {
		if got := p.line(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	r := p.signal(syscall.SIGINT)
	_, end := c.seen()
	c.wantFailure(r, interrupted, "aof: note: go on with --after "+end+"\n", "6 records printed, the last was seq 10", "     go on with --after "+end+"\n")
}

// diverges wants both ways of looking to refuse the cursor without printing anything.
func (c *cli) diverges(cursor string, texts ...string) {
	c.t.Helper()
	for _, mode := range [][]string{nil, {"--read-only"}, {"--cursor"}} {
		r := c.run(append([]string{"cat", "orders", "--after", cursor}, mode...)...)
		c.wantFailure(r, exitDamage, append(texts, "stream orders is not what it was at the cursor", "begin anew without --after")...)
		if r.stdout != "" || strings.Contains(r.stderr, "go on with") || strings.Contains(r.stderr, "printed") {
			c.t.Errorf("%v: %+v", mode, r)
		}
	}
}

// crash appends a record to orders and kills the program that did when the record is durable.
func (c *cli) crash(line string) {
	c.t.Helper()
	p := c.start("append", "orders")
	if _, err := p.stdin.Write([]byte(line)); err != nil {
		c.t.Fatal(err)
	}
	for !strings.HasSuffix(c.run("cat", "orders", "--read-only").stdout, line) {
		if c.t.Context().Err() != nil {
			c.t.Fatal("the record did not come")
		}
	}
	if err := p.cmd.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	p.end()
}

func TestACursorOfOtherRecordsIsRefused(t *testing.T) {
	c, other := ten(t), ten(t)
	copied := &cli{t: t, dir: filepath.Join(t.TempDir(), "copy")}
	if err := os.CopyFS(copied.dir, os.DirFS(c.dir)); err != nil {
		t.Fatal(err)
	}
	c.okPipe("11\n12\n", "append", "orders")
	_, cursor := c.seen("--to", "12")
	other.diverges(cursor, "another stream")
	copied.diverges(cursor, "behind seq 12: there is no such record", "the stream holds seq 1 to 10")
	copied.crash("not 11\n")
	copied.okPipe("not 12\n", "append", "orders")
	copied.diverges(cursor, "life")
	c.ok("rm", "orders")
	c.okPipe("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n", "append", "orders")
	c.diverges(cursor, "another stream", "the stream holds seq 1 to 12")
	c.ok("rm", "orders")
	c.ok("append", "orders")
	c.diverges(cursor, "another stream", "the stream holds none")
}

func TestACursorBeforeTrimmedRecordsSaysWhatWasMissed(t *testing.T) {
	c := ten(t)
	_, cursor := c.seen("--to", "3")
	c.ok("trim", "orders", "--before", "7")
	for _, mode := range [][]string{nil, {"--read-only"}, {"--cursor"}} {
		r := c.run(append([]string{"cat", "orders", "--after", cursor}, mode...)...)
		c.wantFailure(r, exitNotFound, "behind the cursor seq 4 to 6 of stream orders has been trimmed", "go on without them with --from 7")
		if r.stdout != "" || strings.Contains(r.stderr, "--after") {
			t.Errorf("%v: %+v", mode, r)
		}
	}
}

func TestACursorThatIsCutOrForgedIsRefused(t *testing.T) {
	whole := aof.Cursor{Stream: 0x3e1f5a9c07d2b846, Epoch: 1, Seq: 100}.String()
	var f cursorFlag
	if err := f.Set(whole); err != nil || f.String() != whole || !f.set {
		t.Fatalf("%s: %v, %v", whole, err, f)
	}
	bad := []string{aof.Cursor{}.String(), whole + " ", " " + whole, whole + "0", strings.ToUpper(whole), strings.Replace(whole, "100", "101", 1), "100", "NaN"}
	for i := range whole {
		bad = append(bad, whole[:i], whole[i+1:])
	}
	for _, text := range bad {
		var f cursorFlag
		if err := f.Set(text); err == nil || f.set || !strings.Contains(err.Error(), whole) {
			t.Errorf("%q: %v, want a refusal with %s as an example", text, err, whole)
		}
	}
}
