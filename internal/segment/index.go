package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"sort"
)

// Extent is a stretch of a file filled with frames of one stream, and with mark
// frames between them.
type Extent struct {
	Off, Len int64
	First    uint64 // seq of the first record in it
	Newest   int64  // no record in it has a later time, in milliseconds
}

// Run is the records of one stream in one file. It has at least one extent, and
// the first one begins with record First.
type Run struct {
	Ordinal     uint32
	First, Last uint64
	Restarted   bool   // the digest begins anew here, records before were lost
	Before      []byte // the digest's state before First, empty before seq 1
	After       []byte // the digest's state behind Last
	Extents     []Extent
}

// valid says whether an index can hold r.
func (r *Run) valid() bool {
	if r.First == 0 || r.Last < r.First || r.Last-r.First >= maxRunSpan || len(r.Extents) == 0 ||
		len(r.Before) > MaxStateBytes || len(r.After) > MaxStateBytes || r.Extents[0].First != r.First {
		return false
	}
	end, first := int64(HeaderBytes), r.First-1
	for _, e := range r.Extents {
		if (e.Off|e.Len)%FrameAlign != 0 || e.Off < end || e.Len <= 0 || e.Off > MaxFileBytes-e.Len ||
			e.First <= first || e.First > r.Last {
			return false
		}
		end, first = e.Off+e.Len, e.First
	}
	return true
}

// IndexBound is at least the length of an index over so many frames and streams.
func IndexBound(frames, streams int) int64 {
	return align(indexHeaderBytes + int64(streams)*(dirEntryBytes+maxRunBytes) + int64(frames)*maxExtentBytes + sumBytes)
}

// EncodeIndex appends the index of runs to dst. It panics when they are not
// sorted by ordinal or cannot be those of one file.
func EncodeIndex(dst []byte, runs []Run) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, indexHeaderBytes+len(runs)*dirEntryBytes)...)
	last := int64(-1)
	for i := range runs {
		r := &runs[i]
		if int64(r.Ordinal) <= last || !r.valid() {
			panic(fmt.Sprintf("segment: run %d of an index is impossible: stream %d, %d to %d, %d extents",
				i, r.Ordinal, r.First, r.Last, len(r.Extents)))
		}
		last = int64(r.Ordinal)
		entry := dst[start+indexHeaderBytes+i*dirEntryBytes:]
		binary.LittleEndian.PutUint32(entry[dirOrdinalAt:], r.Ordinal)
		binary.LittleEndian.PutUint32(entry[dirBodyAt:], uint32(len(dst)-start))
		dst = appendRun(dst, r)
	}
	size := int(align(int64(len(dst) - start + sumBytes)))
	dst = append(dst, make([]byte, size-sumBytes-(len(dst)-start))...)
	b := dst[start:]
	putPrologue(b, indexMagic)
	binary.LittleEndian.PutUint32(b[indexCountAt:], uint32(len(runs)))
	binary.LittleEndian.PutUint64(b[indexSizeAt:], uint64(size))
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(b, castagnoli))
}

func appendRun(dst []byte, r *Run) []byte {
	flags := byte(0)
	if r.Restarted {
		flags |= runRestarted
	}
	dst = append(dst, flags)
	dst = binary.AppendUvarint(dst, r.First)
	dst = binary.AppendUvarint(dst, r.Last-r.First)
	dst = append(binary.AppendUvarint(dst, uint64(len(r.Before))), r.Before...)
	dst = append(binary.AppendUvarint(dst, uint64(len(r.After))), r.After...)
	dst = binary.AppendUvarint(dst, uint64(len(r.Extents)))
	end, first, newest := int64(0), r.First, int64(0)
	for _, e := range r.Extents {
		dst = binary.AppendUvarint(dst, uint64(e.Off-end)/FrameAlign)
		dst = binary.AppendUvarint(dst, uint64(e.Len)/FrameAlign)
		dst = binary.AppendUvarint(dst, e.First-first)
		dst = binary.AppendVarint(dst, e.Newest-newest)
		end, first, newest = e.Off+e.Len, e.First, e.Newest
	}
	return dst
}

// Index is an encoded index whose checksum held: runs are decoded one by one.
type Index struct {
	b    []byte
	runs int
}

// OpenIndex verifies b, a whole index, and keeps it. The error is ErrNotSegment,
// ErrVersion or ErrDamaged.
func OpenIndex(b []byte) (Index, error) {
	if len(b) < indexHeaderBytes+sumBytes || !hasMagic(b, indexMagic) {
		return Index{}, ErrNotSegment
	}
	end := len(b) - sumBytes
	if binary.LittleEndian.Uint32(b[end:]) != crc32.Checksum(b[:end], castagnoli) {
		return Index{}, ErrDamaged
	}
	if err := checkPrologue(b); err != nil {
		return Index{}, err
	}
	runs := int64(binary.LittleEndian.Uint32(b[indexCountAt:]))
	if binary.LittleEndian.Uint64(b[indexSizeAt:]) != uint64(len(b)) || len(b)%FrameAlign != 0 ||
		runs > int64(end-indexHeaderBytes)/dirEntryBytes {
		return Index{}, ErrDamaged
	}
	return Index{b: b, runs: int(runs)}, nil
}

