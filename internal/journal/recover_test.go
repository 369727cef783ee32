package journal

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/fsys/memfs"
	"github.com/aof2/aof/internal/segment"
)

// threeBatches is a journal whose stream 1 got a1 a2, b1 and c1 in three rounds,
// all in file 1, and that ended as the death of the process ends it.
func threeBatches(t *testing.T) (*memfs.Mem, []segment.Frame) {
	t.Helper()
	w := begin(t)
	l := w.create()
	w.append(l, "a1", "a2")
	w.append(l, "b1")
	w.append(l, "c1")
	mem := w.kill()
	return mem, frames(t, mem, 1)
}

// outcome is what a life finds.
type outcome struct {
	records  []string // of stream 1
	damage   int      // ranges reported
	readOnly bool
	torn     bool // bytes are reported as torn
}

// check opens the disk, compares, and unless the journal is read-only appends,
// dies, and looks again: what was found must stay what is found.
func (o outcome) check(t *testing.T, mem *memfs.Mem, l life) {
	t.Helper()
	w := open(t, mem, l)
	if got := len(w.found.Damage); got != o.damage {
		t.Errorf("%d damaged ranges reported, want %d: %+v", got, o.damage, w.found.Damage)
	}
	if got := w.found.ReadOnly != nil; got != o.readOnly {
		t.Errorf("read-only is %v: %v", got, w.found.ReadOnly)
	}
	if got := w.found.Torn > 0; got != o.torn {
		t.Errorf("%d torn bytes", w.found.Torn)
	}
	if o.records != nil {
		w.wantRecords(w.j.Lane(1), o.records...)
	}
	if o.readOnly {
		if _, err := w.tryAppend(w.j.Lane(0), "z"); err == nil {
			t.Error("a read-only journal took an append")
		}
		w.end()
		return
	}
	if o.records == nil {
		w.end()
		return
	}
	w.append(w.j.Lane(1), "z")
	want := append(append([]string{}, o.records...), "z")
	w.wantRecords(w.j.Lane(1), want...)
	for range 2 {
		mem = w.kill()
		w = open(t, mem, l)
		w.wantRecords(w.j.Lane(1), want...)
		if w.found.ReadOnly != nil {
			t.Errorf("the life after is read-only: %v", w.found.ReadOnly)
		}
	}
	w.end()
}

func TestAnUncleanEndIsReadFrameByFrame(t *testing.T) {
	all := []string{"a1", "a2", "b1", "c1"}
	rows := []struct {
		name   string
		damage func(t *testing.T, m fsys.FS, all, data []segment.Frame)
		want   outcome
	}{
		{"nothing is wrong", func(*testing.T, fsys.FS, []segment.Frame, []segment.Frame) {}, outcome{records: all}},
		{"the mark at the very end is torn: no record is in it", func(t *testing.T, m fsys.FS, all, _ []segment.Frame) {
			wipe(t, m, 1, all[len(all)-1].Offset, 8)
		}, outcome{records: all}},
		{"the last batch is torn in its header and nothing came behind: it is cut", func(t *testing.T, m fsys.FS, all, data []segment.Frame) {
			wipe(t, m, 1, data[2].Offset, 16)
			wipe(t, m, 1, all[len(all)-1].Offset, markBytes)
		}, outcome{records: all[:3]}},
		{"the last batch is torn in its payload and nothing came behind: it is cut", func(t *testing.T, m fsys.FS, all, data []segment.Frame) {
			poke(t, m, fileName(1), data[2].End()-8, []byte("x"))
			wipe(t, m, 1, all[len(all)-1].Offset, markBytes)
		}, outcome{records: all[:3], torn: true}},
		{"the zeros behind the last payload are torn and nothing came behind: it is cut", func(t *testing.T, m fsys.FS, all, data []segment.Frame) {
			poke(t, m, fileName(1), data[2].End()-1, []byte{1})
			wipe(t, m, 1, all[len(all)-1].Offset, markBytes)
		}, outcome{records: all[:3], torn: true}},
		{"the last batch's header does not verify and a mark says that it was synced: damage, and nobody knows whose", func(t *testing.T, m fsys.FS, _, data []segment.Frame) {
			wipe(t, m, 1, data[2].Offset, 16)
		}, outcome{records: all[:3], damage: 1, readOnly: true}},
		{"a header in the middle does not verify below a later watermark: damage", func(t *testing.T, m fsys.FS, _, data []segment.Frame) {
			wipe(t, m, 1, data[1].Offset, 16)
		}, outcome{records: []string{"a1", "a2", "!3-3", "c1"}, damage: 2, readOnly: true}},
		{"a payload in the middle does not verify under an intact header: only that record is refused", func(t *testing.T, m fsys.FS, _, data []segment.Frame) {
			poke(t, m, fileName(1), data[1].End()-8, []byte("x"))
		}, outcome{records: []string{"a1", "a2", "!3-3", "c1"}, damage: 1}},
		{"the second record of a batch does not verify: the first one is read", func(t *testing.T, m fsys.FS, _, data []segment.Frame) {
			poke(t, m, fileName(1), data[0].End()-6, []byte("x"))
		}, outcome{records: []string{"a1", "!2-2", "b1", "c1"}, damage: 1}},
		{"the decision that made the stream does not verify: nothing may be decided in its place", func(t *testing.T, m fsys.FS, all, _ []segment.Frame) {
			poke(t, m, fileName(1), all[1].End()-16, []byte("xxxx"))
		}, outcome{damage: 4, readOnly: true}},
		{"a length in a header is larger than the file, below a watermark", func(t *testing.T, m fsys.FS, _, data []segment.Frame) {
			poke(t, m, fileName(1), data[1].Offset+4, []byte{0xf8, 0xff, 0xff, 0x7f})
		}, outcome{records: []string{"a1", "a2", "!3-3", "c1"}, damage: 2, readOnly: true}},
		{"everything behind the header is zero", func(t *testing.T, m fsys.FS, _, _ []segment.Frame) {
			wipe(t, m, 1, segment.HeaderBytes, testFileSize-segment.HeaderBytes)
		}, outcome{}},
		{"the roll frame does not verify and frames behind it say that they were synced", func(t *testing.T, m fsys.FS, _, _ []segment.Frame) {
			wipe(t, m, 1, segment.HeaderBytes, 16)
		}, outcome{damage: 1, readOnly: true}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			mem, fr := threeBatches(t)
			row.damage(t, mem, fr, data(fr))
			row.want.check(t, mem, life{})
		})
	}
}

