package catalog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
)

// Position says where in the journal a snapshot stands.
type Position struct {
	Seq   uint64 // the last decision in the snapshot
	File  uint64 // the hot file that holds what follows it
	Epoch uint64
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// EncodeSnapshot appends the whole file that holds c. The position's Seq is c's LastSeq, whatever p
// says. Equal catalogs give equal bytes.
func EncodeSnapshot(dst []byte, c *Catalog, p Position, store [16]byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, bodyAt)...)
	dst = c.appendBody(dst)
	head := dst[start : start+bodyAt]
	copy(head, snapshotMagic)
	le := binary.LittleEndian
	le.PutUint16(head[versionAt:], snapshotVersion)
	le.PutUint32(head[offsetAt:], bodyAt)
	copy(head[storeAt:], store[:])
	le.PutUint64(head[seqAt:], c.lastSeq)
	le.PutUint64(head[fileAt:], p.File)
	le.PutUint64(head[epochAt:], p.Epoch)
	le.PutUint64(head[lengthAt:], uint64(len(dst)-start-bodyAt))
	return le.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

func (c *Catalog) appendBody(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(c.nextOrdinal))
	ordinals := make([]uint32, 0, c.streams.size)
	for ordinal := range c.streams.all() {
		ordinals = append(ordinals, ordinal)
	}
	slices.Sort(ordinals)
	dst = binary.AppendUvarint(dst, uint64(len(ordinals)))
	before := uint32(0)
	for _, ordinal := range ordinals {
		s, _ := c.streams.get(ordinal)
		dst = binary.AppendUvarint(dst, uint64(ordinal-before))
		dst = s.append(dst)
		before = ordinal
	}
	dst = binary.AppendUvarint(dst, uint64(len(c.order)))
	for _, id := range c.order {
		dst = appendSealed(dst, c.files[id].Sealed)
	}
	return dst
}

func (s *stream) append(dst []byte) []byte {
	flags := byte(0)
	if s.Deleted {
		flags |= flagDeleted
	}
	if s.CarriedLast > 0 {
		flags |= flagCarried
	}
	dst = append(dst, flags)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.CreatedMs))
	dst = appendBytes(dst, s.Name)
	dst = appendBytes(dst, s.Options)
	dst = binary.AppendUvarint(dst, s.First)
	dst = binary.AppendUvarint(dst, s.SealedNext)
	if s.CarriedLast > 0 {
		dst = appendBytes(dst, s.Carried)
	}
	return dst
}

// DecodeSnapshot is the inverse of EncodeSnapshot. The catalog keeps nothing of b. The error is
// ErrMalformed or ErrVersion.
func DecodeSnapshot(b []byte) (*Catalog, Position, [16]byte, error) {
	var p Position
	var store [16]byte
	if err := checkEnvelope(b); err != nil {
		return nil, p, store, fmt.Errorf("catalog snapshot: %w", err)
	}
	le := binary.LittleEndian
	copy(store[:], b[storeAt:])
	p = Position{Seq: le.Uint64(b[seqAt:]), File: le.Uint64(b[fileAt:]), Epoch: le.Uint64(b[epochAt:])}
	r := &reader{rest: b[bodyAt : len(b)-crcBytes]}
	c := New()
	c.lastSeq = p.Seq
	r.body(c)
	if len(r.rest) > 0 {
		r.fail("bytes behind the end")
	}
	if r.err != nil {
		return nil, Position{}, [16]byte{}, fmt.Errorf("catalog snapshot: %w", r.err)
	}
	return c, p, store, nil
}

// checkEnvelope judges what stands around the body. The CRC comes before the version: a flipped bit
// must not pass for a newer version.
func checkEnvelope(b []byte) error {
	if len(b) < bodyAt+crcBytes || string(b[:len(snapshotMagic)]) != snapshotMagic {
		return fmt.Errorf("%w: not a snapshot", ErrMalformed)
	}
	le := binary.LittleEndian
	end := len(b) - crcBytes
	if crc32.Checksum(b[:end], castagnoli) != le.Uint32(b[end:]) {
		return fmt.Errorf("%w: wrong checksum", ErrMalformed)
	}
	if v := le.Uint16(b[versionAt:]); v != snapshotVersion {
		return fmt.Errorf("version %d: %w", v, ErrVersion)
	}
	if bits := le.Uint32(b[requiredAt:]); bits != 0 {
		return fmt.Errorf("features %#x: %w", bits, ErrVersion)
	}
	if le.Uint16(b[reservedAt:]) != 0 || le.Uint32(b[offsetAt:]) != bodyAt ||
		le.Uint64(b[lengthAt:]) != uint64(end-bodyAt) {
		return fmt.Errorf("%w: wrong header", ErrMalformed)
	}
	return nil
}