// Len is the number of runs.
func (x Index) Len() int { return x.runs }

func (x Index) ordinal(i int) uint32 {
	return binary.LittleEndian.Uint32(x.b[indexHeaderBytes+i*dirEntryBytes+dirOrdinalAt:])
}

func (x Index) body(i int) uint32 {
	return binary.LittleEndian.Uint32(x.b[indexHeaderBytes+i*dirEntryBytes+dirBodyAt:])
}

// Run decodes run i, in the order of ordinals. Nothing in it refers to the
// index's bytes.
func (x Index) Run(i int) (Run, error) {
	r, _, err := x.decode(i)
	return r, err
}

// Find decodes the run of a stream, if the file has one.
func (x Index) Find(ordinal uint32) (Run, bool, error) {
	i := sort.Search(x.runs, func(i int) bool { return x.ordinal(i) >= ordinal })
	if i == x.runs || x.ordinal(i) != ordinal {
		return Run{}, false, nil
	}
	r, err := x.Run(i)
	return r, err == nil, err
}

// decode also returns where the bodies go on behind run i.
func (x Index) decode(i int) (Run, int, error) {
	from, end := uint64(x.body(i)), uint64(len(x.b)-sumBytes)
	if from < uint64(indexHeaderBytes+x.runs*dirEntryBytes) || from > end {
		return Run{}, 0, ErrDamaged
	}
	d := fields{b: x.b[from:end]}
	flags := d.uvarint(math.MaxUint8)
	r := Run{Ordinal: x.ordinal(i), First: d.uvarint(math.MaxUint64), Restarted: flags&runRestarted != 0}
	r.Last = r.First + d.uvarint(maxRunSpan)
	r.Before, r.After = d.take(MaxStateBytes), d.take(MaxStateBytes)
	n := d.uvarint(uint64(len(d.b) / minExtentBytes))
	if d.bad || flags&^runRestarted != 0 {
		return Run{}, 0, ErrDamaged
	}
	r.Before, r.After = slices.Clone(r.Before), slices.Clone(r.After)
	r.Extents = make([]Extent, n)
	at, first, newest := int64(0), r.First, int64(0)
	for i := range r.Extents {
		e := &r.Extents[i]
		e.Off = at + int64(d.uvarint(MaxFileBytes/FrameAlign))*FrameAlign
		e.Len = int64(d.uvarint(MaxFileBytes/FrameAlign)) * FrameAlign
		e.First = first + d.uvarint(maxRunSpan)
		e.Newest = newest + unzigzag(d.uvarint(math.MaxUint64))
		at, first, newest = e.Off+e.Len, e.First, e.Newest
	}
	if d.bad || !r.valid() {
		return Run{}, 0, ErrDamaged
	}
	return r, len(x.b) - sumBytes - len(d.b), nil
}

// DecodeIndex decodes all runs of b, a whole index.
func DecodeIndex(b []byte) ([]Run, error) {
	x, err := OpenIndex(b)
	if err != nil {
		return nil, err
	}
	runs := make([]Run, 0, x.runs)
	next, last := indexHeaderBytes+x.runs*dirEntryBytes, int64(-1)
	for i := range x.runs {
		if int64(x.body(i)) != int64(next) || int64(x.ordinal(i)) <= last {
			return nil, ErrDamaged
		}
		r, end, err := x.decode(i)
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
		next, last = end, int64(r.Ordinal)
	}
	if rest := b[next : len(b)-sumBytes]; len(rest) >= FrameAlign || !allZero(rest) {
		return nil, ErrDamaged
	}
	return runs, nil
}

// FindRun finds the run of one stream in b, a whole index, of which it decodes
// nothing else. It verifies all of b each time: see OpenIndex for many finds.
func FindRun(b []byte, ordinal uint32) (Run, bool, error) {
	x, err := OpenIndex(b)
	if err != nil {
		return Run{}, false, err
	}
	return x.Find(ordinal)
}

// fields takes fields off the front of b until one is bad.
type fields struct {
	b   []byte
	bad bool
}

// uvarint is a number of at most limit in its shortest form.
func (d *fields) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > limit || n > 1 && d.b[n-1] == 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

// unzigzag is the inverse of how binary.AppendVarint makes a number unsigned.
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// take is a length of at most limit and so many bytes.
func (d *fields) take(limit uint64) []byte {
	n := d.uvarint(limit)
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}
