package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aof2/aof"
)

func TestDamageIsWrittenAsExactRanges(t *testing.T) {
	for _, row := range []struct {
		d    damageReport
		want string
	}{
		{damageReport{"journal/1.aof", 4096, 100, "two words", 5, 9, "checksum"}, `journal/1.aof, bytes 4096 to 4195, stream "two words", seq 5 to 9: checksum`},
		{damageReport{"journal/1.aof", 0, 1, "", 0, 0, "header"}, `journal/1.aof, bytes 0 to 0: header`},
		{damageReport{"journal/1.aof", 7, 0, "s", 3, 3, "missing"}, `journal/1.aof, bytes 7 to 7, stream s, seq 3: missing`},
	} {
		if got := row.d.text(); got != row.want {
			t.Errorf("got %q, want %q", got, row.want)
		}
	}
}

func TestDamageSeenTwiceIsReportedOnce(t *testing.T) {
	a := aof.Damage{File: "a", Offset: 1, Length: 2, Stream: "s", First: 1, Last: 1, Problem: "p"}
	b := aof.Damage{File: "b", Stream: "other"}
	found := &aof.Report{Files: 2, Damage: []aof.Damage{a}}
	if r := reportVerify(found, aof.Recovery{Damage: []aof.Damage{a, b}}, nil); len(r.Damage) != 2 || r.OK {
		t.Errorf("of everything: %+v", r)
	}
	if r := reportVerify(found, aof.Recovery{Damage: []aof.Damage{a, b}}, []string{"s"}); len(r.Damage) != 1 || r.OK {
		t.Errorf("of one stream: %+v", r)
	}
	if r := reportVerify(&aof.Report{}, aof.Recovery{Damage: []aof.Damage{b}}, []string{"s"}); !r.OK || r.Damage == nil {
		t.Errorf("damage of another stream: %+v", r)
	}
	var out strings.Builder
	reportVerify(&aof.Report{Files: 1, Frames: 2, Records: 3, Bytes: 2048}, aof.Recovery{Torn: 12}, nil).text(&out)
	want := "checked 1 file, 2 frames, 3 records, 2 KiB: no damage\n" +
		"behind the end lie 12 bytes that were written and never acknowledged: no damage\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// find returns the file below the store that holds text, and where in it.
func (c *cli) find(text string) (path string, at int) {
	c.t.Helper()
	at = -1
	err := filepath.WalkDir(c.dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || at >= 0 || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(p)
		path, at = p, bytes.Index(data, []byte(text))
		return err
	})
	if err != nil || at < 0 {
		c.t.Fatalf("look for %q on disk: %v", text, err)
	}
	return path, at
}

// write changes bytes of a file.
func (c *cli) write(path string, at int, data []byte) {
	c.t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(data, int64(at)); err != nil {
		c.t.Fatal(err)
	}
}

func TestAFlippedBitIsFoundAndOnlyItsRecordRefused(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		c := newCLI(t)
		c.okPipe("before\nthe-needle\nafter\n", "append", "orders")
		c.okPipe("whole\n", "append", "other")
		if sealed {
			c.ok("seal")
		}
		path, at := c.find("the-needle")
		c.write(path, at, []byte("T"))

		r := c.run("verify", "--json")
		c.wantFailure(r, exitDamage, "1 range is damaged", "restore the rest from a copy")
		report := decode[verifyReport](t, r.stdout)
		if report.OK || len(report.Damage) != 1 {
			t.Fatalf("sealed %v: %+v", sealed, report)
		}
		if d := report.Damage[0]; d.Stream != "orders" || d.First != 2 || d.Last != 2 || d.Length < 1 {
			t.Errorf("sealed %v: %+v", sealed, d)
		}
		r = c.run("verify", "orders")
		if !strings.HasPrefix(r.stdout, "damage: ") || !strings.Contains(r.stdout, ", stream orders, seq 2: ") {
			t.Errorf("for people: %q", r.stdout)
		}
		c.ok2("verify", "other")

		for _, mode := range [][]string{nil, {"--read-only"}} {
			r = c.run(append([]string{"cat", "orders"}, mode...)...)
			c.wantFailure(r, exitDamage, "1 record printed, the last was seq 1", "read on behind the damage with --from 3")
			if r.stdout != "before\n" {
				t.Errorf("before the damage: %q", r.stdout)
			}
			if r = c.run(append([]string{"cat", "orders", "--from", "3"}, mode...)...); r.code != exitDone || r.stdout != "after\n" {
				t.Errorf("behind the damage: %+v", r)
			}
		}
		if r := c.run("cat", "other"); r.code != exitDone || r.stdout != "whole\n" {
			t.Errorf("the other stream: %+v", r)
		}
	}
}

