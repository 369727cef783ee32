package coordinator

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/aof2/aof/internal/catalog"
	"github.com/aof2/aof/internal/fsys/memfs"
	"github.com/aof2/aof/internal/journal"
)

// accept has a decision accepted and does not wait for it.
func (s *store) accept(h Hooks, build func(*catalog.Catalog) catalog.Decision) journal.Ticket {
	s.t.Helper()
	t, err := s.ledger.Decide(func(c *catalog.Catalog) (catalog.Decision, error) { return build(c), nil }, h)
	if err != nil {
		s.t.Fatal(err)
	}
	return t
}

// A snapshot speaks of one moment. While it waits for its decisions another one is
// accepted, and the file in which it begins is sealed: it must be neither ahead of
// the decision it names, nor begin in a later file than its catalog knows of.
func TestASnapshotSpeaksOfOneMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, memfs.New(1))
		l := s.create("first") // decision 1
		s.append(l, "one")
		s.roll()
		s.append(l, "two")
		rolled := s.j.Rolled()
		sealed, err := s.j.Seal(rolled, s.c.carried, func() {})
		if err != nil {
			t.Fatal(err)
		}
		block := make(chan struct{})
		s.mem.SetHook(func(op *memfs.Op) error {
			if op.Kind == memfs.OpSync {
				<-block
			}
			return nil
		})
		created := func(name string) func(c *catalog.Catalog) catalog.Decision {
			return func(c *catalog.Catalog) catalog.Decision {
				return catalog.Created{Ordinal: c.NextOrdinal(), Name: name, TimeMs: 1}
			}
		}
		s.accept(Hooks{}, created("second")) // its sync does not return
		synctest.Wait()
		s.accept(Hooks{}, created("third")) // decision 3, in the next round
		done := make(chan error, 1)
		go func() { done <- s.c.snapshot() }()
		synctest.Wait()
		// Decision 4 becomes durable with decision 3: who waits for that one is told
		// after the file counts as sealed.
		last := s.accept(Hooks{Durable: func() { s.j.SealDecided(sealed) }}, func(*catalog.Catalog) catalog.Decision {
			d := catalog.Sealed{File: rolled.ID, DataEnd: sealed.DataEnd, Size: sealed.Size, Checksum: sealed.Checksum, IndexHash: sealed.IndexHash}
			for _, r := range sealed.Runs {
				d.Runs = append(d.Runs, catalog.Run{Ordinal: r.Ordinal, First: r.First, Last: r.Last})
			}
			return d
		})
		close(block)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if err := s.j.WaitDone(last); err != nil {
			t.Fatal(err)
		}
		if file, _ := s.j.Place(); file == rolled.ID {
			t.Fatal("the file does not count as sealed")
		}

		good, problems, err := LoadSnapshots(s.mem)
		if err != nil || len(problems) > 0 || len(good) != 1 {
			t.Fatalf("%d good, %q, %v", len(good), problems, err)
		}
		if p := good[0].Position; p.Seq != 3 || p.File != rolled.ID || p.Epoch != 1 {
			t.Errorf("the snapshot is of %+v", p)
		}
		if want := SnapshotDir + "/0000000000000003-0001"; good[0].Name != want {
			t.Errorf("it is called %s, want %s", good[0].Name, want)
		}
		if c := good[0].Catalog; c.LastSeq() != 3 || c.Len() != 3 {
			t.Errorf("it holds %d decisions and %d streams", c.LastSeq(), c.Len())
		}
		s = open(t, s.kill())
		if len(s.found.Damage) > 0 || s.found.ReadOnly != nil || s.found.Replayed != 1 {
			t.Errorf("the next life finds %+v", s.found)
		}
		if got, err := s.read(s.j.Lane(1)); err != nil || !slices.Equal(got, []string{"one", "two"}) {
			t.Errorf("the next life reads %q, %v", got, err)
		}
		s.end()
	})
}
