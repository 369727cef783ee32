package coordinator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aof2/aof/internal/catalog"
	"github.com/aof2/aof/internal/fsys/memfs"
	"github.com/aof2/aof/internal/journal"
)

// threeSnapshots is a store that wrote three, with a stream more in each.
func threeSnapshots(t *testing.T) *store {
	t.Helper()
	s := open(t, memfs.New(1))
	for i := range 3 {
		s.create(fmt.Sprint("stream ", i))
		if err := s.c.snapshot(); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestTheLastTwoSnapshotsAreKept(t *testing.T) {
	s := threeSnapshots(t)
	if got, want := s.kept(), []string{"0000000000000002-0002", "0000000000000003-0003"}; !slices.Equal(got, want) {
		t.Errorf("kept are %q, want %q", got, want)
	}
	if err := s.c.snapshot(); err != nil { // of the same decisions
		t.Fatal(err)
	}
	if got, want := s.kept(), []string{"0000000000000003-0003", "0000000000000003-0004"}; !slices.Equal(got, want) {
		t.Errorf("kept are %q, want %q", got, want)
	}
	good, problems, err := LoadSnapshots(s.mem)
	if err != nil || len(problems) > 0 || len(good) != 2 {
		t.Fatalf("%d good, %q, %v", len(good), problems, err)
	}
	for i, k := range good {
		if k.Position.Seq != 3 || k.Catalog.Len() != 3 || k.serial != uint64(3+i) || k.Store != s.found.Store {
			t.Errorf("snapshot %d: %+v", i, k.Position)
		}
	}
	// The next life counts on.
	s = open(t, s.kill())
	if s.used != SnapshotDir+"/0000000000000003-0004" {
		t.Errorf("it began with %s", s.used)
	}
	s.create("another")
	if err := s.c.snapshot(); err != nil {
		t.Fatal(err)
	}
	if got, want := s.kept(), []string{"0000000000000003-0004", "0000000000000004-0005"}; !slices.Equal(got, want) {
		t.Errorf("kept are %q, want %q", got, want)
	}
}

func TestSnapshotsThatAreNotWhatTheyWere(t *testing.T) {
	const older, newer = SnapshotDir + "/0000000000000002-0002", SnapshotDir + "/0000000000000003-0003"
	rows := []struct {
		name     string
		harm     func(m *memfs.Mem)
		used     string
		problems int
	}{
		{"nothing is wrong", func(*memfs.Mem) {}, newer, 0},
		{"the newer one does not verify", func(m *memfs.Mem) { m.FlipBit(newer, 800) }, older, 1},
		{"the newer one is cut", func(m *memfs.Mem) { m.CutFile(newer, 50) }, older, 1},
		{"the newer one is empty", func(m *memfs.Mem) { m.CutFile(newer, 0) }, older, 1},
		{"the newer one is gone", func(m *memfs.Mem) { m.DeleteFile(newer) }, older, 0},
		{"the older one does not verify", func(m *memfs.Mem) { m.FlipBit(older, 800) }, newer, 1},
		{"neither verifies", func(m *memfs.Mem) { m.FlipBit(older, 800); m.FlipBit(newer, 800) }, "", 2},
		{"both are gone", func(m *memfs.Mem) { m.DeleteFile(older); m.DeleteFile(newer) }, "", 0},
		{"they are swapped: what is in them counts", func(m *memfs.Mem) { m.SwapFiles(older, newer) }, older, 0},
		{"the older one has a copy under a newer name", func(m *memfs.Mem) {
			m.DuplicateFile(older, SnapshotDir+"/0000000000000009-0009")
		}, newer, 0},
		{"a hot file lies among them", func(m *memfs.Mem) {
			m.DuplicateFile("journal/0000000000000001.aof", SnapshotDir+"/0000000000000009-0009")
		}, newer, 1},
		{"other files lie among them", func(m *memfs.Mem) {
			m.DuplicateFile(newer, SnapshotDir+"/notes")
			m.DuplicateFile(newer, SnapshotDir+"/0000000000000009-0009x")
			m.DuplicateFile(newer, SnapshotDir+"/9-9")
		}, newer, 3},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := threeSnapshots(t)
			lane := s.j.Lane(1)
			s.append(lane, "a")
			mem := s.kill()
			row.harm(mem)
			s = open(t, mem)
			if problems := s.done(); len(problems) != row.problems {
				t.Errorf("problems %q, want %d", problems, row.problems)
			}
			if s.used != row.used {
				t.Errorf("it began with %q, want %q", s.used, row.used)
			}
			if len(s.found.Damage) > 0 || s.found.ReadOnly != nil {
				t.Errorf("the journal has %+v, %v", s.found.Damage, s.found.ReadOnly)
			}
			s.ledger.Read(func(c *catalog.Catalog) {
				if c.LastSeq() != 3 || c.Len() != 3 {
					t.Errorf("%d decisions, %d streams", c.LastSeq(), c.Len())
				}
			})
			if got, err := s.read(s.j.Lane(1)); err != nil || !slices.Equal(got, []string{"a"}) {
				t.Errorf("records %q, %v", got, err)
			}
		})
	}
}

