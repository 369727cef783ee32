package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/aof2/aof/internal/catalog"
	"github.com/aof2/aof/internal/fsys/memfs"
	"github.com/aof2/aof/internal/journal"
)

// An illegal decision, and one that the journal refuses, leave no trace.
func TestARefusedDecisionHasNoEffect(t *testing.T) {
	s := open(t, memfs.New(1))
	s.create("a")
	called := false
	hooks := Hooks{
		Locked:   func() { called = true },
		Accepted: func(catalog.Decision, journal.Ticket) { called = true },
		Durable:  func() { called = true },
	}
	refused := func(what string, d catalog.Decision, err error) {
		t.Helper()
		_, got := s.ledger.Decide(func(*catalog.Catalog) (catalog.Decision, error) { return d, err }, hooks)
		if got == nil || called {
			t.Errorf("%s: error %v, a hook was called: %v", what, got, called)
		}
		s.ledger.Read(func(c *catalog.Catalog) {
			if c.LastSeq() != 1 || c.Len() != 1 {
				t.Errorf("%s: %d decisions, %d streams", what, c.LastSeq(), c.Len())
			}
		})
		if _, _, next := s.j.Bounds(s.j.Lane(0)); next != 2 {
			t.Errorf("%s: the journal goes on with decision %d", what, next)
		}
	}
	refused("a name that is taken", catalog.Created{Ordinal: 2, Name: "a"}, nil)
	refused("no such stream", catalog.Deleted{Ordinal: 7}, nil)
	refused("nothing to decide", nil, errors.New("no"))
	s.mem.SetHook(func(op *memfs.Op) error {
		if op.Kind == memfs.OpSync {
			return memfs.ErrIO
		}
		return nil
	})
	ticket, err := s.ledger.Decide(func(*catalog.Catalog) (catalog.Decision, error) {
		return catalog.Created{Ordinal: 2, Name: "b"}, nil
	}, Hooks{Durable: func() { t.Error("a decision that failed is durable") }})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.j.WaitDone(ticket); !errors.Is(err, journal.ErrReadOnly) {
		t.Errorf("a decision that no file took: %v", err)
	}
	s.ledger.Read(func(c *catalog.Catalog) {
		if c.LastSeq() != 2 {
			t.Errorf("%d decisions were accepted", c.LastSeq())
		}
	})
	_, err = s.ledger.Decide(func(*catalog.Catalog) (catalog.Decision, error) {
		return catalog.Created{Ordinal: 3, Name: "c"}, nil
	}, Hooks{})
	if !errors.Is(err, journal.ErrReadOnly) {
		t.Errorf("a decision in a read-only journal: %v", err)
	}
}

// Hooks run in their order: accepted and numbered, then durable, then told.
func TestHooksRunInTheirOrder(t *testing.T) {
	s := open(t, memfs.New(1))
	s.create("a")
	var order []string
	ticket, err := s.ledger.Decide(func(c *catalog.Catalog) (catalog.Decision, error) {
		order = append(order, "made")
		return catalog.Trimmed{Ordinal: 1, First: 2}, nil
	}, Hooks{
		Locked:   func() { order = append(order, "locked") },
		Accepted: func(_ catalog.Decision, k journal.Ticket) { order = append(order, fmt.Sprint("accepted ", k.First)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.j.WaitDone(ticket); err != nil {
		t.Fatal(err)
	}
	durable := false
	ticket, err = s.ledger.Decide(func(c *catalog.Catalog) (catalog.Decision, error) {
		return catalog.Trimmed{Ordinal: 1, First: 3}, nil
	}, Hooks{Durable: func() { durable = true }})
	if err = errors.Join(err, s.j.WaitDone(ticket)); err != nil || !durable {
		t.Errorf("durable %v, %v", durable, err)
	}
	if want := []string{"made", "locked", "accepted 2"}; !slices.Equal(order, want) {
		t.Errorf("order %q, want %q", order, want)
	}
}

// The catalog's order is the journal's, whoever decides.
func TestDecisionsOfManyAreFoldedInTheJournalsOrder(t *testing.T) {
	s := open(t, memfs.New(1))
	s.create("first")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for k := range 10 {
				ticket, err := s.ledger.Decide(func(c *catalog.Catalog) (catalog.Decision, error) {
					return catalog.Created{Ordinal: c.NextOrdinal(), Name: fmt.Sprint(i, " ", k)}, nil
				}, Hooks{})
				if err == nil {
					err = s.j.WaitDone(ticket)
				}
				if err != nil && !isBlocked(err) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	list := func(s *store) (names []string) {
		s.ledger.Read(func(c *catalog.Catalog) {
			for k := range c.Streams() {
				names = append(names, fmt.Sprint(k.Ordinal, k.Name))
			}
		})
		return names
	}
	want := list(s)
	s = open(t, s.kill())
	if got := list(s); !slices.Equal(got, want) || len(s.found.Damage) > 0 {
		t.Errorf("the next life knows %q, this one %q", got, want)
	}
}
