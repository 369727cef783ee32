package memfs_test

import (
	"strings"
	"testing"

	"github.com/aof2/aof/internal/fsys/memfs"
)

func page(s string) string { return strings.Repeat(s, memfs.PageBytes) }

func TestDamage(t *testing.T) {
	past := memfs.New(1)
	f := durably(t, past, "a", page("a")+page("b"))
	g := durably(t, past, "z", "z")
	m := past.Clone()
	must(t, f.Close())
	must(t, g.Close())
	young, err := m.OpenWrite("a")
	must(t, err)
	write(t, young, page("c"), 0)
	must(t, young.Sync())
	must(t, young.Close())
	tests := []struct {
		name   string
		damage func(m *memfs.Mem) bool
		a, z   string
	}{
		{"a bit flips", func(m *memfs.Mem) bool { return m.FlipBit("z", 1) }, page("c") + page("b"), "x"},
		{"pages change places", func(m *memfs.Mem) bool { return m.SwapPages("a", 0, "a", 1) }, page("b") + page("c"), "z"},
		{"a write is lost", func(m *memfs.Mem) bool { return m.ReplayPage("a", 0) }, page("a") + page("b"), "z"},
		{"a file is cut", func(m *memfs.Mem) bool { return m.CutFile("a", 3) }, "ccc", "z"},
		{"a file goes", func(m *memfs.Mem) bool { return m.DeleteFile("a") }, "absent", "z"},
		{"a file is there twice", func(m *memfs.Mem) bool { return m.DuplicateFile("z", "a") }, "z", "z"},
		{"a file is as it was", func(m *memfs.Mem) bool { return m.RestoreFile("a", past) }, page("a") + page("b"), "z"},
		{"files change places", func(m *memfs.Mem) bool { return m.SwapFiles("a", "z") }, "z", page("c") + page("b")},
		{"no such bit", func(m *memfs.Mem) bool { return !m.FlipBit("z", 8) && !m.FlipBit("y", 0) }, page("c") + page("b"), "z"},
		{"no such page", func(m *memfs.Mem) bool { return !m.SwapPages("a", 0, "z", 1) && !m.ReplayPage("z", 4) }, page("c") + page("b"), "z"},
		{"no such file", func(m *memfs.Mem) bool {
			return !m.DeleteFile("y") && !m.CutFile("y", 0) && !m.DuplicateFile("y", "a") && !m.SwapFiles("y", "a") && !m.RestoreFile("y", past)
		}, page("c") + page("b"), "z"},
		{"nothing to restore", func(m *memfs.Mem) bool { return !m.RestoreFile("z", past) }, page("c") + page("b"), "z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := m.Clone()
			if !tt.damage(d) {
				t.Fatal("nothing was damaged")
			}
			for range 2 { // what is damaged stays so after a loss of power
				if a, z := content(t, d, "a"), content(t, d, "z"); a != tt.a || z != tt.z {
					t.Fatalf("a is %.5q... (%d), z is %.5q... (%d)", a, len(a), z, len(z))
				}
				d = d.Crash(newRand(1), memfs.Loss{})
			}
		})
	}
	if content(t, m, "a") != page("c")+page("b") || content(t, past, "a") != page("a")+page("b") {
		t.Error("damage to a copy reached the original")
	}
}

func TestWritingAfterDamageTouchesOnlyOneDisk(t *testing.T) {
	past := memfs.New(1)
	durably(t, past, "a", "old").Close()
	m := past.Crash(newRand(1), memfs.Loss{})
	durably(t, m, "b", "b").Close()
	if !m.RestoreFile("b", past) && !m.DuplicateFile("a", "b") {
		t.Fatal("nothing was damaged")
	}
	f, err := m.OpenWrite("b")
	must(t, err)
	write(t, f, "NEW", 0)
	must(t, f.Sync())
	must(t, f.Close())
	if content(t, m, "a") != "old" || content(t, past, "a") != "old" {
		t.Error("a write to the copy reached the original")
	}
	wantOutcomes(t, outcomes(t, m, "b", memfs.Loss{}), "NEW")
}

func BenchmarkCrash(b *testing.B) {
	m := memfs.New(1)
	must2 := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	for _, name := range strings.Split("abcdefghijkl", "") {
		f, err := m.Create(name)
		must2(err)
		_, err = f.WriteAt(make([]byte, 64<<10), 0)
		must2(err)
		must2(f.Sync())
		_, err = f.WriteAt([]byte("some bytes"), 5_000)
		must2(err)
	}
	must2(m.SyncDir("."))
	rng := newRand(1)
	for b.Loop() {
		m.Crash(rng, memfs.RandomLoss(rng))
	}
}
