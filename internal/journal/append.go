package journal

import (
	"context"
	"fmt"

	"github.com/aof2/aof/internal/segment"
)

// Ticket is an accepted batch: wait for its round to learn its fate.
type Ticket struct {
	First uint64
	round *round
	leads bool // the caller has been made the leader
}

// Done reports whether the fate of the batch is known. The zero Ticket's is.
func (t Ticket) Done() bool {
	if t.round == nil {
		return true
	}
	select {
	case <-t.round.done:
		return true
	default:
		return false
	}
}

// Batch is records of one stream that are appended together.
type Batch struct {
	Records [][]byte
	Attrs   [][]byte // nil, or the attributes of each record
	Expect  uint64   // if not 0, what the stream's next record must be
}

// Length is what the batch takes in a hot file.
func (b *Batch) Length() int64 {
	var payload int64
	for _, r := range b.Records {
		payload += int64(len(r))
	}
	for _, a := range b.Attrs {
		payload += int64(len(a))
	}
	return segment.FrameLength(len(b.Records), payload)
}

// MismatchError refuses a batch that expected another next record.
type MismatchError struct{ Next uint64 }

func (e *MismatchError) Error() string { return fmt.Sprintf("journal: the next record is %d", e.Next) }

// TryAppend accepts a batch of records of one stream, or refuses it without
// effect: *BlockError when trying again later is worthwhile, *MismatchError,
// ErrClosed, ErrGone, ErrReadOnly, ErrFull or ErrTooLarge otherwise. It copies the
// records. When mayLead is set and nobody leads, the ticket obliges the caller to
// Wait with a context that cannot end. w is the caller's place in the line of those
// that wait, nil when it has none.
func (j *Journal) TryAppend(l *Lane, b Batch, mayLead bool, w *Waiter) (Ticket, error) {
	n := b.Length()
	now, cached := j.clock.now()

	j.mu.Lock()
	switch {
	case cached && !j.mu.leading: // whoever led when it was read has rested since
		now = j.clock.read()
	case cached:
		now = max(now, j.mu.lastTime) // an old reading is no clock that went back
	}
	if b.Expect != 0 && b.Expect != l.next && !l.gone {
		err := &MismatchError{l.next}
		j.mu.Unlock()
		return Ticket{}, err
	}
	if err := j.admitLocked(l, n, w); err != nil {
		j.mu.Unlock()
		return Ticket{}, err
	}
	now, back := j.stampLocked(now)
	r := j.mu.gather
	first := l.next
	r.buf = segment.AppendFrameAttrs(r.buf, segment.KindData, l.Ordinal, first, now, b.Records, b.Attrs)
	t := j.acceptedLocked(r, l, n, len(b.Records), mayLead)
	j.mu.Unlock()

	j.clockEvent(back)
	return t, nil
}

// TryDecide accepts one decision of the store. accepted runs in the same step,
// under the journal's mutex; durable runs once the decision is durable, before
// anybody is told. Where the last attempt to prepare a file failed, a decision in
// the background does not ask for another one: whoever makes those would ask for
// ever.
func (j *Journal) TryDecide(payload []byte, background bool, accepted func(), durable func()) (Ticket, error) {
	n := segment.FrameLength(1, int64(len(payload)))
	now := j.cfg.Now().UnixMilli()
	back := int64(0)

	defer func() { j.clockEvent(back) }() // behind the mutex
	j.mu.Lock()
	defer j.mu.Unlock()
	l := j.mu.lanes[0]
	if background && j.stuckLocked(l, n) {
		return Ticket{}, j.mu.full.err
	}
	if err := j.admitLocked(l, n, nil); err != nil {
		return Ticket{}, err
	}
	now, back = j.stampLocked(now)
	r := j.mu.gather
	r.buf = segment.AppendFrame(r.buf, segment.KindControl, 0, l.next, now, [][]byte{payload})
	if accepted != nil {
		accepted()
	}
	if durable != nil {
		r.after = append(r.after, durable)
	}
	if j.mu.full.room && !background {
		j.hopeLocked() // it may be a trim
	}
	return j.acceptedLocked(r, l, n, 1, false), nil
}

