package sim

import "github.com/aof2/aof/internal/fsys/memfs"

// Plan is everything that happens in one run but the order in which parked
// operations are released, which follows from the seeds in it. It can be
// written as text, read back, and made smaller.
type Plan struct {
	Seed    uint64
	Step    bool // one client call at a time
	Setting Setting
	Lives   []Life
}

// Life is what happens between an Open and the end that follows.
type Life struct {
	Seed    uint64 // of the order of operations and of every choice of the disk
	Points  int    // crash points to take
	Noise   int    // in a thousand steps, how many times the system does something by itself
	Clients []Client
	Faults  []Fault
	End     End
}

// Client is what one goroutine does, in order.
type Client []Op

// Op is one call on the store.
type Op struct {
	Kind    OpKind
	Stream  int    // which name
	Mode    Mode   // of an append
	Expect  Expect // of an append: whether it is conditional
	Timed   bool   // of an append: its records have times of their own
	Keep    bool   // of an append: the place behind it is remembered
	Lengths []int  // of an append: one for each record
	Arg     int    // of a read, trim or since: how far into the stream, in thousandths; of a follow: records; of a full: room left, in units of 32 bytes; of a keep or resume: which place; of a clock: how far it jumps
}

// OpKind is what an Op does.
type OpKind uint8

// The kinds of operation.
const (
	DoAppend OpKind = iota
	DoAwait
	DoRead
	DoFollow
	DoTrim
	DoCreate
	DoDelete
	DoSeal
	DoVerify
	DoFull // the disk has no more room
	DoRoom // it has room again
	DoSince
	DoKeep
	DoResume
	DoClock
	opKinds
)

var opNames = [opKinds]string{
	"append", "await", "read", "follow", "trim", "create", "delete", "seal", "verify", "full", "room",
	"since", "keep", "resume", "clock",
}

// String returns the name of the kind.
func (k OpKind) String() string { return opNames[k] }

var modeNames = []string{"try", "wait", "context", "accepted"}

// String returns the name of the mode.
func (m Mode) String() string { return modeNames[m] }

// Expect is what a conditional append expects.
type Expect uint8

// The expectations.
const (
	ExpectNothing Expect = iota
	ExpectNext           // the next record, as the stream tells it
	ExpectDurable        // that the newest durable record is the last one
	ExpectOld            // the last record, which is there
	ExpectGap            // the record behind the next one
	expectations
)

var expectNames = [expectations]string{"", "if-next", "if-durable", "if-old", "if-gap"}

// String returns the word for the expectation, empty for none.
func (e Expect) String() string { return expectNames[e] }

// record is the seq that it comes to where a stream stands like that.
func (e Expect) record(state StreamState) uint64 {
	switch e {
	case ExpectNext:
		return state.Next
	case ExpectDurable:
		return state.Durable + 1
	case ExpectOld:
		return max(state.Next-1, 1)
	case ExpectGap:
		return state.Next + 1
	}
	return 0
}

// Fault is an operation of the disk that fails: the Nth of its kind in a
// life, counted from 1. N of a write-back counts operations of every kind.
type Fault struct {
	Kind FaultKind
	N    int
}

// FaultKind is how an operation fails.
type FaultKind uint8

// The kinds of fault.
const (
	FailSync FaultKind = iota
	FailWriteBack
	FailWrite
	FailShortWrite
	FailRead
	FailAllocate
	FailSyncDir
	FailCreate
	FailRename
	failKinds
)

var failNames = [failKinds]string{
	"sync", "write-back", "write", "short-write", "read", "allocate", "sync-dir", "create", "rename",
}

// String returns the name of the kind.
func (k FaultKind) String() string { return failNames[k] }

// fails is the operation that a fault of each kind is about.
var fails = [failKinds]memfs.OpKind{
	FailSync: memfs.OpSync, FailWrite: memfs.OpWrite, FailShortWrite: memfs.OpWrite, FailRead: memfs.OpRead,
	FailAllocate: memfs.OpAllocate, FailSyncDir: memfs.OpSyncDir, FailCreate: memfs.OpCreate, FailRename: memfs.OpRename,
}

// End is how a life ends, at the latest when its clients are done.
type End struct {
	Kind  EndKind
	After int // steps; 0 for no limit
}

// EndKind is what a life ends with.
type EndKind uint8

// The ends.
const (
	EndCrash          EndKind = iota // loss of power
	EndKill                          // death of the process, the cache stays
	EndKillAfterFault                // the same, right after a sync that failed
	EndClose                         // Close, then loss of power
	EndCloseKill                     // Close, then the next process
	EndCrashInClose                  // loss of power during Close
	endKinds
)

var endNames = [endKinds]string{"crash", "kill", "kill-after-fault", "close", "close-kill", "crash-in-close"}

// String returns the name of the end.
func (k EndKind) String() string { return endNames[k] }

// streamName is the name of the stream an Op is about.
func streamName(i int) string { return []string{"orders", "events/eu", "ünï💡", "audit", "x"}[i%5] }
