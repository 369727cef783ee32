package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aof2/aof"
)

// recycled is a store that has recycled files, snapshots and room for the next ones.
func recycled(t *testing.T) *cli {
	t.Helper()
	c := newCLI(t)
	ctx := t.Context()
	s, err := aof.Open(ctx, c.dir, &aof.Options{HotFileSize: aof.MinHotFileSize})
	if err != nil {
		t.Fatal(err)
	}
	orders, err := s.CreateStream(ctx, "orders", nil)
	if err != nil {
		t.Fatal(err)
	}
	for round := 0; s.Stats().Recycled < 8; round++ {
		if round == 1000 {
			t.Fatalf("nothing is recycled: %+v", s.Stats())
		}
		seq, err := orders.Append(ctx, make([]byte, 3000), make([]byte, 3000))
		if err := errors.Join(err, s.Seal(ctx), orders.TrimBefore(ctx, seq)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return c
}

// The rows add up to what somebody finds who walks through the directory without
// knowing what it is.
func TestSegmentsAddUpToWhatTheDirectoryTakes(t *testing.T) {
	c := recycled(t)
	for _, name := range []string{"notes.txt", "journal/x.aof", "snapshot/old", "aof.toml"} {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte("# text\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(c.dir, "journal", "00000000000000ff.aof.tmp"), make([]byte, 9000), 0o600); err != nil {
		t.Fatal(err)
	}
	report := decode[segmentsReport](t, c.ok2("segments", "--json"))
	var size, disk, rows, rowsDisk int64
	seen := map[string]bool{}
	err := filepath.WalkDir(c.dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil {
			disk += diskBytes(info)
			if info.Mode().IsRegular() {
				size += info.Size()
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]int{}
	for _, f := range report.Files {
		seen[f.Path] = true
		states[f.State]++
		rows += f.Bytes
		rowsDisk += f.DiskBytes
	}
	for _, d := range report.Others {
		if seen[d.Path] {
			t.Errorf("%s is listed twice", d.Path)
		}
		states[d.State]++
		rows += d.Bytes
		rowsDisk += d.DiskBytes
	}
	if report.Bytes != size || rows != size || report.DiskBytes != disk || rowsDisk != disk {
		t.Errorf("%d bytes, %d on the disk; the rows have %d and %d, the directory %d and %d", report.Bytes, report.DiskBytes, rows, rowsDisk, size, disk)
	}
	for state, want := range map[string]int{"free": 1, "snapshot": 1, "spare": 1, "directory": 3, "lock": 1, "current": 1, "settings": 1, "leftover": 1, "foreign": 3} {
		exact := state != "free" && state != "snapshot" && state != "spare"
		if got := states[state]; got < want || exact && got != want {
			t.Errorf("%d files are %s, want %d: %v", got, state, want, states)
		}
	}
	text := c.ok2("segments")
	if want := "on the disk they take " + sizeText(disk) + "\n"; !strings.HasSuffix(text, want) || strings.Count(text, "\n") != 2+len(report.Files)+len(report.Others) {
		t.Errorf("want %q at the end of:\n%s", want, text)
	}
}

func TestFilesAreToldByTheirNames(t *testing.T) {
	for name, want := range map[string]string{
		"journal/0000000000000001.aof":       "free",
		"journal/0000000000000001.aof.tmp":   "leftover",
		"journal/current.tmp":                "leftover",
		"journal/000000000000000G.aof":       "foreign",
		"journal/1.aof":                      "foreign",
		"journal/current":                    "current",
		"snapshot/0000000000000001-0001":     "snapshot",
		"snapshot/0000000000000001-0001.bak": "foreign",
		"snapshot/spare-0":                   "spare",
		"snapshot/current":                   "foreign",
		"LOCK":                               "lock",
		"aof.toml":                           "settings",
		"other/0000000000000001.aof":         "foreign",
	} {
		if got := diskState(name, 0); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
		if got := diskState(name, fs.ModeDir); got != "foreign" {
			t.Errorf("a directory %s is %s", name, got)
		}
		if got := diskState(name, fs.ModeSymlink); got != "foreign" {
			t.Errorf("a link %s is %s", name, got)
		}
	}
}

// A store behind a symbolic link is walked like any other.
func TestSegmentsOfAStoreBehindALink(t *testing.T) {
	c := ten(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(c.dir, link); err != nil {
		t.Skipf("this system makes no links: %v", err)
	}
	straight, behind := decode[segmentsReport](t, c.ok("segments", "--json")), decode[segmentsReport](t, c.ok("segments", "--json", "--dir", link))
	if straight.DiskBytes != behind.DiskBytes || len(straight.Others) != len(behind.Others) {
		t.Errorf("straight %d bytes, behind a link %d", straight.DiskBytes, behind.DiskBytes)
	}
}
