package sim

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Violation is a broken promise. Class stays the same while a failing case is
// made smaller; Detail is for people.
type Violation struct {
	Class  string
	Detail string
}

// Error implements error.
func (v *Violation) Error() string { return "sim: violation: " + v.Class + ": " + v.Detail }

func violation(class, format string, args ...any) *Violation {
	return &Violation{class, fmt.Sprintf(format, args...)}
}

// Oracle knows what every client sent and what it was told, and so what a
// store must have and what it may have.
type Oracle struct {
	mu     sync.Mutex
	names  map[string][]*stream // every incarnation that may exist, oldest first
	nextID uint64
	gone   map[uint64]string // batches that must never be seen again, and why
	round  uint64            // syncs of data files that succeeded so far
	broken *Violation        // the first promise broken towards a client
	kept   []*kept           // places that clients may come back to, oldest first
	met    map[string]int64  // what was judged, a name for each kind of answer
}

// stream is one incarnation of a name.
type stream struct {
	id       uint64
	name     string
	created  bool // a client was told that it exists, or it was recovered
	deleting bool // a client asked for it to be deleted
	placed   []*batch
	flying   []*batch // sent, sequence number not known yet, in order of sending
	durable  uint64   // every record up to here was acknowledged or shown
	first    uint64   // where an acknowledged trim says it starts
	trims    []uint64 // trims that were asked for and may have happened
	highest  uint64   // highest sequence number given in this life
}

// batch is records appended together.
type batch struct {
	id     uint64
	recs   [][]byte
	times  []int64     // 0 where not seen yet
	events []time.Time // the clients' own, nil for none
	expect uint64      // what its first record has to become, 0 when that is all the same
	first  uint64      // 0 while not known
	round  uint64      // of the acknowledgement; 0 while there is none
	lost   bool        // it was accepted and was not there after recovery
}

func (b *batch) end() uint64 { return b.first + uint64(len(b.recs)) }

// NewOracle returns the oracle of an empty disk.
func NewOracle() *Oracle {
	return &Oracle{names: make(map[string][]*stream), gone: make(map[uint64]string), met: make(map[string]int64)}
}

// Broken returns the first promise broken towards a client, or nil.
func (o *Oracle) Broken() *Violation {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.broken
}

func (o *Oracle) breach(v *Violation) {
	if o.broken == nil && v != nil {
		o.broken = v
	}
}

// Breach notes a promise broken towards a client.
func (o *Oracle) Breach(v *Violation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.breach(v)
}

// Synced notes that a data file was synced.
func (o *Oracle) Synced() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.round++
}

// Acknowledged returns how many records must be there.
func (o *Oracle) Acknowledged() (n uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, all := range o.names {
		for _, s := range all {
			if s.created && !s.deleting && s.durable >= s.first {
				n += s.durable + 1 - s.first
			}
		}
	}
	return n
}

// Creating notes that a client is about to create a stream, and returns it.
func (o *Oracle) Creating(name string) *stream {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.nextID++
	s := &stream{id: o.nextID, name: name, first: 1}
	o.names[name] = append(o.names[name], s)
	return s
}

// Closed notes that the store was closed without an error: everything it
// accepted is durable.
func (o *Oracle) Closed() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, all := range o.names {
		for _, s := range all {
			s.acknowledge(s.highest, o.round)
		}
	}
}

// meta is what identifies s on the disk.
func (s *stream) meta() []byte { return binary.LittleEndian.AppendUint64(nil, s.id) }

// Created notes the answer to a creation. A refusal with a reason that rules
// the creation out is a no.
func (o *Oracle) Created(s *stream, ok, refused bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case ok:
		for _, old := range o.names[s.name] {
			if old != s && old.created && !old.deleting {
				o.breach(violation("stream-twice", "%q was created while it exists", s.name))
			}
		}
		o.names[s.name] = []*stream{s}
		s.created = true
	case refused:
		o.drop(s)
	}
}