func (r *reader) body(c *Catalog) {
	if c.nextOrdinal = uint32(r.upTo(math.MaxUint32)); c.nextOrdinal == 0 {
		r.fail("0 as the next ordinal")
	}
	before := uint32(0)
	for range r.count(minStream) {
		before = r.stream(c, before)
		if r.err != nil {
			return
		}
	}
	for range r.count(minSealed) {
		r.file(c)
		if r.err != nil {
			return
		}
	}
	for _, s := range c.streams.all() {
		if s.Deleted && len(s.Runs) == 0 {
			r.fail("a deleted stream that no file holds")
		}
	}
}

// stream reads one entry into c and returns its ordinal.
func (r *reader) stream(c *Catalog, before uint32) uint32 {
	s := &stream{owner: c.owner}
	s.Ordinal = r.ordinal(before, r.uvarint())
	flags := r.byte()
	s.Deleted = flags&flagDeleted != 0
	s.CreatedMs = int64(r.fixed64())
	s.Name = string(r.bytes(MaxName))
	s.Options = cloneBytes(r.bytes(MaxOptions))
	s.First, s.SealedNext = r.uvarint(), r.uvarint()
	if flags&flagCarried != 0 {
		s.Carried, s.CarriedLast = cloneBytes(r.bytes(MaxState)), s.SealedNext-1
	}
	if r.err != nil {
		return 0
	}
	if why := s.malformed(c, flags); why != "" {
		r.fail(why)
		return 0
	}
	c.words += len(s.Name) + len(s.Options)
	c.streams.set(c.owner, s.Ordinal, s)
	if !s.Deleted {
		c.names.set(c.owner, s.Name, s.Ordinal)
	}
	return s.Ordinal
}

// malformed says why s, just read, cannot be a stream of c.
func (s *stream) malformed(c *Catalog, flags byte) (why string) {
	_, taken := c.names.get(s.Name)
	switch {
	case flags&^(flagDeleted|flagCarried) != 0, flags == flagDeleted|flagCarried:
		return "unknown flags"
	case s.Ordinal >= c.nextOrdinal:
		return "a stream that was never created"
	case CheckName(s.Name) != "":
		return "an impossible name"
	case taken && !s.Deleted:
		return "two streams of one name"
	case s.First == 0 || s.SealedNext == 0:
		return "seq 0"
	case flags&flagCarried != 0 && (len(s.Carried) == 0 || s.CarriedLast == 0):
		return "an empty digest state"
	}
	return ""
}

// file reads one sealed file into c, and with it the runs of the streams that c has.
func (r *reader) file(c *Catalog) {
	f := &file{FileState: FileState{Sealed: r.sealed()}, owner: c.owner}
	if _, twice := c.files[f.File]; twice || f.File == 0 || f.DataEnd <= 0 || f.Size < f.DataEnd {
		r.fail("an impossible file")
		return
	}
	for _, run := range f.Runs {
		if run.malformed() != "" || run.Ordinal >= c.nextOrdinal {
			r.fail("an impossible run")
			return
		}
		s, ok := c.streams.get(run.Ordinal)
		if !ok {
			continue
		}
		if n := len(s.Runs); n > 0 && run.First <= s.Runs[n-1].Last || run.Last >= s.SealedNext {
			r.fail("runs of a stream out of order")
			return
		}
		s.Runs = append(s.Runs, FileRun{File: f.File, First: run.First, Last: run.Last, Newest: run.Newest})
		if s.live(run.Last) {
			f.LiveRuns++
		}
	}
	c.files[f.File] = f
	c.order = append(c.order, f.File)
	c.runs += len(f.Runs)
}