// TryRoll ends the open file: what is accepted from now on goes into the next
// one. The ticket is nil when the open file holds nothing yet.
func (j *Journal) TryRoll() (*Ticket, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	l := j.mu.lanes[0]
	if err := j.admitLocked(l, markBytes, nil); err != nil {
		return nil, err
	}
	r := j.mu.gather
	switch empty := j.mu.slot.used == segment.HeaderBytes+rollBytes; {
	case empty && len(j.mu.files) == 0 && len(r.buf) == 0:
		return nil, nil // nothing was ever appended
	case empty: // this slot's first frame ends the file before it
	case !j.readyLocked(l):
		return nil, j.noFileLocked(l, nil)
	default:
		j.openSlotLocked()
	}
	r.buf = segment.AppendMark(r.buf)
	t := j.acceptedLocked(r, l, markBytes, 0, false)
	return &t, nil
}

// openSlotLocked begins a new slot; a prepared file stands ready for it.
func (j *Journal) openSlotLocked() {
	f := j.mu.prepared[j.mu.unbound]
	j.mu.unbound++
	j.mu.slot = slot{
		no:       j.mu.slot.no + 1,
		capacity: f.Size(),
		used:     segment.HeaderBytes + rollBytes,
		frames:   1,
		lanes:    1,
	}
	r := j.mu.gather
	r.cuts = append(r.cuts, len(r.buf))
}

// acceptedLocked does the accounts of a frame that has just been copied.
func (j *Journal) acceptedLocked(r *round, l *Lane, n int64, records int, mayLead bool) Ticket {
	first := l.next
	l.next += uint64(records)
	r.touch(l, l.next)
	s := &j.mu.slot
	s.used += n
	s.frames++
	if l.slot != s.no {
		l.slot = s.no
		s.lanes++
	}
	j.mu.unflushed += n
	if l.Ordinal != 0 {
		j.mu.stats.Appends++
		j.mu.stats.Records += uint64(records)
	}
	j.mu.stats.Bytes += uint64(n)
	t := Ticket{First: first, round: r}
	if !j.mu.leading {
		j.mu.leading = true
		t.leads = mayLead
		if !mayLead {
			j.kick <- struct{}{}
		}
	}
	return t
}

// stampLocked is the time of what is accepted now: never below the previous
// one's while the wall clock steps back by less than ten seconds; a larger step
// is taken as it is, and reported.
func (j *Journal) stampLocked(now int64) (stamp, back int64) {
	const tolerated = 10_000 // ms
	if d := j.mu.lastTime - now; d > 0 {
		if d < tolerated {
			return j.mu.lastTime, 0
		}
		back = d
	}
	j.mu.lastTime = now
	return now, back
}

// clockEvent tells of a large step back of the wall clock.
func (j *Journal) clockEvent(back int64) {
	if back > 0 {
		j.event(Event{Kind: ClockWentBack, Detail: fmt.Sprintf("by %d ms", back)})
	}
}

// Wait returns when the batch is durable or known not to become so, or when ctx
// ends.
func (j *Journal) Wait(ctx context.Context, t Ticket) error {
	if t.round == nil {
		return nil
	}
	if t.leads {
		j.leadRounds(t.round)
		<-t.round.done // Close may have put an end to leading: then it tells the round
		return t.round.err
	}
	if t.Done() {
		return t.round.err
	}
	select {
	case <-t.round.done:
		return t.round.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// WaitDone is Wait without an end of its own: the round ends, or the journal does.
func (j *Journal) WaitDone(t Ticket) error {
	<-t.round.done
	return t.round.err
}

// WaitDecided returns when decision seq is durable.
func (j *Journal) WaitDecided(seq uint64) error {
	return j.WaitDurable(context.Background(), j.Lane(0), seq)
}

// WaitDurable returns when the lane's record seq is durable.
func (j *Journal) WaitDurable(ctx context.Context, l *Lane, seq uint64) error {
	select {
	case <-l.tail.Reached(seq):
	case <-j.failed:
	case <-ctx.Done():
		if l.Durable() < seq {
			return context.Cause(ctx)
		}
	}
	if l.Durable() >= seq {
		return nil
	}
	if err := j.Err(); err != nil {
		return err
	}
	return ErrClosed
}