func (o *Oracle) drop(s *stream) {
	o.names[s.name] = slices.DeleteFunc(o.names[s.name], func(x *stream) bool { return x == s })
	for _, b := range slices.Concat(s.placed, s.flying) {
		o.gone[b.id] = fmt.Sprintf("stream %q was deleted", s.name)
	}
}

// Present returns the stream a client may use under a name, nil if there may
// be none.
func (o *Oracle) Present(name string) *stream {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range slices.Backward(o.names[name]) {
		if s.created && !s.deleting {
			return s
		}
	}
	return nil
}

// Deleting notes that a client is about to delete a stream.
func (o *Oracle) Deleting(s *stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.deleting = true
}

// Deleted notes that a deletion was acknowledged.
func (o *Oracle) Deleted(s *stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop(s)
}

// Sending makes the records of a batch with the given lengths and notes that
// a client is about to append them.
func (o *Oracle) Sending(s *stream, lengths []int) *batch {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.nextID++
	b := &batch{id: o.nextID, times: make([]int64, len(lengths))}
	for i, n := range lengths {
		b.recs = append(b.recs, content(b.id, i, n))
	}
	s.flying = append(s.flying, b)
	return b
}

// idBytes is how much of a record names its batch and its place in it. Shorter
// records are not unique.
const idBytes = 8

func content(id uint64, index, length int) []byte {
	b := make([]byte, max(length, idBytes))
	binary.LittleEndian.PutUint64(b, id<<16|uint64(index)&0xffff)
	x := id*0x9e3779b97f4a7c15 + uint64(index)
	for i := idBytes; i < length; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x >> 32)
	}
	return b[:length]
}

// Sent notes the answer to an append: seq 0 means that nothing happened.
func (o *Oracle) Sent(s *stream, b *batch, seq uint64, durable bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if seq == 0 {
		if b.first != 0 {
			o.breach(violation("refused-yet-there", "stream %q: batch %d was refused, and read as %d", s.name, b.id, b.first))
		}
		s.flying = slices.DeleteFunc(s.flying, func(x *batch) bool { return x == b })
		o.gone[b.id] = "its append was refused"
		return
	}
	if b.first == 0 {
		o.breach(s.place(b, seq))
	} else if b.first != seq {
		o.breach(violation("seq-changed", "stream %q: batch %d was read at %d and acknowledged at %d", s.name, b.id, b.first, seq))
	}
	if b.expect != 0 {
		o.met["append: as expected"]++
	}
	if durable {
		b.round = cmp.Or(b.round, o.round)
		s.durable = max(s.durable, b.end()-1)
	}
}

// place gives a flying batch its sequence number.
func (s *stream) place(b *batch, seq uint64) *Violation {
	s.flying = slices.DeleteFunc(s.flying, func(x *batch) bool { return x == b })
	b.first = seq
	if v := s.expected(b); v != nil {
		return v
	}
	i, _ := slices.BinarySearchFunc(s.placed, seq, func(x *batch, seq uint64) int { return cmp.Compare(x.first, seq) })
	if i < len(s.placed) && s.placed[i].first < b.end() || i > 0 && s.placed[i-1].end() > seq {
		return violation("seq-twice", "stream %q: %d to %d were given twice", s.name, seq, b.end()-1)
	}
	s.placed = slices.Insert(s.placed, i, b)
	s.highest = max(s.highest, b.end()-1)
	return nil
}

// Durable notes that a client was told that everything up to seq is durable.
func (o *Oracle) Durable(s *stream, seq uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.acknowledge(seq, o.round)
}

func (s *stream) acknowledge(seq, round uint64) {
	for _, b := range slices.Backward(s.placed) {
		if b.end() <= s.durable+1 {
			break
		}
		if b.end() <= seq+1 {
			b.round = cmp.Or(b.round, round)
		}
	}
	s.durable = max(s.durable, seq)
}

