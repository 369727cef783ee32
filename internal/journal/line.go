package journal

import "container/list"

// Waiter is the place of an append in the line of those that wait for room. The
// line is one for all streams, and served in order: while somebody stands in it,
// no other append of records is accepted, or one that needs much would be
// overtaken for ever by those that need little. Decisions do not stand in it.
type Waiter struct {
	j     *Journal
	turn  chan struct{} // closed when it is at the head
	place *list.Element // guarded by Journal.mu
	block Block         // what it waits for; guarded by Journal.mu
}

// line is who waits. head is who is served, nil when nobody waits.
type line struct {
	head    *Waiter
	waiters list.List
}

// Join puts an append that was refused for block at the end of the line. Leave
// must follow.
func (j *Journal) Join(block Block) *Waiter {
	w := &Waiter{j: j, turn: make(chan struct{}), block: block}
	j.mu.Lock()
	defer j.mu.Unlock()
	w.place = j.mu.line.waiters.PushBack(w)
	j.mu.full.tried = max(0, j.mu.full.tried-1) // from now on it is the line that waits
	j.serveLocked()
	return w
}

// Turn is closed when the append is at the head: it is the only one then that
// TryAppend accepts.
func (w *Waiter) Turn() <-chan struct{} { return w.turn }

// Leave gives up the place, accepted or not. Who stands behind the head goes on
// at once.
func (w *Waiter) Leave() {
	j := w.j
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mu.line.waiters.Remove(w.place)
	if j.mu.line.head == w {
		j.mu.line.head = nil
		j.serveLocked()
		j.left.Advance(j.left.At() + 1)
	}
}

// serveLocked lets the first in the line have its turn.
func (j *Journal) serveLocked() {
	first := j.mu.line.waiters.Front()
	if j.mu.line.head != nil || first == nil {
		return
	}
	j.mu.line.head = first.Value.(*Waiter)
	close(j.mu.line.head.turn)
}

// behindLocked refuses because somebody was first: for what they wait for, until
// the line has moved on.
func (j *Journal) behindLocked() error {
	block := j.mu.line.head.block
	switch block {
	case Flush:
		j.mu.stats.BlockedFlush++
	case Admission:
		j.mu.stats.BlockedAdmission++
	default:
		j.mu.stats.BlockedRollover++
	}
	return &BlockError{Block: block, Mark: &j.left, Target: j.left.At() + 1}
}
