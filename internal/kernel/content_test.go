package kernel

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// batchID names a batch for good: the life it was sent in, the client that sent it, and a count. Everything else about
// the batch follows from it, so that a record can be told from a stranger without a list of all that was ever sent.
type batchID uint64

const (
	countBits  = 28
	clientBits = 8
)

func newBatchID(life uint64, client int, count uint64) batchID {
	return batchID(life<<(clientBits+countBits) | uint64(client)<<countBits | count)
}

func (id batchID) String() string {
	return fmt.Sprintf("life %d client %d batch %d", id>>(clientBits+countBits), id>>countBits&(1<<clientBits-1), id&(1<<countBits-1))
}

// random is a small generator whose sequence is the same for ever.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *random) below(n int) int { return int(r.next() % uint64(n)) }

func (r *random) oneIn(n int) bool { return r.below(n) == 0 }

const (
	nameBytes    = 16       // of a record that begins with its batch and its place in it
	maxPayload   = 10 << 10 // of a batch, after which its records are short
	maxBatchSize = 40
)

// lengths are the lengths of the batch's records. The first is always long enough to name the batch.
func (id batchID) lengths() []int {
	r := random(id)
	n := 1
	switch {
	case r.oneIn(10):
		n = 1 + r.below(maxBatchSize)
	case r.oneIn(3):
		n = 2 + r.below(7)
	}
	lengths := make([]int, n)
	total := 0
	for i := range lengths {
		switch {
		case i > 0 && r.oneIn(10): // empty
		case total > maxPayload:
			lengths[i] = nameBytes
		case r.oneIn(15):
			lengths[i] = 1200 + r.below(4800)
		case r.oneIn(4):
			lengths[i] = 200 + r.below(1000)
		case i > 0 && r.oneIn(4):
			lengths[i] = r.below(nameBytes)
		default:
			lengths[i] = nameBytes + r.below(185)
		}
		total += lengths[i]
	}
	return lengths
}

func (id batchID) records() [][]byte {
	lengths := id.lengths()
	recs := make([][]byte, len(lengths))
	for i, n := range lengths {
		recs[i] = id.record(i, n)
	}
	return recs
}

func (id batchID) record(index, length int) []byte {
	b := make([]byte, 0, length+nameBytes)
	if length >= nameBytes {
		b = binary.BigEndian.AppendUint64(b, uint64(id))
		b = binary.BigEndian.AppendUint64(b, uint64(index))
	}
	r := random(uint64(id)*31 + uint64(index))
	for len(b) < length {
		b = binary.LittleEndian.AppendUint64(b, r.next())
	}
	return b[:length]
}

// named reads what a record of at least nameBytes says about itself.
func named(data []byte) (id batchID, index uint64, ok bool) {
	if len(data) < nameBytes {
		return 0, 0, false
	}
	return batchID(binary.BigEndian.Uint64(data)), binary.BigEndian.Uint64(data[8:]), true
}

// follower checks the records of one stream as they come, without knowing what was sent: each must be the successor of
// the one before in the same batch, or the first of another.
type follower struct {
	recs  [][]byte // of the present batch; nil while it is not known
	index int
}

func (f *follower) see(data []byte) error {
	if f.recs == nil || f.index == len(f.recs) {
		id, index, ok := named(data)
		switch {
		case f.recs == nil && (!ok || index > maxBatchSize):
			return nil // in the middle of a batch that was trimmed
		case !ok || f.recs != nil && index != 0:
			return fmt.Errorf("%d bytes where a batch should begin", len(data))
		}
		f.recs, f.index = id.records(), int(index)
		if f.index >= len(f.recs) {
			return fmt.Errorf("record %d of %v, which has %d", index, id, len(f.recs))
		}
	}
	want := f.recs[f.index]
	f.index++
	if !bytes.Equal(want, data) {
		return fmt.Errorf("%d bytes instead of the %d of record %d of its batch", len(data), len(want), f.index-1)
	}
	return nil
}
