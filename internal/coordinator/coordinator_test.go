package coordinator

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aof2/aof/internal/catalog"
	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/fsys/memfs"
	"github.com/aof2/aof/internal/journal"
)

// want compares what was done since the last time.
func (s *store) want(what string, want ...string) {
	s.t.Helper()
	if got := s.done(); !slices.Equal(got, want) {
		s.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// From the first append to a file that is used again, one step after the other.
func TestTheLifeOfAFile(t *testing.T) {
	s := open(t, memfs.New(1))
	s.settle()
	s.want("nobody appends")
	l := s.create("a")
	s.want("the first decision", "prepared 1")
	s.settle()
	s.want("a file is taken", "prepared 2", "prepared 3")
	s.append(l, "one")
	s.settle()
	s.want("an append")
	s.roll()
	s.want("the end of a file", "rolled 1")
	s.settle()
	s.want("a complete file", "prepared 4", "sealed 1", "snapshot")
	s.append(l, "two")
	s.trim(l, 2)
	s.settle()
	s.want("nothing is left in file 1", "snapshot", "recycled 1")
	s.ledger.Read(func(c *catalog.Catalog) {
		if _, ok := c.File(1); ok {
			t.Error("the catalog still knows file 1")
		}
	})
	s.roll()
	s.settle()
	s.want("the next file is the old one", "rolled 2", "prepared 5", "sealed 2")
	if st := s.j.Stats(); st.Reused != 1 {
		t.Errorf("%+v", st)
	}
	if got, want := s.names(journal.Dir), []string{"0000000000000002.aof", "0000000000000003.aof", "0000000000000004.aof", "0000000000000005.aof", "current"}; !slices.Equal(got, want) {
		t.Errorf("files %q", got)
	}
	s = open(t, s.kill())
	if len(s.found.Damage) > 0 || s.found.ReadOnly != nil {
		t.Errorf("the next life finds %+v, %v", s.found.Damage, s.found.ReadOnly)
	}
	if got, err := s.read(s.j.Lane(1)); err != nil || !slices.Equal(got, []string{"two"}) {
		t.Errorf("the next life reads %q, %v", got, err)
	}
}

// A snapshot between the end of a file and its seal must not begin behind it.
func TestASnapshotBeforeTheSeal(t *testing.T) {
	s := open(t, memfs.New(1))
	l := s.create("a")
	s.append(l, "one")
	s.roll()
	s.append(l, "two")
	for range 2 {
		if err := s.c.snapshot(); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, s.kill())
	if got, err := s.read(s.j.Lane(1)); err != nil || !slices.Equal(got, []string{"one", "two"}) {
		t.Fatalf("the next life reads %q, %v", got, err)
	}
	s.append(s.j.Lane(1), "three")
	s.settle()
	if got := s.done(); !slices.Contains(got, "sealed 1") {
		t.Errorf("file 1 is not sealed: %q", got)
	}
	s = open(t, s.kill())
	if got, err := s.read(s.j.Lane(1)); err != nil || !slices.Equal(got, []string{"one", "two", "three"}) {
		t.Errorf("the life after reads %q, %v", got, err)
	}
}

// The digest of a stream outlives the files that held its records.
func TestTheDigestOutlivesItsFile(t *testing.T) {
	s := open(t, memfs.New(1))
	l, other := s.create("a"), s.create("other")
	s.append(l, "one")
	s.append(other, "x")
	s.roll()
	s.append(other, "y")
	s.settle()
	want := s.j.StateAfter(1, l.Ordinal)
	s.trim(l, 2)
	s.trim(other, 2)
	s.settle()
	last, state := s.c.carried(l.Ordinal)
	if last != 1 || len(want) == 0 || !slices.Equal(state, want) {
		t.Errorf("the state at %d is %x, want %x", last, state, want)
	}
	s.append(l, "two")
	s = open(t, s.kill()) // another process seals what goes on with it
	s.append(s.j.Lane(l.Ordinal), "three")
	s.settle()
	for f := range s.j.Files() {
		_ = f
	}
	var first bool
	v := s.j.NewVerifier(nil)
	for _, f := range s.j.Files() {
		if f.State() == journal.StateSealed {
			first = true
			if err := v.File(context.Background(), f, func(int64) {}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !first || len(v.Damage) > 0 {
		t.Errorf("sealed %v, damage %+v", first, v.Damage)
	}
	s.ledger.Read(func(c *catalog.Catalog) {
		if k, _ := c.ByOrdinal(l.Ordinal); k.SealedNext != 3 {
			t.Errorf("sealed up to %d", k.SealedNext)
		}
	})
}

// started runs f against a store whose coordinator works.
func started(t *testing.T, f func(s *store)) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, memfs.New(1))
		s.c.Start()
		f(s)
		s.end()
	})
}

// insist tries until it is not refused any more; the coordinator works meanwhile.
func (s *store) insist(try func() (journal.Ticket, error)) error {
	for {
		ticket, err := try()
		var b *journal.BlockError
		if errors.As(err, &b) {
			<-b.Mark.Reached(b.Target)
			continue
		}
		if err != nil {
			return err
		}
		return s.j.WaitDone(ticket)
	}
}

func (s *store) insistAppend(l *journal.Lane, rec []byte) error {
	return s.insist(func() (journal.Ticket, error) {
		return s.j.TryAppend(l, journal.Batch{Records: [][]byte{rec}}, false, nil)
	})
}

func (s *store) insistCreate(name string) *journal.Lane {
	s.t.Helper()
	var d catalog.Created
	if err := s.insist(func() (journal.Ticket, error) {
		return s.ledger.Decide(func(c *catalog.Catalog) (catalog.Decision, error) {
			d = catalog.Created{Ordinal: c.NextOrdinal(), Name: name}
			return d, nil
		}, Hooks{})
	}); err != nil {
		s.t.Fatal(err)
	}
	return s.j.AddLane(d.Ordinal)
}

// Appends never hang: whatever they wait for, the coordinator does it.
func TestTheCoordinatorKeepsUp(t *testing.T) {
	started(t, func(s *store) {
		l := s.insistCreate("a")
		for i := range 100 {
			if err := s.insistAppend(l, make([]byte, 100+97*i%7000)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if f := s.j.Rolled(); f != nil {
			t.Errorf("file %d is not sealed", f.ID)
		}
		if s.j.Stats().BlockedRollover == 0 {
			t.Error("nothing ever had to wait")
		}
		if _, err := s.read(l); err != nil {
			t.Error(err)
		}
	})
}

// On a full disk everything comes to rest, and goes on when somebody asks and
// there is room again. A decision that has no room left does not make the
// coordinator ask for ever.
func TestAFullDiskComesToRest(t *testing.T) {
	started(t, func(s *store) {
		l := s.insistCreate("a")
		synctest.Wait()
		seals := make(chan struct{})
		s.mem.SetHook(func(op *memfs.Op) error {
			if op.Kind == memfs.OpTruncate && strings.HasSuffix(op.Name, "1.aof") {
				<-seals // so that the open file is full when the decision comes
			}
			return nil
		})
		for len(s.j.Files()) < 4 {
			if err := s.insistAppend(l, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			if len(s.j.Files()) == 3 {
				s.mem.SetFree(0)
				break
			}
		}
		var err error
		for err == nil {
			_, err = s.j.TryAppend(l, journal.Batch{Records: [][]byte{make([]byte, 50)}}, false, nil)
			var b *journal.BlockError
			if errors.As(err, &b) {
				synctest.Wait()
				close(seals)
				<-b.Mark.Reached(b.Target)
				_, err = s.j.TryAppend(l, journal.Batch{Records: [][]byte{make([]byte, 50)}}, false, nil)
			}
			synctest.Wait()
		}
		if !errors.Is(err, journal.ErrFull) {
			t.Fatalf("a full disk: %v", err)
		}
		synctest.Wait() // returns only when nobody does anything any more
		s.mem.SetFree(-1)
		_, _ = s.j.TryAppend(l, journal.Batch{Records: [][]byte{make([]byte, 50)}}, false, nil) // asks
		synctest.Wait()
		if err := s.insistAppend(l, make([]byte, 50)); err != nil {
			t.Errorf("there is room again: %v", err)
		}
		synctest.Wait()
		if f := s.j.Rolled(); f != nil {
			t.Errorf("file %d is not sealed", f.ID)
		}
	})
}

// When every seal fails, appends go on.
func TestAppendsGoOnWhenSealsFail(t *testing.T) {
	started(t, func(s *store) {
		l := s.insistCreate("a")
		s.mem.SetHook(func(op *memfs.Op) error {
			if op.Kind == memfs.OpTruncate && !strings.HasSuffix(op.Name, ".tmp") {
				return memfs.ErrIO
			}
			return nil
		})
		for range 60 {
			if err := s.insistAppend(l, make([]byte, 6000)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if !errors.Is(s.c.LastError(Seal), memfs.ErrIO) {
			t.Errorf("the seal met %v", s.c.LastError(Seal))
		}
		if got := s.done(); !slices.Contains(got, "seal failed") {
			t.Errorf("nobody was told: %q", got)
		}
		s.mem.SetHook(nil)
		if err := s.insistAppend(l, make([]byte, 9000)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if f := s.j.Rolled(); f != nil || s.c.LastError(Seal) != nil {
			t.Errorf("file %v is not sealed: %v", f, s.c.LastError(Seal))
		}
	})
}

// The action that fails is told once and tried again when something changes.
func TestAFailedActionWaitsForAChange(t *testing.T) {
	started(t, func(s *store) {
		l := s.insistCreate("a")
		if err := s.insistAppend(l, []byte("one")); err != nil {
			t.Fatal(err)
		}
		tries := 0
		s.mem.SetHook(func(op *memfs.Op) error {
			if op.Kind == memfs.OpWrite && strings.HasPrefix(op.Name, SnapshotDir) {
				tries++
				return fsys.ErrNoSpace
			}
			return nil
		})
		if err := s.insist(func() (journal.Ticket, error) {
			k, err := s.j.TryRoll()
			if k == nil {
				return journal.Ticket{}, err
			}
			return *k, err
		}); err != nil {
			t.Fatal(err)
		}
		if err := s.insist(func() (journal.Ticket, error) {
			return s.ledger.Decide(func(*catalog.Catalog) (catalog.Decision, error) {
				return catalog.Trimmed{Ordinal: 1, First: 2}, nil
			}, Hooks{Durable: func() { l.Trim(2) }})
		}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if tries == 0 || tries > 3 || !errors.Is(s.c.LastError(Snapshot), fsys.ErrNoSpace) {
			t.Errorf("%d attempts, %v", tries, s.c.LastError(Snapshot))
		}
	})
}

// Stop ends the coordinator wherever it is.
func TestStopAtAnyTime(t *testing.T) {
	for n := range 30 {
		synctest.Test(t, func(t *testing.T) {
			s := open(t, memfs.New(uint64(n)))
			s.c.Start()
			l := s.insistCreate("a")
			for range n {
				if _, err := s.j.TryAppend(l, journal.Batch{Records: [][]byte{make([]byte, 3000)}}, false, nil); err != nil {
					break
				}
			}
			s.c.Stop()
			if err := s.j.Close(context.Background()); err != nil {
				t.Error(err)
			}
			s.over = true
			<-s.c.Acted().Reached(1 << 60) // ended
			next := open(t, s.mem.Clone())
			if !next.found.Clean || len(next.found.Damage) > 0 {
				t.Errorf("the next life finds %+v", next.found)
			}
			next.end()
		})
	}
}
