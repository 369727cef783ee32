package memfs_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"testing"

	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/fsys/memfs"
)

const tries = 400 // disks looked at where anything permitted must be seen

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, m *memfs.Mem, name, content string) fsys.File {
	t.Helper()
	f, err := m.Create(name)
	must(t, err)
	write(t, f, content, 0)
	return f
}

func write(t *testing.T, f fsys.File, content string, off int64) {
	t.Helper()
	_, err := f.WriteAt([]byte(content), off)
	must(t, err)
}

// durably makes a file that survives everything.
func durably(t *testing.T, m *memfs.Mem, name, content string) fsys.File {
	t.Helper()
	f := create(t, m, name, content)
	must(t, f.Sync())
	must(t, m.SyncDir("."))
	return f
}

// content reads a file whole; "absent" when there is none.
func content(t *testing.T, m *memfs.Mem, name string) string {
	t.Helper()
	f, err := m.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "absent"
	}
	must(t, err)
	defer f.Close()
	size, err := f.Size()
	must(t, err)
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return string(b)
}

// outcomes returns what a file can look like after a loss of power.
func outcomes(t *testing.T, m *memfs.Mem, name string, loss memfs.Loss) map[string]int {
	t.Helper()
	seen := make(map[string]int)
	rng := newRand(1)
	for range tries {
		seen[content(t, m.Crash(rng, loss), name)]++
	}
	return seen
}

func wantOutcomes(t *testing.T, got map[string]int, want ...string) {
	t.Helper()
	for _, w := range want {
		if got[w] == 0 {
			t.Errorf("never saw %.40q", w)
		}
		delete(got, w)
	}
	for g, n := range got {
		t.Errorf("saw %.40q %d times", g, n)
	}
}

var bothLosses = []memfs.Loss{{}, {Ordered: true}}

func TestWhatIsSyncedSurvives(t *testing.T) {
	m := memfs.New(1)
	f := durably(t, m, "a", "hello")
	for _, loss := range bothLosses {
		wantOutcomes(t, outcomes(t, m, "a", loss), "hello")
	}
	write(t, f, "HELLO", 0)
	wantOutcomes(t, outcomes(t, m, "a", memfs.Loss{}), "hello", "HELLO")
	must(t, f.Sync())
	wantOutcomes(t, outcomes(t, m, "a", memfs.Loss{}), "HELLO")
	if m.Unsynced() != 0 || m.UnsyncedNames() != 0 {
		t.Errorf("%d bytes and %d names unsynced after everything was synced", m.Unsynced(), m.UnsyncedNames())
	}
}

func TestUnsyncedCountsBytesThatDiffer(t *testing.T) {
	m := memfs.New(1)
	f := durably(t, m, "a", "hello")
	write(t, f, "hallo!", 0)
	if got := m.Unsynced(); got != 2 {
		t.Errorf("%d bytes unsynced, want 2", got)
	}
}

func TestAMissingDirectorySyncLosesTheName(t *testing.T) {
	m := memfs.New(1)
	f := create(t, m, "a", "hello")
	must(t, f.Sync())
	for _, loss := range bothLosses {
		wantOutcomes(t, outcomes(t, m, "a", loss), "hello", "absent")
	}
	must(t, m.SyncDir("."))
	for _, loss := range bothLosses {
		wantOutcomes(t, outcomes(t, m, "a", loss), "hello")
	}
}

func TestASyncedNameWithoutASyncedFileIsShort(t *testing.T) {
	m := memfs.New(1)
	create(t, m, "a", "hello")
	must(t, m.SyncDir("."))
	got := outcomes(t, m, "a", memfs.Loss{})
	for _, want := range []string{"", "hello", "\x00\x00\x00\x00\x00", "hel"} {
		if got[want] == 0 {
			t.Errorf("never saw %q", want)
		}
	}
	if got["absent"] > 0 {
		t.Error("lost a synced name")
	}
}

