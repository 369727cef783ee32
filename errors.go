package aof

import (
	"errors"
	"fmt"

	"github.com/aof2/aof/internal/mark"
)

// Errors that callers act on; compare with errors.Is. docs/errors.md lists them
// with what to do.
var (
	// ErrWouldBlock is matched by every WouldBlockError.
	ErrWouldBlock = errors.New("aof: would block")
	// ErrClosed: the store or the reader has been closed.
	ErrClosed = errors.New("aof: closed")
	// ErrNotFound: there is no such store or stream.
	ErrNotFound = errors.New("aof: not found")
	// ErrExists: a stream of that name exists.
	ErrExists = errors.New("aof: exists already")
	// ErrInvalid: an argument can never be right; change it.
	ErrInvalid = errors.New("aof: invalid")
	// ErrTrimmed is matched by every TrimmedError.
	ErrTrimmed = errors.New("aof: trimmed")
	// ErrTooLarge: the record or batch is over its limit and never fits.
	ErrTooLarge = errors.New("aof: too large")
	// ErrMismatch is matched by every MismatchError.
	ErrMismatch = errors.New("aof: another next record than expected")
	// ErrDiverged is matched by every DivergedError.
	ErrDiverged = errors.New("aof: the stream is not the one that the cursor is from")
	// ErrFull: neither budget nor disk have room for another hot file, and nothing
	// that is at work will make any. It is matched by every FullError.
	ErrFull = errors.New("aof: full")
	// ErrLocked is matched by every LockedError.
	ErrLocked = errors.New("aof: locked")
	// ErrCorrupt is matched by every CorruptError.
	ErrCorrupt = errors.New("aof: corrupt")
	// ErrReadOnly: the store takes no appends, because its disk failed or
	// because what it found at open must be looked at first. Reads go on.
	ErrReadOnly = errors.New("aof: read-only")
	// ErrStale: the program that runs on the directory has given up a file that
	// the View was made from. Inspect it again.
	ErrStale = errors.New("aof: the view is out of date")
	// ErrVersion: the directory was written by a newer version of this package.
	// Nothing was touched; open it with that version.
	ErrVersion = errors.New("aof: written by a newer version")
)

// BlockKind is why a call would have to wait.
type BlockKind uint8

// The kinds of waiting.
const (
	// BlockAdmission: budget or disk have no room for another hot file, and room is
	// being made.
	BlockAdmission BlockKind = iota + 1
	// BlockRollover: the next hot file is not prepared yet.
	BlockRollover
	// BlockFlush: as many bytes as allowed are accepted and not yet on disk.
	BlockFlush
	// BlockHydration: the records are being fetched from disk.
	BlockHydration
	// BlockTail: there is no further record yet.
	BlockTail
)

// String is the kind in one word.
func (k BlockKind) String() string {
	switch k {
	case BlockAdmission:
		return "admission"
	case BlockRollover:
		return "rollover"
	case BlockFlush:
		return "flush"
	case BlockHydration:
		return "hydration"
	case BlockTail:
		return "tail"
	}
	return "unknown"
}

// WouldBlockError says why a Try call did not go on. The call had no effect.
type WouldBlockError struct {
	Kind BlockKind

	mark   *mark.Mark
	target uint64
}

func (e *WouldBlockError) Error() string { return "aof: would block: " + e.Kind.String() }

// Is matches ErrWouldBlock.
func (e *WouldBlockError) Is(target error) bool { return target == ErrWouldBlock }

// Ready is closed when trying again is worthwhile, or when the store closes. It
// is a hint, not a promise: another caller may have been faster.
func (e *WouldBlockError) Ready() <-chan struct{} { return e.mark.Reached(e.target) }

