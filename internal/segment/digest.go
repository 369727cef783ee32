package segment

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
)

// Digester computes a stream's digest as records are added in the order of
// their seqs.
type Digester struct {
	sum  hash.Hash
	head [canonicalBytes]byte
}

// NewDigester continues from a state that State returned, or from the beginning
// of a stream when before is empty.
func NewDigester(before []byte) (*Digester, error) {
	d := &Digester{sum: sha256.New()}
	if len(before) == 0 {
		return d, nil
	}
	if len(before) > MaxStateBytes {
		return nil, fmt.Errorf("digest state of %d bytes: %w", len(before), ErrDamaged)
	}
	if err := d.sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(before); err != nil {
		return nil, fmt.Errorf("digest state: %w: %w", ErrDamaged, err)
	}
	return d, nil
}

// Add adds the next record: its time, its attributes and its payload.
func (d *Digester) Add(r Record) {
	n := uint64(len(r.Attrs)) + uint64(len(r.Payload))
	if n > math.MaxUint32 {
		panic("segment: a record whose length has no place in a digest")
	}
	binary.LittleEndian.PutUint64(d.head[0:], uint64(r.TimeMs))
	binary.LittleEndian.PutUint32(d.head[8:], uint32(n))
	binary.LittleEndian.PutUint32(d.head[12:], uint32(len(r.Attrs)))
	d.sum.Write(d.head[:]) // a hash's Write returns no error
	if len(r.Attrs) > 0 {
		d.sum.Write(r.Attrs)
	}
	d.sum.Write(r.Payload)
}

// State is the digest's state behind the last record added: what another
// Digester continues from, and what Digest makes the digest of.
func (d *Digester) State() []byte {
	state, err := d.sum.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil || len(state) > MaxStateBytes {
		panic(fmt.Sprintf("segment: digest state of %d bytes: %v", len(state), err))
	}
	return state
}

// Digest is the digest of a stream up to where a Digester had this state. The
// empty state is that of no records.
func Digest(state []byte) ([32]byte, error) {
	d, err := NewDigester(state)
	if err != nil {
		return [32]byte{}, err
	}
	return [32]byte(d.sum.Sum(nil)), nil
}
