package aof

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/aof2/aof/internal/coordinator"
	"github.com/aof2/aof/internal/fsys"
)

// Default limits, used where an [Options] field is zero.
const (
	DefaultHotFileSize  = 64 << 20
	DefaultMaxRecord    = 16 << 20
	DefaultMaxBatch     = 32 << 20
	DefaultMaxUnflushed = 32 << 20
	DefaultCloseTimeout = 10 * time.Second
)

// Bounds of what an [Options] may ask for.
const (
	MinHotFileSize   = 16 << 10
	MaxHotFileSize   = 1 << 30
	MaxStreamName    = 255     // bytes of UTF-8
	MaxMetadataBytes = 4 << 10 // of a stream
)

// Options says how a store behaves. The zero value is useful and durable. An
// Options is copied by Open and may be reused.
type Options struct {
	// HotFileSize is the size in bytes of each file of the journal; 0 means
	// DefaultHotFileSize. It holds for files made from now on.
	HotFileSize int64
	// MaxRecord is the largest record in bytes; 0 means DefaultMaxRecord, or
	// less where the hot files are too small for that.
	MaxRecord int64
	// MaxBatch is the largest batch in bytes, headers included; 0 means
	// DefaultMaxBatch, or less where the hot files are too small for that. A
	// batch never spans two files, so a limit above what a file can hold is
	// refused.
	MaxBatch int64
	// MaxUnflushed bounds the bytes that are accepted and not yet on disk; 0
	// means DefaultMaxUnflushed. Beyond it TryAppend answers WouldBlock(Flush).
	MaxUnflushed int64
	// HotBudget bounds the bytes that the store takes in its directory, in bytes
	// that the file system has set aside: hot files whether they are open, complete,
	// prepared or wait to be used again, snapshots, and what is kept ready for both.
	// It is never exceeded, not for a moment; appends that would need more are
	// refused. 0 means what the disk has, less a reserve of 2 % of it, at most 256
	// MiB. A budget below what a store needs to go on is ErrInvalid, which names the
	// least. One below what is taken already is no error: appends are refused until
	// trimming has made room.
	HotBudget int64
	// WhenFull says what an append does when neither HotBudget nor the disk have room
	// and nothing that is at work will make any; the zero value is FailWhenFull.
	WhenFull WhenFull
	// CloseTimeout bounds how long Close waits for accepted records to become
	// durable; 0 means DefaultCloseTimeout.
	CloseTimeout time.Duration

	// Now is the wall clock that records are stamped with, read for each append; nil
	// means time.Now, of which many appends in one millisecond share a reading. It
	// must return soon and must not call into the store.
	Now func() time.Time
	// Logger receives what an operator should know; nil is silent.
	Logger *slog.Logger
	// OnEvent is called for every [Event], one at a time, from goroutines of
	// the store. It must return soon and must not call into the store.
	OnEvent func(Event)

	// FS is where the files live; nil means the operating system's directory
	// given to Open. Its type is internal: package aoftest supplies a store in
	// memory through it, other modules leave it nil.
	FS fsys.FS

	systemClock bool // Now was nil
}

// WhenFull is what an append does when there is no room.
type WhenFull uint8

// What an append can do when there is no room.
const (
	// FailWhenFull refuses it with ErrFull.
	FailWhenFull WhenFull = iota
	// WaitWhenFull lets Append wait, and TryAppend answer WouldBlock(Admission),
	// until somebody trims, deletes or frees space on the disk.
	WaitWhenFull
)

// withDefaults returns a filled and checked copy.
func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if err := c.checkSigns(); err != nil {
		return c, err
	}
	setDefault(&c.HotFileSize, DefaultHotFileSize)
	if c.HotFileSize < MinHotFileSize || c.HotFileSize > MaxHotFileSize {
		return c, invalidf("HotFileSize %d is outside %d..%d bytes", c.HotFileSize, MinHotFileSize, MaxHotFileSize)
	}
	room := batchRoom(c.HotFileSize)
	setDefault(&c.MaxBatch, min(DefaultMaxBatch, room))
	if c.MaxBatch > room {
		return c, invalidf("MaxBatch %d does not fit into a hot file of %d bytes, which has room for batches up to %d", c.MaxBatch, c.HotFileSize, room)
	}
	largest := recordRoom(c.MaxBatch)
	if largest < 1 {
		return c, invalidf("MaxBatch %d has no room for a record; at least %d is needed", c.MaxBatch, c.MaxBatch+1-largest)
	}
	setDefault(&c.MaxRecord, min(DefaultMaxRecord, largest))
	if c.MaxRecord > largest {
		return c, invalidf("MaxRecord %d does not fit into a batch of MaxBatch %d bytes, which has room for %d", c.MaxRecord, c.MaxBatch, largest)
	}
	setDefault(&c.MaxUnflushed, DefaultMaxUnflushed)
	if least := coordinator.LeastBudget(c.HotFileSize); c.HotBudget != 0 && c.HotBudget < least {
		return c, invalidf("HotBudget %d is below %d, the least with which a store of hot files of %d bytes can go on; raise it, or lower HotFileSize", c.HotBudget, least, c.HotFileSize)
	}
	if c.WhenFull > WaitWhenFull {
		return c, invalidf("WhenFull %d is neither FailWhenFull nor WaitWhenFull", c.WhenFull)
	}
	if c.CloseTimeout == 0 {
		c.CloseTimeout = DefaultCloseTimeout
	}
	if c.Now == nil {
		c.Now, c.systemClock = time.Now, true
	}
	return c, nil
}

// checkSigns refuses what no default can mend.
func (o *Options) checkSigns() error {
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"HotFileSize", o.HotFileSize},
		{"MaxRecord", o.MaxRecord},
		{"MaxBatch", o.MaxBatch},
		{"MaxUnflushed", o.MaxUnflushed},
		{"HotBudget", o.HotBudget},
		{"CloseTimeout", int64(o.CloseTimeout)},
	} {
		if f.value < 0 {
			return invalidf("%s is negative (%d); leave it 0 for the default", f.name, f.value)
		}
	}
	return nil
}

func setDefault(v *int64, d int64) {
	if *v == 0 {
		*v = d
	}
}

func invalidf(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

// StreamOptions says what a new stream is like. The zero value is useful.
type StreamOptions struct {
	// Metadata is kept with the stream and returned by its Info, at most
	// MaxMetadataBytes.
	Metadata []byte
}

// Effective returns a copy in which every limit that was left 0 has the value that
// Open would use. ErrInvalid: Open would refuse these options, for this reason.
func (o *Options) Effective() (Options, error) { return o.withDefaults() }
