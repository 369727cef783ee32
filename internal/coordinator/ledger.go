package coordinator

import (
	"fmt"
	"sync"

	"github.com/aof2/aof/internal/catalog"
	"github.com/aof2/aof/internal/journal"
)

// Ledger is the catalog together with the journal that its decisions travel in.
// A decision is checked, given its place in the journal and folded in one step,
// so the catalog's order is the journal's. What it shows has been accepted; what
// must be durable first waits for the decision's ticket.
type Ledger struct {
	mu struct { // taken before the journal's own mutex
		sync.Mutex
		catalog *catalog.Catalog
		journal *journal.Journal
	}
}

// Decision is told to the ledger by the journal's recovery.
func (l *Ledger) Decision(seq uint64, payload []byte) error {
	d, err := catalog.Decode(payload)
	if err != nil {
		return err
	}
	return l.mu.catalog.Apply(seq, d)
}

// Next is the seq behind the last sealed record of a stream.
func (l *Ledger) Next(ordinal uint32) (uint64, bool) {
	s, ok := l.mu.catalog.ByOrdinal(ordinal)
	return s.SealedNext, ok
}

// Gone reports whether a stream was made and deleted; it may be forgotten since.
func (l *Ledger) Gone(ordinal uint32) bool {
	s, known := l.mu.catalog.ByOrdinal(ordinal)
	return s.Deleted || !known && ordinal < l.mu.catalog.NextOrdinal()
}

// NewLedger returns a ledger that begins with c.
func NewLedger(c *catalog.Catalog) *Ledger {
	l := &Ledger{}
	l.mu.catalog = c
	return l
}

// Bind gives the ledger its journal, once that has recovered.
func (l *Ledger) Bind(j *journal.Journal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.journal = j
}

// Hooks are told what becomes of a decision; each function may be nil.
type Hooks struct {
	Background bool // nobody waits for it: see journal.TryDecide

	Locked   func()                                     // in the step that accepts it, under the journal's mutex
	Accepted func(d catalog.Decision, t journal.Ticket) // under the ledger's mutex, before anybody else sees it
	Durable  func()                                     // once it is durable, before those who wait are told
}

// Decide accepts a decision or refuses it without effect: *catalog.IllegalError
// when it contradicts what was decided, else what journal.TryDecide says. build
// makes the decision from the catalog as it stands.
func (l *Ledger) Decide(build func(*catalog.Catalog) (catalog.Decision, error), h Hooks) (journal.Ticket, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, err := build(l.mu.catalog)
	if err != nil {
		return journal.Ticket{}, err
	}
	if err := l.mu.catalog.Check(d); err != nil {
		return journal.Ticket{}, err
	}
	t, err := l.mu.journal.TryDecide(catalog.Encode(nil, d), h.Background, h.Locked, h.Durable)
	if err != nil {
		return journal.Ticket{}, err
	}
	if err := l.mu.catalog.Apply(t.First, d); err != nil {
		panic(fmt.Sprintf("coordinator: an accepted decision does not fold: %v", err))
	}
	if h.Accepted != nil {
		h.Accepted(d, t)
	}
	return t, nil
}

// Read calls f with the catalog as it stands. f must be short and keep nothing
// that it is not told it may keep.
func (l *Ledger) Read(f func(*catalog.Catalog)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l.mu.catalog)
}

// Freeze returns a copy of the catalog and where in the journal it stands.
func (l *Ledger) Freeze() (*catalog.Catalog, catalog.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	file, epoch := l.mu.journal.Place()
	return l.mu.catalog.Clone(), catalog.Position{Seq: l.mu.catalog.LastSeq(), File: file, Epoch: epoch}
}
