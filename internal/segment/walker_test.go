package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"reflect"
	"testing"
)

// A file of three frames, and what stands behind them.
func smallFile() *file {
	f := newFile()
	f.frame(KindData, 1, 1, []byte("first"), []byte("second record"))
	f.frame(KindData, 2, 7, fill(300, 1))
	f.frame(KindControl, 0, 1, []byte("decision"), nil)
	return f
}

func TestTheWalkEndsAt(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *file) (b []byte, to int64)
		frames int
		reason string // "" for a walk that ends at its end
	}{
		{"the walk's end", func(f *file) ([]byte, int64) { return f.b, f.end() }, 3, ""},
		{"the walk's end with more behind it", func(f *file) ([]byte, int64) { return f.b, f.frames[2].Offset }, 2, ""},
		{"zeros", func(f *file) ([]byte, int64) { return append(f.b, make([]byte, 100)...), f.end() + 100 }, 3, ReasonZeros},
		{"zeros that have no room for a frame", func(f *file) ([]byte, int64) { return append(f.b, make([]byte, 8)...), f.end() + 8 }, 3, ReasonZeros},
		{"bytes that have no room for a frame", func(f *file) ([]byte, int64) { return append(f.b, fill(8, 1)...), f.end() + 8 }, 3, ReasonShort},
		{"bytes of something else", func(f *file) ([]byte, int64) { return append(f.b, fill(100, 1)...), f.end() + 100 }, 3, ReasonSync},
		{"a frame that is cut", func(f *file) ([]byte, int64) { return f.b, f.end() - 8 }, 2, ReasonBeyond},
		{"a file that is cut", func(f *file) ([]byte, int64) { return f.b, f.end() + 8192 }, 3, ReasonMissing},
		{"a frame of another file", func(f *file) ([]byte, int64) {
			FinishFrame(f.b[f.frames[1].Offset:f.frames[1].End()], testNonce+1, f.frames[1].Offset, 0, 9)
			return f.b, f.end()
		}, 1, ReasonSync},
		{"a frame of another file with this sync word", func(f *file) ([]byte, int64) {
			FinishFrame(f.b[f.frames[1].Offset:f.frames[1].End()], testNonce+1<<32, f.frames[1].Offset, 0, 9)
			return f.b, f.end()
		}, 1, ReasonChecksum},
		{"a frame that was written for another place", func(f *file) ([]byte, int64) {
			FinishFrame(f.b[f.frames[1].Offset:f.frames[1].End()], testNonce, f.frames[1].Offset+4096, 0, 9)
			return f.b, f.end()
		}, 1, ReasonChecksum},
		{"a length that is not a multiple of 8", func(f *file) ([]byte, int64) {
			f.b[f.frames[1].Offset+lengthAt] ^= 1
			return f.b, f.end()
		}, 1, ReasonLength},
		{"more records than the frame has room for", func(f *file) ([]byte, int64) {
			binary.LittleEndian.PutUint32(f.b[f.frames[1].Offset+countAt:], 0xffffffff)
			return f.b, f.end()
		}, 1, ReasonLength},
		{"extensions beyond the limit", func(f *file) ([]byte, int64) {
			f.frame(KindData, 3, 1, fill(8000, 1))
			binary.LittleEndian.PutUint16(f.b[f.frames[3].Offset+extLenAt:], MaxExtensionBytes+1)
			return f.b, f.end()
		}, 3, ReasonLength},
	} {
		f := smallFile()
		b, to := c.change(f)
		for _, w := range []*Walker{
			NewWalker(&boundedReader{b: b, to: to}, testNonce, HeaderBytes, to, WalkerOptions{}),
			bytesWalker(b, to),
		} {
			if w == nil {
				continue
			}
			f.expectEnd(t, w, c.name, c.frames, c.reason)
		}
	}
}

