package journal

import (
	"slices"
	"strings"
	"testing"

	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/fsys/memfs"
	"github.com/aof2/aof/internal/segment"
)

// bytesOf reads n bytes of a file.
func bytesOf(t *testing.T, fsy fsys.FS, name string, off, n int64) []byte {
	t.Helper()
	b := make([]byte, n)
	h, err := fsy.Open(name)
	if err == nil {
		_, err = h.ReadAt(b, off)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	return b
}

// spoil inverts a byte of a file, durably.
func spoil(t *testing.T, m *memfs.Mem, id uint64, off int64) {
	t.Helper()
	b := bytesOf(t, m, fileName(id), off, 1)
	poke(t, m, fileName(id), off, []byte{^b[0]})
}

// damageIn returns what was reported of one file.
func (w *world) damageIn(id uint64) (in []Damage) {
	for _, d := range w.found.Damage {
		if d.File == fileName(id) {
			in = append(in, d)
		}
	}
	return in
}

// wantNotFree checks that the room of a file is not given to another one.
func (w *world) wantNotFree(id uint64) {
	w.t.Helper()
	for _, f := range w.j.files.free {
		if f.ID == id {
			w.t.Errorf("file %d counts as free", id)
		}
	}
}

// wantReadOnly checks that the journal takes nothing, and says so.
func (w *world) wantReadOnly() {
	w.t.Helper()
	if w.found.ReadOnly == nil {
		w.t.Error("the journal is not read-only")
	}
	if _, err := w.tryAppend(w.j.Lane(0), "z"); err == nil {
		w.t.Error("an append was taken")
	}
}

// givenUp is a journal whose file 1 holds "a" and, behind its end, the whole frame
// of "b": its sync failed, and "b" went to file 2.
func givenUp(t *testing.T) (mem *memfs.Mem, frame segment.Frame) {
	t.Helper()
	w := begin(t)
	l := w.create()
	w.append(l, "a")
	var written *memfs.Mem
	w.mem.SetHook(func(op *memfs.Op) error {
		if written == nil && op.Kind == memfs.OpSync && strings.HasPrefix(op.Name, fileName(1)) {
			written = w.mem.Clone()
			return memfs.ErrIO
		}
		return nil
	})
	w.append(l, "b")
	if w.count(Poisoned) != 1 {
		t.Fatal("no file was poisoned")
	}
	mem = w.kill()
	d := data(frames(t, written, 1))
	if len(d) != 2 {
		t.Fatalf("file 1 had %+v", d)
	}
	poke(t, mem, fileName(1), d[1].Offset, bytesOf(t, written, fileName(1), d[1].Offset, d[1].Length))
	outcome{records: []string{"a", "b"}}.check(t, mem.Clone(), life{})
	return mem, d[1]
}

// wantDoubt checks that a frame is reported as one of which it is not known
// whether it counts.
func (w *world) wantDoubt(fr segment.Frame) {
	w.t.Helper()
	want := Damage{File: fileName(1), Offset: fr.Offset, Length: fr.Length, Ordinal: fr.Ordinal, First: fr.First, Last: fr.Last()}
	got := w.damageIn(1)
	for i := range got {
		got[i].Problem = ""
	}
	if !slices.Equal(got, []Damage{want}) {
		w.t.Errorf("of file 1 is reported %+v, want %+v", got, want)
	}
}

// What was given up after a failed sync does not come back when the file is gone
// that says where the one before it ends.
func TestWhatWasGivenUpStaysSoWithoutTheNextFile(t *testing.T) {
	rows := []struct {
		name string
		harm func(t *testing.T, m *memfs.Mem)
	}{
		{"it is deleted", func(_ *testing.T, m *memfs.Mem) { m.DeleteFile(fileName(2)) }},
		{"its header does not verify", func(t *testing.T, m *memfs.Mem) { spoil(t, m, 2, 50) }},
		{"it is cut within its header", func(_ *testing.T, m *memfs.Mem) { m.CutFile(fileName(2), 100) }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			mem, b := givenUp(t)
			row.harm(t, mem)
			for _, l := range []life{{view: true}, {}} {
				w := open(t, mem.Clone(), l)
				w.wantRecords(w.j.Lane(1), "a")
				w.wantDoubt(b)
				if len(w.damageIn(2)) == 0 {
					t.Errorf("nothing is said of file 2: %+v", w.found.Damage)
				}
				w.wantNotFree(2)
				w.wantReadOnly()
				w.end()
			}
		})
	}
}

// A last file whose roll frame does not verify says by its marks that it was in
// use. The file before holds the same record, and nothing else.
func TestAGivenUpRecordIsNoOtherWithoutTheRollFrame(t *testing.T) {
	mem, _ := givenUp(t)
	spoil(t, mem, 2, segment.HeaderBytes+20)
	w := open(t, mem, life{})
	if got := w.read(w.j.Lane(1)); len(got) == 0 || !slices.Equal(got, []string{"a", "b"}[:len(got)]) {
		t.Errorf("records are %q", got)
	}
	if len(w.damageIn(2)) == 0 {
		t.Errorf("nothing is said of file 2: %+v", w.found.Damage)
	}
	w.wantNotFree(2)
	w.wantReadOnly()
}

// The number of a record that was given up belongs to another one by now.
func TestWhatWasGivenUpTakesNoOtherRecordsPlace(t *testing.T) {
	mem, b := givenUp(t)
	// Of the first write to file 2 only the roll frame reached the disk.
	roll := frames(t, mem, 2)[0]
	wipe(t, mem, 2, roll.End(), testFileSize-roll.End())
	w := open(t, mem, life{})
	w.wantRecords(w.j.Lane(1), "a")
	w.append(w.j.Lane(1), "B")
	mem = w.kill()
	outcome{records: []string{"a", "B"}}.check(t, mem.Clone(), life{})

	mem.DeleteFile(fileName(2))
	w = open(t, mem, life{})
	w.wantRecords(w.j.Lane(1), "a", "B")
	w.wantDoubt(b)
	w.wantReadOnly()
}
