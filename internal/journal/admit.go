package journal

import (
	"errors"
	"fmt"

	"github.com/aof2/aof/internal/budget"
)

// full is what is known about room for another file.
type full struct {
	err        error // what the last attempt to prepare a file met, nil when it went well or there is room again
	room       bool  // that was want of room
	budget     bool  // in the budget: the disk cannot change that
	clearing   bool  // something is at work, or will be, that may give room back
	attempting bool  // an attempt is being made
	wanted     bool  // another one has been asked for, or the first one of this life
	deciding   bool  // a decision has been refused for want of a file
	tried      int   // appends without a place in the line that were told to wait since the last attempt
}

// GoneLocked marks a lane as deleted: no frame of it follows. It is for the accepted
// function of the decision that deletes the stream. Who waits for room may wait for
// that lane, and would for ever where nothing gives any back: another attempt to
// prepare a file makes all of them look again.
func (j *Journal) GoneLocked(l *Lane) {
	l.gone = true
	if m := &j.mu.full; m.room && (m.tried > 0 || j.mu.line.head != nil) {
		j.askLocked()
	}
}

// admitLocked finds room for n bytes of the lane, or says why there is none. w is
// the place in the line of who asks.
func (j *Journal) admitLocked(l *Lane, n int64, w *Waiter) error {
	err := j.roomLocked(l, n, w)
	if b, ok := err.(*BlockError); ok && w != nil { //nolint:errorlint // it is made below, and not wrapped
		w.block = b.Block
	}
	return err
}

func (j *Journal) roomLocked(l *Lane, n int64, w *Waiter) error {
	switch {
	case j.mu.closing:
		return ErrClosed
	case j.mu.fatal != nil:
		return j.mu.fatal
	case l.gone:
		return ErrGone
	case j.mu.line.head != w && j.mu.line.head != nil && l.Ordinal != 0:
		return j.behindLocked()
	case !j.mu.active:
		return j.noFileLocked(l, w)
	case j.mu.unflushed > 0 && j.mu.unflushed+n > j.cfg.MaxUnflushed:
		j.mu.stats.BlockedFlush++
		return &BlockError{Block: Flush, Mark: &j.durable, Target: j.durable.At() + 1}
	case j.hasRoomLocked(l, n):
		return nil
	case n > BatchRoom(j.cfg.FileSize):
		return fmt.Errorf("%w: a frame of %d bytes, where files have room for %d", ErrTooLarge, n, BatchRoom(j.cfg.FileSize))
	case !j.readyLocked(l):
		return j.noFileLocked(l, w)
	}
	j.openSlotLocked()
	return nil
}

// noFileLocked refuses because no file is ready. Where the last attempt to prepare
// one met a full disk, that is the answer, and another attempt is made behind it;
// where it met the budget, only what gives room back brings another one.
func (j *Journal) noFileLocked(l *Lane, w *Waiter) error {
	m := &j.mu.full
	if l.Ordinal == 0 && !m.deciding {
		m.deciding = true
		j.bumpLocked()
	}
	switch {
	case m.err == nil:
		j.mu.stats.BlockedRollover++
		if !j.mu.active {
			j.askLocked()
		}
		return &BlockError{Block: Rollover, Mark: &j.tries, Target: j.tries.At() + 1}
	case m.room && m.clearing:
		j.mu.stats.BlockedAdmission++
		return &BlockError{Block: Admission, Mark: &j.tries, Target: j.askLocked()}
	case m.room && l.Ordinal != 0 && j.cfg.WaitWhenFull:
		j.mu.stats.BlockedAdmission++
		if w == nil {
			if m.tried++; m.tried == 1 {
				j.bumpLocked() // the coordinator may have to look at the disk
			}
		}
		return &BlockError{Block: Admission, Mark: &j.tries, Target: j.tries.At() + 1}
	case m.budget && j.mu.active:
		return m.err
	}
	return &StaleError{Err: m.err, Mark: &j.tries, Target: j.askLocked()}
}

// askLocked asks for an attempt to prepare a file that begins behind this call,
// and returns the count of attempts that says that it was made.
func (j *Journal) askLocked() uint64 {
	m := &j.mu.full
	if !m.wanted {
		m.wanted = true
		j.bumpLocked()
	}
	if m.attempting {
		return j.tries.At() + 2
	}
	return j.tries.At() + 1
}

