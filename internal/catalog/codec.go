package catalog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

var (
	// ErrMalformed says that the bytes are no decision or snapshot: they are damaged or foreign.
	ErrMalformed = errors.New("malformed")
	// ErrVersion says that the bytes were written by a newer version, or need a feature of one.
	ErrVersion = errors.New("written by a newer version")
	// ErrUnknownKind says that a decision is of a kind only a newer version knows. It is an ErrVersion.
	ErrUnknownKind = fmt.Errorf("decision of an unknown kind: %w", ErrVersion)
)

// Encode appends d, which must have passed Check.
func Encode(dst []byte, d Decision) []byte {
	dst = append(dst, d.kind(), decisionVersion)
	switch d := d.(type) {
	case Created:
		dst = binary.AppendUvarint(dst, uint64(d.Ordinal))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(d.TimeMs))
		dst = appendBytes(dst, d.Name)
		return appendBytes(dst, d.Options)
	case Deleted:
		dst = binary.AppendUvarint(dst, uint64(d.Ordinal))
		return binary.LittleEndian.AppendUint64(dst, uint64(d.TimeMs))
	case Trimmed:
		dst = binary.AppendUvarint(dst, uint64(d.Ordinal))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(d.TimeMs))
		return binary.AppendUvarint(dst, d.First)
	case Sealed:
		return appendSealed(dst, d)
	case Recycled:
		return appendRecycled(dst, d)
	default:
		panic(fmt.Sprintf("catalog: %T is not a decision", d))
	}
}

func appendSealed(dst []byte, d Sealed) []byte {
	dst = binary.AppendUvarint(dst, d.File)
	dst = binary.AppendUvarint(dst, uint64(d.DataEnd))
	dst = binary.AppendUvarint(dst, uint64(d.Size))
	dst = binary.LittleEndian.AppendUint64(dst, d.Checksum)
	dst = append(dst, d.IndexHash[:]...)
	dst = binary.AppendUvarint(dst, uint64(len(d.Runs)))
	before, newest := uint32(0), int64(0)
	for _, r := range d.Runs {
		step := uint64(r.Ordinal-before) << 1
		if r.Gap {
			step |= 1
		}
		dst = binary.AppendUvarint(dst, step)
		dst = binary.AppendUvarint(dst, r.First)
		dst = binary.AppendUvarint(dst, r.Last-r.First)
		dst = binary.AppendVarint(dst, r.Newest-newest)
		before, newest = r.Ordinal, r.Newest
	}
	return dst
}

func appendRecycled(dst []byte, d Recycled) []byte {
	dst = binary.AppendUvarint(dst, d.File)
	dst = binary.AppendUvarint(dst, uint64(len(d.States)))
	before := uint32(0)
	for _, st := range d.States {
		dst = binary.AppendUvarint(dst, uint64(st.Ordinal-before))
		dst = binary.AppendUvarint(dst, st.Last)
		dst = appendBytes(dst, st.State)
		before = st.Ordinal
	}
	return dst
}

func appendBytes[T string | []byte](dst []byte, b T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

// Decode is the inverse of Encode. The decision keeps nothing of b. Whether it may be applied is for
// Check to say; the error is ErrMalformed, ErrVersion or ErrUnknownKind.
func Decode(b []byte) (Decision, error) {
	if len(b) < decisionHeader || b[0] == 0 || b[1] == 0 {
		return nil, fmt.Errorf("decision: %w: no header", ErrMalformed)
	}
	if b[0] > kindRecycled {
		return nil, fmt.Errorf("%w: %d", ErrUnknownKind, b[0])
	}
	if b[1] != decisionVersion {
		return nil, fmt.Errorf("decision of version %d: %w", b[1], ErrVersion)
	}
	r := &reader{rest: b[decisionHeader:]}
	d := r.decision(b[0])
	if len(r.rest) > 0 {
		r.fail("bytes behind the end")
	}
	if r.err != nil {
		return nil, fmt.Errorf("decision of kind %d: %w", b[0], r.err)
	}
	return d, nil
}

// reader takes values from the front of rest. After the first value that is not there or not valid it
// stays failed and returns zeros.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail(why string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrMalformed, why)
	}
	r.rest = nil
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || n > 1 && r.rest[n-1] == 0 {
		r.fail("not a number")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// upTo returns a number that is at most limit.
func (r *reader) upTo(limit uint64) uint64 {
	v := r.uvarint()
	if v > limit {
		r.fail("number out of range")
		return 0
	}
	return v
}

// take returns the next n bytes of the input itself, or nil.
func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.fail("it ends too early")
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	b := r.take(1)
	if b == nil {
		return 0
	}
	return b[0]
}