// ok2 wants exit code 0 and nothing but notes on stderr.
func (c *cli) ok2(args ...string) string {
	c.t.Helper()
	r := c.run(args...)
	for line := range strings.Lines(r.stderr) {
		if !strings.HasPrefix(line, "aof: note: ") {
			c.t.Errorf("aof %q: stderr says %q", args, line)
		}
	}
	if r.code != exitDone {
		c.t.Errorf("aof %q: exit code %d", args, r.code)
	}
	return r.stdout
}

func TestAHarmedFileIsFoundByVerify(t *testing.T) {
	for name, harm := range map[string]func(path string, size int64) error{
		"deleted":   func(path string, _ int64) error { return os.Remove(path) },
		"empty":     func(path string, _ int64) error { return os.Truncate(path, 0) },
		"cut short": func(path string, size int64) error { return os.Truncate(path, size/2) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCLI(t)
			c.okPipe(lines(1000)+"the-needle\n", "append", "orders")
			c.ok("seal")
			c.okPipe("whole\n", "append", "other")
			path, _ := c.find("the-needle")
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := harm(path, info.Size()); err != nil {
				t.Fatal(err)
			}
			r := c.run("verify")
			c.wantFailure(r, exitDamage, "damaged")
			if !strings.Contains(r.stdout, filepath.Base(path)) || !strings.Contains(r.stdout, "stream orders, seq ") {
				t.Errorf("it does not say what is damaged:\n%s", r.stdout)
			}
			r = c.run("cat", "orders", "--read-only", "--last", "1")
			c.wantFailure(r, exitDamage)
			if got := c.ok2("cat", "other", "--read-only"); got != "whole\n" {
				t.Errorf("the other stream: %q", got)
			}
		})
	}
}

// A later version may lay out everything behind the version number differently,
// so the number alone must be enough to refuse, and nothing may be touched.
func TestAStoreOfANewerVersionIsRefusedAndUntouched(t *testing.T) {
	c := ten(t)
	c.ok("seal")
	c.okPipe("11\n", "append", "orders")
	before := map[string]string{}
	for _, dir := range c.directories() {
		for path, data := range c.files(dir) {
			if strings.HasPrefix(data, "AOF2HOT\x00") {
				c.write(path, len("AOF2HOT\x00"), []byte{0xff, 0x7f})
				data = data[:8] + "\xff\x7f" + data[10:]
			}
			before[path] = data
		}
	}
	for _, args := range [][]string{{"append", "orders"}, {"cat", "orders"}, {"cat", "orders", "--read-only"}, {"ls"}, {"verify"}, {"seal"}} {
		c.fails(exitUnavailable, []string{"newer version", "nothing was touched"}, args...)
	}
	for _, dir := range c.directories() {
		for path, data := range c.files(dir) {
			if was, ok := before[path]; filepath.Base(path) != "LOCK" && (!ok || was != data) {
				t.Errorf("%s was touched", path)
			}
		}
	}
}

// files reads the files of a directory.
func (c *cli) files(dir string) map[string]string {
	c.t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		c.t.Fatal(err)
	}
	found := map[string]string{}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		path := filepath.Join(dir, e.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			c.t.Fatal(err)
		}
		found[path] = string(data)
	}
	return found
}
