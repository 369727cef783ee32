package journal

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/aof2/aof/internal/segment"
)

// DamageError says that records First..Last of a lane cannot be read from the
// file, or that the bytes there are not those that were written.
type DamageError struct {
	File           string
	Offset, Length int64
	First, Last    uint64
	Problem        string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("journal: %s at %d: %s (records %d..%d)", e.File, e.Offset, e.Problem, e.First, e.Last)
}

// TrimmedError says that the record is gone and which is the oldest.
type TrimmedError struct{ First uint64 }

func (e *TrimmedError) Error() string {
	return fmt.Sprintf("journal: trimmed, the first record is %d", e.First)
}

// ErrStale says that a file became another one under a view.
var ErrStale = errors.New("journal: the file was recycled meanwhile")

// Cursor reads the records of one lane in order, through a window that it fills
// with one positional read. It belongs to one goroutine at a time.
type Cursor struct {
	j      *Journal
	l      *Lane
	next   uint64 // the record wanted next
	last   uint64 // the last record the window should hold; below next when it is used up
	grown  bool   // the last window was used to its end: fetch more at once
	window *window
	file   *File // where the window is from
	walker segment.Walker
	inside bool   // the walker is in a frame
	epoch  uint64 // of the record that Next returned last

	scout  segment.Walker // of learn
	starts []frameStart

	extents []segment.Extent // of the sealed file below
	sealed  *File
	some    [16]segment.Extent
}

// Cursor returns a cursor that stands before record seq.
func (j *Journal) Cursor(l *Lane, seq uint64) *Cursor { return &Cursor{j: j, l: l, next: seq} }

// Seq is the record that is wanted next.
func (c *Cursor) Seq() uint64 { return c.next }

// Seek makes seq the record that is wanted next.
func (c *Cursor) Seek(seq uint64) {
	c.empty()
	c.next, c.grown = seq, false
}

// empty forgets what the window holds.
func (c *Cursor) empty() { c.last, c.inside = 0, false }

// Epoch is that of the life in which the record that Next returned last was accepted.
func (c *Cursor) Epoch() uint64 { return c.epoch }

// Release gives the window back. The last record is no longer valid.
func (c *Cursor) Release() {
	c.empty()
	c.walker.Release()
	c.window.giveBack()
	c.window = nil
}

// Holds reports whether Next would find the next record, or its damage, without
// a read.
func (c *Cursor) Holds() bool { return c.next <= c.last }

// Next returns the next record from the window, which Holds. A *DamageError
// names records that are there and cannot be read; the cursor then stands behind
// them. The payload is valid until the cursor is used again.
func (c *Cursor) Next() (segment.Record, error) {
	for {
		if !c.inside {
			if !c.walker.Next() {
				return segment.Record{}, c.hole()
			}
			fr := c.walker.Frame()
			if fr.Ordinal != c.l.Ordinal || fr.Count == 0 {
				continue
			}
			if fr.Last() < c.next {
				continue
			}
			if fr.First > c.next {
				err := c.damage(fr.Offset, 0, fr.First-1, "a frame is missing")
				c.walker.SeekTo(fr.Offset)
				return segment.Record{}, err
			}
			c.inside = true
			if c.next > fr.First {
				c.walker.SkipTo(c.next)
			}
		}
		if c.walker.NextRecord() {
			c.next++
			c.epoch = c.walker.Frame().Epoch
			return c.walker.Record(), nil
		}
		if err := c.walker.RecordErr(); err != nil {
			return segment.Record{}, c.badRecord(err)
		}
		c.inside = false
	}
}

// badRecord passes over a record that does not verify.
func (c *Cursor) badRecord(err error) error {
	var bad *segment.RecordError
	if !errors.As(err, &bad) {
		return err
	}
	return c.damage(bad.Offset, bad.Length, bad.Seq, "the record's checksum does not match")
}

// damage makes the error for records next..last and goes behind them.
func (c *Cursor) damage(off, length int64, last uint64, problem string) error {
	err := &DamageError{File: c.file.name, Offset: off, Length: length, First: c.next, Last: last, Problem: problem}
	c.next = last + 1
	return err
}

// hole is met where a frame should begin: damage up to the next frame that
// verifies, or to the end of the window.
func (c *Cursor) hole() error {
	at, reason := c.walker.Offset(), "the data ends early"
	if err := c.walker.Err(); err != nil {
		var invalid *segment.InvalidError
		if !errors.As(err, &invalid) {
			return fmt.Errorf("%s at %d: %w", c.file.name, at, err)
		}
		reason = "not a frame: " + invalid.Reason
	}
	for c.walker.Resync() && c.walker.Next() {
		fr := c.walker.Frame()
		if fr.Ordinal == c.l.Ordinal && fr.First > c.next {
			c.walker.SeekTo(fr.Offset)
			return c.damage(at, fr.Offset-at, fr.First-1, reason)
		}
	}
	return c.damage(at, c.walker.Offset()-at, c.last, reason)
}

