package journal

import (
	"slices"
	"testing"

	"github.com/aof2/aof/internal/fsys/memfs"
	"github.com/aof2/aof/internal/segment"
)

// cutJournal has four batches of stream 1 in file 1 and one in file 2. The snapshot
// knows the stream and begins at file 1.
func cutJournal(t *testing.T) (mem *memfs.Mem, from life, all []segment.Frame, end int64) {
	t.Helper()
	w := begin(t)
	l := w.create()
	from = w.snapshot()
	w.append(l, "a1", "a2")
	w.append(l, "b1")
	w.append(l, "c1")
	w.append(l, "d1")
	w.roll()
	w.append(l, "e1")
	end = w.j.mu.files[0].End()
	mem = w.kill()
	return mem, from, frames(t, mem, 1), end
}

// extent is the range that several damages of a file cover. They must lie side by
// side.
func extent(t *testing.T, in []Damage) (off, end int64) {
	t.Helper()
	for i, d := range in {
		if i == 0 {
			off = d.Offset
		} else if d.Offset != end {
			t.Errorf("range %d begins at %d, the one before ends at %d", i, d.Offset, end)
		}
		end = d.Offset + d.Length
	}
	return off, end
}

// A complete file that became shorter is damaged from the first frame that is not
// whole to the end that the next file names: not a byte more or less, and no
// record that was not there.
func TestACompleteFileThatIsCut(t *testing.T) {
	_, _, all, end := cutJournal(t)
	var cuts []int64
	for _, fr := range all {
		if fr.Offset >= end { // the mark behind
			break
		}
		cuts = append(cuts, fr.Offset, fr.Offset+1, fr.Offset+segment.FrameHeaderBytes, fr.Offset+fr.Length/2, fr.End()-1)
	}
	for _, at := range cuts {
		for _, view := range []bool{false, true} {
			mem, from, all, end := cutJournal(t)
			if !mem.CutFile(fileName(1), at) {
				t.Fatal("nothing was cut")
			}
			off, seqs := end, []string{"a1", "a2", "b1", "c1", "d1"}
			have := 0
			for _, fr := range all {
				if fr.End() > at {
					off = min(off, fr.Offset)
				} else if fr.Kind == segment.KindData {
					have = int(fr.Last())
				}
			}
			want := append(slices.Clone(seqs[:have]), missing(have)+"-5", "e1")
			if have == len(seqs) {
				want = append(slices.Clone(seqs), "e1")
			}
			from.view = view
			w := open(t, mem, from)
			w.wantRecords(w.j.Lane(1), want...)
			if first, last := extent(t, w.damageIn(1)); first != off || last != end {
				t.Errorf("cut at %d: damaged are %d..%d, want %d..%d: %+v", at, first, last, off, end, w.found.Damage)
			}
			wantLost(t, w.damageIn(2), have)
			if w.found.Torn != 0 || w.found.Clean {
				t.Errorf("cut at %d: %d torn, clean %v", at, w.found.Torn, w.found.Clean)
			}
			w.wantReadOnly()
			w.end()
			if t.Failed() {
				return
			}
		}
	}
}

// What lies behind the end that the next file names is nobody's loss.
func TestACompleteFileThatIsCutAtItsEnd(t *testing.T) {
	mem, from, _, end := cutJournal(t)
	mem.CutFile(fileName(1), end)
	outcome{records: []string{"a1", "a2", "b1", "c1", "d1", "e1"}}.check(t, mem, from)
}

// missing is how the first of the records behind have is read.
func missing(have int) string { return "!" + string(rune('0'+have+1)) }

// wantLost checks that the next file tells which records are gone.
func wantLost(t *testing.T, in []Damage, have int) {
	t.Helper()
	if have == 5 {
		if len(in) != 0 {
			t.Errorf("of file 2 is reported %+v", in)
		}
		return
	}
	if len(in) != 1 || in[0].Ordinal != 1 || in[0].First != uint64(have)+1 || in[0].Last != 5 || in[0].Length != 0 {
		t.Errorf("of file 2 is reported %+v, records %d..5 are lost", in, have+1)
	}
}

// A sealed file that became shorter is damaged from there to the size that was
// decided. What is left of it is read.
func TestASealedFileThatIsCut(t *testing.T) {
	whole, from := threeFiles(t)
	size := sizeOf(t, whole, 1)
	batch := data(frames(t, whole, 1))[0]
	for _, at := range []int64{segment.HeaderBytes, batch.Offset, batch.Offset + 20, batch.End() - 1, batch.End(), size - segment.FooterBytes, size - 1} {
		mem := whole.Clone()
		mem.CutFile(fileName(1), at)
		w := open(t, mem, from)
		want := []string{"a", "b", "c", "d"}
		if at < batch.End() {
			want[0] = "!1-1"
		}
		w.wantRecords(w.j.Lane(1), want...)
		if got := w.damageIn(1); len(got) != 1 || got[0].Offset != at || got[0].Length != size-at {
			t.Errorf("cut at %d of %d: %+v", at, size, w.found.Damage)
		}
		w.end()
	}
}
