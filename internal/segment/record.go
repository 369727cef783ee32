package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// Record is one record of a frame. Its payload and its attributes are valid until
// the Walker is used again.
type Record struct {
	Seq     uint64
	TimeMs  int64
	Attrs   []byte // empty in most records
	Payload []byte
	Offset  int64 // in the file, of the attributes, which the payload follows
}

// newRecord splits what a record header speaks of.
func newRecord(seq uint64, timeMs int64, rec, body []byte, off int64) Record {
	r := Record{Seq: seq, TimeMs: timeMs, Payload: body, Offset: off}
	if n := int(binary.LittleEndian.Uint16(rec[recAttrsAt:])); n > 0 {
		r.Attrs, r.Payload = body[:n:n], body[n:]
	}
	return r
}

// RecordError says that the record's bytes are not those that were written.
type RecordError struct {
	Seq            uint64
	Offset, Length int64 // of its payload
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("segment: record %d, %d bytes at %d, does not verify", e.Seq, e.Length, e.Offset)
}

// Unwrap makes it ErrDamaged: the frame around it verified.
func (e *RecordError) Unwrap() error { return ErrDamaged }

// recordCursor is a place among the records of the current frame.
type recordCursor struct {
	next uint32 // index of the next record
	at   int    // where in the frame its payload begins
	body []byte // the whole frame, once it was needed and if the window can hold it

	rec Record
	err error

	// Of a frame longer than the window:
	table      []byte // some record headers
	tableFirst uint32 // index of the first of them
	tableCount uint32
	large      []byte // a payload longer than the window
}

// reset forgets the frame and keeps the memory.
func (c *recordCursor) reset(at int) {
	c.next, c.at, c.body, c.tableCount = 0, at, nil, 0
	c.rec, c.err = Record{}, nil
}

// NextRecord goes to the next record of the current frame and verifies it. It is
// false behind the last one and at one that does not verify or cannot be read:
// RecordErr tells these apart, and the next call goes on behind it.
func (w *Walker) NextRecord() bool {
	c := &w.cursor
	if c.next >= w.frame.Count {
		c.rec, c.err = Record{}, nil
		return false
	}
	if c.body == nil && !w.loadBody() {
		return w.nextLong()
	}
	rec := c.body[w.tableAt+int(c.next)*RecordHeaderBytes:][:RecordHeaderBytes]
	n := int64(binary.LittleEndian.Uint32(rec))
	if n > int64(len(c.body)-c.at) {
		return w.badRecord(n)
	}
	payload := c.body[c.at:][:n:n]
	seq := w.frame.First + uint64(c.next)
	t := w.frame.TimeMs + int64(int32(binary.LittleEndian.Uint32(rec[recDeltaAt:])))
	putRecordSeed(w.scratch[:], w.frame.Ordinal, seq, uint32(n), t, binary.LittleEndian.Uint32(rec[recAttrsAt:]))
	sum := crc32.Update(w.seed, castagnoli, w.scratch[:recordSeedBytes])
	if crc32.Update(sum, castagnoli, payload) != binary.LittleEndian.Uint32(rec[recSumAt:]) {
		return w.badRecord(n)
	}
	c.rec = newRecord(seq, t, rec, payload, w.frame.Offset+int64(c.at))
	c.err = nil
	c.next++
	c.at += int(n)
	return true
}

// Record is the record NextRecord found, the zero Record when it found none.
func (w *Walker) Record() Record { return w.cursor.rec }

// RecordErr says why NextRecord found no record: nil behind the last one, a
// *RecordError, or the error of a read.
func (w *Walker) RecordErr() error { return w.cursor.err }

// SkipTo makes seq the record NextRecord goes to. It is false, and changes
// nothing, when the current frame does not hold it; when a read fails, the
// records end here and RecordErr says why.
func (w *Walker) SkipTo(seq uint64) bool {
	f, c := &w.frame, &w.cursor
	if seq < f.First || seq-f.First >= uint64(f.Count) {
		return false
	}
	c.rec, c.err = Record{}, nil
	target := uint32(seq - f.First)
	if target < c.next {
		c.next, c.at = 0, w.tableAt+int(f.Count)*RecordHeaderBytes
	}
	whole := c.body != nil || w.loadBody()
	for ; c.next < target; c.next++ {
		rec := c.body
		if whole {
			rec = rec[w.tableAt+int(c.next)*RecordHeaderBytes:]
		} else if rec = w.header(c.next); rec == nil {
			c.next = f.Count
			return false
		}
		c.at += int(min(int64(binary.LittleEndian.Uint32(rec)), f.Length-int64(c.at)))
	}
	return true
}

