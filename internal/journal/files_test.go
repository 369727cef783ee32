package journal

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"github.com/aof2/aof/internal/fsys/memfs"
	"github.com/aof2/aof/internal/segment"
)

// threeFiles is a journal with stream 1 in three files: file 1 with "a" is sealed,
// file 2 with "b" is complete and not sealed, file 3 with "c" and "d" is the open
// one. Another, 4, is prepared.
func threeFiles(t *testing.T) (*memfs.Mem, life) {
	t.Helper()
	w := begin(t)
	l := w.create()
	w.append(l, "a")
	w.roll()
	w.append(l, "b")
	w.seal()
	w.roll()
	w.append(l, "c")
	w.append(l, "d")
	if err := w.pump(); err != nil {
		t.Fatal(err)
	}
	if len(w.j.mu.files) != 3 || len(w.j.mu.prepared) != 1 {
		t.Fatalf("%d files, %d prepared", len(w.j.mu.files), len(w.j.mu.prepared))
	}
	return w.kill(), w.snapshot()
}

func TestFilesAreHeldAgainstWhatIsKnownOfThem(t *testing.T) {
	all := []string{"a", "b", "c", "d"}
	const sealed, complete, last, prepared = 1, 2, 3, 4
	flip := func(m *memfs.Mem, id uint64, at int64) { m.FlipBit(fileName(id), at*8) }
	rows := []struct {
		name string
		harm func(t *testing.T, m *memfs.Mem)
		want outcome
		all  *outcome // when everything is read again, where that is another one
	}{
		{"nothing is wrong", func(*testing.T, *memfs.Mem) {}, outcome{records: all}, nil},
		{
			"the sealed file is missing", func(_ *testing.T, m *memfs.Mem) { m.DeleteFile(fileName(sealed)) },
			outcome{records: []string{"!1-1", "b", "c", "d"}, damage: 1},
			&outcome{damage: 4, readOnly: true},
		},
		{
			"the complete file is missing", func(_ *testing.T, m *memfs.Mem) { m.DeleteFile(fileName(complete)) },
			outcome{damage: 2, readOnly: true},
			nil,
		},
		{
			"the open file is missing", func(_ *testing.T, m *memfs.Mem) { m.DeleteFile(fileName(last)) },
			outcome{records: all[:2], damage: 1, readOnly: true},
			nil,
		},
		{
			"the prepared file is missing", func(_ *testing.T, m *memfs.Mem) { m.DeleteFile(fileName(prepared)) },
			outcome{records: all, damage: 1, readOnly: true},
			nil,
		},
		{
			"the header of the sealed file does not verify", func(_ *testing.T, m *memfs.Mem) { flip(m, sealed, 50) },
			outcome{records: []string{"!1-1", "b", "c", "d"}, damage: 1},
			&outcome{damage: 4, readOnly: true},
		},
		{
			"the header of the complete file does not verify", func(_ *testing.T, m *memfs.Mem) { flip(m, complete, 3000) },
			outcome{damage: 2, readOnly: true},
			nil,
		},
		{
			"the header of the open file does not verify", func(_ *testing.T, m *memfs.Mem) { flip(m, last, 50) },
			outcome{records: all[:2], damage: 1, readOnly: true},
			nil,
		},
		{
			"the header of the prepared file does not verify", func(_ *testing.T, m *memfs.Mem) { flip(m, prepared, 50) },
			outcome{records: all, damage: 1, readOnly: true},
			nil,
		},
		{
			"the open file is empty", func(_ *testing.T, m *memfs.Mem) { m.CutFile(fileName(last), 0) },
			outcome{records: all[:2], damage: 1, readOnly: true},
			nil,
		},
		{
			"the open file is cut behind its header", func(_ *testing.T, m *memfs.Mem) { m.CutFile(fileName(last), 4096) },
			outcome{damage: 1, readOnly: true},
			nil,
		},
		{"the open file is cut at a frame's end: it was longer when it was made", func(t *testing.T, m *memfs.Mem) {
			m.CutFile(fileName(last), data(frames(t, m, last))[1].Offset)
		}, outcome{records: all[:3], damage: 1, readOnly: true}, nil},
		{"the complete file is cut", func(t *testing.T, m *memfs.Mem) {
			m.CutFile(fileName(complete), data(frames(t, m, complete))[0].Offset)
		}, outcome{damage: 2, readOnly: true}, nil},
		{"the sealed file is cut by its footer: the data is read", func(_ *testing.T, m *memfs.Mem) {
			cutBy(t, m, sealed, segment.FooterBytes)
		}, outcome{records: all, damage: 1}, nil},
		{"the footer of the sealed file does not verify: the data is read", func(t *testing.T, m *memfs.Mem) {
			flip(m, sealed, sizeOf(t, m, sealed)-100)
		}, outcome{records: all, damage: 1}, nil},
		{"the run index of the sealed file does not verify: the data is read", func(t *testing.T, m *memfs.Mem) {
			flip(m, sealed, sizeOf(t, m, sealed)-segment.FooterBytes-20)
		}, outcome{records: all}, &outcome{records: all, damage: 1}},
		{"a record of the sealed file does not verify", func(t *testing.T, m *memfs.Mem) {
			flip(m, sealed, data(frames(t, m, sealed))[0].End()-8)
		}, outcome{records: []string{"!1-1", "b", "c", "d"}}, nil},
		{"a frame of the sealed file does not verify", func(t *testing.T, m *memfs.Mem) {
			flip(m, sealed, data(frames(t, m, sealed))[0].Offset+16)
		}, outcome{records: []string{"!1-1", "b", "c", "d"}}, nil},
		{"a record of the complete file does not verify, its last: the next file names where it ends", func(t *testing.T, m *memfs.Mem) {
			flip(m, complete, data(frames(t, m, complete))[0].End()-8)
		}, outcome{records: []string{"a", "!2-2", "c", "d"}, damage: 1}, nil},
		{"the last batch of the complete file is gone and nothing in it says that it was synced: the next file does", func(t *testing.T, m *memfs.Mem) {
			off := data(frames(t, m, complete))[0].Offset
			wipe(t, m, complete, off, testFileSize-off)
		}, outcome{damage: 2, readOnly: true, records: []string{"a", "!2-2", "c", "d"}}, nil},
		{"the complete file has a footer that ends before the place the next file names", func(t *testing.T, m *memfs.Mem) {
			off, h := data(frames(t, m, complete))[0].Offset, headerOf(t, m, complete)
			index := segment.EncodeIndex(nil, nil)
			tail := append(index, make([]byte, segment.FooterBytes)...)
			segment.EncodeFooter(tail[len(index):], segment.Footer{
				ID: h.ID, Nonce: h.Nonce, DataEnd: off, IndexOff: off,
				IndexLen: int64(len(index)), IndexHash: sha256.Sum256(index),
			})
			poke(t, m, fileName(complete), off, tail)
			m.CutFile(fileName(complete), off+int64(len(tail)))
		}, outcome{damage: 3, readOnly: true}, nil},
		{
			"two files are swapped", func(_ *testing.T, m *memfs.Mem) { m.SwapFiles(fileName(complete), fileName(last)) },
			outcome{readOnly: true, damage: 2},
			nil,
		},
		{
			"a file has a copy under another name", func(_ *testing.T, m *memfs.Mem) { m.DuplicateFile(fileName(last), fileName(9)) },
			outcome{records: all},
			nil,
		},
		{
			"a file takes another's place", func(_ *testing.T, m *memfs.Mem) { m.DuplicateFile(fileName(sealed), fileName(last)) },
			outcome{records: all[:2], damage: 1, readOnly: true},
			nil,
		},
		{"current is of an older time, and names files that have been given up", func(t *testing.T, m *memfs.Mem) {
			alter(t, m, 0, func(b []byte) { b[80]++ })
			alter(t, m, slotBytes, func(b []byte) { b[80]++ })
		}, outcome{readOnly: true, damage: 1, records: all}, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			mem, from := threeFiles(t)
			row.harm(t, mem)
			row.want.check(t, mem.Clone(), from)
			if row.all == nil {
				row.all = &row.want
			}
			row.all.check(t, mem, life{})
		})
	}
}