func TestASnapshotOfANewerVersionIsRefused(t *testing.T) {
	s := threeSnapshots(t)
	mem := s.kill()
	const name = SnapshotDir + "/0000000000000003-0003"
	f, err := mem.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	size, _ := f.Size()
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	newerVersion(b)
	w, err := mem.OpenWrite(name)
	if err == nil {
		_, err = w.WriteAt(b, 0)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := LoadSnapshots(mem); !errors.Is(err, catalog.ErrVersion) {
		t.Errorf("load: %v", err)
	}
}

// Wherever a snapshot fails or power is lost, the ones before are there, what is
// left over goes, and the next attempt succeeds.
func TestASnapshotIsWholeOrNotThere(t *testing.T) {
	for n := range 12 {
		s := threeSnapshots(t)
		i, image := 0, (*memfs.Mem)(nil)
		mem := s.mem
		mem.SetHook(func(op *memfs.Op) error {
			if !op.Kind.Changes() || !strings.HasPrefix(op.Name, SnapshotDir) && op.Name != "." {
				return nil // the mark behind the last round, perhaps
			}
			if i++; i == n+1 {
				image = mem.Crash(newRand(uint64(n)), memfs.Loss{})
				return memfs.ErrIO
			}
			return nil
		})
		err := s.c.snapshot()
		mem.SetHook(nil)
		if i <= n {
			if err != nil || n < 6 {
				t.Fatalf("%d operations, %v", i, err)
			}
			break
		}
		if err == nil {
			t.Errorf("operation %d failed, the snapshot did not", n)
		}
		if err := s.c.snapshot(); err != nil {
			t.Errorf("operation %d: the next one: %v", n, err)
		}
		after := s.kill()
		for _, disk := range []*memfs.Mem{image, after} {
			s = open(t, disk)
			if s.used == "" || len(s.found.Damage) > 0 {
				t.Errorf("operation %d: began with %q, %+v", n, s.used, s.found.Damage)
			}
			if err := s.c.snapshot(); err != nil {
				t.Errorf("operation %d: the next life: %v", n, err)
			}
			if got := s.names(SnapshotDir); len(got) > 2*keptSnapshots+1 {
				t.Errorf("operation %d: left over are %q", n, got)
			}
			if good, problems, err := LoadSnapshots(s.mem); len(good) < 2 || len(problems) > 0 || err != nil {
				t.Errorf("operation %d: %d good, %q, %v", n, len(good), problems, err)
			}
			s.end()
		}
	}
}

// A disk without a free byte keeps no snapshot from being written: its room was set aside before a file was prepared.
func TestSnapshotsOnAFullDisk(t *testing.T) {
	s := open(t, memfs.New(1))
	for i := range 40 {
		s.create(fmt.Sprint("stream ", i))
	}
	s.append(s.j.Lane(1), "a")
	for s.j.Wants().Prepare { // as before the first roll
		if _, err := s.step(); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		s.mem.SetFree(0)
		for range 5 {
			if err := s.c.snapshot(); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.kept(); len(got) != keptSnapshots {
			t.Errorf("there are %q", got)
		}
		s = open(t, s.kill()) // the next life finds the room where it was
		s.mem.SetFree(-1)
		if err := s.c.reserve(); err != nil {
			t.Fatal(err)
		}
	}
}

// Without room for the next snapshot no hot file is prepared, and who waits for one hears that the disk is full.
func TestNoFileWithoutRoomForASnapshot(t *testing.T) {
	s := open(t, memfs.New(1))
	s.create("a") // which prepared the first file
	s.mem.SetFree(testFileSize + memfs.PageBytes)
	for i := range 100 {
		_, err := s.j.TryAppend(s.j.Lane(1), journal.Batch{Records: [][]byte{make([]byte, 1000)}}, false, nil) // nobody waits for it
		if errors.Is(err, journal.ErrFull) {
			if got := s.names(journal.Dir); len(got) != 2 {
				t.Errorf("there are %q", got)
			}
			return
		}
		if err != nil && !isBlocked(err) {
			t.Fatal(err)
		}
		if kind, err := s.step(); err != nil && kind != Prepare {
			t.Fatalf("append %d: %s: %v", i, actionNames[kind], err)
		}
	}
	t.Error("appends are never refused")
}

// A snapshot that is overwritten while a view reads it is no damage.
func TestASnapshotThatIsOvertakenWhileItIsRead(t *testing.T) {
	s := threeSnapshots(t)
	for _, tt := range []struct {
		name   string
		change func(disk *memfs.Mem, name string)
	}{
		{"by another", func(disk *memfs.Mem, name string) { disk.FlipBit(name, 800) }},
		{"by a shorter one", func(disk *memfs.Mem, name string) { disk.CutFile(name, 50) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			overtaken := func() *memfs.Mem {
				disk := s.mem.Clone()
				disk.SetHook(func(op *memfs.Op) error {
					if op.Kind == memfs.OpRead && op.Name == SnapshotDir+"/0000000000000002-0002" {
						tt.change(disk, op.Name)
						disk.DeleteFile(op.Name)
					}
					return nil
				})
				return disk
			}
			if good, problems, err := LoadSnapshots(overtaken()); len(good) != 1 || len(problems) > 0 || err != nil {
				t.Errorf("%d good, %q, %v", len(good), problems, err)
			}
			if bad, err := VerifySnapshots(overtaken()); len(bad) > 0 || err != nil {
				t.Errorf("bad are %v, %v", bad, err)
			}
		})
	}
}

// A snapshot is never ahead of the journal.
func TestASnapshotWaitsForItsDecisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := threeSnapshots(t)
		block := make(chan struct{})
		s.mem.SetHook(func(op *memfs.Op) error {
			if op.Kind == memfs.OpSync && strings.Contains(op.Name, ".aof") {
				<-block
			}
			return nil
		})
		ticket, err := s.ledger.Decide(func(c *catalog.Catalog) (catalog.Decision, error) {
			return catalog.Created{Ordinal: c.NextOrdinal(), Name: "late"}, nil
		}, Hooks{})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- s.c.snapshot() }()
		synctest.Wait()
		if got := s.kept(); len(got) != 2 || s.c.Snapshots() != 3 {
			t.Errorf("there are %q and %d were written before the last decision is durable", got, s.c.Snapshots())
		}
		close(block)
		if err := errors.Join(s.j.WaitDone(ticket), <-done); err != nil {
			t.Fatal(err)
		}
		if got := s.kept(); got[1] != "0000000000000004-0004" {
			t.Errorf("there are %q", got)
		}
		s.end()
	})
}

// newerVersion makes a snapshot one of a version that is not known.
func newerVersion(b []byte) {
	b[8]++
	n := len(b) - 4
	binary.LittleEndian.PutUint32(b[n:], crc32.Checksum(b[:n], crc32.MakeTable(crc32.Castagnoli)))
}