// loadBody takes the whole current frame into the window. It is false when the
// frame does not fit or cannot be read; going record by record then says what.
func (w *Walker) loadBody() bool {
	if w.frame.Length > int64(w.win.size) {
		return false
	}
	b, err := w.win.bytes(w.frame.Offset, int(w.frame.Length))
	if err != nil {
		return false
	}
	w.cursor.body = b
	return true
}

// nextLong is NextRecord in a frame that is not in the window as a whole.
func (w *Walker) nextLong() bool {
	c := &w.cursor
	rec := w.header(c.next)
	if rec == nil {
		c.next, c.rec = w.frame.Count, Record{}
		return false
	}
	n := int64(binary.LittleEndian.Uint32(rec))
	if n > w.frame.Length-int64(c.at) {
		return w.badRecord(n)
	}
	off := w.frame.Offset + int64(c.at)
	payload, err := w.payload(off, int(n))
	if err != nil {
		w.passOver(n)
		c.err = readError(err)
		return false
	}
	seq := w.frame.First + uint64(c.next)
	if w.recordSum(rec, seq, payload) != binary.LittleEndian.Uint32(rec[recSumAt:]) {
		return w.badRecord(n)
	}
	t := w.frame.TimeMs + int64(int32(binary.LittleEndian.Uint32(rec[recDeltaAt:])))
	c.rec = newRecord(seq, t, rec, payload, off)
	c.err = nil
	c.next++
	c.at += int(n)
	return true
}

// badRecord passes over the next record and says that it does not verify.
func (w *Walker) badRecord(n int64) bool {
	c := &w.cursor
	bad := &RecordError{Seq: w.frame.First + uint64(c.next), Offset: w.frame.Offset + int64(c.at)}
	bad.Length = w.passOver(n)
	c.err = bad
	return false
}

// passOver leaves the next record out, whose header says n bytes. It returns
// how many of them the frame has.
func (w *Walker) passOver(n int64) int64 {
	c := &w.cursor
	n = min(n, w.frame.Length-int64(c.at))
	c.rec = Record{}
	c.next++
	c.at += int(n)
	return n
}

// recordSum is the checksum of a record, given its header and its payload, or
// what begins it.
func (w *Walker) recordSum(rec []byte, seq uint64, payload []byte) uint32 {
	t := w.frame.TimeMs + int64(int32(binary.LittleEndian.Uint32(rec[recDeltaAt:])))
	putRecordSeed(w.scratch[:], w.frame.Ordinal, seq, binary.LittleEndian.Uint32(rec), t, binary.LittleEndian.Uint32(rec[recAttrsAt:]))
	sum := crc32.Update(w.seed, castagnoli, w.scratch[:recordSeedBytes])
	return crc32.Update(sum, castagnoli, payload)
}

// header is the header of record i of a frame longer than the window. When it
// cannot be read it is nil and the cursor has the error.
func (w *Walker) header(i uint32) []byte {
	c := &w.cursor
	if i < c.tableFirst || i-c.tableFirst >= c.tableCount {
		n := min(w.frame.Count-i, tableChunk/RecordHeaderBytes)
		if bytes := int(n) * RecordHeaderBytes; cap(c.table) < bytes {
			c.table = make([]byte, bytes)
		}
		c.table = c.table[:int(n)*RecordHeaderBytes]
		c.tableFirst, c.tableCount = i, 0
		if err := w.win.read(c.table, w.frame.Offset+int64(w.tableAt)+int64(i)*RecordHeaderBytes); err != nil {
			c.err = readError(err)
			return nil
		}
		c.tableCount = n
	}
	return c.table[(i-c.tableFirst)*RecordHeaderBytes:][:RecordHeaderBytes]
}

// payload is the n bytes at off, in the window or, when they are too many, in
// memory of their own.
func (w *Walker) payload(off int64, n int) ([]byte, error) {
	if n <= w.win.size {
		return w.win.bytes(off, n)
	}
	c := &w.cursor
	if cap(c.large) < n {
		c.large = make([]byte, n)
	}
	c.large = c.large[:n]
	return c.large, w.win.read(c.large, off)
}

// readError names bytes that were there when the frame's header verified.
func readError(err error) error {
	if err == io.ErrUnexpectedEOF {
		return fmt.Errorf("segment: the file became shorter: %w", err)
	}
	return err
}