func sizeOf(t *testing.T, m *memfs.Mem, id uint64) int64 {
	t.Helper()
	f, err := m.Open(fileName(id))
	if err != nil {
		t.Fatal(err)
	}
	size, err := f.Size()
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return size
}

func cutBy(t *testing.T, m *memfs.Mem, id uint64, n int64) {
	t.Helper()
	m.CutFile(fileName(id), sizeOf(t, m, id)-n)
}

func TestAFileOfAnotherStoreIsNotTaken(t *testing.T) {
	other, _ := threeFiles(t)
	w := open(t, memfs.New(99), life{})
	l := w.create()
	w.append(l, "a")
	mem := w.kill()
	if !mem.RestoreFile(fileName(1), other) {
		t.Fatal("nothing restored")
	}
	w = open(t, mem, life{})
	if w.found.ReadOnly == nil || !strings.Contains(w.found.Damage[0].Problem, "another store") {
		t.Errorf("found %+v", w.found)
	}
}

func TestAFileOfANewerVersionIsRefused(t *testing.T) {
	mem, _ := threeFiles(t)
	b := make([]byte, segment.HeaderBytes)
	h := headerOf(t, mem, 2)
	segment.EncodeHeader(b, h)
	b[8] = 2
	fixSum(b)
	poke(t, mem, fileName(2), 0, b)
	if _, err := tryOpen(t, mem, life{}); !errors.Is(err, ErrVersion) {
		t.Errorf("open: %v", err)
	}
}