// beginAttempt notes that a file is about to be prepared. It returns whether a
// decision waits for it.
func (j *Journal) beginAttempt() (deciding bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	m := &j.mu.full
	deciding = m.deciding
	m.attempting, m.wanted, m.deciding = true, false, false
	return deciding
}

// endAttempt tells those who wait how it went. The first attempt of a life makes
// the journal active.
func (j *Journal) endAttempt(err error, first bool) {
	j.mu.Lock()
	m := &j.mu.full
	m.attempting, m.tried = false, 0
	m.err = prepareError(err)
	m.room = errors.Is(m.err, ErrFull)
	var over *budget.Error
	m.budget = errors.As(err, &over) && over.Limit > 0
	if first {
		j.mu.active = err == nil
	}
	step := uint64(1)
	if err == nil && m.wanted { // there may be no attempt behind this one: those who asked for it are told now
		m.wanted, step = false, 2
	}
	j.bumpLocked()
	j.mu.Unlock()
	j.tries.Advance(j.tries.At() + step)
}

// AwaitsDisk reports whether somebody waits for the disk to have room: nothing
// tells when it has, so it has to be looked at.
func (j *Journal) AwaitsDisk() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	m := &j.mu.full
	return j.cfg.WaitWhenFull && m.room && !m.budget && (m.tried > 0 || j.mu.line.head != nil)
}

// LookAtDisk asks for another attempt to prepare a file if the disk has room for
// one.
func (j *Journal) LookAtDisk() {
	if j.cfg.Room != nil && j.cfg.Room.Look(j.cfg.FileSize) != nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.askLocked()
}

// OpenDead reports whether appends find no room, and the open file, at least half
// full, holds no record that anybody can still read, with a file ready to go on in:
// ending it gives its room back.
func (j *Journal) OpenDead() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := &j.mu.slot
	if !j.mu.full.room || s.used < s.capacity/2 || len(j.mu.files) == 0 || j.mu.unbound > 0 || len(j.mu.prepared) == 0 {
		return false
	}
	open := j.mu.files[len(j.mu.files)-1]
	for _, l := range j.mu.lanes {
		if l.Ordinal != 0 && l.livesLocked(open, s.no) {
			return false
		}
	}
	return true
}

// roomierLocked notes that there may be more room than when a file was last wanted.
func (j *Journal) roomierLocked() {
	if m := &j.mu.full; m.room {
		m.wanted = true
	}
	j.hopeLocked()
}

// hopeLocked notes that something happened that may lead to more room.
func (j *Journal) hopeLocked() {
	j.mu.full.clearing = true
	j.bumpLocked()
}

// SetClearing tells whether something is at work that may give room back. That
// nothing is counts only if nothing has changed since the count of changes was at.
func (j *Journal) SetClearing(on bool, at uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if on || j.changed.At() == at {
		j.mu.full.clearing = on
	}
}

// stuckLocked reports whether n bytes of the lane need a file that could not be
// prepared.
func (j *Journal) stuckLocked(l *Lane, n int64) bool {
	return j.mu.active && j.mu.full.err != nil && !j.readyLocked(l) && !j.hasRoomLocked(l, n)
}

// readyLocked reports whether a prepared file stands ready for the lane. The last
// one is in reserve for decisions: on a full disk they are what gives room back.
func (j *Journal) readyLocked(l *Lane) bool {
	ready := len(j.mu.prepared) - j.mu.unbound
	if l.Ordinal != 0 {
		ready--
	}
	return ready > 0
}

// hasRoomLocked reports whether the newest slot has room for n bytes of the lane.
// While no file stands ready for appends, its last bytes are for decisions alone, so
// that those of the store itself leave the reserve to those that make room. When
// there is no reserve and no room for one, all of it is.
func (j *Journal) hasRoomLocked(l *Lane, n int64) bool {
	if l.Ordinal != 0 && !j.readyLocked(l) {
		if j.mu.full.room && j.mu.unbound >= len(j.mu.prepared) {
			return false
		}
		n += min(decisionRoom, j.mu.slot.capacity/8)
	}
	return j.mu.slot.fits(n, l.slot != j.mu.slot.no)
}
