package catalog

import (
	"fmt"
	"strconv"
)

// Limits of what a decision may hold.
const (
	MaxName    = 255  // bytes of a stream's name
	MaxOptions = 4096 // bytes of a stream's options
	MaxState   = 128  // bytes of a digest state
)

// Decision is one of Created, Deleted, Trimmed, Sealed and Recycled, as values; there are no others.
type Decision interface {
	kind() byte
	// what names the decision in an error.
	what() string
}

// Created gives a new stream its ordinal.
type Created struct {
	Ordinal uint32 // the catalog's NextOrdinal
	Name    string
	TimeMs  int64
	Options []byte
}

// Deleted ends a stream and sets its name free.
type Deleted struct {
	Ordinal uint32
	TimeMs  int64
}

// Trimmed moves the beginning of a stream: the records below First are gone. First may be the seq that
// the next record will get; then the stream is empty.
type Trimmed struct {
	Ordinal uint32
	First   uint64
	TimeMs  int64
}

// Sealed says that a hot file is complete and immutable, and which records it holds.
type Sealed struct {
	File      uint64
	DataEnd   int64 // where the frames end
	Size      int64 // bytes of the whole file
	Checksum  uint64
	IndexHash [32]byte
	Runs      []Run // sorted by ordinal; ordinal 0, the decisions themselves, is not among them
}

// Run says that a file holds the records First to Last of a stream.
type Run struct {
	Ordinal     uint32
	Gap         bool // records before First were lost to damage; without it First follows the last run
	First, Last uint64
	Newest      int64 // no record of it has a later time, in milliseconds
}

// Recycled says that a file is given up and its room used again under another id.
type Recycled struct {
	File   uint64
	States []State // sorted by ordinal; see Catalog.LastRuns
}

// State is the digest state of a stream at its last sealed record. A stream without one begins a new
// digest chain with its next run.
type State struct {
	Ordinal uint32
	Last    uint64
	State   []byte
}

func (Created) kind() byte  { return kindCreated }
func (Deleted) kind() byte  { return kindDeleted }
func (Trimmed) kind() byte  { return kindTrimmed }
func (Sealed) kind() byte   { return kindSealed }
func (Recycled) kind() byte { return kindRecycled }

func (d Created) what() string { return fmt.Sprintf("create stream %d %s", d.Ordinal, quote(d.Name)) }
func (d Deleted) what() string { return fmt.Sprintf("delete stream %d", d.Ordinal) }
func (d Trimmed) what() string { return fmt.Sprintf("trim stream %d before %d", d.Ordinal, d.First) }
func (d Sealed) what() string  { return fmt.Sprintf("seal file %d", d.File) }
func (d Recycled) what() string {
	return fmt.Sprintf("recycle file %d", d.File)
}

// quote makes any name fit for an error, also one that is far too long.
func quote(name string) string {
	if len(name) > MaxName {
		return strconv.Quote(name[:32]) + "..."
	}
	return strconv.Quote(name)
}

// IllegalError says which decision the catalog refuses and why. The catalog has not changed.
type IllegalError struct {
	What string // the decision: `create stream 3 "orders"`
	Why  string // what speaks against it: `stream 2 has this name`
}

// Error joins the two.
func (e *IllegalError) Error() string { return "illegal decision: " + e.What + ": " + e.Why }
