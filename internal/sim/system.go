// Package sim loses power on behalf of a store, a few hundred thousand times,
// and compares every record afterwards. It hides how a run is planned, how
// the operations of many goroutines are put into one order chosen by a seed,
// what may be left after each kind of end, and what counts as a violation.
//
// A Plan, made from a seed or read from text, says what clients do in each
// life of one disk, which operations fail and how the life ends. The runner
// parks every file operation and every client call and releases them one at a
// time; between two of them it takes crash points: copies of the disk as a
// loss of power or the death of the process would leave it, which the store
// under test must recover. The Oracle knows what was sent and what was
// acknowledged, and is asked after each recovery.
//
// Only tests import this package.
//
// # Concurrency
//
// One run lives in one synctest bubble. Its root goroutine schedules; clients
// and the store's own goroutines run only between two of its steps. The
// Oracle has a mutex which is held for no file operation.
package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aof2/aof/internal/fsys"
)

// System is a kind of store that can be tested.
type System interface {
	// Open recovers the store on a disk, or makes one.
	Open(ctx context.Context, disk fsys.FS, o Setting) (Store, error)

	// Can reports whether its stores do what an operation asks.
	Can(kind OpKind) bool

	// Branches lists every way through recovery and every event that a run of
	// full size has to meet.
	Branches() []string

	// IsData reports whether a file holds records, so that its syncs settle
	// them.
	IsData(name string) bool
}

// Setting is what varies from store to store.
type Setting struct {
	HotFileSize  int64
	MaxUnflushed int64
	Budget       int64  // bytes that the store may take; 0 for as many as the disk has
	Wait         bool   // an append that finds no room waits
	Clock        *Clock // the store's, nil for that of the process
}

// Store is an open store.
type Store interface {
	Create(ctx context.Context, name string, meta []byte) (Stream, error)
	Stream(ctx context.Context, name string) (Stream, error)
	Delete(ctx context.Context, name string) error
	Streams() []StreamState
	Seal(ctx context.Context) error
	Verify(ctx context.Context) error

	// Found says what recovery met, and what happened since.
	Found() Found
	Close() error
}

// Stream is a stream of an open store.
type Stream interface {
	// Append returns the first sequence number given, or 0 if the records were
	// not accepted.
	Append(ctx context.Context, mode Mode, b Batch) (uint64, error)
	WaitDurable(ctx context.Context, seq uint64) error
	Trim(ctx context.Context, before uint64) error
	State() StreamState

	// Read visits the records from..to in order. It returns a *DamageError at
	// records that the store says are damaged, ErrTrimmed if from is gone.
	Read(ctx context.Context, from, to uint64, visit func(Record) error) error
}

// Seeking is a Stream with places: moments at which reading begins, and cursors
// that outlive the store.
type Seeking interface {
	// Since visits the records from the first that is not older than timeMs up to
	// record to.
	Since(ctx context.Context, timeMs int64, to uint64, visit func(Record) error) error

	// Cursor returns the place behind a record.
	Cursor(seq uint64) (string, error)

	// Resume visits the records behind a place up to record to, and returns the
	// place behind the last one. It returns ErrDiverged when the record at the
	// place is not the one it was.
	Resume(ctx context.Context, at string, to uint64, visit func(Record) error) (string, error)
}

// Batch is records that are appended together.
type Batch struct {
	Recs   [][]byte
	Events []time.Time // nil, or the client's own time of each record, zero for none
	Expect uint64      // if not 0, what the stream's next record must be
}

// Mode is how records are appended.
type Mode uint8

// The modes.
const (
	ModeTry      Mode = iota // accepted or refused, never waits
	ModeWait                 // waits until durable, led by the caller if it can
	ModeContext              // the same with a context that can end
	ModeAccepted             // waits for room only
)

// StreamState is what a store says of a stream. Durable is First-1 when there
// is no record.
type StreamState struct {
	Name                 string
	Meta                 []byte
	First, Durable, Next uint64
	ID                   uint32 // what names it in the store's files
}

// Record is a record read.
type Record struct {
	Seq    uint64
	TimeMs int64
	Event  time.Time // the client's own, zero for none
	Data   []byte
}

// Found is what a store says about its disk.
type Found struct {
	Branches []string // ways through recovery that were taken
	Events   []string // what happened since, a name for each time
	Damage   []string // damage found, one line each
	Ranges   []Range  // records that are in it
	ReadOnly bool
	Why      string // of ReadOnly
	TailFile string
	TailEnd  int64
}

// Range is records of a stream.
type Range struct {
	Stream      string
	First, Last uint64
}

// ErrTrimmed says that a record is gone because it was trimmed.
var ErrTrimmed = errors.New("sim: trimmed")

// ErrDiverged says that a place is behind a record that is another one by now, or
// none.
var ErrDiverged = errors.New("sim: diverged")

// MismatchError refuses a batch that expected another next record.
type MismatchError struct{ Expected, Next uint64 }

// Error implements error.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("sim: the next record is %d, not %d", e.Next, e.Expected)
}

// ErrExists says that a stream of that name exists.
var ErrExists = errors.New("sim: exists")

// ErrRefused says that a call had no effect and may be tried again.
var ErrRefused = errors.New("sim: refused for now")

// ErrUnsettled says that records were accepted and may not be durable.
var ErrUnsettled = errors.New("sim: accepted, durability unknown")

// ErrDamaged says that a store refuses its disk, in part or as a whole.
var ErrDamaged = errors.New("sim: damaged")

// DamageError says which records a store reports as damaged. It wraps
// ErrDamaged.
type DamageError struct{ First, Last uint64 }

// Error implements error.
func (e *DamageError) Error() string {
	return fmt.Sprintf("sim: records %d to %d are damaged", e.First, e.Last)
}

// Unwrap makes errors.Is(err, ErrDamaged) true.
func (e *DamageError) Unwrap() error { return ErrDamaged }