// expectEnd walks over the first frames of f and finds the walk's end behind
// them, for that reason.
func (f *file) expectEnd(t *testing.T, w *Walker, name string, frames int, reason string) {
	n := 0
	for w.Next() {
		if !reflect.DeepEqual(w.Frame(), f.frames[n]) {
			t.Errorf("%s: frame %d is %+v, want %+v", name, n, w.Frame(), f.frames[n])
		}
		n++
	}
	if n != frames || w.Offset() != endOf(f, n) {
		t.Errorf("%s: %d frames to %d, want %d", name, n, w.Offset(), frames)
	}
	var invalid *InvalidError
	if reason == "" && w.Err() != nil {
		t.Errorf("%s: %v", name, w.Err())
	} else if reason != "" && (!errors.As(w.Err(), &invalid) || invalid.Reason != reason || invalid.Offset != w.Offset()) {
		t.Errorf("%s: %v, want %s at %d", name, w.Err(), reason, w.Offset())
	}
	if err := w.Err(); w.Next() || w.Err() != err || w.Frame().Length != 0 || w.Check() != nil || w.NextRecord() {
		t.Errorf("%s: the walk went on behind its end", name)
	}
}

func (f *file) end() int64 { return int64(len(f.b)) }

// endOf is the end of the first n frames.
func endOf(f *file, n int) int64 {
	if n == 0 {
		return HeaderBytes
	}
	return f.frames[n-1].End()
}

// bytesWalker walks b in place, or is nil when the walk's end is not b's.
func bytesWalker(b []byte, to int64) *Walker {
	if to > int64(len(b)) {
		return nil
	}
	w := new(Walker)
	w.ResetBytes(b[HeaderBytes:to], HeaderBytes, testNonce)
	return w
}

// What a checksum covers and no writer writes: each is refused by its own rule.
func TestFramesThatContradictThemselvesAreRefused(t *testing.T) {
	le := binary.LittleEndian
	for name, change := range map[string]func(b []byte) []byte{
		"kind 0":                  func(b []byte) []byte { b[kindAt] = 0; return b },
		"data of the store":       func(b []byte) []byte { le.PutUint32(b[ordinalAt:], 0); return b },
		"a decision of a stream":  func(b []byte) []byte { b[kindAt] = byte(KindControl); return b },
		"seq 0":                   func(b []byte) []byte { le.PutUint64(b[firstAt:], 0); return b },
		"seqs that run over":      func(b []byte) []byte { le.PutUint64(b[firstAt:], 1<<64-1); return b },
		"a watermark beyond":      func(b []byte) []byte { le.PutUint64(b[watermarkAt:], HeaderBytes+8); return b },
		"a negative watermark":    func(b []byte) []byte { le.PutUint64(b[watermarkAt:], 1<<63); return b },
		"a mark with records":     func(b []byte) []byte { b[kindAt] = byte(KindMark); return b },
		"a roll of a stream":      func(b []byte) []byte { b[kindAt] = byte(KindRoll); return b },
		"payloads too long":       func(b []byte) []byte { le.PutUint32(b[FrameHeaderBytes:], 0xffffffff); return b },
		"payloads too short":      func(b []byte) []byte { le.PutUint32(b[FrameHeaderBytes:], 0); return b },
		"attributes too long":     func(b []byte) []byte { b[FrameHeaderBytes+recAttrsAt] = 21; return b },
		"attributes of a roll":    func(b []byte) []byte { return rollWithAttributes() },
		"a record that is newer":  func(b []byte) []byte { b[FrameHeaderBytes+recDeltaAt] = 1; return b },
		"half an extension":       func(b []byte) []byte { return extend(b, []byte{1, 0x80}) },
		"an extension too long":   func(b []byte) []byte { return extend(b, []byte{1, 0x80, 9, 0, 1}) },
		"an extension of type 0":  func(b []byte) []byte { return extend(b, []byte{0, 0, 0, 0}) },
		"data without any record": func(b []byte) []byte { return AppendFrame(nil, KindData, 1, 1, testTime, nil) },
	} {
		b := change(AppendFrame(nil, KindData, 1, 1, testTime, [][]byte{fill(20, 1), fill(30, 1)}))
		le.PutUint32(b[syncAt:], syncWord(testNonce))
		resumFrame(b, HeaderBytes)
		w := walkOne(b)
		var invalid *InvalidError
		if w.Next() || !errors.As(w.Err(), &invalid) || invalid.Reason != ReasonMalformed {
			t.Errorf("%s: %+v, %v", name, w.Frame(), w.Err())
		}
	}
}