// The decision that is damaged is the last one, so no later one shows the gap.
func TestADamagedLastDecisionIsNotMadeAgain(t *testing.T) {
	w := begin(t)
	l := w.create()
	w.append(l, "a1")
	w.decide(decision{Kind: "delete", Ordinal: l.Ordinal})
	w.create()
	w.decide(decision{Kind: "trim", Ordinal: 2, First: 1, Pad: "padding"})
	mem := w.kill()
	fr := frames(t, mem, 1)
	last := fr[len(fr)-2]
	poke(t, mem, fileName(1), last.End()-16, []byte("xxxx"))
	outcome{damage: 1, readOnly: true}.check(t, mem, life{})
}

// A round of three batches whose sync never returned is cut at its first torn
// byte, wherever that is, and what arrived behind it never comes back.
func TestWhatIsBehindATornPlaceNeverComesBack(t *testing.T) {
	for torn := range 3 {
		w := begin(t)
		l := w.create()
		w.append(l, "a")
		var image *memfs.Mem
		w.mem.SetHook(func(op *memfs.Op) error {
			if op.Kind == memfs.OpSync && strings.HasPrefix(op.Name, fileName(1)) && image == nil {
				image = w.mem.Clone()
			}
			return nil
		})
		if err := w.together(l, "one", "two", "six"); err != nil {
			t.Fatal(err)
		}
		w.end()
		d := data(frames(t, image, 1))
		if len(d) != 4 || d[3].Watermark >= d[1].Offset {
			t.Fatalf("not one round: %+v", d)
		}
		want := []string{"a", "one", "two", "six"}[:1+torn]
		mem := image
		wipe(t, mem, 1, d[1+torn].Offset, d[1+torn].Length)
		for n := range 4 {
			// Each life puts something where the torn frame was, of the same length.
			w = open(t, mem, life{})
			w.wantRecords(w.j.Lane(1), want...)
			if len(w.found.Damage) > 0 || w.found.ReadOnly != nil {
				t.Fatalf("torn %d, life %d: %+v %v", torn, n, w.found.Damage, w.found.ReadOnly)
			}
			if n%2 == 1 {
				w.append(w.j.Lane(1), "new")
				want = append(want, "new")
			}
			mem = w.kill()
		}
	}
}