func TestAnUnsyncedRemovalMayPersist(t *testing.T) {
	m := memfs.New(1)
	durably(t, m, "a", "hello")
	must(t, m.Remove("a"))
	for _, loss := range bothLosses {
		wantOutcomes(t, outcomes(t, m, "a", loss), "hello", "absent")
	}
	rng := newRand(1)
	for m.UnsyncedNames() > 0 {
		m.Background(rng)
	}
	wantOutcomes(t, outcomes(t, m, "a", memfs.Loss{}), "absent")
	if m.Counters().Count(memfs.FaultEarlyRemove) == 0 {
		t.Error("an early removal was not counted")
	}
}

func TestARenameIsWholeOrNothing(t *testing.T) {
	m := memfs.New(1)
	durably(t, m, "a", "old")
	durably(t, m, "a.tmp", "new")
	must(t, m.Rename("a.tmp", "a"))
	rng := newRand(1)
	for range tries {
		c := m.Crash(rng, memfs.RandomLoss(rng))
		got := content(t, c, "a") + " " + content(t, c, "a.tmp")
		if got != "old new" && got != "new absent" {
			t.Fatalf("after a rename: %s", got)
		}
	}
}

func TestNamesPersistInOrderOnlyWhereAsked(t *testing.T) {
	m := memfs.New(1)
	durably(t, m, "a", "a")
	must(t, m.Remove("a"))
	create(t, m, "b", "")
	count := func(loss memfs.Loss) (swapped int) {
		rng := newRand(3)
		for range tries {
			c := m.Crash(rng, loss)
			if content(t, c, "a") == "a" && content(t, c, "b") != "absent" {
				swapped++
			}
		}
		return swapped
	}
	if n := count(memfs.Loss{Ordered: true}); n > 0 {
		t.Errorf("with one journal, a later change survived an earlier one %d times", n)
	}
	if count(memfs.Loss{}) == 0 {
		t.Error("without, it never did")
	}
}

func TestChangesOfOneNameKeepTheirOrder(t *testing.T) {
	m := memfs.New(1)
	create(t, m, "a.tmp", "")
	must(t, m.Rename("a.tmp", "a"))
	create(t, m, "a.tmp", "")
	must(t, m.Remove("a.tmp"))
	seen, rng := make(map[string]int), newRand(3)
	for range tries {
		c := m.Crash(rng, memfs.Loss{})
		names := ""
		entries, err := c.List(".")
		must(t, err)
		for _, e := range entries {
			names += e.Name + " "
		}
		seen[names]++
	}
	wantOutcomes(t, seen, "", "a.tmp ", "a ", "a a.tmp ")
	must(t, m.SyncDir("."))
	wantOutcomes(t, outcomes(t, m, "a.tmp", memfs.Loss{}), "absent")
	wantOutcomes(t, outcomes(t, m, "a", memfs.Loss{}), "")
}

func TestADirectoryNotSyncedTakesItsFilesWithIt(t *testing.T) {
	m := memfs.New(1)
	must(t, m.Mkdir("d"))
	f := create(t, m, "d/a", "hello")
	must(t, f.Sync())
	must(t, m.SyncDir("d"))
	wantOutcomes(t, outcomes(t, m, "d/a", memfs.Loss{}), "hello", "absent")
	must(t, m.SyncDir("."))
	wantOutcomes(t, outcomes(t, m, "d/a", memfs.Loss{}), "hello")
}

func TestARenameAcrossDirectoriesNeedsWhatCameBefore(t *testing.T) {
	m := memfs.New(1)
	must(t, m.Mkdir("d"))
	must(t, m.SyncDir("."))
	f := create(t, m, "a", "hello")
	must(t, f.Sync())
	must(t, m.Rename("a", "d/a"))
	must(t, m.SyncDir("d"))
	wantOutcomes(t, outcomes(t, m, "d/a", memfs.Loss{}), "hello")
	wantOutcomes(t, outcomes(t, m, "a", memfs.Loss{}), "absent")
}