// A file that cannot be read now is not one that is not there.
func TestAReadThatFailsEndsTheRecovery(t *testing.T) {
	mem, from := threeFiles(t)
	reads := 0
	mem.SetHook(func(op *memfs.Op) error {
		if op.Kind == memfs.OpRead {
			reads++
		}
		return nil
	})
	w := open(t, mem, from)
	w.end()
	for n := range reads {
		mem, from := threeFiles(t)
		i := 0
		mem.SetHook(func(op *memfs.Op) error {
			if op.Kind != memfs.OpRead {
				return nil
			}
			if i++; i == n+1 {
				return memfs.ErrIO
			}
			return nil
		})
		w, err := tryOpen(t, mem, from)
		if err != nil {
			if !errors.Is(err, memfs.ErrIO) {
				t.Errorf("read %d: %v", n, err)
			}
			continue
		}
		if w.found.ReadOnly != nil {
			t.Errorf("read %d: %v", n, w.found.ReadOnly)
		}
		w.wantRecords(w.j.Lane(1), "a", "b", "c", "d")
		if len(w.j.files.free) > 1 {
			t.Errorf("read %d: %d files count as free", n, len(w.j.files.free))
		}
		w.end()
	}
}

// Of two files that say they follow the same one, the one prepared last is
// followed: the other was given up before anything in it was acknowledged.
func TestOfTwoSuccessorsTheLaterOneCounts(t *testing.T) {
	w := begin(t)
	l := w.create()
	w.append(l, "a")
	failing := ""
	// File 2 is prepared while its syncs still work.
	if err := w.pump(); err != nil {
		t.Fatal(err)
	}
	w.mem.SetHook(func(op *memfs.Op) error {
		if op.Kind == memfs.OpSync && strings.HasPrefix(op.Name, fileName(2)) {
			failing = op.Name
			return memfs.ErrIO
		}
		return nil
	})
	w.roll()
	w.append(l, "b")
	if failing == "" || w.count(Poisoned) != 1 {
		t.Fatalf("no file was poisoned")
	}
	mem := w.kill()
	// Both roll frames are there, whatever the failed sync let through.
	roll := segment.AppendRoll(nil, 1, w.j.mu.files[0].End(), 0)
	segment.FinishFrame(roll, headerOf(t, mem, 2).Nonce, segment.HeaderBytes, 0, 1)
	poke(t, mem, fileName(2), segment.HeaderBytes, roll)
	outcome{records: []string{"a", "b"}}.check(t, mem, life{})
}

