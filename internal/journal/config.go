package journal

import (
	"errors"
	"fmt"
	"time"

	"github.com/aof2/aof/internal/budget"
	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/mark"
	"github.com/aof2/aof/internal/segment"
)

// Dir is the directory of the hot files.
const Dir = "journal"

// Limits of the package's own queues.
const (
	maxPoisonRetries = 3         // files that may fail in a row before the journal gives up
	decisionRoom     = 8 << 10   // kept for decisions at the end of the open file until the next one is prepared
	maxRolled        = 16        // complete files that may wait for their seal
	easyRolled       = 12        // as long as there are no more of them, sealing gives way to appends
	keepBuffer       = 64 << 20  // the largest buffer that is kept between rounds
	paceBytes        = 256 << 10 // what is hashed at once while a file is sealed
	extentBytes      = 16 << 10  // an extent is not grown beyond this, so that a read by seq stays short
	windowBytes      = 256 << 10 // what a sequential reader fetches at once
	indexCacheBytes  = 16 << 20  // run indexes of sealed files kept in memory
	extentCacheBytes = 8 << 20   // and what they say of single streams, decoded
	extentMemory     = 32        // what one extent of them takes
	tableCacheBytes  = 16 << 20  // where the frames of single extents begin, kept in memory
)

// Config is what a journal needs from its store.
type Config struct {
	FS           fsys.FS
	Room         *budget.Disk // that FS is, when there is a budget to be kept; else nil
	FileSize     int64
	MaxUnflushed int64
	WaitWhenFull bool // records that find no room are refused with Admission, also when nothing makes any
	Now          func() time.Time
	SharedNow    bool // appends in one millisecond may share a reading of it
	Random       func() uint64
	Event        func(Event)
	Yield        func() // lets others run first; nil is runtime.Gosched

	// DurableOnly leaves out what no frame says was synced: for a view of a
	// journal that somebody is writing to.
	DurableOnly bool
}

// Event is something the journal did or met.
type Event struct {
	Kind   EventKind
	File   uint64
	Detail string
	Err    error
}

// EventKind names an Event.
type EventKind uint8

// The events of a journal.
const (
	Prepared EventKind = iota + 1
	Rolled
	Sealed
	Recycled
	Poisoned
	ReadOnly
	ClockWentBack
)

// Block is why an append has to wait.
type Block uint8

// The reasons.
const (
	Rollover  Block = iota + 1 // no prepared file
	Flush                      // as much as allowed is accepted and not durable
	Admission                  // budget or disk have no room for another file
)

// BlockError refuses an append that had no effect: trying again is worthwhile
// once Mark has reached Target.
type BlockError struct {
	Block  Block
	Mark   *mark.Mark
	Target uint64
}

func (e *BlockError) Error() string { return fmt.Sprintf("journal: would block (%d)", e.Block) }

// StaleError refuses an append because the last attempt to prepare a file failed.
// Another attempt has been asked for; it has been made once Mark has reached
// Target, so a caller who can wait tries once more then.
type StaleError struct {
	Err    error
	Mark   *mark.Mark
	Target uint64
}

func (e *StaleError) Error() string { return e.Err.Error() }

// Unwrap is why the attempt failed.
func (e *StaleError) Unwrap() error { return e.Err }

var (
	// ErrClosed says that the journal has been closed.
	ErrClosed = errors.New("journal: closed")
	// ErrReadOnly says that the journal takes no more frames; it wraps why.
	ErrReadOnly = errors.New("journal: read-only")
	// ErrFull says that there is no room for another hot file.
	ErrFull = errors.New("journal: no room for another hot file")
	// ErrGone says that the lane's stream has been deleted.
	ErrGone = errors.New("journal: stream deleted")
	// ErrTooLarge says that a frame can never fit into a hot file.
	ErrTooLarge = errors.New("journal: batch too large for a hot file")
	// ErrVersion says that a newer version of this package wrote the files.
	ErrVersion = segment.ErrVersion
)

// What a roll frame and a mark frame take.
var (
	rollBytes = int64(len(segment.AppendRoll(nil, 0, 0, 0)))
	markBytes = int64(len(segment.AppendMark(nil)))
)

// BatchRoom is the largest frame that a hot file of size bytes has room for.
func BatchRoom(size int64) int64 {
	return size - segment.HeaderBytes - rollBytes - segment.IndexBound(3, 3) - segment.FooterBytes
}