// Fill reads the window that holds the next record, which is durable. It is the
// one place that waits for the disk on behalf of a reader. The errors are
// *TrimmedError, *DamageError (the cursor then stands behind the damage), ErrStale
// in a view, ErrGone, or those of the disk.
func (c *Cursor) Fill() error {
	used := c.last != 0
	c.grown = used
	c.empty()
	if first := c.l.First(); c.next < first {
		return &TrimmedError{First: first}
	}
	r, ok := c.l.find(c.next, &c.some)
	if !ok {
		return c.absent(r)
	}
	defer r.file.release()
	c.file = r.file
	if r.first > c.next {
		if first := c.l.First(); c.next < first { // trimmed since the look above
			return &TrimmedError{First: first}
		}
		return c.damage(0, 0, r.first-1, "no file holds these records")
	}
	extents := r.extents
	if extents == nil {
		var err error
		extents, err = c.fromIndex(r.file)
		if err != nil && c.j.view && r.file.State() != StateMissing {
			if stale := r.file.checkIdentity(); stale != nil {
				return stale
			}
		}
		if errors.Is(err, segment.ErrDamaged) {
			return c.damage(0, 0, r.last, err.Error())
		} else if err != nil {
			return err // what cannot be read now may be whole
		}
	}
	return c.load(&r, extents)
}

// absent says why no run holds the next record.
func (c *Cursor) absent(r run) error {
	if first := c.l.First(); c.next < first {
		return &TrimmedError{First: first}
	}
	if c.l.tail.Ended() {
		return ErrGone
	}
	if r.file == nil {
		err := &DamageError{File: Dir, First: c.next, Last: max(c.next, c.l.Durable()), Problem: "no file holds these records"}
		c.next = err.Last + 1
		return err
	}
	return ErrStale
}

// fromIndex returns the extents of the lane in a sealed file.
func (c *Cursor) fromIndex(f *File) ([]segment.Extent, error) {
	if c.sealed == f {
		return c.extents, nil
	}
	if f.State() == StateMissing {
		return nil, fmt.Errorf("the file is missing: %w", segment.ErrDamaged)
	}
	extents, err := c.j.extentsOf(f, c.l.Ordinal)
	if err != nil {
		return nil, err
	}
	c.sealed, c.extents = f, extents
	return extents, nil
}

// adjacent is how many extents lie right behind e, one behind the other, and how many bytes they are with it: at most
// limit, or e alone.
func adjacent(extents []segment.Extent, e segment.Extent, limit int64) (more int, bytes int64) {
	for more < len(extents) && joined(&e, extents[more], limit) {
		more++
	}
	return more, e.Len
}

// load reads extents that lie side by side, beginning with the one that holds
// the next record.
func (c *Cursor) load(r *run, extents []segment.Extent) error {
	i := sort.Search(len(extents), func(i int) bool { return extents[i].First > c.next }) - 1
	if i < 0 {
		return c.damage(0, 0, min(extents[0].First-1, r.last), "the run index does not list these records")
	}
	e := extents[i]
	off, n := e.Off, e.Len
	if i++; c.grown {
		more, bytes := adjacent(extents[i:], e, windowBytes)
		if bytes > extentBytes && !c.hold(bytes) {
			more, bytes = adjacent(extents[i:], e, extentBytes)
		}
		i, n = i+more, bytes
	}
	last := r.last
	if i < len(extents) {
		last = extents[i].First - 1
	}
	narrowed := false
	if !c.grown {
		if o, m, l, ok := c.narrow(r.file, e, last); ok {
			off, n, last, narrowed = o, m, l, true
		}
	}
	if off+n > r.file.Size() { // before memory is taken on the index's word
		return c.damage(off, n, last, "the file is too short")
	}
	b := c.memory(n)
	got, err := r.file.ReadAt(b, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s at %d: %w", r.file.name, off, err)
	}
	if c.j.view {
		if err := r.file.checkIdentity(); err != nil {
			return err
		}
	}
	if got < len(b) {
		return c.damage(off+int64(got), n-int64(got), last, "the file is too short")
	}
	c.walker.ResetBytes(b, off, r.file.Nonce)
	c.last = last
	if !c.grown && !narrowed {
		c.learn(r.file, e, b)
	}
	return nil
}

// checkIdentity reads the header again: a file that was recycled under a view
// has another nonce or is gone.
func (f *File) checkIdentity() error {
	b := make([]byte, segment.HeaderBytes)
	if _, err := f.ReadAt(b, 0); errors.Is(err, ErrClosed) {
		return err
	} else if err != nil {
		return fmt.Errorf("%s: %w", f.name, ErrStale)
	}
	if h, err := segment.DecodeHeader(b); err != nil || h.Nonce != f.Nonce {
		return fmt.Errorf("%s: %w", f.name, ErrStale)
	}
	return nil
}