// FullError says that there is no room for another hot file. Trim or delete
// streams, raise Options.HotBudget or free space on the disk, and append again; the
// store needs no restart.
type FullError struct {
	Used   int64    // bytes that the store takes
	Budget int64    // bytes that it may take; 0 when it is the disk that is full
	Pinned []string // streams with records in the oldest sealed hot file that is needed, eight at most: trimming all of them gives it back
	Err    error    // what was asked for and refused
}

func (e *FullError) Error() string {
	s := fmt.Sprintf("aof: full: %v", e.Err)
	if len(e.Pinned) > 0 {
		s += fmt.Sprintf("; the oldest hot file is needed by %q", e.Pinned)
	}
	return s
}

// Is matches ErrFull.
func (e *FullError) Is(target error) bool { return target == ErrFull }

// Unwrap is what was refused.
func (e *FullError) Unwrap() error { return e.Err }

// UnsettledError says that records First..Last were accepted and that it is not
// known whether they are durable: the wait for that ended with Err. Do not append
// them again; WaitDurable(Last) settles it while the store is open. Of a stream's
// creation, deletion or trim it says the same, and First is 0.
type UnsettledError struct {
	First, Last Seq
	Err         error
}

func (e *UnsettledError) Error() string {
	if e.First == 0 {
		return fmt.Sprintf("aof: accepted, durability unknown: %v", e.Err)
	}
	return fmt.Sprintf("aof: records %d..%d accepted, durability unknown: %v", e.First, e.Last, e.Err)
}

// Unwrap is what ended the wait.
func (e *UnsettledError) Unwrap() error { return e.Err }

// MismatchError refuses a conditional append: somebody else appended first, or this
// append was accepted before. Nothing happened. Read the stream from Expected on,
// decide again, and append with Next.
type MismatchError struct {
	Stream   string
	Expected Seq // the batch's ExpectNext
	Next     Seq // what the stream's next record is, accepted and perhaps not yet durable ones counted
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("aof: stream %q: record %d was expected to be the next one, and it is %d", e.Stream, e.Expected, e.Next)
}

// Is matches ErrMismatch.
func (e *MismatchError) Is(target error) bool { return target == ErrMismatch }

// DivergedError says that what lies behind a cursor is not what its reader saw: the
// record was lost in a crash before it was durable, or the stream is another one of
// the same name. What was derived from records up to the cursor has to be thought
// over: reading on would skip or repeat records without a word.
type DivergedError struct {
	Stream string
	Seq    Seq // of the cursor
	Why    string
}

func (e *DivergedError) Error() string {
	return fmt.Sprintf("aof: stream %q has diverged from the cursor at record %d: %s", e.Stream, e.Seq, e.Why)
}

// Is matches ErrDiverged.
func (e *DivergedError) Is(target error) bool { return target == ErrDiverged }

// TrimmedError says that the wanted record is gone; First is the oldest there is.
type TrimmedError struct {
	First Seq
}

func (e *TrimmedError) Error() string {
	return fmt.Sprintf("aof: trimmed: the first record is now %d", e.First)
}

// Is matches ErrTrimmed.
func (e *TrimmedError) Is(target error) bool { return target == ErrTrimmed }

// CorruptError is damage that was found where data should be. Records
// First..Last of Stream cannot be read; everything else can. First 0 means that
// the damage could not be attributed to records.
type CorruptError struct {
	File        string // relative to the store's directory
	Offset      int64
	Stream      string
	First, Last Seq
	Problem     string
}

func (e *CorruptError) Error() string {
	s := fmt.Sprintf("aof: corrupt: %s at offset %d: %s", e.File, e.Offset, e.Problem)
	if e.First != 0 {
		s += fmt.Sprintf(" (stream %q, records %d..%d)", e.Stream, e.First, e.Last)
	}
	return s
}

// Is matches ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// LockedError says who holds the store.
type LockedError struct {
	Dir    string
	Holder string // pid, host and since when, as the holder wrote it
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("aof: locked: %s is in use by %s", e.Dir, e.Holder)
}

// Is matches ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }
