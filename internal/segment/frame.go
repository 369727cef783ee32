package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
)

// Kind says what a frame holds.
type Kind uint8

// The kinds of frames. Another one needs a newer program.
const (
	KindData    Kind = 1 // records of a stream
	KindControl Kind = 2 // decisions: records of ordinal 0
	KindMark    Kind = 3 // nothing but a watermark
	KindRoll    Kind = 4 // first in its file: the predecessor and its end
)

// String names the kind in one word.
func (k Kind) String() string {
	switch k {
	case KindData:
		return "data"
	case KindControl:
		return "control"
	case KindMark:
		return "mark"
	case KindRoll:
		return "roll"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Frame is what a frame's header says.
type Frame struct {
	Offset, Length int64 // in the file; multiples of FrameAlign
	Kind           Kind
	Flags          uint8
	Ext            []byte // extensions, as stored; valid until the Walker moves on
	Ordinal, Count uint32
	First          uint64 // seq of the first record; 0 when the kind has none
	TimeMs         int64
	Epoch          uint64
	Watermark      int64
}

// Last is the seq of the last record, or 0 when there is none.
func (f Frame) Last() uint64 {
	if f.Count == 0 || f.First == 0 {
		return 0
	}
	return f.First + uint64(f.Count) - 1
}

// End is the offset behind the frame.
func (f Frame) End() int64 { return f.Offset + f.Length }

// FrameLength is the length of a frame without extensions that holds count
// records of payloadBytes in all, attributes included.
func FrameLength(count int, payloadBytes int64) int64 {
	return align(FrameHeaderBytes + int64(count)*RecordHeaderBytes + payloadBytes)
}

// AppendFrame appends an unfinished frame: what FinishFrame fills in later is
// zero in it. It copies the records and allocates nothing when dst has room for
// FrameLength more bytes. It panics when the frame would be longer than a file.
func AppendFrame(dst []byte, k Kind, ordinal uint32, first uint64, timeMs int64, recs [][]byte) []byte {
	return AppendFrameAttrs(dst, k, ordinal, first, timeMs, recs, nil)
}

// AppendFrameAttrs is AppendFrame for records with attributes: attrs is nil, or has
// those of each record, at most MaxAttributeBytes.
func AppendFrameAttrs(dst []byte, k Kind, ordinal uint32, first uint64, timeMs int64, recs, attrs [][]byte) []byte {
	var payload int64
	for _, r := range recs {
		payload += int64(len(r))
	}
	for _, a := range attrs {
		payload += int64(len(a))
	}
	length := FrameLength(len(recs), payload)
	if length >= MaxFrameBytes {
		panic(fmt.Sprintf("segment: a frame of %d bytes", length))
	}
	start, end := len(dst), len(dst)+int(length)
	if end > cap(dst) {
		dst = slices.Grow(dst, int(length))
	}
	dst = dst[:end]
	b := dst[start:end:end]
	head := b[:FrameHeaderBytes]
	binary.LittleEndian.PutUint64(head[syncAt:], uint64(length)<<32) // sync word 0, length
	binary.LittleEndian.PutUint64(head[frameSumAt:], uint64(k)<<32)  // checksum 0, kind, flags 0, no extensions
	binary.LittleEndian.PutUint32(head[ordinalAt:], ordinal)
	binary.LittleEndian.PutUint32(head[countAt:], uint32(len(recs)))
	binary.LittleEndian.PutUint64(head[firstAt:], first)
	binary.LittleEndian.PutUint64(head[timeAt:], uint64(timeMs))
	binary.LittleEndian.PutUint64(head[epochAt:], 0)
	binary.LittleEndian.PutUint64(head[watermarkAt:], 0)
	at := FrameHeaderBytes
	for i, r := range recs {
		n := 0
		if attrs != nil {
			n = len(attrs[i])
		}
		binary.LittleEndian.PutUint64(b[at:], uint64(n+len(r)))         // length, checksum 0
		binary.LittleEndian.PutUint64(b[at+recDeltaAt:], uint64(n)<<32) // delta 0, length of the attributes
		at += RecordHeaderBytes
	}
	for i, r := range recs {
		if attrs != nil {
			at += copy(b[at:], attrs[i])
		}
		at += copy(b[at:], r)
	}
	clear(b[at:])
	return dst
}

// AppendMark appends an unfinished mark frame.
func AppendMark(dst []byte) []byte {
	return AppendFrame(dst, KindMark, 0, 0, 0, nil)
}

// AppendRoll appends an unfinished roll frame: the file it is first in
// continues predecessor, whose data ends at end. Both are 0 in the first file
// of a store.
func AppendRoll(dst []byte, predecessor uint64, end int64, timeMs int64) []byte {
	var p [rollBytes]byte
	binary.LittleEndian.PutUint64(p[rollPredecessorAt:], predecessor)
	binary.LittleEndian.PutUint64(p[rollEndAt:], uint64(end))
	return AppendFrame(dst, KindRoll, 0, 0, timeMs, [][]byte{p[:]})
}

// DecodeRoll reads the payload of a roll frame's record.
func DecodeRoll(payload []byte) (predecessor uint64, end int64, err error) {
	if len(payload) != rollBytes {
		return 0, 0, fmt.Errorf("roll frame of %d bytes: %w", len(payload), ErrDamaged)
	}
	predecessor = binary.LittleEndian.Uint64(payload[rollPredecessorAt:])
	end = int64(binary.LittleEndian.Uint64(payload[rollEndAt:]))
	first := predecessor == 0 && end == 0
	if !first && (predecessor == 0 || end < HeaderBytes || end > MaxFileBytes || end%FrameAlign != 0) {
		return 0, 0, fmt.Errorf("roll frame names file %d, end %d: %w", predecessor, end, ErrDamaged)
	}
	return predecessor, end, nil
}

// FinishFrame makes a frame valid at offset off of the file with this nonce: it
// fills in the sync word, the epoch, the watermark and every checksum. frame is
// one frame that AppendFrame made; it may be finished again for another place.
// It panics on other bytes, and on a watermark that is not below or at off.
func FinishFrame(frame []byte, nonce uint64, off, watermark int64, epoch uint64) {
	if uint64(binary.LittleEndian.Uint32(frame[lengthAt:])) != uint64(len(frame)) ||
		off%FrameAlign != 0 || watermark < 0 || watermark > off {
		panic(fmt.Sprintf("segment: finishing %d bytes that are no frame, or not at %d above watermark %d",
			len(frame), off, watermark))
	}
	le := binary.LittleEndian
	head := frame[:FrameHeaderBytes]
	le.PutUint32(head[syncAt:], syncWord(nonce))
	ordinal, first, timeMs := le.Uint32(head[ordinalAt:]), le.Uint64(head[firstAt:]), int64(le.Uint64(head[timeAt:]))

	// The last four words of the header are written at the end. Until then they
	// hold what the checksums begin with, so that nothing has to be allocated.
	scratch := head[firstAt:]
	le.PutUint64(scratch, nonce)
	seed := crc32.Update(0, castagnoli, scratch[:8])
	putFrameSeed(scratch, off, le.Uint32(head[lengthAt:]), le.Uint32(head[syncAt:]))
	headSum := crc32.Update(seed, castagnoli, scratch[:frameSeedBytes])

	table := frame[FrameHeaderBytes+int(le.Uint16(head[extLenAt:])):]
	count := int(le.Uint32(head[countAt:]))
	payloads := table[count*RecordHeaderBytes:]
	for i := range count {
		rec := table[i*RecordHeaderBytes:][:RecordHeaderBytes]
		n := le.Uint32(rec[recLengthAt:])
		t := timeMs + int64(int32(le.Uint32(rec[recDeltaAt:])))
		putRecordSeed(scratch, ordinal, first+uint64(i), n, t, le.Uint32(rec[recAttrsAt:]))
		sum := crc32.Update(seed, castagnoli, scratch[:recordSeedBytes])
		le.PutUint32(rec[recSumAt:], crc32.Update(sum, castagnoli, payloads[:n]))
		payloads = payloads[n:]
	}

	le.PutUint64(head[firstAt:], first)
	le.PutUint64(head[timeAt:], uint64(timeMs))
	le.PutUint64(head[epochAt:], epoch)
	le.PutUint64(head[watermarkAt:], uint64(watermark))
	headEnd := len(frame) - len(table) + count*RecordHeaderBytes
	le.PutUint32(head[frameSumAt:], crc32.Update(headSum, castagnoli, frame[kindAt:headEnd]))
}

// putFrameSeed writes what a frame's checksum begins with behind the nonce.
func putFrameSeed(b []byte, off int64, length, sync uint32) {
	b = b[:frameSeedBytes]
	binary.LittleEndian.PutUint64(b, uint64(off))
	binary.LittleEndian.PutUint32(b[8:], length)
	binary.LittleEndian.PutUint32(b[12:], sync)
}

// putRecordSeed writes what a record's checksum begins with behind the nonce.
func putRecordSeed(b []byte, ordinal uint32, seq uint64, length uint32, timeMs int64, attrs uint32) {
	b = b[:recordSeedBytes]
	binary.LittleEndian.PutUint32(b, ordinal)
	binary.LittleEndian.PutUint64(b[4:], seq)
	binary.LittleEndian.PutUint32(b[12:], length)
	binary.LittleEndian.PutUint64(b[16:], uint64(timeMs))
	binary.LittleEndian.PutUint32(b[24:], attrs)
}

// decodeFixed reads the fixed header of a frame at off, believing nothing yet.
func decodeFixed(b []byte, off int64) Frame {
	b = b[:FrameHeaderBytes]
	return Frame{
		Offset:    off,
		Length:    int64(binary.LittleEndian.Uint32(b[lengthAt:])),
		Kind:      Kind(b[kindAt]),
		Flags:     b[flagsAt],
		Ordinal:   binary.LittleEndian.Uint32(b[ordinalAt:]),
		Count:     binary.LittleEndian.Uint32(b[countAt:]),
		First:     binary.LittleEndian.Uint64(b[firstAt:]),
		TimeMs:    int64(binary.LittleEndian.Uint64(b[timeAt:])),
		Epoch:     binary.LittleEndian.Uint64(b[epochAt:]),
		Watermark: int64(binary.LittleEndian.Uint64(b[watermarkAt:])),
	}
}
