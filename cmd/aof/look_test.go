package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/aof2/aof"
)

// small is a store with three streams, one of them trimmed and one empty.
func small(t *testing.T) *cli {
	t.Helper()
	c := newCLI(t)
	c.okPipe("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", "append", "orders")
	c.ok("append", "empty")
	c.okPipe("a\nb\n", "append", "two words 🙂")
	c.ok("trim", "orders", "--before", "4")
	return c
}

func TestReportsForPeople(t *testing.T) {
	c := small(t)
	c.golden("ls", c.ok("ls"))
	c.golden("info", c.ok("info", "orders"))
	c.golden("segments", journalOnly(c.ok("segments")))
	c.golden("segments-stream", c.ok("segments", "two words 🙂"))
	c.golden("verify", c.ok("verify"))
	c.golden("seal", c.ok("seal"))
	c.golden("segments-sealed", c.ok("segments", "orders"))
}

// journalOnly leaves out the files that differ with time, place and chance.
func journalOnly(segments string) string {
	var b strings.Builder
	for line := range strings.Lines(segments) {
		if strings.HasPrefix(line, "FILE") || strings.HasPrefix(line, "journal/0") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestReportsAsJSON(t *testing.T) {
	c := small(t)
	c.golden("ls-json", c.ok("ls", "--json"))
	c.golden("info-json", c.ok("info", "orders", "--json"))
	segments := decode[segmentsReport](t, c.ok("segments", "--json"))
	segments.Others, segments.Bytes, segments.DiskBytes = nil, 0, 0 // these differ with time, place and chance
	b, err := json.Marshal(segments)
	if err != nil {
		t.Fatal(err)
	}
	c.golden("segments-json", string(b)+"\n")
	c.golden("verify-json", c.ok("verify", "--json"))
	c.golden("seal-json", c.ok("seal", "--json"))
}

func TestLsListsByName(t *testing.T) {
	c := small(t)
	ls := decode[lsReport](t, c.ok("ls", "--json"))
	var names []string
	for _, s := range ls.Streams {
		names = append(names, s.Name)
	}
	if want := []string{"empty", "orders", "two words 🙂"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	if ls.Snapshot || ls.Dir != c.dir {
		t.Errorf("got %+v", ls.viewReport)
	}
	if s := ls.Streams[1]; s.Records != 7 || s.First != 4 || s.Durable != 10 || s.Next != 11 {
		t.Errorf("orders is %+v", s)
	}
	if s := ls.Streams[0]; s.Records != 0 || s.First != 1 || s.Durable != 0 || s.Next != 1 {
		t.Errorf("empty is %+v", s)
	}
	if got := c.ok("ls"); !strings.Contains(got, "\n\"two words 🙂\" ") {
		t.Errorf("the name is not quoted:\n%s", got)
	}
}

func TestAnEmptyStoreHasNoStreams(t *testing.T) {
	c := newCLI(t)
	c.ok("append", "s")
	c.ok("rm", "s")
	if got := c.ok("ls"); got != "no streams yet\n" {
		t.Errorf("got %q", got)
	}
	if got := decode[lsReport](t, c.ok("ls", "--json")); got.Streams == nil || len(got.Streams) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestStreamsThatDoNotExistAreNotFound(t *testing.T) {
	c := small(t)
	for _, args := range [][]string{
		{"info", "other"},
		{"segments", "other"},
		{"verify", "other"},
		{"cat", "other"},
		{"rm", "other"},
		{"trim", "other", "--before", "1"},
	} {
		c.fails(exitNotFound, []string{"there is no stream other in " + c.dir, "aof ls"}, args...)
	}
}

func TestWithoutAStoreEveryVerbButAppendSaysSo(t *testing.T) {
	for name, c := range map[string]*cli{"a missing directory": newCLI(t), "an empty directory": {t: t, dir: t.TempDir()}} {
		for _, args := range [][]string{
			{"ls"},
			{"info", "s"},
			{"segments"},
			{"verify"},
			{"cat", "s"},
			{"cat", "s", "--read-only"},
			{"seal"},
			{"trim", "s", "--before", "1"},
			{"rm", "s"},
		} {
			r := c.fails(exitNotFound, []string{"there is no store in " + c.dir, "--dir or AOF_DIR", "aof append"}, args...)
			if r.stdout != "" {
				t.Errorf("%s: %q prints %q", name, args, r.stdout)
			}
		}
	}
}

func TestTheDirectoryComesFromTheFlagThenTheEnvironmentThenTheDefault(t *testing.T) {
	work := t.TempDir()
	run := func(env string, args ...string) result {
		c := &cli{t: t}
		cmd := c.command(args...)
		cmd.Dir = work
		cmd.Env = append(cmd.Env, "AOF_DIR="+env)
		return c.finish(cmd)
	}
	for _, step := range []struct {
		env  string
		args []string
		dir  string
	}{
		{"", []string{"append", "default"}, "aof-data"},
		{"env", []string{"append", "env"}, "env"},
		{"env", []string{"append", "flag", "--dir", "flag"}, "flag"},
	} {
		if r := run(step.env, step.args...); r.code != exitDone {
			t.Fatalf("%q: %+v", step.args, r)
		}
		ls := run("", "ls", "--json", "--dir", step.dir)
		if streams := decode[lsReport](t, ls.stdout).Streams; len(streams) != 1 || streams[0].Name != step.args[1] {
			t.Errorf("%s holds %+v", step.dir, streams)
		}
	}
}

func TestSealTrimAndRmReport(t *testing.T) {
	c := ten(t)
	if got, want := c.ok("trim", "orders", "--before", "3"), "orders: 2 records removed, what is left: seq 3 to 10\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := c.ok("trim", "orders", "--before", "2"), "orders: 0 records removed, what is left: seq 3 to 10\n"; got != want {
		t.Errorf("trimming again: got %q, want %q", got, want)
	}
	c.fails(exitUsage, []string{"--before 12 lies in the future of stream orders: its next record will be seq 11", "--before 11 removes everything"}, "trim", "orders", "--before", "12")
	if got, want := decode[trimReport](t, c.ok("trim", "orders", "--before", "11", "--json")), (trimReport{"orders", 8, 11, 11}); got != want {
		t.Errorf("trimming to empty: got %+v, want %+v", got, want)
	}
	if got := c.ok("cat", "orders"); got != "" {
		t.Errorf("the trimmed stream holds %q", got)
	}
	c.okPipe("eleven\n", "append", "orders")
	if got, want := decode[rmReport](t, c.ok("rm", "orders", "--json")), (rmReport{"orders", 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	c.okPipe("new\n", "append", "orders")
	if got := c.ok("cat", "orders", "--from", "1"); got != "new\n" {
		t.Errorf("the stream made again holds %q", got)
	}
	if got, want := c.ok("rm", "orders"), "orders: deleted with 1 record\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSealedFilesKeepTheirRecords(t *testing.T) {
	c := ten(t)
	sealed := decode[sealReport](t, c.ok("seal", "--json"))
	if len(sealed.Sealed) != 1 || sealed.Sealed[0].State != string(aof.FileSealed) {
		t.Fatalf("got %+v", sealed)
	}
	if runs := sealed.Sealed[0].Runs; len(runs) != 1 || runs[0].Stream != "orders" || runs[0].First != 1 || runs[0].Last != 10 {
		t.Errorf("its runs are %+v", runs)
	}
	c.okPipe("11\n", "append", "orders")
	if got, want := c.ok("cat", "orders", "--last", "2"), "10\n11\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	segments := decode[segmentsReport](t, c.ok("segments", "orders", "--json"))
	if len(segments.Files) != 2 || segments.Files[1].Runs[0].First != 11 {
		t.Errorf("the stream lies in %+v", segments.Files)
	}
	c.ok("verify")
}
