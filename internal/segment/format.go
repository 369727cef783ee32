// Package segment hides how records become bytes: the header of a file, the
// frames behind it, and the run index and footer that close a sealed one. The
// other packages see frames, records, runs and offsets, never a layout.
//
// Encoding and decoding are pure functions on byte slices. Every walk over
// frames, whether for a reader, recovery, verification or an index, is the one
// [Walker].
//
// Concurrency: nothing in this package starts a goroutine or takes a lock. A
// Walker, a Digester and a frame being finished belong to one goroutine at a
// time; all else may be shared.
package segment

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/minio/crc64nvme"
)

// Everything is little-endian. Zero is never a valid file, frame or footer, so
// space that was allocated and never written cannot be taken for data.
//
// A file, from its first byte:
//
//	+----------------+-------+-------+--- ... ---+-----------+--------+
//	| header, 4096 B | frame | frame |           | run index | footer |
//	+----------------+-------+-------+--- ... ---+-----------+--------+
//	                 ^ every frame begins at     ^ data end: a sealed file has
//	                   a multiple of 8             these two, an open one zeros
//
// # Versions
//
// The file header, the index and the footer begin alike, in every version:
//
//	 0  8  magic
//	 8  2  version          unknown: ErrVersion
//	10  2  zero
//	12  4  required bits    an unknown one: ErrVersion
//	16  4  optional bits    unknown ones are ignored
//
// and end, in every version, with a CRC32C of all before it. So damage is told
// from a newer version: the checksum is looked at first.
const (
	headerMagic = "AOF2HOT\x00"
	indexMagic  = "AOF2IDX\x00"
	footerMagic = "AOF2FTR\x00"

	version       = 1
	knownRequired = 0
	knownOptional = 0

	magicBytes    = 8
	versionAt     = 8
	versionPadAt  = 10
	requiredAt    = 12
	optionalAt    = 16
	prologueBytes = 20
)

// The file header is one block; what is not drawn is zero:
//
//	   0 20  magic, version, feature bits, as above
//	  20  4  header bytes, 4096
//	  24 16  store id
//	  40  8  file id, never 0, never used twice in a store
//	  48  8  nonce, random, never 0; seeds every checksum behind the header
//	  56  8  epoch of the store when the file was prepared
//	  64  8  capacity: the bytes allocated
//	4092  4  CRC32C of the 4092 bytes before
const (
	// HeaderBytes is the size of the file header; the first frame follows it.
	HeaderBytes = 4096

	headerSizeAt     = 20
	headerStoreAt    = 24
	headerIDAt       = 40
	headerNonceAt    = 48
	headerEpochAt    = 56
	headerCapacityAt = 64
	headerSumAt      = HeaderBytes - sumBytes
)

// A frame is a batch of records of one stream. Its length is a multiple of 8;
// the bytes between its last payload and its end are zero.
//
//	 0  4  sync word: the low half of the file's nonce, 1 where that is 0
//	 4  4  length of the whole frame
//	 8  4  CRC32C, see below
//	12  1  kind
//	13  1  flags, 0
//	14  2  length of the extensions
//	16  4  stream ordinal; 0 is the store's own
//	20  4  count of records
//	24  8  seq of the first record
//	32  8  time in milliseconds, that of the newest of its records
//	40  8  epoch
//	48  8  watermark: up to here in this file a sync had returned, or 0
//	56  -  extensions: type (2), length (2), value; the highest bit of the type
//	       set says that who does not know it may ignore it
//	 -     one record header of 16 bytes for each record:
//	       0  4  length of the attributes and the payload
//	       4  4  CRC32C, see below
//	       8  4  time, relative to the frame's, signed, never above 0
//	      12  2  length of the attributes alone
//	      14  2  zero
//	 -     the attributes and the payload of each record, end to end
//	 -     zeros up to a multiple of 8
//
// The frame's checksum runs over nonce (8), file offset (8), length (4) and
// sync word (4), then over the frame from byte 12 to the end of the record
// headers. The offset makes a frame valid at its own place only: a copy of a
// log that is stored in a log stays payload.
//
// A record's checksum runs over nonce (8), ordinal (4), seq (8), the length in
// its header (4), absolute time (8), the 4 bytes behind the time in its header,
// the attributes and the payload. So each record verifies alone and its payload
// is summed once.
//
// Attributes are type (1), length (1), value, one after another; the highest bit
// of the type set says that who does not know it may ignore it:
//
//	1 12  the caller's time: seconds since 1970 (8, signed), nanoseconds (4)
const (
	// FrameHeaderBytes is the size of a frame's fixed header.
	FrameHeaderBytes = 56
	// RecordHeaderBytes is what each record takes in addition to its payload.
	RecordHeaderBytes = 16
	// FrameAlign divides the offset and the length of every frame.
	FrameAlign = 8
	// MaxFrameBytes is more than the length of any frame, and MaxFileBytes the
	// largest file: lengths and offsets fit an int everywhere.
	MaxFrameBytes = 1 << 31
	// MaxFileBytes is the largest size of a file, index and footer included.
	MaxFileBytes = 1 << 31
	// MaxExtensionBytes bounds the extensions of one frame.
	MaxExtensionBytes = 4096

	syncAt      = 0
	lengthAt    = 4
	frameSumAt  = 8
	kindAt      = 12
	flagsAt     = 13
	extLenAt    = 14
	ordinalAt   = 16
	countAt     = 20
	firstAt     = 24
	timeAt      = 32
	epochAt     = 40
	watermarkAt = 48

	recLengthAt = 0
	recSumAt    = 4
	recDeltaAt  = 8
	recAttrsAt  = 12 // attribute length and the zero behind it, as one u32

	extHeaderBytes = 4
	extOptional    = 0x8000

	frameSeedBytes  = 16 // offset, length, sync word: what follows the nonce
	recordSeedBytes = 28 // ordinal, seq, length, time, attributes: what follows the nonce
)