func (r *reader) fixed64() uint64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

// bytes returns the next byte string of the input itself, of at most limit bytes.
func (r *reader) bytes(limit int) []byte {
	return r.take(int(r.upTo(uint64(limit))))
}

// count returns a number of elements, of which each takes at least size bytes of what is left.
func (r *reader) count(size int) int {
	return int(r.upTo(uint64(len(r.rest) / size)))
}

// ordinal returns the one that lies a step behind before.
func (r *reader) ordinal(before uint32, step uint64) uint32 {
	if step == 0 || step > math.MaxUint32-uint64(before) {
		r.fail("ordinals out of order")
		return 0
	}
	return before + uint32(step)
}

func (r *reader) decision(kind byte) Decision {
	switch kind {
	case kindCreated:
		return Created{
			Ordinal: uint32(r.upTo(math.MaxUint32)),
			TimeMs:  int64(r.fixed64()),
			Name:    string(r.bytes(MaxName)),
			Options: cloneBytes(r.bytes(MaxOptions)),
		}
	case kindDeleted:
		return Deleted{Ordinal: uint32(r.upTo(math.MaxUint32)), TimeMs: int64(r.fixed64())}
	case kindTrimmed:
		return Trimmed{
			Ordinal: uint32(r.upTo(math.MaxUint32)),
			TimeMs:  int64(r.fixed64()),
			First:   r.uvarint(),
		}
	case kindSealed:
		return r.sealed()
	default:
		return r.recycled()
	}
}

func (r *reader) sealed() Sealed {
	d := Sealed{
		File:     r.uvarint(),
		DataEnd:  int64(r.upTo(math.MaxInt64)),
		Size:     int64(r.upTo(math.MaxInt64)),
		Checksum: r.fixed64(),
	}
	copy(d.IndexHash[:], r.take(len(d.IndexHash)))
	n := r.count(minRun)
	if n == 0 {
		return d
	}
	d.Runs = make([]Run, 0, n)
	before, newest := uint32(0), int64(0)
	for range n {
		step := r.uvarint()
		run := Run{Ordinal: r.ordinal(before, step>>1), Gap: step&1 == 1, First: r.uvarint()}
		run.Last = run.First + r.upTo(math.MaxUint64-run.First)
		run.Newest = newest + unzigzag(r.uvarint())
		if r.err != nil {
			return d
		}
		d.Runs = append(d.Runs, run)
		before, newest = run.Ordinal, run.Newest
	}
	return d
}

// unzigzag is the inverse of how binary.AppendVarint makes a number unsigned.
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

func (r *reader) recycled() Recycled {
	d := Recycled{File: r.uvarint()}
	n := r.count(minState)
	if n == 0 {
		return d
	}
	d.States = make([]State, 0, n)
	before := uint32(0)
	for range n {
		st := State{Ordinal: r.ordinal(before, r.uvarint()), Last: r.uvarint()}
		st.State = cloneBytes(r.bytes(MaxState))
		if r.err != nil {
			return d
		}
		d.States = append(d.States, st)
		before = st.Ordinal
	}
	return d
}