func TestPagesTearAtSectorsAndKeepWhatDidNotChange(t *testing.T) {
	old, young := bytes.Repeat([]byte("a"), 8192), bytes.Repeat([]byte("b"), 8192)
	m := memfs.New(1)
	f := durably(t, m, "a", string(old))
	write(t, f, string(young), 0)
	rng := newRand(1)
	whole, sectors, words := 0, 0, 0
	for range tries {
		got := []byte(content(t, m.Crash(rng, memfs.Loss{}), "a"))
		if len(got) != len(old) {
			t.Fatalf("%d bytes left of %d", len(got), len(old))
		}
		unit := 4096
		for i := 8; i < len(got); i += 8 {
			if got[i] != got[i-1] && i%memfs.PageBytes != 0 {
				unit = min(unit, map[bool]int{true: 512, false: 8}[i%memfs.SectorBytes == 0])
			}
			if !bytes.Equal(got[i:i+8], old[:8]) && !bytes.Equal(got[i:i+8], young[:8]) {
				t.Fatalf("a word of %q", got[i:i+8])
			}
		}
		switch unit {
		case 4096:
			whole++
		case 512:
			sectors++
		default:
			words++
		}
	}
	if whole == 0 || sectors == 0 || words == 0 {
		t.Errorf("whole pages %d, torn at sectors %d, in sectors %d", whole, sectors, words)
	}
	if got := content(t, m, "a"); got != string(young) {
		t.Error("taking disks changed the original")
	}
}

func TestFoliosShareTheirFate(t *testing.T) {
	m := memfs.New(1)
	f := durably(t, m, "a", string(make([]byte, 8*memfs.PageBytes)))
	write(t, f, string(bytes.Repeat([]byte("x"), 8*memfs.PageBytes)), 0)
	rng := newRand(1)
	for range tries {
		got := content(t, m.Crash(rng, memfs.Loss{Folio: 4}), "a")
		for i := range len(got) {
			if got[i] != got[i/(4*memfs.PageBytes)*(4*memfs.PageBytes)] {
				t.Fatalf("byte %d differs from the rest of its folio", i)
			}
		}
	}
}

func TestAnOlderVersionOfAPageMayBeWhatSurvives(t *testing.T) {
	m := memfs.New(1)
	f := durably(t, m, "a", "one")
	write(t, f, "two", 0)
	rng := newRand(1)
	for m.Unsynced() > 0 {
		m.Background(rng)
	}
	write(t, f, "six", 0)
	wantOutcomes(t, outcomes(t, m, "a", memfs.Loss{}), "two", "six")
}

func TestLengthAndDataAreIndependent(t *testing.T) {
	m := memfs.New(1)
	f := durably(t, m, "a", "")
	write(t, f, "hello", 0)
	got := outcomes(t, m, "a", memfs.Loss{})
	for _, want := range []string{"", "hello", "\x00\x00\x00\x00\x00"} {
		if got[want] == 0 {
			t.Errorf("never saw %q", want)
		}
	}
}

func TestAnUnsyncedCutMayBeUndone(t *testing.T) {
	m := memfs.New(1)
	f := durably(t, m, "a", "hello, world")
	must(t, f.Truncate(5))
	wantOutcomes(t, outcomes(t, m, "a", memfs.Loss{}), "hello", "hello, world")
	must(t, f.Allocate(12))
	must(t, f.Sync())
	wantOutcomes(t, outcomes(t, m, "a", memfs.Loss{}), "hello\x00\x00\x00\x00\x00\x00\x00")
}

func TestEqualSeedsGiveEqualDisks(t *testing.T) {
	run := func() (string, string) {
		m := memfs.New(9)
		f := durably(t, m, "a", string(make([]byte, 40_000)))
		rng, all := newRand(5), ""
		for i := range 50 {
			write(t, f, "some bytes that tear", int64(rng.IntN(39_000)))
			m.Background(rng)
			if i%10 == 0 {
				m.SetHook(func(*memfs.Op) error { return memfs.ErrIO })
				_ = f.Sync()
				m.SetHook(nil)
			}
			all += content(t, m.Crash(rng, memfs.RandomLoss(rng)), "a")
		}
		return all, m.Counters().String()
	}
	a, ac := run()
	b, bc := run()
	if a != b || ac != bc {
		t.Error("two runs of one seed differ")
	}
}
