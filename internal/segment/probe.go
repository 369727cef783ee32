package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// probe makes the bytes at off the current frame if header, extensions and
// record headers verify. Otherwise it gives the reason why they are no frame,
// or the error that kept it from saying, and the current frame is undefined.
func (w *Walker) probe(off int64) (reason string, err error) {
	left := w.to - off
	b, err := w.win.bytes(off, int(min(left, FrameHeaderBytes)))
	if err != nil {
		return missing(err)
	}
	if len(b) < FrameHeaderBytes || off%FrameAlign != 0 || binary.LittleEndian.Uint32(b) != w.sync {
		return reasonOf(b), nil
	}
	w.frame = decodeFixed(b, off)
	f := &w.frame
	ext := int64(binary.LittleEndian.Uint16(b[extLenAt:]))
	head := FrameHeaderBytes + ext + int64(f.Count)*RecordHeaderBytes
	switch {
	case f.Length >= MaxFrameBytes, f.Length%FrameAlign != 0, f.Length < head, ext > MaxExtensionBytes:
		return ReasonLength, nil
	case f.Length > left:
		return ReasonBeyond, nil
	}
	want := binary.LittleEndian.Uint32(b[frameSumAt:])
	w.tableAt = FrameHeaderBytes + int(ext)
	sum, total, err := w.sumHead(off, int(head))
	if err != nil {
		return missing(err)
	}
	if sum != want {
		return ReasonChecksum, nil
	}
	w.cursor.reset(int(head))
	return f.judge(head, total)
}

// missing tells bytes that do not exist from those that cannot be read.
func missing(err error) (string, error) {
	if err == io.ErrUnexpectedEOF {
		return ReasonMissing, nil
	}
	return "", err
}

// reasonOf names what stands where no frame begins.
func reasonOf(b []byte) string {
	if allZero(b) {
		return ReasonZeros
	}
	if len(b) < FrameHeaderBytes {
		return ReasonShort
	}
	return ReasonSync
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// tableTotal is what a frame's record headers add up to.
type tableTotal struct {
	payload int64
	attrs   bool   // there are attributes
	bad     bool   // longer attributes than records, or records newer than the frame
	zero    uint16 // what must be zero, of all headers
}

func (t *tableTotal) add(table []byte) {
	for ; len(table) >= RecordHeaderBytes; table = table[RecordHeaderBytes:] {
		n := binary.LittleEndian.Uint32(table[recLengthAt:])
		t.payload += int64(n)
		rest := binary.LittleEndian.Uint64(table[recDeltaAt:])
		if rest == 0 {
			continue // as in nearly every record: the frame's time and no attributes
		}
		attrs := uint16(rest >> 32)
		t.zero |= uint16(rest >> 48)
		t.attrs = t.attrs || attrs != 0
		t.bad = t.bad || uint32(attrs) > n || int32(uint32(rest)) > 0
	}
}

// sumHead is the checksum of the current frame's first head bytes and the total
// of its record headers. It also keeps the extensions.
func (w *Walker) sumHead(off int64, head int) (uint32, tableTotal, error) {
	var total tableTotal
	putFrameSeed(w.scratch[:], off, uint32(w.frame.Length), w.sync)
	sum := crc32.Update(w.seed, castagnoli, w.scratch[:frameSeedBytes])
	if head <= w.win.size {
		b, err := w.win.bytes(off, head)
		if err != nil {
			return 0, total, err
		}
		w.keepExtensions(b)
		total.add(b[w.tableAt:])
		return crc32.Update(sum, castagnoli, b[kindAt:]), total, nil
	}
	b, err := w.win.bytes(off, w.tableAt)
	if err != nil {
		return 0, total, err
	}
	w.keepExtensions(b)
	sum = crc32.Update(sum, castagnoli, b[kindAt:])
	chunk := w.win.size / RecordHeaderBytes * RecordHeaderBytes
	for at := w.tableAt; at < head; at += chunk {
		b, err := w.win.bytes(off+int64(at), min(chunk, head-at))
		if err != nil {
			return 0, total, err
		}
		total.add(b)
		sum = crc32.Update(sum, castagnoli, b)
	}
	return sum, total, nil
}

// keepExtensions copies the extensions to where moving the window leaves them.
func (w *Walker) keepExtensions(head []byte) {
	if w.tableAt == FrameHeaderBytes {
		return
	}
	w.ext = append(w.ext[:0], head[FrameHeaderBytes:w.tableAt]...)
	w.frame.Ext = w.ext
}

// judge looks at what the checksum covers: a newer program may have written
// what this one does not know, and no program what contradicts itself.
func (f *Frame) judge(head int64, total tableTotal) (reason string, err error) {
	if f.Kind == 0 {
		return ReasonMalformed, nil
	}
	if f.Kind > KindRoll || f.Flags != 0 || total.zero != 0 {
		return "", fmt.Errorf("frame at %d, %s, flags %#x, record flags %#x: %w", f.Offset, f.Kind, f.Flags, total.zero, ErrVersion)
	}
	if reason, err = judgeExtensions(f.Ext, f.Offset); reason != "" || err != nil {
		return reason, err
	}
	if align(head+total.payload) != f.Length || f.Watermark < 0 || f.Watermark > f.Offset ||
		total.bad || total.attrs && f.Kind != KindData || !f.possible() {
		return ReasonMalformed, nil
	}
	return "", nil
}

// possible says whether ordinal, count and seq are those of the frame's kind.
func (f *Frame) possible() bool {
	switch f.Kind {
	case KindData, KindControl:
		return (f.Ordinal == 0) == (f.Kind == KindControl) &&
			f.Count > 0 && f.First > 0 && f.First <= math.MaxUint64-uint64(f.Count-1)
	case KindRoll:
		return f.Ordinal == 0 && f.First == 0 && f.Count == 1
	}
	return f.Ordinal == 0 && f.First == 0 && f.Count == 0
}

// judgeExtensions looks for one this program has to know and does not.
func judgeExtensions(ext []byte, off int64) (reason string, err error) {
	for len(ext) > 0 {
		if len(ext) < extHeaderBytes {
			return ReasonMalformed, nil
		}
		typ, n := binary.LittleEndian.Uint16(ext), int(binary.LittleEndian.Uint16(ext[2:]))
		if typ == 0 || n > len(ext)-extHeaderBytes {
			return ReasonMalformed, nil
		}
		if typ&extOptional == 0 {
			return "", fmt.Errorf("frame at %d, extension %d: %w", off, typ, ErrVersion)
		}
		ext = ext[extHeaderBytes+n:]
	}
	return "", nil
}
