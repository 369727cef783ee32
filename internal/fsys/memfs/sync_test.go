package memfs_test

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/fsys/memfs"
)

// failing makes every operation of one kind fail.
func failing(kind memfs.OpKind, err error) memfs.Hook {
	return func(op *memfs.Op) error {
		if op.Kind == kind {
			return err
		}
		return nil
	}
}

func TestAFailedSyncIsReportedOnceAndLosesData(t *testing.T) {
	lost, kept := 0, 0
	for seed := range uint64(50) {
		m := memfs.New(seed)
		f := durably(t, m, "a", "old")
		write(t, f, "new", 0)
		m.SetHook(failing(memfs.OpSync, memfs.ErrIO))
		if err := f.Sync(); !errors.Is(err, memfs.ErrIO) {
			t.Fatalf("the sync that fails: %v", err)
		}
		m.SetHook(nil)
		must(t, f.Sync()) // says nothing
		if got := content(t, m, "a"); got != "new" {
			t.Fatalf("the cache shows %q after a failed sync", got)
		}
		if got := content(t, m.Kill(newRand(1)), "a"); got != "new" {
			t.Fatalf("the next process sees %q", got)
		}
		disk := content(t, m.Crash(newRand(1), memfs.Loss{}), "a")
		must(t, f.DropCache())
		if got := content(t, m, "a"); got != disk {
			t.Fatalf("without its cache the file reads %q, the disk has %q", got, disk)
		}
		if disk == "old" {
			lost++
		} else {
			kept++
		}
	}
	if lost == 0 || kept == 0 {
		t.Errorf("lost %d times, kept %d times", lost, kept)
	}
}

func TestRewritingALostPageBringsItBack(t *testing.T) {
	for seed := range uint64(20) {
		m := memfs.New(seed)
		f := durably(t, m, "a", "old data")
		write(t, f, "new", 0)
		m.SetHook(failing(memfs.OpSync, memfs.ErrIO))
		_ = f.Sync()
		m.SetHook(nil)
		write(t, f, "!", 7)
		must(t, f.Sync())
		wantOutcomes(t, outcomes(t, m, "a", memfs.Loss{}), "new dat!")
	}
}

func TestAFailedWriteBackIsReportedByTheNextSyncOfEachHandle(t *testing.T) {
	m := memfs.New(1)
	f := durably(t, m, "a", "old")
	g, err := m.OpenWrite("a")
	must(t, err)
	write(t, f, "new", 0)
	if !m.FailWriteBack("a") {
		t.Fatal("there was nothing to write back")
	}
	later, err := m.OpenWrite("a")
	must(t, err)
	for _, h := range []fsys.File{f, g, later} {
		if err := h.Sync(); !errors.Is(err, memfs.ErrIO) {
			t.Errorf("the first sync after it: %v", err)
		}
		must(t, h.Sync())
	}
	last, err := m.OpenWrite("a")
	must(t, err)
	must(t, last.Sync()) // everybody has been told
	wantOutcomes(t, outcomes(t, m, "a", memfs.Loss{}), "old")
}

// park runs do until it is in an operation of the given kind, and returns
// what lets it go on and waits for it.
func park(t *testing.T, m *memfs.Mem, kind memfs.OpKind, do func() error) (release func() error) {
	t.Helper()
	parked, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	m.SetHook(func(op *memfs.Op) error {
		if op.Kind == kind {
			close(parked)
			<-free
		}
		return nil
	})
	go func() { done <- do() }()
	<-parked
	m.SetHook(nil)
	return func() error {
		close(free)
		return <-done
	}
}

func TestASyncCoversOnlyWhatWasWrittenBeforeItBegan(t *testing.T) {
	m := memfs.New(1)
	f := durably(t, m, "a", "..")
	write(t, f, "a", 0)
	release := park(t, m, memfs.OpSync, f.Sync)
	write(t, f, "b", 1)
	must(t, release())
	wantOutcomes(t, outcomes(t, m, "a", memfs.Loss{}), "a.", "ab")
	must(t, f.Sync())
	wantOutcomes(t, outcomes(t, m, "a", memfs.Loss{}), "ab")
}

func TestACutDuringASync(t *testing.T) {
	m := memfs.New(1)
	f := durably(t, m, "a", "old, long")
	write(t, f, "new", 0)
	release := park(t, m, memfs.OpSync, f.Sync)
	must(t, f.Truncate(3))
	must(t, release())
	wantOutcomes(t, outcomes(t, m, "a", memfs.Loss{}), "new", "new, long")
}

func TestAWriteUnderWayIsCutOffAtAnyWord(t *testing.T) {
	m := memfs.New(1)
	old, young := strings.Repeat("a", 64), strings.Repeat("b", 64)
	f := durably(t, m, "a", old)
	release := park(t, m, memfs.OpWrite, func() error {
		_, err := f.WriteAt([]byte(young), 0)
		return err
	})
	if m.Unsynced() != 64 {
		t.Errorf("%d bytes unsynced with 64 under way", m.Unsynced())
	}
	got := outcomes(t, m, "a", memfs.Loss{})
	if got[old] == 0 || got[young] == 0 || len(got) < 20 {
		t.Errorf("%d different outcomes, old %d, new %d", len(got), got[old], got[young])
	}
	killed, rng := make(map[string]bool), newRand(1)
	for range tries {
		killed[content(t, m.Kill(rng), "a")] = true
	}
	if len(killed) != 9 { // none, and each prefix of words
		t.Errorf("%d different files after the death of the process, want 9", len(killed))
	}
	must(t, release())
	if got := content(t, m, "a"); got != young {
		t.Error("the original changed")
	}
}

