package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestASecondOpenerIsToldWhoHoldsTheStore(t *testing.T) {
	c := ten(t)
	holder := c.hold()
	pid := fmt.Sprint(holder.cmd.Process.Pid)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"append", "orders"}, {"cat", "orders"}, {"seal"}, {"trim", "orders", "--before", "2"}, {"rm", "orders"},
	} {
		c.fails(exitUnavailable, []string{"locked", c.dir, pid, host, "since", "stop that program", "cat --read-only"}, args...)
	}
}

func TestLookingWorksBesideARunningProgramAndSaysItIsASnapshot(t *testing.T) {
	c := ten(t)
	pid := fmt.Sprint(c.hold().cmd.Process.Pid)
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"ls"}, "orders"},
		{[]string{"info", "orders"}, "10 (seq 1 to 10)"},
		{[]string{"segments"}, "FILE"},
		{[]string{"segments", "orders"}, "FILE"},
		{[]string{"verify"}, "no damage"},
		{[]string{"cat", "orders", "--read-only", "--last", "1"}, "10\n"},
		{[]string{"ls", "--json"}, `"snapshot":true`},
	} {
		r := c.run(row.args...)
		if r.code != exitDone || !strings.Contains(r.stdout, row.want) {
			t.Errorf("%q: %+v", row.args, r)
		}
		if !strings.Contains(r.stderr, "snapshot") || !strings.Contains(r.stderr, pid) || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%q: stderr should say once that it is a snapshot, and of whom: %q", row.args, r.stderr)
		}
	}
}

func TestTheLockGoesWithItsHolder(t *testing.T) {
	needSignals(t)
	c := ten(t)
	c.hold().signal(syscall.SIGKILL)
	if got := c.ok2("cat", "orders", "--last", "1"); got != "10\n" {
		t.Errorf("got %q", got)
	}
	c.okPipe("11\n", "append", "orders")
}

func TestEveryValidNameIsAStreamAndNeverAPath(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "deep", "er", "store")}
	if err := os.MkdirAll(filepath.Dir(c.dir), 0o700); err != nil {
		t.Fatal(err)
	}
	names := []string{"..", ".", "/", "../../x", "a/b", "🙂", strings.Repeat("x", 255), strings.Repeat("🙂", 63), " ", "a\nb", "-f", `"quoted"`, "con", "CON", "con.", "é", "e\u0301"}
	for i, name := range names {
		c.okPipe(fmt.Sprintf("record %d\n", i), "append", "--", name)
	}
	for i, name := range names {
		if got, want := c.ok("cat", "--", name), fmt.Sprintf("record %d\n", i); got != want {
			t.Errorf("stream %q holds %q, want %q", name, got, want)
		}
		if got := decode[infoReport](t, c.ok("info", "--json", "--", name)); got.Name != name || got.Records != 1 {
			t.Errorf("info of %q: %+v", name, got)
		}
	}
	if got := decode[lsReport](t, c.ok("ls", "--json")); len(got.Streams) != len(names) {
		t.Errorf("%d streams are listed, want %d", len(got.Streams), len(names))
	}
	if got := c.ok("ls"); strings.Count(got, "\n") != len(names)+1 {
		t.Errorf("a name breaks the table:\n%s", got)
	}
	outside, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(c.dir)), "*", "*"))
	if err != nil || len(outside) != 1 {
		t.Errorf("beside the store lie %q, %v", outside, err)
	}
	for _, name := range names {
		c.ok("rm", "--", name)
	}
}

func TestInvalidNamesAreUsage(t *testing.T) {
	c := newCLI(t)
	for _, verb := range [][]string{{"append"}, {"cat"}, {"info"}, {"segments"}, {"verify"}, {"trim", "--before", "1"}, {"rm"}} {
		for name, want := range map[string]string{
			"":                       "the stream name is empty",
			strings.Repeat("x", 256): "256 bytes, more than 255",
			"bad\xff":                `"bad\xff" is not valid UTF-8`,
		} {
			c.fails(exitUsage, []string{want, "1 to 255 bytes of UTF-8 without NUL"}, append(verb, "--", name)...)
		}
	}
	if _, err := os.Stat(c.dir); !os.IsNotExist(err) {
		t.Errorf("the store was made: %v", err)
	}
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	c := ten(t)
	var foreign []string
	for _, dir := range c.directories() {
		for _, name := range []string{"notes.txt", "x.aof", ".hidden", "backup.tmp.txt"} {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte("not ours"), 0o600); err != nil {
				t.Fatal(err)
			}
			foreign = append(foreign, path)
		}
	}
	r := c.pipe("11\n", "append", "orders")
	if r.code != exitDone {
		t.Errorf("%+v", r)
	}
	c.wantText(r.stderr, "aof: note: journal/notes.txt is not a file of this store and is left alone")
	if got := c.ok2("cat", "orders", "--last", "2"); got != "10\n11\n" {
		t.Errorf("got %q", got)
	}
	c.ok2("seal")
	c.ok2("verify")
	for _, path := range foreign {
		if data, err := os.ReadFile(path); err != nil || string(data) != "not ours" {
			t.Errorf("%s: %q, %v", path, data, err)
		}
	}
}

// directories lists the store's directory and those in it.
func (c *cli) directories() []string {
	c.t.Helper()
	dirs := []string{c.dir}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			dirs = append(dirs, filepath.Join(c.dir, e.Name()))
		}
	}
	return dirs
}

func TestADirectoryOfOtherThingsIsNoStore(t *testing.T) {
	c := &cli{t: t, dir: t.TempDir()}
	letter := filepath.Join(c.dir, "letter.txt")
	if err := os.WriteFile(letter, []byte("dear"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"ls"}, {"verify"}, {"cat", "s", "--read-only"}, {"cat", "s"}, {"seal"}, {"trim", "s", "--before", "1"}, {"rm", "s"}} {
		c.fails(exitNotFound, []string{"there is no store in " + c.dir, "--dir or AOF_DIR"}, args...)
	}
	c.fails(exitUsage, []string{c.dir, "letter.txt", "no store", "one that does not exist is made"}, "append", "s")
	if entries, err := os.ReadDir(c.dir); err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
}