// A life that cuts a tail, makes itself ready, writes nothing and closes must not
// call that tail clean: the next one would append in front of what is behind.
func TestACutTailIsNeverAppendedTo(t *testing.T) {
	mem, fr := threeBatches(t)
	d := data(fr)
	wipe(t, mem, 1, d[1].Offset, d[1].Length)
	for _, f := range fr { // so that nothing says that b1 was synced
		if f.Watermark > d[1].Offset {
			wipe(t, mem, 1, f.Offset, f.Length)
		}
	}
	w := open(t, mem, life{})
	w.wantRecords(w.j.Lane(1), "a1", "a2")
	if _, err := w.j.TryAppend(w.j.Lane(1), Batch{Records: [][]byte{nil}}, false, nil); err == nil {
		t.Fatal("an append before the journal was made ready")
	}
	if err := w.pump(); err != nil {
		t.Fatal(err)
	}
	mem = w.close()
	w = open(t, mem, life{})
	if w.found.Clean {
		t.Error("the cut tail counts as clean")
	}
	w.append(w.j.Lane(1), "B1")
	mem = w.kill()
	if got := len(data(frames(t, mem, 1))); got != 1 {
		t.Errorf("file 1 has %d data frames, the cut left 1", got)
	}
	w = open(t, mem, life{})
	w.wantRecords(w.j.Lane(1), "a1", "a2", "B1")
}

func TestACleanEndGoesOnInTheSameFile(t *testing.T) {
	w := begin(t)
	l := w.create()
	w.append(l, "a")
	for n := range 3 {
		mem := w.close()
		w = open(t, mem, life{})
		if !w.found.Clean || w.found.Scanned > 8<<10 {
			t.Fatalf("life %d: clean %v, %d bytes scanned", n, w.found.Clean, w.found.Scanned)
		}
		w.append(w.j.Lane(1), "more")
		if len(w.j.mu.files) != 1 {
			t.Errorf("life %d: %d files", n, len(w.j.mu.files))
		}
	}
	w.roll() // into the file that the first life prepared
	w.append(w.j.Lane(1), "next file")
	if n := w.count(Poisoned); n > 0 {
		t.Errorf("%d files were poisoned", n)
	}
	w.wantRecords(w.j.Lane(1), "a", "more", "more", "more", "next file")
}

// A clean end is believed to the byte.
func TestACleanEndIsHeldAgainstTheFile(t *testing.T) {
	closed := func(t *testing.T) *memfs.Mem {
		w := begin(t)
		l := w.create()
		w.append(l, "a1")
		w.append(l, "b1")
		return w.close()
	}
	t.Run("the last batch does not verify: nothing was torn, so it is damage", func(t *testing.T) {
		mem := closed(t)
		d := data(frames(t, mem, 1))
		wipe(t, mem, 1, d[1].Offset, testFileSize-d[1].Offset)
		outcome{records: []string{"a1"}, damage: 1, readOnly: true}.check(t, mem, life{})
	})
	t.Run("the file is cut at a frame's end", func(t *testing.T) {
		mem := closed(t)
		mem.CutFile(fileName(1), data(frames(t, mem, 1))[1].Offset)
		outcome{records: []string{"a1"}, damage: 1, readOnly: true}.check(t, mem, life{})
	})
	t.Run("a valid frame lies behind it", func(t *testing.T) {
		mem := closed(t)
		fr := frames(t, mem, 1)
		end := fr[len(fr)-1].End()
		mark := segment.AppendMark(nil)
		segment.FinishFrame(mark, headerOf(t, mem, 1).Nonce, end, 0, 1)
		poke(t, mem, fileName(1), end, mark)
		w := open(t, mem.Clone(), life{})
		if w.found.Clean {
			t.Error("the end still counts as clean")
		}
		outcome{records: []string{"a1", "b1"}}.check(t, mem, life{})
	})
	t.Run("the end was withdrawn", func(t *testing.T) {
		w := open(t, closed(t), life{})
		w.append(w.j.Lane(1), "c1")
		mem := w.kill()
		w = open(t, mem.Clone(), life{})
		if w.found.Clean {
			t.Error("the old end counts")
		}
		outcome{records: []string{"a1", "b1", "c1"}}.check(t, mem, life{})
	})
}

// An old page in a newer place is caught by the nonce, a page of the same file in
// another place by the offset.
func TestMisplacedPagesAreNotFrames(t *testing.T) {
	w := begin(t)
	l := w.create()
	big := string(bytes.Repeat([]byte("x"), 3900))
	w.append(l, big)
	w.append(l, big)
	mem := w.kill()
	if !mem.SwapPages(fileName(1), 1, fileName(1), 2) {
		t.Fatal("nothing swapped")
	}
	w = open(t, mem, life{})
	if w.found.ReadOnly == nil || len(w.found.Damage) == 0 {
		t.Errorf("found %+v", w.found)
	}
}

