package aof

import "time"

// FormatVersion is the version of what this package writes to disk. It opens no
// directory that says it needs a newer one.
const FormatVersion = 1

// Seq numbers the records of one stream: 1, 2, 3 and so on. 0 means none.
type Seq uint64

// Record is one record as a Reader returns it.
type Record struct {
	Seq  Seq
	Time time.Time // when the store accepted it, in milliseconds
	Data []byte    // valid until the next call on the Reader; copy it to keep it

	EventTime time.Time // what the appender gave with it, the zero Time when nothing
}

// Bounds is one consistent reading of a stream. Records First..Next-1 have been
// accepted and not trimmed, records First..Durable can be read.
type Bounds struct {
	First   Seq // the oldest record, or Next when there is none
	Durable Seq // the newest record that has been synced, First-1 when there is none
	Next    Seq // what the next accepted record will be
}

// StreamInfo describes a stream.
type StreamInfo struct {
	Name     string
	ID       uint32 // never reused: a stream created again under its name has another
	Created  time.Time
	Bounds   Bounds
	Bytes    int64 // bytes of its frames in the journal, headers included, trimmed ones too until their file goes
	Runs     int   // hot files that hold records of it
	Metadata []byte
}

// Records is the number of durable records.
func (i StreamInfo) Records() uint64 { return uint64(i.Bounds.Durable + 1 - i.Bounds.First) }

// FileState is where a hot file is in its life.
type FileState string

// The states of a hot file, in the order of its life.
const (
	FilePrepared FileState = "prepared" // empty, ready to be taken
	FileOpen     FileState = "open"     // receives frames
	FileRolled   FileState = "rolled"   // complete, its run index is not written yet
	FileSealed   FileState = "sealed"   // immutable, with run index and footer
	FileMissing  FileState = "missing"  // it should be there and is not, or is not what it should be
)

// FileInfo describes a hot file.
type FileInfo struct {
	ID        uint64
	Path      string // relative to the store's directory
	State     FileState
	Bytes     int64 // size of the file
	DataBytes int64 // bytes of it up to the end of the last frame
	Runs      []RunInfo
}

// RunInfo is the part of one stream that lies in one file.
type RunInfo struct {
	Stream      string // "" for a deleted stream
	ID          uint32
	First, Last Seq
	Bytes       int64
}

// Recovery says what Open or Inspect found, and what was done about it.
type Recovery struct {
	Clean    bool     // the last life ended with Close
	Fresh    bool     // there was no store
	Snapshot string   // the catalog snapshot that was used, "" when none
	Replayed int      // decisions read from the journal behind it
	Scanned  int64    // bytes of unsealed files that were walked
	TailFile string   // the file that holds the end of the journal
	TailEnd  int64    // the offset of that end
	Torn     int64    // bytes behind it that were written and never acknowledged
	Damage   []Damage // acknowledged bytes that do not verify
	Notes    []string // what else is worth knowing, one sentence each
	Steps    []string // how Open found its way, one sentence each: for whoever looks into a case
	ReadOnly error    // why the store takes no appends, or nil
}

// Damage is an exact range that does not verify.
type Damage struct {
	File    string // relative to the store's directory
	Offset  int64
	Length  int64
	Stream  string // "" when the bytes could not be attributed
	First   Seq    // 0 when the bytes could not be attributed
	Last    Seq
	Problem string
}

// VerifyOptions narrow a verification.
type VerifyOptions struct {
	Streams  []string                // only these; nil is all, and every other byte of the journal
	Progress func(done, total int64) // called now and then with bytes; nil is none
}

// Report is what a verification read and what did not verify.
type Report struct {
	Files   int
	Frames  uint64
	Records uint64
	Bytes   int64
	Damage  []Damage
}

// EventKind names an [Event].
type EventKind string

// The events of a store.
const (
	EventRecovered EventKind = "recovered" // Open found an unclean end
	EventPrepared  EventKind = "prepared"  // a hot file is ready
	EventRolled    EventKind = "rolled"    // a hot file is complete, the next one is open
	EventSealed    EventKind = "sealed"    // a hot file has its run index and is immutable
	EventRecycled  EventKind = "recycled"  // a hot file holds nothing that is needed
	EventSnapshot  EventKind = "snapshot"  // a catalog snapshot was written
	EventPoisoned  EventKind = "poisoned"  // a write or sync failed; what was unacknowledged moves to a new file
	EventReadOnly  EventKind = "read-only" // the store takes no more appends
	EventFailed    EventKind = "failed"    // background work failed and will be tried again when something changes
	EventDamage    EventKind = "damage"    // bytes that do not verify were met
	EventClock     EventKind = "clock"     // the wall clock went back by ten seconds or more
)

// Event is something the store did or met.
type Event struct {
	Kind   EventKind
	Time   time.Time
	File   uint64 // the hot file, 0 when it is about none
	Detail string
	Err    error
}

// Stats are the counters of a store since it was opened, and its sizes now.
type Stats struct {
	Streams    int
	Files      int    // hot files, prepared ones included
	FileBytes  int64  // their size
	HotBytes   int64  // bytes that the store takes in its directory, by the file system's account: what HotBudget is about
	HotBudget  int64  // bytes that it may take; 0 when as many as the disk has
	Appends    uint64 // batches accepted
	Records    uint64 // records accepted
	Bytes      uint64 // bytes of frames accepted
	Rounds     uint64 // groups written
	Syncs      uint64 // syncs of hot files by those groups
	Unflushed  int64  // bytes accepted and not yet durable
	Sealed     uint64
	Recycled   uint64
	Snapshots  uint64
	Poisoned   uint64
	Prepared   uint64 // hot files made ready
	Reused     uint64 // those of them that were recycled ones, whose blocks sync faster
	WouldBlock map[BlockKind]uint64
	Pinned     []string // streams with records in the oldest sealed hot file that is needed, eight at most

	// Distributions since Open, times in nanoseconds.
	AppendTime   Histogram // of appends that waited until they were durable, from call to return
	WriteTime    Histogram // of writing one round
	SyncTime     Histogram // of syncing it
	RoundBytes   Histogram // bytes written at once
	PrepareTime  Histogram // of making a hot file ready
	SealTime     Histogram // of hashing and sealing one, pauses for appends included
	SnapshotTime Histogram
	RecycleTime  Histogram
}