// A roll frame's only record says which file it continues:
//
//	0  8  id of the predecessor, 0 for the first file of a store
//	8  8  end of the predecessor's data; nothing at or beyond it counts
const (
	rollPredecessorAt = 0
	rollEndAt         = 8
	rollBytes         = 16
)

// The run index says where in the file each stream's frames are:
//
//	 0 20  magic, version, feature bits, as above
//	20  4  count of runs
//	24  8  length of the whole index, a multiple of 8
//	32  -  directory, for each run in the order of its ordinal:
//	       0  4  stream ordinal
//	       4  4  where the run's body begins, from the index's first byte
//	 -     the bodies, end to end, of unsigned varints and bytes:
//	       flags (bit 0: restarted), first, last - first,
//	       length of the state before, its bytes,
//	       length of the state after, its bytes,
//	       count of extents, and for each extent
//	         (offset - end of the one before) / 8,
//	         length / 8,
//	         first - first of the one before; of the run, for the first extent
//	         newest time - that of the one before, signed (zigzag); of 0, for
//	         the first extent
//	 -     zeros up to the checksum
//	-4  4  CRC32C of all before
const (
	// MaxStateBytes bounds a digest state kept in the index.
	MaxStateBytes = 128

	indexCountAt     = 20
	indexSizeAt      = 24
	indexHeaderBytes = 32
	dirEntryBytes    = 8
	dirOrdinalAt     = 0
	dirBodyAt        = 4

	runRestarted = 1

	// A file of MaxFileBytes holds fewer records than maxRunSpan, so each of an
	// extent's first three varints takes at most 4 bytes.
	maxRunSpan     = 1 << 28
	maxExtentBytes = 3*4 + binary.MaxVarintLen64
	minExtentBytes = 4
	// flags 1, first 10, span 4, two states with 2 bytes of length, count 4
	maxRunBytes = 1 + 10 + 4 + 2*(2+MaxStateBytes) + 4
)

// The footer is the end of a sealed file; what is not drawn is zero:
//
//	  0 20  magic, version, feature bits, as above
//	 20  4  footer bytes, 256
//	 24  8  file id
//	 32  8  nonce
//	 40  8  data end
//	 48  8  where the index begins: the data end
//	 56  8  length of the index; the footer follows it
//	 64 32  SHA-256 of the index
//	 96  8  CRC64-NVME of the file's bytes before the data end
//	104  8  count of frames
//	112  8  count of records
//	252  4  CRC32C of the nonce (8) and the 252 bytes before
const (
	// FooterBytes is the size of the footer, the end of a sealed file.
	FooterBytes = 256

	footerSizeAt     = 20
	footerIDAt       = 24
	footerNonceAt    = 32
	footerDataEndAt  = 40
	footerIndexAt    = 48
	footerIndexLenAt = 56
	footerHashAt     = 64
	footerChecksumAt = 96
	footerFramesAt   = 104
	footerRecordsAt  = 112
	footerSumAt      = FooterBytes - sumBytes
)

// A stream's digest is the SHA-256 of its canonical records, one after another:
//
//	 0  8  time in milliseconds
//	 8  4  length of the attributes and the payload
//	12  4  length of the attributes alone
//	16  -  attributes, payload
const canonicalBytes = 16

const sumBytes = 4

// Errors of the decoders. A newer version is not damage, and bytes that never
// were ours are neither.
var (
	// ErrNotSegment says that the bytes do not begin as they should: too short,
	// never written, or not ours.
	ErrNotSegment = errors.New("segment: not a segment")
	// ErrVersion says that the bytes are whole and need a newer program.
	ErrVersion = errors.New("segment: version or required feature not known")
	// ErrDamaged says that the bytes are ours and do not verify.
	ErrDamaged = errors.New("segment: damaged")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum continues the CRC64-NVME of stored bytes: start with 0.
func Checksum(sum uint64, p []byte) uint64 { return crc64nvme.Update(sum, p) }

// syncWord is what every frame of a file begins with. It is never 0.
func syncWord(nonce uint64) uint32 {
	if w := uint32(nonce); w != 0 {
		return w
	}
	return 1
}

// putPrologue writes what the header, the index and the footer begin with.
func putPrologue(b []byte, magic string) {
	copy(b, magic)
	binary.LittleEndian.PutUint16(b[versionAt:], version)
	binary.LittleEndian.PutUint16(b[versionPadAt:], 0)
	binary.LittleEndian.PutUint32(b[requiredAt:], knownRequired)
	binary.LittleEndian.PutUint32(b[optionalAt:], knownOptional)
}

// hasMagic says whether b is long enough for a prologue and begins with magic.
func hasMagic(b []byte, magic string) bool {
	return len(b) >= prologueBytes && string(b[:magicBytes]) == magic
}

// checkPrologue judges a prologue whose checksum held.
func checkPrologue(b []byte) error {
	switch {
	case binary.LittleEndian.Uint16(b[versionAt:]) != version,
		binary.LittleEndian.Uint32(b[requiredAt:])&^knownRequired != 0:
		return ErrVersion
	case binary.LittleEndian.Uint16(b[versionPadAt:]) != 0:
		return ErrDamaged
	}
	return nil
}

// align rounds n up to a multiple of FrameAlign.
func align(n int64) int64 { return (n + FrameAlign - 1) &^ (FrameAlign - 1) }
