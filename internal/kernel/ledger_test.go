package kernel

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
)

// ledger is what a writer has told: what must be in the store, what may be, and by that what must not.
type ledger struct {
	mu       sync.Mutex
	streams  map[string]*account
	flying   map[batchID]*flight // sent, and not known to be durable or refused
	problems []string            // what was wrong while the writer ran

	acked    int // records acknowledged so far, over all lives
	batches  int // batches acknowledged so far
	failures int // calls that failed and left nothing behind
	dead     int // batches acknowledged while the power was being cut
	counts   map[kind]int
	wentOn   int  // batches acknowledged in lives in which a file had been given up before
	gaveUp   bool // a file has been given up in this life
	cut      bool // the power is being cut: see noteDead
}

// account is one name and the incarnation of the stream that has it.
type account struct {
	inc    batchID // of the stream that was said to be there; 0 while none was
	doomed bool    // its deletion has been asked for
	wanted batchID // the incarnation whose creation has been asked for
	first  uint64  // where an acknowledged trim says that it begins
	trims  []uint64
	shown  uint64 // a reader was given everything up to here
	placed []placement
}

// placement is an acknowledged batch, or one that was found after a crash and so is there for good.
type placement struct {
	id    batchID
	first uint64
	count int
}

func (p placement) end() uint64 { return p.first + uint64(p.count) }

// flight is a batch on its way.
type flight struct {
	stream string
	inc    batchID
	at     uint64 // 0 while its place is not known
}

func newLedger() *ledger {
	return &ledger{streams: map[string]*account{}, flying: map[batchID]*flight{}, counts: map[kind]int{}}
}

// note takes one event.
func (l *ledger) note(e event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		l.noteDead(e)
		return
	}
	l.noteAlive(e)
}

// cutOff says that from now on answers promise nothing.
func (l *ledger) cutOff() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
}

func (l *ledger) noteAlive(e event) {
	l.counts[e.kind]++
	switch e.kind {
	case sending:
		l.flying[e.id] = &flight{stream: e.stream, inc: e.inc}
	case acked:
		n := len(e.id.lengths())
		l.acked += n
		l.batches++
		if l.gaveUp {
			l.wentOn++
		}
		l.place(e, n)
		delete(l.flying, e.id)
	case unclear:
		l.flying[e.id].at = e.seq
	case refused:
		delete(l.flying, e.id)
		l.failures++
	case failed:
		l.failures++
	case poisoned:
		l.gaveUp = true
	case wrong:
		l.problem("%s: a reader was given %s at %d", e.stream, e.text, e.seq)
	default:
		l.noteStream(e)
	}
}

// noteDead takes an event of a machine whose power is being cut: nobody hears an answer any more, so it promises
// nothing. (While ext4 is being shut down, fdatasync can return without an error and without an effect.)
func (l *ledger) noteDead(e event) {
	switch e.kind {
	case acked:
		e.kind = unclear
		l.noteAlive(e)
		l.dead++
	case sending, unclear, wrong, creating, deleting, trimming:
		l.noteAlive(e)
	}
}

// noteStream takes an event about a stream as a whole.
func (l *ledger) noteStream(e event) {
	a := l.streams[e.stream]
	if a == nil {
		a = &account{first: 1}
		l.streams[e.stream] = a
	}
	switch e.kind {
	case shown:
		if e.inc == a.inc {
			a.shown = max(a.shown, e.seq)
		}
	case creating:
		a.wanted = e.id
	case created:
		l.streams[e.stream] = &account{inc: e.id, first: 1}
	case deleting:
		a.doomed = true
	case deleted:
		l.streams[e.stream] = &account{first: 1}
	case trimming:
		a.trims = append(a.trims, e.seq)
	case trimmed:
		a.beginAt(e.seq)
	case undone:
		l.failures++
		switch kind(e.text[0]) {
		case creating:
			a.wanted = 0
		case deleting:
			a.doomed = false
		case trimming:
			a.trims = slices.DeleteFunc(a.trims, func(t uint64) bool { return t == e.seq })
		}
	}
}

func (l *ledger) problem(format string, args ...any) {
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

// place notes where an acknowledged batch lies.
func (l *ledger) place(e event, n int) {
	a := l.streams[e.stream]
	if a == nil || a.inc != e.inc {
		l.problem("%s: %v was acknowledged for a stream that nobody said was there", e.stream, e.id)
		return
	}
	if !a.insert(placement{e.id, e.seq, n}) {
		l.problem("%s: %v was acknowledged at %d, where another batch lies", e.stream, e.id, e.seq)
	}
}

func (a *account) insert(p placement) bool {
	i, _ := slices.BinarySearchFunc(a.placed, p.first, func(x placement, seq uint64) int { return cmp.Compare(x.first, seq) })
	if i < len(a.placed) && a.placed[i].first < p.end() || i > 0 && a.placed[i-1].end() > p.first {
		return false
	}
	a.placed = slices.Insert(a.placed, i, p)
	return true
}

// beginAt forgets what lies wholly before first.
func (a *account) beginAt(first uint64) {
	a.first = max(a.first, first)
	a.trims = slices.DeleteFunc(a.trims, func(t uint64) bool { return t <= a.first })
	a.placed = slices.DeleteFunc(a.placed, func(p placement) bool { return p.end() <= a.first })
}

// at is the batch that has record seq.
func (a *account) at(seq uint64) (placement, bool) {
	i, _ := slices.BinarySearchFunc(a.placed, seq, func(p placement, seq uint64) int { return cmp.Compare(p.end(), seq+1) })
	if i < len(a.placed) && a.placed[i].first <= seq {
		return a.placed[i], true
	}
	return placement{}, false
}

// durable is the last record that must be there.
func (a *account) durable() uint64 {
	d := max(a.shown, a.first-1)
	if n := len(a.placed); n > 0 {
		d = max(d, a.placed[n-1].end()-1)
	}
	return d
}

// mustHave counts the acknowledged records from first on.
func (a *account) mustHave(first uint64) (n int) {
	for _, p := range a.placed {
		if p.end() > first {
			n += int(p.end() - max(p.first, first))
		}
	}
	return n
}

// metadata is how an incarnation is known again on the disk.
func metadata(inc batchID) []byte { return binary.BigEndian.AppendUint64(nil, uint64(inc)) }

func incarnation(metadata []byte) batchID {
	if len(metadata) != 8 {
		return 0
	}
	return batchID(binary.BigEndian.Uint64(metadata))
}
