package journal

import (
	"sort"

	"github.com/aof2/aof/internal/segment"
)

// A reader that seeks wants one record out of an extent. Where every few frames of the extent begin is kept once it has
// been found out, so that the next such read fetches those few frames and nothing else.

// place names an extent: file ids are never used again, and what a file holds never changes.
type place struct {
	file uint64
	off  int64
}

// frameTable is where frames of one extent begin, at least strideBytes from each other.
type frameTable struct {
	length int64 // of the extent when it was made: that of an open file still grows
	frames []frameStart
}

// frameStart is relative to the extent and to its first record.
type frameStart struct{ off, first uint32 }

const (
	frameStartBytes = 8
	strideBytes     = 2 << 10
)

// runKey names the run of a stream in a sealed file.
type runKey struct {
	file    uint64
	ordinal uint32
}

// narrow finds the frame of the extent e, whose last record is last, that holds the next record, when that is known.
func (c *Cursor) narrow(f *File, e segment.Extent, last uint64) (off, n int64, lastIn uint64, ok bool) {
	t, ok := c.j.tables.get(place{f.ID, e.Off})
	if !ok || t.length != e.Len {
		return 0, 0, 0, false
	}
	i := sort.Search(len(t.frames), func(i int) bool { return e.First+uint64(t.frames[i].first) > c.next }) - 1
	if i < 0 {
		return 0, 0, 0, false
	}
	from, to := int64(t.frames[i].off), e.Len
	if i+1 < len(t.frames) {
		to, last = int64(t.frames[i+1].off), e.First+uint64(t.frames[i+1].first)-1
	}
	return e.Off + from, to - from, last, true
}

// learn notes where the frames of an extent begin that has just been read as a whole. An extent that does not verify is not
// worth it: reading it as a whole says what is wrong.
func (c *Cursor) learn(f *File, e segment.Extent, b []byte) {
	w := &c.scout
	defer w.Release() // what is left in it would keep the window alive behind Cursor.Release
	w.ResetBytes(b, e.Off, f.Nonce)
	starts := c.starts[:0]
	for w.Next() {
		fr := w.Frame()
		if fr.Kind == segment.KindMark {
			continue
		}
		if fr.Ordinal != c.l.Ordinal || fr.Count == 0 || fr.First-e.First > 1<<32-1 {
			return
		}
		if n := len(starts); n == 0 || fr.Offset-e.Off >= int64(starts[n-1].off)+strideBytes {
			starts = append(starts, frameStart{uint32(fr.Offset - e.Off), uint32(fr.First - e.First)})
		}
	}
	c.starts = starts
	if w.Err() != nil || len(starts) < 2 {
		return
	}
	key := place{f.ID, e.Off}
	c.j.tables.drop(key)
	t := frameTable{length: e.Len, frames: append([]frameStart(nil), starts...)}
	c.j.tables.put(key, t, int64(len(starts))*frameStartBytes+64)
}