// rollWithAttributes is a roll frame whose record claims to have attributes.
func rollWithAttributes() []byte {
	b := AppendRoll(nil, 41, 8192, testTime)
	b[FrameHeaderBytes+recAttrsAt] = 2
	return b
}

// resumFrame makes the checksum of a changed frame's head hold, if it has one.
func resumFrame(b []byte, off int64) {
	head := FrameHeaderBytes + int64(binary.LittleEndian.Uint16(b[extLenAt:])) +
		int64(binary.LittleEndian.Uint32(b[countAt:]))*RecordHeaderBytes
	if head > int64(len(b)) {
		return
	}
	seed := make([]byte, 8+frameSeedBytes)
	binary.LittleEndian.PutUint64(seed, testNonce)
	putFrameSeed(seed[8:], off, binary.LittleEndian.Uint32(b[lengthAt:]), binary.LittleEndian.Uint32(b))
	sum := crc32.Checksum(seed, castagnoli)
	binary.LittleEndian.PutUint32(b[frameSumAt:], crc32.Update(sum, castagnoli, b[kindAt:head]))
}

func TestResyncFindsTheNextFrameAndNoCopyOfOne(t *testing.T) {
	f := newFile()
	f.frame(KindData, 1, 1, []byte("first"))
	copied := bytes.Clone(f.b[f.frames[0].Offset:])
	// A log in the log, at a place where frames may begin.
	f.frame(KindData, 2, 1, append(make([]byte, 32), bytes.Repeat(copied, 20)...))
	f.frame(KindData, 1, 2, fill(200<<10, 1))
	f.frame(KindData, 1, 3, []byte("last"))
	for _, window := range []int{0, minWindow, 1 << 20} {
		for bad := range f.frames {
			b := bytes.Clone(f.b)
			flip(b, int(f.frames[bad].Offset+firstAt)*8)
			w := NewWalker(bytes.NewReader(b), testNonce, HeaderBytes, f.end(), WalkerOptions{Window: window})
			for w.Next() {
			}
			err := w.Err()
			if w.Offset() != f.frames[bad].Offset || err == nil {
				t.Fatalf("frame %d: %v", bad, err)
			}
			if bad == len(f.frames)-1 {
				if w.Resync() || w.Err() != err || w.Offset() != f.frames[bad].Offset {
					t.Errorf("resync behind the last frame: %d, %v", w.Offset(), w.Err())
				}
				continue
			}
			if !w.Resync() || w.Err() != nil || w.Offset() != f.frames[bad+1].Offset {
				t.Fatalf("window %d, frame %d: resync to %d, %v", window, bad, w.Offset(), w.Err())
			}
			if !w.Next() || !reflect.DeepEqual(w.Frame(), f.frames[bad+1]) {
				t.Errorf("frame %d: %+v, %v", bad, w.Frame(), w.Err())
			}
		}
	}
}

func TestResyncFromAnywhereFindsTheNextFrame(t *testing.T) {
	f := smallFile()
	for off := int64(HeaderBytes); off <= f.end(); off++ {
		w := f.walk(0)
		w.SeekTo(off)
		want := int64(-1)
		for _, fr := range f.frames {
			if fr.Offset >= off && want < 0 {
				want = fr.Offset
			}
		}
		if got := w.Resync(); got != (want >= 0) || got && w.Offset() != want {
			t.Fatalf("from %d: %v, to %d, want %d", off, got, w.Offset(), want)
		}
	}
}

