package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// maxFaults bounds the faults listed for one frame.
const maxFaults = 64

// RecordFault is a range of records lying side by side that do not verify.
type RecordFault struct {
	Index          int    // of the first one in the frame
	Count          int    // how many
	Seq            uint64 // of the first one
	Offset, Length int64  // of their payloads
}

// RecordsError says which of a frame's records do not verify. Every bad record
// lies in one of Faults; when there are more than 64 ranges, the last one spans
// good records too.
type RecordsError struct {
	Offset  int64 // of the frame
	Faults  []RecordFault
	Bad     int  // records that do not verify
	Padding bool // the bytes behind the last payload are not zero
}

func (e *RecordsError) Error() string {
	if len(e.Faults) == 0 {
		return fmt.Sprintf("segment: frame at %d: the bytes behind its records are not zero", e.Offset)
	}
	last := e.Faults[len(e.Faults)-1]
	return fmt.Sprintf("segment: frame at %d: %d records of %d to %d do not verify", e.Offset, e.Bad,
		e.Faults[0].Seq, last.Seq+uint64(last.Count)-1)
}

// Unwrap makes it ErrDamaged: the frame's header verified.
func (e *RecordsError) Unwrap() error { return ErrDamaged }

// add notes that record i is bad.
func (e *RecordsError) add(i int, seq uint64, off, length int64) {
	e.Bad++
	if n := len(e.Faults); n > 0 {
		last := &e.Faults[n-1]
		if last.Index+last.Count == i || n == maxFaults {
			last.Count = i + 1 - last.Index
			last.Length = off + length - last.Offset
			return
		}
	}
	e.Faults = append(e.Faults, RecordFault{Index: i, Count: 1, Seq: seq, Offset: off, Length: length})
}

// Check verifies every record of the current frame and the zeros behind them.
// It needs no memory besides the window, however long the frame or a record is,
// and does not move NextRecord. The error is a *RecordsError or that of a read.
func (w *Walker) Check() error {
	if w.frame.Length == 0 {
		return nil
	}
	var faults *RecordsError
	var err error
	if w.cursor.body != nil || w.loadBody() {
		faults = w.checkBody(w.cursor.body)
	} else {
		faults, err = w.checkLong()
	}
	if err != nil {
		return readError(err)
	}
	if faults != nil {
		return faults
	}
	return nil
}

// faulty is e, made when it is needed first.
func (w *Walker) faulty(e *RecordsError) *RecordsError {
	if e == nil {
		e = &RecordsError{Offset: w.frame.Offset}
	}
	return e
}

// checkBody is Check of a frame that is in memory.
func (w *Walker) checkBody(body []byte) (faults *RecordsError) {
	count := int(w.frame.Count)
	table, rest := body[w.tableAt:], body[w.tableAt+count*RecordHeaderBytes:]
	for i := range count {
		rec := table[i*RecordHeaderBytes:][:RecordHeaderBytes]
		n := min(int64(binary.LittleEndian.Uint32(rec)), int64(len(rest)))
		seq := w.frame.First + uint64(i)
		if w.recordSum(rec, seq, rest[:n]) != binary.LittleEndian.Uint32(rec[recSumAt:]) {
			faults = w.faulty(faults)
			faults.add(i, seq, w.frame.End()-int64(len(rest)), n)
		}
		rest = rest[n:]
	}
	if len(rest) >= FrameAlign || !allZero(rest) {
		faults = w.faulty(faults)
		faults.Padding = true
	}
	return faults
}

// checkLong is Check of a frame longer than the window.
func (w *Walker) checkLong() (faults *RecordsError, err error) {
	f := &w.frame
	off := f.Offset + int64(w.tableAt) + int64(f.Count)*RecordHeaderBytes
	for i := range f.Count {
		rec := w.header(i)
		if rec == nil {
			err, w.cursor.err = w.cursor.err, nil
			return faults, err
		}
		n := min(int64(binary.LittleEndian.Uint32(rec)), f.End()-off)
		seq := f.First + uint64(i)
		sum, err := w.sumStream(w.recordSum(rec, seq, nil), off, n)
		if err != nil {
			return faults, err
		}
		if sum != binary.LittleEndian.Uint32(rec[recSumAt:]) {
			faults = w.faulty(faults)
			faults.add(int(i), seq, off, n)
		}
		off += n
	}
	rest, err := w.win.bytes(off, int(min(f.End()-off, FrameAlign)))
	if err != nil {
		return faults, err
	}
	if len(rest) >= FrameAlign || !allZero(rest) {
		faults = w.faulty(faults)
		faults.Padding = true
	}
	return faults, nil
}

// sumStream continues sum over the n bytes at off, a window at a time.
func (w *Walker) sumStream(sum uint32, off, n int64) (uint32, error) {
	for n > 0 {
		b, err := w.win.atLeast(off, 1)
		if err != nil {
			return 0, err
		}
		b = b[:min(n, int64(len(b)))]
		sum = crc32.Update(sum, castagnoli, b)
		off, n = off+int64(len(b)), n-int64(len(b))
	}
	return sum, nil
}