// Trimming notes that a client is about to trim.
func (o *Oracle) Trimming(s *stream, before uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if before > s.first {
		s.trims = append(s.trims, before)
	}
}

// Trimmed notes that a trim was acknowledged.
func (o *Oracle) Trimmed(s *stream, before uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.startAt(max(s.first, before))
}

// startAt forgets what lies before first.
func (s *stream) startAt(first uint64) {
	s.first = first
	s.durable = max(s.durable, first-1)
	s.trims = slices.DeleteFunc(s.trims, func(t uint64) bool { return t <= first })
	s.placed = slices.DeleteFunc(s.placed, func(b *batch) bool { return b.end() <= first })
}

// Shown notes that a reader was given a record, and checks it. What a reader
// was shown is durable.
func (o *Oracle) Shown(s *stream, r Record) *Violation {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.Seq < s.first {
		return nil // trimmed while it was read
	}
	b := s.at(r.Seq)
	if b == nil {
		var index uint64
		if b, index = s.match(r, nil); b == nil {
			return o.stranger(s, r)
		}
		if v := s.place(b, r.Seq-index); v != nil {
			return v
		}
	}
	if v := o.same(s, b, r); v != nil {
		return v
	}
	s.acknowledge(r.Seq, o.round)
	return nil
}

// Knows reports whether it is known in which batch record seq was sent.
func (o *Oracle) Knows(s *stream, seq uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return s.at(seq) != nil
}

// at returns the batch that has seq, or nil.
func (s *stream) at(seq uint64) *batch {
	i, _ := slices.BinarySearchFunc(s.placed, seq, func(b *batch, seq uint64) int { return cmp.Compare(b.end(), seq+1) })
	if i < len(s.placed) && s.placed[i].first <= seq {
		return s.placed[i]
	}
	return nil
}

// match returns a flying batch that has r and is not in taken, and where in
// it. The first record of a batch that may fly is long enough to be unique.
func (s *stream) match(r Record, taken []*batch) (*batch, uint64) {
	if len(r.Data) < idBytes {
		return nil, 0
	}
	key := binary.LittleEndian.Uint64(r.Data)
	for _, b := range s.flying {
		if i := key & 0xffff; b.id == key>>16 && i < uint64(len(b.recs)) && i < r.Seq && !slices.Contains(taken, b) {
			return b, i
		}
	}
	return nil, 0
}

// same compares a record with what was sent.
func (o *Oracle) same(s *stream, b *batch, r Record) *Violation {
	i := r.Seq - b.first
	if !bytes.Equal(b.recs[i], r.Data) {
		return violation("wrong-bytes", "stream %q, record %d: %s instead of record %d of batch %d (%d bytes)",
			s.name, r.Seq, o.describe(r.Data), i, b.id, len(b.recs[i]))
	}
	if v := s.event(b, r); v != nil {
		return v
	}
	if b.times[i] != 0 && r.TimeMs != 0 && b.times[i] != r.TimeMs {
		return violation("time-changed", "stream %q, record %d: time %d, before %d", s.name, r.Seq, r.TimeMs, b.times[i])
	}
	if b.round != 0 || r.Seq <= s.durable {
		b.times[i] = r.TimeMs
	}
	return nil
}

func (o *Oracle) stranger(s *stream, r Record) *Violation {
	return violation("stranger", "stream %q, record %d: nothing was sent there, but there is %s", s.name, r.Seq, o.describe(r.Data))
}

// describe says what is known about bytes that should not be there.
func (o *Oracle) describe(data []byte) string {
	if len(data) < idBytes {
		return fmt.Sprintf("%x", data)
	}
	key := binary.LittleEndian.Uint64(data)
	id := key >> 16
	if why, ok := o.gone[id]; ok {
		return fmt.Sprintf("record %d of batch %d (%s)", key&0xffff, id, why)
	}
	return fmt.Sprintf("%d bytes claiming to be record %d of batch %d", len(data), key&0xffff, id)
}