func TestARenameUnderWay(t *testing.T) {
	m := memfs.New(1)
	durably(t, m, "a", "a")
	release := park(t, m, memfs.OpRename, func() error { return m.Rename("a", "b") })
	seen, rng := make(map[string]bool), newRand(1)
	for range tries {
		k := m.Kill(rng)
		seen[content(t, k, "a")+" "+content(t, k, "b")] = true
	}
	if len(seen) != 2 || !seen["a absent"] || !seen["absent a"] {
		t.Errorf("saw %v", seen)
	}
	must(t, release())
}

func TestTheDeathOfTheProcessKeepsTheCache(t *testing.T) {
	m := memfs.New(1)
	f := durably(t, m, "a", "old")
	write(t, f, "new", 0)
	create(t, m, "b", "b")
	k := m.Kill(newRand(1))
	if content(t, k, "a") != "new" || content(t, k, "b") != "b" {
		t.Error("the cache went with the process")
	}
	if k.Unsynced() == 0 || k.UnsyncedNames() != 1 {
		t.Error("the death of the process synced something")
	}
	wantOutcomes(t, outcomes(t, k, "a", memfs.Loss{}), "old", "new")
	for got := range outcomes(t, k, "b", memfs.Loss{}) {
		if got != "absent" && got != "" && got != "b" && got != "\x00" {
			t.Errorf("saw %q", got)
		}
	}
}

func TestADeadLifeAnswersNothing(t *testing.T) {
	m := memfs.New(1)
	f := durably(t, m, "a", "a")
	lock, err := m.Lock("LOCK", []byte("me"))
	must(t, err)
	release := park(t, m, memfs.OpSync, f.Sync)
	k := m.Kill(newRand(1))
	m.Stop()
	if err := release(); !errors.Is(err, memfs.ErrDead) || !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a parked sync: %v", err)
	}
	_, openErr := m.Open("a")
	_, writeErr := f.WriteAt([]byte("x"), 0)
	for _, err := range []error{openErr, writeErr, f.Truncate(0), m.SyncDir(".")} {
		if !errors.Is(err, memfs.ErrDead) {
			t.Errorf("an operation after the end: %v", err)
		}
	}
	again, err := k.Lock("LOCK", []byte("next"))
	must(t, err)
	must(t, again.Close())
	must(t, lock.Close())
	must(t, f.Close())
}

func TestAFullDiskRefusesAndRecovers(t *testing.T) {
	m := memfs.New(1)
	m.SetCapacity(4 * memfs.PageBytes)
	f := durably(t, m, "a", "x")
	if err := f.Allocate(5 * memfs.PageBytes); !errors.Is(err, fsys.ErrNoSpace) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("too large an allocation: %v", err)
	}
	if size, _ := f.Size(); size != 1 {
		t.Errorf("size %d after it", size)
	}
	must(t, f.Allocate(4*memfs.PageBytes))
	g := create(t, m, "b", "")
	if n, err := g.WriteAt([]byte("x"), 0); n != 0 || !errors.Is(err, fsys.ErrNoSpace) {
		t.Errorf("a write without room: %d, %v", n, err)
	}
	write(t, f, strings.Repeat("y", 4*memfs.PageBytes), 0) // has its room
	if u, _ := m.Usage(); u.Free != 0 {
		t.Errorf("%d bytes free on a full disk", u.Free)
	}
	must(t, f.Truncate(memfs.PageBytes))
	n, err := g.WriteAt(bytes.Repeat([]byte("z"), 5*memfs.PageBytes), 0)
	if n != 3*memfs.PageBytes || !errors.Is(err, fsys.ErrNoSpace) {
		t.Errorf("a write with too little room: %d, %v", n, err)
	}
	must(t, m.Remove("a"))
	if u, _ := m.Usage(); u.Free != 0 {
		t.Errorf("%d bytes free while the file removed is open", u.Free)
	}
	must(t, f.Close())
	if u, _ := m.Usage(); u.Free != memfs.PageBytes {
		t.Errorf("%d bytes free after it was closed", u.Free)
	}
	if u, _ := m.Clone().Usage(); u.Free != memfs.PageBytes {
		t.Errorf("%d bytes free on a copy", u.Free)
	}
}

func TestInjectedErrors(t *testing.T) {
	m := memfs.New(1)
	f := durably(t, m, "a", "hello")
	m.SetHook(func(op *memfs.Op) error {
		op.Partial = 2
		return memfs.ErrIO
	})
	if n, err := f.WriteAt([]byte("HELLO"), 0); n != 2 || !errors.Is(err, memfs.ErrIO) {
		t.Errorf("a write that fails half-way: %d, %v", n, err)
	}
	if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, memfs.ErrIO) {
		t.Errorf("a read that fails: %v", err)
	}
	if err := m.Rename("a", "b"); !errors.Is(err, memfs.ErrIO) {
		t.Errorf("a rename that fails: %v", err)
	}
	m.SetHook(nil)
	if got := content(t, m, "a"); got != "HEllo" {
		t.Errorf("content %q", got)
	}
	for _, fault := range []memfs.Fault{memfs.FaultShortWrite, memfs.FaultReadError, memfs.FaultOtherError} {
		if m.Counters().Count(fault) != 1 {
			t.Errorf("%s counted %d times", fault, m.Counters().Count(fault))
		}
	}
}