// What is damage and where the data ends, from the places that do not verify and
// the offset up to which something says that data was synced.
func TestConclude(t *testing.T) {
	hole := func(off, end int64) suspect { return suspect{off: off, end: end} }
	record := func(off, end int64) suspect {
		return suspect{off: off, end: end, records: &segment.RecordsError{}, frame: segment.Frame{Offset: off, Length: end - off}}
	}
	rows := []struct {
		name     string
		end      int64 // of the last frame that was read
		suspects []suspect
		acked    int64
		wantEnd  int64
		damage   [][2]int64
	}{
		{"nothing is wrong", 900, nil, 800, 900, nil},
		{"nothing is wrong, and more was synced than is there", 900, nil, 1000, 1000, nil},
		{"a hole behind everything that was synced", 800, []suspect{hole(800, 2000)}, 800, 800, nil},
		{"a hole behind, and a frame behind that", 900, []suspect{hole(800, 850)}, 800, 800, nil},
		{"a hole before", 900, []suspect{hole(500, 600)}, 800, 900, [][2]int64{{500, 600}}},
		{"a hole before and one behind", 950, []suspect{hole(500, 600), hole(900, 920)}, 800, 900, [][2]int64{{500, 600}}},
		{"a hole over the end of what was synced, and a frame behind it", 950, []suspect{hole(700, 900)}, 800, 800, [][2]int64{{700, 800}}},
		{"a hole over the end of what was synced, to the end", 700, []suspect{hole(700, 2000)}, 800, 800, [][2]int64{{700, 800}}},
		{"a bad record before", 900, []suspect{record(500, 600)}, 800, 900, [][2]int64{{500, 600}}},
		{"a bad record in the last frame that was synced", 800, []suspect{record(700, 800)}, 800, 800, [][2]int64{{700, 800}}},
		{"a bad record behind", 900, []suspect{record(800, 900)}, 800, 800, nil},
	}
	for _, row := range rows {
		v := verdict{end: row.end}
		v.conclude(row.suspects, row.acked)
		var damage [][2]int64
		for _, s := range v.damage {
			damage = append(damage, [2]int64{s.off, s.end})
		}
		if v.end != row.wantEnd || !slices.Equal(damage, row.damage) {
			t.Errorf("%s: ends at %d with %v damaged, want %d and %v", row.name, v.end, damage, row.wantEnd, row.damage)
		}
	}
}

// Behind a decision that is missing none is folded: the ones that follow may rest
// on it.
func TestNoDecisionIsFoldedBehindAMissingOne(t *testing.T) {
	w := begin(t)
	w.create()
	w.create()
	w.append(w.create(), "a")
	mem := w.kill()
	for _, f := range frames(t, mem, 1) {
		if f.Kind == segment.KindControl && f.First == 2 {
			wipe(t, mem, 1, f.Offset, 8)
		}
	}
	w = open(t, mem, life{})
	if w.book.last != 1 || w.found.ReadOnly == nil || w.j.Lane(3) != nil {
		t.Errorf("%d decisions, %v", w.book.last, w.found.ReadOnly)
	}
}

// Beside a running program only what a frame says was synced is shown.
func TestAViewShowsWhatIsSaidToBeDurable(t *testing.T) {
	mem, fr := threeBatches(t)
	wipe(t, mem, 1, fr[len(fr)-1].Offset, markBytes) // the one that tells of c1
	w := open(t, mem.Clone(), life{view: true, durable: true})
	w.wantRecords(w.j.Lane(1), "a1", "a2", "b1")
	w.end()
	ops := 0
	mem.SetHook(func(op *memfs.Op) error {
		if op.Kind.Changes() {
			ops++
		}
		return nil
	})
	w = open(t, mem, life{view: true})
	w.wantRecords(w.j.Lane(1), "a1", "a2", "b1", "c1")
	if ops != 0 {
		t.Errorf("a view did %d operations that change the disk", ops)
	}
	if err := w.j.CloseView(); err != nil {
		t.Error(err)
	}
	c := w.j.Cursor(w.j.Lane(1), 1)
	if err := c.Fill(); err == nil {
		t.Error("a closed view is read")
	}
}

// A view notices that a file became another one under it.
func TestAViewNoticesARecycledFile(t *testing.T) {
	mem, _ := threeBatches(t)
	w := open(t, mem, life{view: true})
	h := headerOf(t, mem, 1)
	h.Nonce, h.ID = h.Nonce+1, 9
	b := make([]byte, segment.HeaderBytes)
	segment.EncodeHeader(b, h)
	poke(t, mem, fileName(1), 0, b)
	c := w.j.Cursor(w.j.Lane(1), 1)
	if err := c.Fill(); !errors.Is(err, ErrStale) {
		t.Errorf("fill: %v", err)
	}
}