// A file that the catalog does not know and that holds acknowledged data is not
// used again, whatever the snapshot says about where the journal begins.
func TestNothingIsFreedThatHoldsAcknowledgedData(t *testing.T) {
	mem, from := threeFiles(t)
	from.start.File = 3
	w := open(t, mem, from)
	for _, f := range w.j.files.free {
		if f.ID == 2 {
			t.Error("file 2 counts as free")
		}
	}
	if len(w.found.Notes) == 0 {
		t.Error("nothing is said about it")
	}
}

func TestARunIsKnownOnce(t *testing.T) {
	mem, from := threeFiles(t)
	for _, l := range []life{from, {}} {
		w := open(t, mem.Clone(), l)
		if runs := w.j.Lane(1).Runs(); len(runs) != 3 {
			t.Errorf("%d runs in 3 files: %+v", len(runs), runs)
		}
		w.end()
	}
}

func TestAPreparedFileIsUsedAsItIsOnlyAfterACleanEndAndWhole(t *testing.T) {
	closed := func() *memfs.Mem {
		w := begin(t)
		w.append(w.create(), "a")
		if err := w.pump(); err != nil {
			t.Fatal(err)
		}
		return w.close()
	}
	w := open(t, closed(), life{})
	if len(w.j.mu.prepared) != 1 {
		t.Errorf("%d prepared files after a clean end", len(w.j.mu.prepared))
	}
	mem := closed()
	w = open(t, mem, life{size: 2 * testFileSize})
	if len(w.j.mu.prepared) != 0 || len(w.j.files.free) != 1 {
		t.Errorf("with another size, %d are prepared and %d free", len(w.j.mu.prepared), len(w.j.files.free))
	}
	w.append(w.j.Lane(1), "b")
	w.roll()
	w.append(w.j.Lane(1), string(make([]byte, testFileSize)))
	outcome{records: []string{"a", "b", string(make([]byte, testFileSize))}}.check(t, w.kill(), life{size: 2 * testFileSize})
	mem = closed()
	mem.CutFile(fileName(2), 5000)
	w = open(t, mem, life{})
	if len(w.j.mu.prepared) != 0 || len(w.found.Damage) != 1 || w.found.ReadOnly == nil {
		t.Errorf("%d prepared after one was cut: %+v", len(w.j.mu.prepared), w.found)
	}
}

func TestEveryUncleanEndBeginsAnEpoch(t *testing.T) {
	w := begin(t)
	w.append(w.create(), "a")
	epoch := w.j.epoch
	for n, clean := range []bool{true, false, false, true, true, false} {
		var mem *memfs.Mem
		if clean {
			mem = w.close()
		} else {
			mem = w.kill()
			epoch++
		}
		w = open(t, mem, life{})
		if w.j.epoch != epoch {
			t.Errorf("life %d has epoch %d, want %d", n, w.j.epoch, epoch)
		}
		w.append(w.j.Lane(1), "b")
	}
	// A clean end of a file that is not the last one is none.
	w = begin(t)
	w.append(w.create(), "a")
	mem := w.close()
	for _, at := range []int64{0, slotBytes} {
		alter(t, mem, at, func(b []byte) {
			if b[60] != 0 {
				b[60] = 77
			}
		})
	}
	if w = open(t, mem, life{}); w.found.Clean {
		t.Error("the end of file 77 counts as clean")
	}
}
