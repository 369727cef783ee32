package sim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/aof2/aof/internal/fsys/memfs"
)

// schedule is where every file operation and every client call of a life
// parks until the root releases it.
type schedule struct {
	mu      sync.Mutex
	waiting []*turn
	active  int  // client calls under way
	clients int  // clients not done
	passing bool // nothing parks
	over    bool // the life is over: clients stop
}

// turn is somebody waiting to be released.
type turn struct {
	key    string
	op     *memfs.Op // nil for a client call
	client int
	order  int
	answer chan error
}

// hook parks a file operation. It is a memfs.Hook.
func (s *schedule) hook(op *memfs.Op) error {
	s.mu.Lock()
	if s.passing {
		s.mu.Unlock()
		return nil
	}
	t := s.park(&turn{key: op.String(), op: op})
	s.mu.Unlock()
	return <-t.answer
}

func (s *schedule) park(t *turn) *turn {
	t.answer = make(chan error, 1)
	t.order = len(s.waiting)
	s.waiting = append(s.waiting, t)
	return t
}

// start counts a client in.
func (s *schedule) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients++
	s.active++ // until it arrives for the first time
}

// arrive parks a client before a call. It returns false when the life is over.
func (s *schedule) arrive(client int, op Op) bool {
	s.mu.Lock()
	s.active--
	if s.over {
		s.mu.Unlock()
		return false
	}
	t := s.park(&turn{key: fmt.Sprintf("client %d: %s", client, op), client: client})
	s.mu.Unlock()
	return <-t.answer == nil
}

// leave counts a client out. It has arrived nowhere since its last call.
func (s *schedule) leave(arrived bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients--
	if !arrived {
		s.active--
	}
}

// state says what the root needs to know to go on.
func (s *schedule) state() (waiting, active, clients int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting), s.active, s.clients
}

// choose takes out one of those waiting. With step, no client call begins
// while one is under way. It returns nil if nobody can go on.
func (s *schedule) choose(rng *rand.Rand, step bool) *turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	ready := s.ready(step)
	if len(ready) == 0 {
		return nil
	}
	return s.take(ready[rng.IntN(len(ready))])
}

// find takes out the one of that key, nil if it is not waiting.
func (s *schedule) find(key string) *turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.ready(false) {
		if t.key == key {
			return s.take(t)
		}
	}
	return nil
}

func (s *schedule) ready(step bool) []*turn {
	var ready []*turn
	for _, t := range s.waiting {
		if t.op != nil || !step || s.active == 0 {
			ready = append(ready, t)
		}
	}
	slices.SortFunc(ready, func(a, b *turn) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.order, b.order)) })
	return ready
}

func (s *schedule) take(t *turn) *turn {
	s.waiting = slices.DeleteFunc(s.waiting, func(w *turn) bool { return w == t })
	if t.op == nil {
		s.active++
	}
	return t
}

// pass lets everything through from now on, or stops doing so.
func (s *schedule) pass(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passing = on
}

// end releases everybody: operations to fail on the dead disk, clients to
// stop.
func (s *schedule) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passing, s.over = true, true
	for _, t := range s.waiting {
		if t.op == nil {
			s.active++
		}
		t.answer <- memfs.ErrDead
	}
	s.waiting = nil
}

// ended reports whether answers to clients still count.
func (s *schedule) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}
