package aof

import (
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/aof2/aof/internal/journal"
)

// Cursor is a place in a stream: behind record Seq, as a reader that has just seen it. Kept with what was derived from the
// records, it lets a reader go on exactly there later, in another life of the store too, or say that it cannot
// (ErrDiverged, ErrTrimmed). It is made by [Reader.Cursor] and [Stream.Cursor]; its text form is for keeping it.
type Cursor struct {
	Stream uint64 // which stream, of all streams of all stores, those of the same name included
	Epoch  uint64 // the life of the store in which the record was accepted; 0 when no record was seen
	Seq    Seq
}

var cursorTable = crc32.MakeTable(crc32.Castagnoli)

// String is the cursor in one word of printable ASCII, which ParseCursor reads.
func (c Cursor) String() string {
	s := fmt.Sprintf("%016x-%d-%d", c.Stream, c.Epoch, c.Seq)
	return fmt.Sprintf("%s-%08x", s, crc32.Checksum([]byte(s), cursorTable))
}

// ParseCursor reads what String wrote. Anything else is ErrInvalid.
func ParseCursor(s string) (Cursor, error) {
	var c Cursor
	var sum uint32
	n, err := fmt.Sscanf(s, "%016x-%d-%d-%08x", &c.Stream, &c.Epoch, &c.Seq, &sum)
	if err != nil || n != 4 || c.String() != s {
		return Cursor{}, invalidf("%q is not a cursor, or not all of one: use it as Cursor.String returned it", s)
	}
	return c, nil
}

// MarshalText implements encoding.TextMarshaler.
func (c Cursor) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. The error is that of ParseCursor.
func (c *Cursor) UnmarshalText(b []byte) (err error) {
	*c, err = ParseCursor(string(b))
	return err
}

// Cursor returns the place behind a record that has been accepted and not trimmed, as an append returned it: a reader that
// resumes there sees what comes after. ErrInvalid: no such record has been accepted. The other errors are those of a
// Reader.
func (st *Stream) Cursor(seq Seq) (Cursor, error) {
	j := st.store.journal
	at := Cursor{Stream: j.Identity(st.lane), Epoch: j.Epoch(), Seq: seq}
	switch b := st.Bounds(); {
	case seq == 0 || seq >= b.Next:
		return Cursor{}, invalidf("record %d has not been accepted: the next one will be %d", seq, b.Next)
	case seq > b.Durable:
		return at, nil // of this life
	}
	r, err := st.Reader(ReaderOptions{From: seq, To: seq})
	if err != nil {
		return Cursor{}, err
	}
	for {
		if _, err = r.step(); !errors.Is(err, errFill) {
			break
		}
		if err = r.cursor.Fill(); err != nil {
			err = r.translate(err)
			break
		}
	}
	return r.Cursor(), errors.Join(err, r.Close())
}

// resume makes the reader one that goes on behind c.
func (r *Reader) resume(c Cursor, b Bounds) error {
	switch {
	case c.Stream != r.at.Stream:
		return r.diverged(c, "the cursor is from another stream")
	case c.Seq >= b.Next:
		return r.diverged(c, fmt.Sprintf("there is no such record, the next one will be %d", b.Next))
	case c.Seq+1 < b.First:
		return &TrimmedError{First: b.First}
	}
	r.at = c
	r.cursor = r.j.Cursor(r.lane, uint64(c.Seq+1))
	if c.Seq >= b.First && c.Epoch != 0 {
		r.cursor.Seek(uint64(c.Seq)) // to look at the record once more
		r.resumes = true
	}
	return nil
}

// confirm looks at the record behind which a reader resumes, which is in memory, and at nothing when that has been trimmed
// meanwhile.
func (r *Reader) confirm() error {
	if _, err := r.cursor.Next(); err != nil {
		return r.failed(err)
	}
	if epoch := r.cursor.Epoch(); epoch != r.at.Epoch {
		r.cursor.Seek(uint64(r.at.Seq)) // every further call says the same
		return r.diverged(r.at, fmt.Sprintf("it is of life %d of the store, the cursor's of life %d", epoch, r.at.Epoch))
	}
	r.resumes = false
	return nil
}

// failed is what the reader says of an error that the cursor has met, nil when there is nothing to say: the record behind
// which it resumes has just been trimmed, and nothing behind it is missed. Damage is passed over: who resumes behind a
// record that cannot be read has nothing left to look at.
func (r *Reader) failed(err error) error {
	var t *journal.TrimmedError
	var d *journal.DamageError
	switch {
	case r.resumes && errors.As(err, &t) && t.First <= uint64(r.at.Seq)+1:
		r.resumes = false
		r.cursor.Seek(uint64(r.at.Seq) + 1)
		return nil
	case errors.As(err, &d):
		r.resumes = false
		if behind := Seq(r.cursor.Seq() - 1); behind != r.at.Seq {
			r.at.Seq, r.at.Epoch = behind, 0
		}
	}
	return r.translate(err)
}

func (r *Reader) diverged(c Cursor, why string) error {
	return &DivergedError{Stream: r.name, Seq: c.Seq, Why: why}
}

// Cursor is the place behind the record that was returned last; before the first one it is where the reader begins.
func (r *Reader) Cursor() Cursor { return r.at }
