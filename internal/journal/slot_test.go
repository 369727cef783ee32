package journal

import (
	"slices"
	"strings"
	"testing"

	"github.com/aof2/aof/internal/fsys/memfs"
)

// newestSlot is where the newest slot of current lies.
func newestSlot(t *testing.T, m *memfs.Mem) int64 {
	t.Helper()
	c, whole, err := readCurrent(m)
	if err != nil || !whole {
		t.Fatalf("current is %+v, whole %v, %v", c, whole, err)
	}
	return int64(c.Generation%2) * slotBytes
}

// spoilSlot makes the newest slot of current one that does not verify, and
// returns the one that is left.
func spoilSlot(t *testing.T, m *memfs.Mem) *current {
	t.Helper()
	poke(t, m, currentName, newestSlot(t, m)+3000, []byte{1})
	c, whole, err := readCurrent(m)
	if err != nil || whole {
		t.Fatalf("what is left of current is %+v, whole %v, %v", c, whole, err)
	}
	return c
}

// lonely is a journal whose newest slot of current alone names its newest file.
type lonely struct {
	name    string
	make    func(t *testing.T) *memfs.Mem
	newest  uint64
	nextID  uint64   // in the slot before
	before  []string // records in the files before, nil when the stream is not known from them
	records []string
}

func lonelies() []lonely {
	return []lonely{
		{"the first file", func(t *testing.T) *memfs.Mem {
			w := begin(t)
			w.append(w.create(), "a")
			return w.kill()
		}, 1, 1, nil, []string{"a"}},
		{"the second file", func(t *testing.T) *memfs.Mem {
			w := begin(t)
			l := w.create()
			w.append(l, "a")
			w.roll()
			w.append(l, "b")
			return w.kill()
		}, 2, 2, []string{"a"}, []string{"a", "b"}},
		{"a file that was another one: the slot before no longer names that, and counts the new one already", func(t *testing.T) *memfs.Mem {
			w := begin(t)
			w.append(w.create(), "a")
			if err := w.pump(); err != nil { // file 2 is prepared, and free in the next life
				t.Fatal(err)
			}
			w = open(t, w.kill(), life{})
			w.create() // a decision: a further file would be prepared for an append
			return w.kill()
		}, 3, 4, []string{"a"}, []string{"a"}},
	}
}

// Where the newest slot of current does not verify, nothing says any more that the
// newest file was in use. One whose identity is lost then counts as such: it may
// hold acknowledged records, and is never silently a new or a free one.
func TestABrokenFileOfALostSlotIsMissing(t *testing.T) {
	harms := map[string]func(t *testing.T, m *memfs.Mem, id uint64){
		"a byte of its header":  func(t *testing.T, m *memfs.Mem, id uint64) { spoil(t, m, id, 50) },
		"its header is zero":    func(t *testing.T, m *memfs.Mem, id uint64) { wipe(t, m, id, 0, 4096) },
		"its header is cut":     func(_ *testing.T, m *memfs.Mem, id uint64) { m.CutFile(fileName(id), 4095) },
		"there is nothing left": func(_ *testing.T, m *memfs.Mem, id uint64) { m.CutFile(fileName(id), 0) },
	}
	for _, s := range lonelies() {
		for harm, do := range harms {
			t.Run(s.name+", "+harm, func(t *testing.T) {
				mem := s.make(t)
				if c := spoilSlot(t, mem); c.NextID != s.nextID || c.names(s.newest) {
					t.Fatalf("the slot before is %+v", c)
				}
				do(t, mem, s.newest)
				for _, l := range []life{{view: true}, {}} {
					w := open(t, mem.Clone(), l)
					if got := w.damageIn(s.newest); len(got) != 1 {
						t.Errorf("of file %d is reported %+v", s.newest, w.found.Damage)
					}
					if w.found.Fresh {
						t.Error("the store counts as new")
					}
					if s.before != nil {
						w.wantRecords(w.j.Lane(1), s.before...)
					}
					w.wantNotFree(s.newest)
					w.wantReadOnly()
					w.end()
				}
			})
		}
	}
}

// The newest slot of current is not needed to find what is there.
func TestAnIntactFileOfALostSlotIsFound(t *testing.T) {
	for _, s := range lonelies() {
		t.Run(s.name, func(t *testing.T) {
			mem := s.make(t)
			spoilSlot(t, mem)
			w := open(t, mem.Clone(), life{view: true})
			w.wantRecords(w.j.Lane(1), s.records...)
			if !slices.ContainsFunc(w.found.Notes, func(n string) bool { return strings.Contains(n, currentName) }) {
				t.Errorf("nothing is said of current: %q", w.found.Notes)
			}
			w.end()
			outcome{records: s.records}.check(t, mem, life{})
		})
	}
}

// The lost slot may have withdrawn the clean end that the other one still tells of:
// what was torn behind that end is not written over in the same file.
func TestAWithdrawnCleanEndStaysSoWithoutItsSlot(t *testing.T) {
	w := begin(t)
	w.append(w.create(), "a")
	w = open(t, w.close(), life{})
	var mem *memfs.Mem
	w.mem.SetHook(func(op *memfs.Op) error {
		if op.Kind == memfs.OpSync && strings.HasPrefix(op.Name, fileName(1)) && mem == nil {
			mem = w.mem.Clone()
		}
		return nil
	})
	if err := w.together(w.j.Lane(1), "one", "two"); err != nil {
		t.Fatal(err)
	}
	w.end()
	d := data(frames(t, mem, 1))
	if len(d) != 3 {
		t.Fatalf("file 1 has %+v", d)
	}
	wipe(t, mem, 1, d[1].Offset, d[1].Length)
	if c := spoilSlot(t, mem); c.CleanFile != 1 || c.CleanEnd > d[1].Offset {
		t.Fatalf("the slot before is %+v", c)
	}
	w = open(t, mem, life{})
	if w.found.Clean {
		t.Error("the end counts as clean")
	}
	w.append(w.j.Lane(1), "ONE")
	outcome{records: []string{"a", "ONE"}}.check(t, w.kill(), life{})
}

// A file whose name is taken is not written over when the slot is lost that
// counted it, nor is a file that is none of the journal's.
func TestNoNameIsTakenTwice(t *testing.T) {
	w := begin(t)
	w.append(w.create(), "a")
	mem := w.kill()
	mem.DuplicateFile(fileName(1), fileName(2)) // somebody's copy
	w = open(t, mem, life{})
	w.append(w.j.Lane(1), "b")
	if got := w.dataFiles(); !slices.Equal(got, []uint64{1, 3}) {
		t.Errorf("the journal is files %v", got)
	}
	if h := headerOf(t, w.mem, 2); h.ID != 1 {
		t.Errorf("the copy became file %d", h.ID)
	}
	outcome{records: []string{"a", "b"}}.check(t, w.kill(), life{})
}
