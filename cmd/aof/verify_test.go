package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"maps"
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
		{damageReport{"journal/1.aof", 7, 0, "s", 3, 3, "missing"}, `journal/1.aof, at byte 7, stream s, seq 3: missing`},
		{damageReport{"journal/1.aof", 0, 0, "", 0, 0, "missing"}, `journal/1.aof: missing`},
		{damageReport{"journal/1.aof", 7, 9, "", 3, 4, "lost"}, `journal/1.aof, bytes 7 to 15, a stream that is not known, seq 3 to 4: lost`},
	} {
		if got := row.d.text(); got != row.want {
			t.Errorf("got %q, want %q", got, row.want)
		}
	}
}

func TestVerifyTellsWhatItReadAndWhatIsTorn(t *testing.T) {
	var out strings.Builder
	reportVerify(&aof.Report{Files: 1, Frames: 2, Records: 3, Bytes: 2048}, aof.Recovery{Torn: 12}, nil).text(&out)
	want := "checked 1 file, 2 frames, 3 records, 2 KiB: no damage\n" +
		"behind the end lie 12 bytes that were written and never acknowledged: no damage\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	a := aof.Damage{File: "a", Offset: 1, Length: 2, Stream: "s", First: 1, Last: 1, Problem: "p"}
	if r := reportVerify(&aof.Report{Files: 2, Damage: []aof.Damage{a}}, aof.Recovery{}, nil); r.OK || len(r.Damage) != 1 || r.Damage[0] != damageReport(a) {
		t.Errorf("got %+v", r)
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
	// Whether a snapshot was written before the program ended decides in whose
	// words the same range is reported.
	const gone = "stream orders, seq 1 to 20: "
	for _, row := range []struct {
		name string
		harm func(path string, size int64) error
		want string
	}{
		{"deleted", func(path string, _ int64) error { return os.Remove(path) }, gone},
		{"empty", func(path string, _ int64) error { return os.Truncate(path, 0) }, gone},
		{"cut in the header", func(path string, _ int64) error { return os.Truncate(path, headerBytes-1) }, gone},
		{"of another store", func(path string, _ int64) error {
			other := layered(t)
			data, err := os.ReadFile(filepath.Join(other.dir, other.takeApart(aof.FileSealed).path))
			return errors.Join(err, os.WriteFile(path, data, 0o600))
		}, gone},
		{"cut in a frame", func(path string, _ int64) error { return os.Truncate(path, headerBytes+900) }, " to 20: "},
		{"cut in the footer", func(path string, size int64) error { return os.Truncate(path, size-50) }, "the footer does not verify"},
		{"longer", func(path string, size int64) error { return os.Truncate(path, size+4096) }, "the footer does not verify"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := layered(t)
			sealed := c.takeApart(aof.FileSealed)
			if err := row.harm(filepath.Join(c.dir, sealed.path), int64(sealed.size)); err != nil {
				t.Fatal(err)
			}
			r := c.run("verify")
			c.wantFailure(r, exitDamage, "damaged", " from a copy")
			if !strings.Contains(r.stdout, "damage: "+sealed.path) || !strings.Contains(r.stdout, row.want) {
				t.Errorf("it does not say what is damaged:\n%s", r.stdout)
			}
			if row.want == gone {
				c.wantFailure(c.run("cat", "orders", "--read-only"), exitDamage, sealed.path, "read on behind the damage with --from 21")
			}
			if got := c.ok2("cat", "orders", "--read-only", "--from", "40", "--to", "40"); got != "five\n" {
				t.Errorf("a record in another file: %q", got)
			}
		})
	}
}

// Without a snapshot the oldest file is the only one that knows the streams.
func TestLosingTheFileThatKnowsTheStreamsIsSaid(t *testing.T) {
	c := newCLI(t)
	c.okPipe("one\nthe-needle\n", "append", "orders")
	c.ok("seal")
	c.okPipe("three\n", "append", "orders")
	path, _ := c.find("the-needle")
	if err := errors.Join(os.Remove(path), os.RemoveAll(filepath.Join(c.dir, "snapshot"))); err != nil {
		t.Fatal(err)
	}
	r := c.run("verify")
	c.wantFailure(r, exitDamage, "2 ranges are damaged, and records may be hidden there", "restore the store from a copy")
	for _, want := range []string{"\nthe store takes no appends: ", filepath.Base(path) + ": a hot file that was in use cannot be read: it is missing", "a stream that is not known, seq 3: "} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("it does not say %q:\n%s", want, r.stdout)
		}
	}
	c.wantFailure(c.run("cat", "orders", "--read-only"), exitDamage, "damage may hide it")
}

// newer makes the block of a file that begins at from one of a version to come:
// the version stands behind eight bytes of magic, the checksum at the end, in every
// version.
func (c *cli) newer(path string, from, length int) {
	c.t.Helper()
	path = filepath.Join(c.dir, path)
	data, err := os.ReadFile(path)
	if err != nil {
		c.t.Fatal(err)
	}
	block := data[from:]
	if length > 0 {
		block = block[:length]
	}
	binary.LittleEndian.PutUint16(block[8:], 0x7fff)
	sum := len(block) - 4
	binary.LittleEndian.PutUint32(block[sum:], crc32.Checksum(block[:sum], crc32.MakeTable(crc32.Castagnoli)))
	c.write(path, from, block)
}

func TestAStoreOfANewerVersionIsRefusedAndUntouched(t *testing.T) {
	for name, change := range map[string]func(c *cli){
		"sealed hot file":       func(c *cli) { c.newer(c.takeApart(aof.FileSealed).path, 0, headerBytes) },
		"open hot file":         func(c *cli) { c.newer(c.takeApart(aof.FileOpen).path, 0, headerBytes) },
		"one snapshot":          func(c *cli) { c.newer(c.names("snapshot")[1], 0, 0) },
		"first slot of current": func(c *cli) { c.newer("journal/current", 0, 4096) },
		"other slot of current": func(c *cli) { c.newer("journal/current", 4096, 4096) },
	} {
		t.Run(name, func(t *testing.T) {
			c := layered(t)
			change(c)
			before := map[string]string{}
			for _, dir := range c.directories() {
				maps.Copy(before, c.files(dir))
			}
			for _, args := range [][]string{{"append", "orders"}, {"cat", "orders"}, {"cat", "orders", "--read-only"}, {"ls"}, {"info", "orders"}, {"segments"}, {"verify"}, {"seal"}, {"trim", "orders", "--before", "2"}, {"rm", "orders"}} {
				c.fails(exitUnavailable, []string{"newer version", "nothing was touched"}, args...)
			}
			for _, dir := range c.directories() {
				for path, data := range c.files(dir) {
					if was, ok := before[path]; filepath.Base(path) != "LOCK" && (!ok || was != data) {
						t.Errorf("%s was touched", path)
					}
				}
			}
		})
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