func TestResyncStopsAtAFrameOfANewerProgram(t *testing.T) {
	f := smallFile()
	fr := f.frames[2]
	f.b[fr.Offset+int64(flagsAt)] = 1
	resumFrame(f.b[fr.Offset:fr.End()], fr.Offset)
	f.b[f.frames[1].Offset] ^= 1
	w := f.walk(0)
	for w.Next() {
	}
	if !w.Resync() || w.Offset() != fr.Offset || w.Next() || !errors.Is(w.Err(), ErrVersion) {
		t.Errorf("at %d: %v", w.Offset(), w.Err())
	}
	if w.Resync() || w.Offset() != fr.Offset || !errors.Is(w.Err(), ErrVersion) {
		t.Errorf("resync from it went to %d: %v", w.Offset(), w.Err())
	}
}

func TestAFrameAtAnOddPlaceIsNone(t *testing.T) {
	b := AppendFrame(nil, KindData, 1, 1, testTime, [][]byte{fill(20, 1)})
	binary.LittleEndian.PutUint32(b, syncWord(testNonce))
	resumFrame(b, HeaderBytes+4)
	w := new(Walker)
	w.ResetBytes(b, HeaderBytes+4, testNonce)
	if w.Next() || w.Err() == nil {
		t.Errorf("%+v, %v", w.Frame(), w.Err())
	}
}

// failingReader fails from an offset on.
type failingReader struct {
	b    []byte
	from int64
	err  error
}

func (r failingReader) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) <= r.from {
		return copy(p, r.b[off:]), nil
	}
	return copy(p, r.b[min(off, r.from):r.from]), r.err
}

func TestErrorsOfReadsAreGivenAsTheyAre(t *testing.T) {
	f := newFile()
	f.frame(KindData, 1, 1, []byte("first"))
	f.frame(KindData, 1, 2, fill(20<<10, 1), fill(20<<10, 2), fill(20<<10, 3))
	f.frame(KindData, 1, 5, []byte("last"))
	broken := errors.New("broken disk")
	walk := func(from int64) *Walker {
		return NewWalker(failingReader{f.b, from, broken}, testNonce, HeaderBytes, f.end(), WalkerOptions{Window: minWindow})
	}
	w := walk(f.frames[1].Offset + 8)
	if !w.Next() || w.Next() || w.Err() != broken || w.Resync() || w.Err() != broken {
		t.Errorf("reading a header: %v", w.Err())
	}
	w = walk(f.frames[1].Offset + 30<<10)
	if first, second := w.Next(), w.Next(); !first || !second || w.Check() != broken {
		t.Errorf("checking: %v", w.Err())
	}
	var seqs []uint64
	for range 3 {
		if w.NextRecord() {
			seqs = append(seqs, w.Record().Seq)
		} else if w.RecordErr() != broken {
			t.Errorf("reading records: %v", w.RecordErr())
		}
	}
	if len(seqs) != 1 || w.NextRecord() || w.RecordErr() != nil {
		t.Errorf("read %v, %v", seqs, w.RecordErr())
	}
	if w.Next() || w.Err() != broken {
		t.Errorf("the last frame: %v", w.Err())
	}
}

func TestAFileThatBecomesShorterIsNotTheWalksEnd(t *testing.T) {
	f := newFile()
	fr := f.frame(KindData, 1, 1, fill(100<<10, 1))
	w := NewWalker(bytes.NewReader(f.b[:fr.End()-8]), testNonce, HeaderBytes, f.end(), WalkerOptions{Window: minWindow})
	if !w.Next() {
		t.Fatal(w.Err())
	}
	if err := w.Check(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("check: %v", err)
	}
	if w.NextRecord() || !errors.Is(w.RecordErr(), io.ErrUnexpectedEOF) {
		t.Errorf("record: %v", w.RecordErr())
	}
}
