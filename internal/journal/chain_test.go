package journal

import (
	"slices"
	"testing"

	"github.com/aof2/aof/internal/fsys/memfs"
	"github.com/aof2/aof/internal/segment"
)

// fourFiles is a journal with stream 1 in four files that are not sealed: file 1
// has one round, in which the stream was made, the others "a", "b" and "c". The
// snapshot knows the stream and begins at file 1.
func fourFiles(t *testing.T) (*memfs.Mem, life) {
	t.Helper()
	w := begin(t)
	l := w.create()
	from := w.snapshot()
	for _, rec := range []string{"a", "b", "c"} {
		w.roll()
		w.append(l, rec)
	}
	if len(w.j.mu.files) != 4 || from.start.File != 1 {
		t.Fatalf("%d files, start %+v", len(w.j.mu.files), from.start)
	}
	mem := w.kill()
	for _, fr := range frames(t, mem, 1) {
		if fr.Kind == segment.KindMark { // it says that the round was synced, and need not have reached the disk
			wipe(t, mem, 1, fr.Offset, fr.Length)
		}
	}
	return mem, from
}

// dataFiles lists the files that the journal is made of.
func (w *world) dataFiles() (ids []uint64) {
	for _, f := range w.j.DataFiles() {
		ids = append(ids, f.ID)
	}
	return ids
}

// A first file that cannot be read was in use when others follow it: it is
// reported, never taken for one that was given up, and those behind it are read.
func TestTheFirstFileIsMissedByThoseBehindIt(t *testing.T) {
	rows := []struct {
		name string
		harm func(t *testing.T, m *memfs.Mem)
	}{
		{"its first frame does not verify, and nothing else in it says that it was in use", func(t *testing.T, m *memfs.Mem) {
			spoil(t, m, 1, segment.HeaderBytes+20)
		}},
		{"its first frame is gone", func(t *testing.T, m *memfs.Mem) { wipe(t, m, 1, segment.HeaderBytes, rollBytes) }},
		{"everything behind its header is gone", func(t *testing.T, m *memfs.Mem) {
			wipe(t, m, 1, segment.HeaderBytes, testFileSize-segment.HeaderBytes)
		}},
		{"its header does not verify", func(t *testing.T, m *memfs.Mem) { spoil(t, m, 1, 50) }},
		{"it is cut within its header", func(_ *testing.T, m *memfs.Mem) { m.CutFile(fileName(1), 100) }},
		{"it is deleted", func(_ *testing.T, m *memfs.Mem) { m.DeleteFile(fileName(1)) }},
		{"another file is in its place", func(_ *testing.T, m *memfs.Mem) { m.DuplicateFile(fileName(3), fileName(1)) }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			whole, from := fourFiles(t)
			row.harm(t, whole)
			for _, l := range []life{{}, from, {view: true}} {
				mem := whole.Clone()
				w := open(t, mem, l)
				if len(w.damageIn(1)) == 0 {
					t.Errorf("start %+v: nothing is said of file 1: %+v", l.start, w.found.Damage)
				}
				if got := w.dataFiles(); !slices.Equal(got[max(0, len(got)-3):], []uint64{2, 3, 4}) {
					t.Errorf("start %+v: the journal is files %v", l.start, got)
				}
				if l.book != nil { // else nobody knows that there is such a stream
					w.wantRecords(w.j.Lane(1), "a", "b", "c")
				}
				w.wantNotFree(1)
				w.wantReadOnly()
				w.end()
			}
		})
	}
}

// Where the file in which a snapshot begins is gone, those behind it are still the
// journal: their records are read, and what is missing is told exactly.
func TestTheChainGoesOnBehindTheMissingStart(t *testing.T) {
	harms := map[string]func(t *testing.T, m *memfs.Mem){
		"it is deleted":              func(_ *testing.T, m *memfs.Mem) { m.DeleteFile(fileName(2)) },
		"its header does not verify": func(t *testing.T, m *memfs.Mem) { spoil(t, m, 2, 50) },
	}
	for name, harm := range harms {
		t.Run(name, func(t *testing.T) {
			mem, from := threeFiles(t)
			if from.start.File != 2 {
				t.Fatalf("the snapshot begins at %+v", from.start)
			}
			harm(t, mem)
			w := open(t, mem, from)
			w.wantRecords(w.j.Lane(1), "a", "!2-2", "c", "d")
			if got := w.dataFiles(); !slices.Equal(got, []uint64{1, 3}) {
				t.Errorf("the journal is files %v", got)
			}
			if got := w.damageIn(3); len(got) != 1 || got[0].Ordinal != 1 || got[0].First != 2 || got[0].Last != 2 {
				t.Errorf("of file 3 is reported %+v", got)
			}
			w.wantNotFree(3)
			w.wantReadOnly()
		})
	}
	t.Run("two in a row", func(t *testing.T) {
		mem, from := fourFiles(t)
		mem.DeleteFile(fileName(1))
		mem.DeleteFile(fileName(3))
		w := open(t, mem, from)
		w.wantRecords(w.j.Lane(1), "a", "!2-2", "c")
		if len(w.damageIn(1)) == 0 || len(w.damageIn(3)) == 0 {
			t.Errorf("reported is %+v", w.found.Damage)
		}
		w.wantReadOnly()
	})
}
