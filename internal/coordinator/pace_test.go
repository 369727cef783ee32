package coordinator

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/aof2/aof/internal/fsys/memfs"
	"github.com/aof2/aof/internal/journal"
)

// paced calls pace and returns how long it waited, on a clock that stands still while anybody works.
func (s *store) paced() time.Duration {
	begun := time.Now()
	s.c.pace()
	return time.Since(begun)
}

// While rounds follow each other, hashing goes on with each of them; when none has ended for a moment, all at once.
func TestHashingGivesWayToAppends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, memfs.New(1))
		l := s.create("a")
		if waited := s.paced(); waited != calmAfter {
			t.Errorf("after the first rounds it waited for %v, want %v: nothing else was appended", waited, calmAfter)
		}
		for range 3 {
			if waited := s.paced(); waited != 0 {
				t.Errorf("it waited for %v though nothing was appended", waited)
			}
		}
		s.append(l, "a")
		released := make(chan time.Duration)
		go func() { released <- s.paced() }()
		synctest.Wait()
		s.append(l, "b")
		if waited := <-released; waited != 0 {
			t.Errorf("it waited for %v, not for the next round", waited)
		}
		s.end()
	})
}

// Too many files that wait for their seal are more urgent than appends.
func TestHashingDoesNotGiveWayForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, memfs.New(1))
		l := s.create("a")
		for rolled := range 14 {
			s.append(l, "a")
			s.paced()
			s.append(l, "b")
			if waited, want := s.paced(), calmAfter; rolled <= 12 && waited != want {
				t.Errorf("with %d files to seal it waited for %v, want %v", rolled, waited, want)
			} else if rolled > 12 && waited != 0 {
				t.Errorf("with %d files to seal it waited for %v", rolled, waited)
			}
			s.roll()
		}
		s.end()
	})
}

// A file that appends want is prepared though the seal is not done.
func TestAFileIsPreparedDuringASeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, memfs.New(1))
		l := s.create("a")
		s.append(l, "a")
		s.roll()
		s.append(l, "b")
		files := len(s.names(journal.Dir))
		s.paced()
		if n := len(s.names(journal.Dir)); n != files+1 {
			t.Errorf("there are %d files after pace, %d before", n, files)
		}
		s.end()
	})
}

// Stopping does not wait for a round.
func TestHashingEndsWithTheCoordinator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, memfs.New(1))
		l := s.create("a")
		s.append(l, "a")
		released := make(chan time.Duration)
		go func() { released <- s.paced() }()
		synctest.Wait()
		close(s.c.stop)
		if waited := <-released; waited != 0 {
			t.Errorf("it waited for %v", waited)
		}
		s.end()
	})
}
