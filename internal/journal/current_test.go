package journal

import (
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/aof2/aof/internal/fsys/memfs"
	"github.com/aof2/aof/internal/segment"
)

// written returns a disk with a current of n generations, the last of which has
// the id 100+n as the next one.
func written(t *testing.T, n int) (*memfs.Mem, *current) {
	t.Helper()
	mem := memfs.New(3)
	if err := errors.Join(mem.Mkdir(Dir), mem.SyncDir(".")); err != nil {
		t.Fatal(err)
	}
	c := &current{Store: [16]byte{1, 2, 3}, Epoch: 4, CleanFile: 5, CleanEnd: 6000, Files: []named{{5, 55}, {6, 66}}}
	for range n {
		c.NextID = c.Generation + 101
		if err := writeCurrent(mem, c); err != nil {
			t.Fatal(err)
		}
	}
	return mem, c
}

func TestCurrentIsReadAsItWasWritten(t *testing.T) {
	for n := 1; n <= 5; n++ {
		mem, want := written(t, n)
		got, whole, err := readCurrent(mem)
		if err != nil || !whole {
			t.Fatalf("generation %d: whole %v, %v", n, whole, err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || got.NextID != uint64(100+n) {
			t.Errorf("generation %d: read %+v, wrote %+v", n, got, want)
		}
	}
}

func TestCurrentSlots(t *testing.T) {
	const older, newer = 1 * slotBytes, 0 // generations 3 and 4
	rows := []struct {
		name   string
		harm   func(t *testing.T, m *memfs.Mem)
		nextID uint64
		whole  bool
		err    error
	}{
		{"nothing is wrong", func(*testing.T, *memfs.Mem) {}, 104, true, nil},
		{"the newer slot is torn: the older one holds, and its clean end is not believed", func(t *testing.T, m *memfs.Mem) {
			poke(t, m, currentName, newer+100, []byte{1})
		}, 103, false, nil},
		{"the older slot is torn: that could have been the newer one", func(t *testing.T, m *memfs.Mem) {
			poke(t, m, currentName, older+100, []byte{1})
		}, 104, false, nil},
		{"both slots are torn", func(t *testing.T, m *memfs.Mem) {
			poke(t, m, currentName, older+100, []byte{1})
			poke(t, m, currentName, newer+100, []byte{1})
		}, 0, false, segment.ErrDamaged},
		{"the file is empty", func(_ *testing.T, m *memfs.Mem) { m.CutFile(currentName, 0) }, 0, false, segment.ErrDamaged},
		{"the file is cut behind the first slot", func(_ *testing.T, m *memfs.Mem) { m.CutFile(currentName, slotBytes) }, 104, true, nil},
		{"the file is cut within the first slot", func(_ *testing.T, m *memfs.Mem) { m.CutFile(currentName, 1000) }, 0, false, segment.ErrDamaged},
		{"the older slot was never written", func(t *testing.T, m *memfs.Mem) {
			poke(t, m, currentName, older, make([]byte, slotBytes))
		}, 104, true, nil},
		{"the newer slot is of a newer version", func(t *testing.T, m *memfs.Mem) {
			alter(t, m, newer, func(b []byte) { b[8] = 2 })
		}, 0, false, ErrVersion},
		{"a slot requires a feature that is not known", func(t *testing.T, m *memfs.Mem) {
			alter(t, m, older, func(b []byte) { b[12] = 1 })
		}, 0, false, ErrVersion},
		{"an optional feature is not known", func(t *testing.T, m *memfs.Mem) {
			alter(t, m, newer, func(b []byte) { b[16] = 1 })
		}, 104, true, nil},
		{"a slot has more files than there is room for", func(t *testing.T, m *memfs.Mem) {
			alter(t, m, newer, func(b []byte) { b[76] = maxNamed + 1 })
		}, 103, false, nil},
		{"a slot with a checksum is something else", func(t *testing.T, m *memfs.Mem) {
			alter(t, m, newer, func(b []byte) { b[0] = 'X' })
		}, 103, false, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			mem, _ := written(t, 4)
			row.harm(t, mem)
			c, whole, err := readCurrent(mem)
			if !errors.Is(err, row.err) || (err == nil) != (row.err == nil) {
				t.Fatalf("error %v, want %v", err, row.err)
			}
			if err == nil && (c.NextID != row.nextID || whole != row.whole) {
				t.Errorf("next id %d, whole %v; want %d, %v", c.NextID, whole, row.nextID, row.whole)
			}
		})
	}
}

// alter changes a slot and gives it a checksum that holds.
func alter(t *testing.T, m *memfs.Mem, at int64, change func(b []byte)) {
	t.Helper()
	f, err := m.Open(currentName)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, slotBytes)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	change(b)
	sum := crc32.Checksum(b[:slotBytes-4], castagnoli)
	b[slotBytes-4], b[slotBytes-3], b[slotBytes-2], b[slotBytes-1] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
	poke(t, m, currentName, at, b)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// Wherever the power fails while a generation is written, the one before or the
// new one is there, and after a torn one no clean end is believed.
func TestCurrentSurvivesPowerLossAtEveryOperation(t *testing.T) {
	for seed := range uint64(200) {
		mem, c := written(t, 1+int(seed%3))
		rng := memfs.New(seed)
		n, at := 0, int(seed%7)
		var image *memfs.Mem
		mem.SetHook(func(op *memfs.Op) error {
			if op.Kind.Changes() {
				if n == at {
					image = mem.Crash(newRand(rng.Uint64()), memfs.Loss{})
				}
				n++
			}
			return nil
		})
		before := c.NextID
		c.NextID, c.CleanFile = 777, 0
		if seed%2 == 1 {
			c.broken = true // so that the file is replaced
		}
		if err := writeCurrent(mem, c); err != nil {
			t.Fatal(err)
		}
		if image == nil {
			continue
		}
		got, whole, err := readCurrent(image)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if got.NextID != 777 && got.NextID != before {
			t.Errorf("seed %d: read %+v", seed, got)
		}
		if got.NextID == before && !whole && got.CleanFile == 0 {
			t.Errorf("seed %d: the old generation has lost its clean end", seed)
		}
	}
}

// The slot whose sync failed is not trusted, and the other one is not touched
// until a whole new file is there.
func TestCurrentIsReplacedAfterAFailure(t *testing.T) {
	mem, c := written(t, 2)
	mem.SetHook(func(op *memfs.Op) error {
		if op.Kind == memfs.OpSync {
			return memfs.ErrIO
		}
		return nil
	})
	c.NextID = 500
	if err := writeCurrent(mem, c); err == nil || !c.broken {
		t.Fatalf("error %v, broken %v", err, c.broken)
	}
	if err := writeCurrent(mem, c); err == nil { // the temporary file fails too
		t.Fatal("no error")
	}
	got, _, err := readCurrent(mem.Crash(newRand(1), memfs.Loss{}))
	if err != nil || got.Generation < 2 {
		t.Fatalf("read %+v, %v", got, err)
	}
	var renamed []string
	mem.SetHook(func(op *memfs.Op) error {
		if op.Kind == memfs.OpRename {
			renamed = append(renamed, op.To)
		}
		return nil
	})
	if err := writeCurrent(mem, c); err != nil || c.broken {
		t.Fatalf("error %v, broken %v", err, c.broken)
	}
	if !slices.Equal(renamed, []string{currentName}) {
		t.Errorf("renamed %v", renamed)
	}
	got, whole, err := readCurrent(mem)
	if err != nil || !whole || got.NextID != 500 {
		t.Errorf("read %+v, whole %v, %v", got, whole, err)
	}
}

func TestCurrentNamesABoundedNumberOfFiles(t *testing.T) {
	c := &current{Generation: 1}
	for i := range maxNamed {
		c.Files = append(c.Files, named{uint64(i + 1), uint64(i + 2)})
	}
	got, err := decodeCurrent(c.encode())
	if err != nil || !slices.Equal(got.Files, c.Files) {
		t.Errorf("read %+v, %v", got, err)
	}
	if !c.names(3) || c.names(99) {
		t.Error("names is wrong")
	}
}

func TestANameOfAHotFileIsExact(t *testing.T) {
	for name, want := range map[string]uint64{
		"0000000000000001.aof": 1, "00000000000000ff.aof": 255, "00000000000000FF.aof": 0, "1.aof": 0,
		"0000000000000000.aof": 0, "0000000000000001.aof.tmp": 0, "+000000000000001.aof": 0, "current": 0, "": 0,
	} {
		id, ok := parseName(name)
		if ok != (want != 0) || ok && id != want {
			t.Errorf("%q is file %d, %v", name, id, ok)
		}
		if ok && !strings.HasSuffix(fileName(id), name) {
			t.Errorf("%q becomes %q", name, fileName(id))
		}
	}
	for name, want := range map[string]bool{
		"current.tmp": true, "0000000000000001.aof.tmp": true, "notes.tmp": false, "current": false, "x.aof.tmp": false,
	} {
		if isOwnTemporary(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
