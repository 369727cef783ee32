package journal

import (
	"slices"
	"strings"
	"testing"

	"github.com/aof2/aof/internal/fsys/memfs"
)

const manyPrepared = keepFree + 5

// manyFree is a disk on which the next life finds more free files than are kept:
// the last one had prepared them, and was killed, or closed and goes on with files
// of another size.
func manyFree(t *testing.T, clean bool) (*memfs.Mem, life) {
	t.Helper()
	w := begin(t)
	w.append(w.create(), "a")
	for range manyPrepared {
		if err := w.j.Prepare(nothingBefore); err != nil {
			t.Fatal(err)
		}
	}
	if clean {
		return w.close(), life{size: 2 * testFileSize}
	}
	return w.kill(), life{}
}

// hotFiles lists the files in the journal's directory that are no current.
func hotFiles(t *testing.T, m *memfs.Mem) (names []string) {
	t.Helper()
	entries, err := m.List(Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if Dir+"/"+e.Name != currentName {
			names = append(names, e.Name)
		}
	}
	return names
}

// Free files beyond those that are kept go with the first append of a life, and
// neither by a look nor by opening alone.
func TestFreeFilesFoundAtOpenAreBounded(t *testing.T) {
	for _, clean := range []bool{false, true} {
		mem, l := manyFree(t, clean)
		before := hotFiles(t, mem)
		changes := 0
		mem.SetHook(func(op *memfs.Op) error {
			if op.Kind.Changes() {
				changes++
			}
			return nil
		})
		look := l
		look.view = true
		open(t, mem, look).end()
		if changes != 0 {
			t.Errorf("clean %v: a view changed the disk %d times", clean, changes)
		}

		mem, _ = manyFree(t, clean)
		w := open(t, mem, l)
		if err := w.pump(); err != nil { // nothing is wanted yet
			t.Fatal(err)
		}
		if got := hotFiles(t, w.mem); !slices.Equal(got, before) || len(w.j.files.free) != manyPrepared {
			t.Errorf("clean %v: opening leaves %q of %q, %d free", clean, got, before, len(w.j.files.free))
		}
		w.append(w.j.Lane(1), "b")
		free := len(w.j.files.free)
		if free > keepFree || free < keepFree-keepReady {
			t.Errorf("clean %v: %d files are free", clean, free)
		}
		if got, want := len(hotFiles(t, w.mem)), len(w.j.Files())+free; got != want {
			t.Errorf("clean %v: there are %d files, want %d: %q", clean, got, want, hotFiles(t, w.mem))
		}
		outcome{records: []string{"a", "b"}}.check(t, w.kill(), l)
	}
}

// Wherever power fails or an operation fails while free files are removed, nothing
// is missed afterwards.
func TestFreeFilesGoAtAnyTime(t *testing.T) {
	for _, clean := range []bool{false, true} {
		for n := 0; ; n++ {
			mem, l := manyFree(t, clean)
			w := open(t, mem, l)
			i, image := 0, (*memfs.Mem)(nil)
			mem.SetHook(func(op *memfs.Op) error {
				if !op.Kind.Changes() {
					return nil
				}
				if i++; i == n+1 {
					image = mem.Crash(newRand(uint64(n)), memfs.Loss{})
					return memfs.ErrIO
				}
				return nil
			})
			err := w.j.Activate()
			mem.SetHook(nil)
			if i <= n {
				if err != nil || n < keepFree {
					t.Fatalf("clean %v: %d operations, %v", clean, n, err)
				}
				break
			}
			for _, disk := range []*memfs.Mem{image, w.kill()} {
				outcome{records: []string{"a"}}.check(t, disk, l)
			}
			if t.Failed() {
				t.Fatalf("clean %v: operation %d", clean, n)
			}
		}
	}
}

// Files that cannot be removed keep nobody from appending, and are used in their
// turn.
func TestAFreeFileThatCannotBeRemovedStaysFree(t *testing.T) {
	mem, l := manyFree(t, false)
	w := open(t, mem, l)
	w.mem.SetHook(func(op *memfs.Op) error {
		if op.Kind == memfs.OpRemove && strings.HasSuffix(op.Name, ".aof") {
			return memfs.ErrIO
		}
		return nil
	})
	w.append(w.j.Lane(1), "b")
	if got := len(w.j.files.free); got != manyPrepared-keepReady { // so many were prepared
		t.Errorf("%d files are free", got)
	}
	if dropped, err := w.j.DropFree(); dropped || err == nil {
		t.Errorf("dropped %v, %v", dropped, err)
	}
	w.mem.SetHook(nil)
	for range manyPrepared - keepReady {
		if dropped, err := w.j.DropFree(); !dropped || err != nil {
			t.Fatalf("dropped %v, %v", dropped, err)
		}
	}
	if dropped, err := w.j.DropFree(); dropped || err != nil {
		t.Errorf("dropped %v of none, %v", dropped, err)
	}
	if got, want := len(hotFiles(t, w.mem)), len(w.j.Files()); got != want {
		t.Errorf("there are %d files, want %d", got, want)
	}
	outcome{records: []string{"a", "b"}}.check(t, w.kill(), l)
}
