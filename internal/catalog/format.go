package catalog

import "encoding/binary"

// Two things are written: a decision, which is one record of the journal, and a snapshot, which is a
// file. All fixed numbers are little-endian. A "uvarint" is an unsigned LEB128 number of at most ten
// bytes in its shortest form, "bytes" is a uvarint n and n bytes. For each value there is exactly one
// encoding. Nothing may follow where the drawing ends.
//
// # Decision
//
// The journal's frame has checksums of its own, so a decision carries none.
//
//	 0 u8  kind
//	 1 u8  version     1
//	 2 ... the body, by kind
//
//	created   ordinal uvarint | time ms i64 | name bytes | options bytes
//	deleted   ordinal uvarint | time ms i64
//	trimmed   ordinal uvarint | time ms i64 | first uvarint
//	sealed    file uvarint | data end uvarint | size uvarint | checksum u64 | index hash [32]
//	          | number of runs uvarint | runs
//	          run: step<<1 + gap uvarint | first uvarint | last - first uvarint
//	               | newest time ms - that of the run before, zigzag uvarint; less 0, in the first run
//	recycled  file uvarint | number of states uvarint | states
//	          state: step uvarint | last uvarint | state bytes
//
// Runs and states are sorted by ordinal. A step is the ordinal less the one before (0 before the
// first), never 0; gap is 1 when records between this run and the last one were lost to damage.
//
// # Snapshot
//
//	 0 [8] magic       "AOF2CAT\x00"
//	 8 u16 version     1
//	10 u16 reserved    0
//	12 u32 required    features without which the file cannot be understood; none yet
//	16 u32 optional    features that may be ignored; none yet
//	20 u32 body offset 72
//	24 [16] store      the id of the store
//	40 u64 seq         the last decision in it
//	48 u64 file        the hot file that holds what follows
//	56 u64 epoch
//	64 u64 body length
//	72 ... the body
//	   u32 CRC32C (Castagnoli) of everything before
//
// Magic, version, feature bits and the CRC at the very end keep their places in every version, so that
// a newer file can be told from a damaged one.
//
//	body      next ordinal uvarint | number of streams uvarint | streams
//	          | number of files uvarint | files
//	stream    step uvarint | flags u8 | created ms i64 | name bytes | options bytes
//	          | first uvarint | sealed next uvarint | state bytes, with flag 2 only
//	file      the body of a sealed decision
//
// Streams are sorted by ordinal, files stand in the order in which they were sealed. Flag 1 is a
// deleted stream, flag 2 one with a carried digest state; it is the state at sealed next - 1. What a
// stream's runs are and which of them are live follows from the files.
const (
	kindCreated  = 1
	kindDeleted  = 2
	kindTrimmed  = 3
	kindSealed   = 4
	kindRecycled = 5

	decisionVersion = 1
	decisionHeader  = 2

	snapshotMagic   = "AOF2CAT\x00"
	snapshotVersion = 1

	versionAt  = 8
	reservedAt = 10
	requiredAt = 12
	optionalAt = 16
	offsetAt   = 20
	storeAt    = 24
	seqAt      = 40
	fileAt     = 48
	epochAt    = 56
	lengthAt   = 64
	bodyAt     = 72
	crcBytes   = 4

	flagDeleted = 1
	flagCarried = 2

	// The least that one element takes; a count from disk is compared with what is left by these.
	minRun    = 4
	minState  = 4
	minStream = 15
	minSealed = 44

	// The most that one element takes, for SnapshotBound: a stream without its words, a file without its runs.
	maxStream = 41 + 1 + MaxState
	maxSealed = 40 + 8 + 32
	maxRun    = 4 * binary.MaxVarintLen64
)
