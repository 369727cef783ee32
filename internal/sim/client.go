package sim

import (
	"context"
	"errors"
	"time"
)

const (
	// No two of them, nor what the store and the root wait for by the second, end at
	// the same moment: which of the two would go on first is not for the seed to say.
	followTime = 2*time.Second + 100*time.Millisecond // virtual: how long a follower waits
	callTime   = time.Hour                            // virtual: how long a call with a context may take
	fullTime   = time.Minute + 300*time.Millisecond   // virtual: how long an append waits where it may wait for room
)

// client does what its plan says.
func (l *life) client(number int, ops Client) {
	arrived := false
	defer func() { l.sched.leave(arrived) }()
	for _, op := range ops {
		if arrived = true; !l.sched.arrive(number, op) {
			return
		}
		arrived = false
		l.do(op)
	}
}

func (l *life) do(op Op) {
	ctx := context.Background()
	switch op.Kind {
	case DoCreate:
		l.create(ctx, streamName(op.Stream))
		return
	case DoSeal:
		l.judge("seal", nil, l.store.Seal(ctx))
		return
	case DoVerify:
		l.judge("verify", nil, l.store.Verify(ctx))
		return
	case DoFull:
		l.excuse()
		l.disk.SetFree(int64(op.Arg) * 32)
		return
	case DoRoom:
		l.disk.SetFree(-1)
		return
	case DoClock:
		l.clock.jump(op.Arg)
		return
	}
	s := l.oracle.Present(streamName(op.Stream))
	h := l.handle(s)
	if h == nil {
		return
	}
	if seeking, ok := h.(Seeking); ok && l.seek(ctx, s, h, seeking, op) {
		return
	}
	switch op.Kind {
	case DoAppend:
		l.append(ctx, s, h, op)
	case DoAwait:
		l.await(ctx, s, h)
	case DoRead:
		l.read(ctx, s, h, op)
	case DoFollow:
		l.follow(ctx, s, h, op)
	case DoTrim:
		l.trim(ctx, s, h, op)
	case DoDelete:
		l.delete(ctx, s, h)
	}
}

// judge decides whether an error a client got is a violation: it is, unless
// something was done to the store or the stream that excuses it.
func (l *life) judge(call string, s *stream, err error) {
	if err == nil || l.sched.ended() || l.excused.Load() || l.closing.Load() || errors.Is(err, ErrRefused) {
		return
	}
	if s != nil && l.oracle.Present(s.name) != s {
		return // being deleted
	}
	l.oracle.Breach(violation(call+"-failed", "%v", err))
}

func (l *life) create(ctx context.Context, name string) {
	if l.oracle.Present(name) != nil {
		return
	}
	s := l.oracle.Creating(name)
	st, err := l.store.Create(ctx, name, s.meta())
	if l.sched.ended() {
		return
	}
	if err == nil {
		l.setHandle(s, st)
	}
	l.oracle.Created(s, err == nil, errors.Is(err, ErrExists) || errors.Is(err, ErrRefused))
	if !errors.Is(err, ErrExists) {
		l.judge("create", nil, err)
	}
}

func (l *life) append(ctx context.Context, s *stream, h Stream, op Op) {
	lengths := op.Lengths
	if op.Mode != ModeTry {
		// Its number is not known before it is durable, so that it must be
		// recognised by its first record.
		lengths = append([]int{max(lengths[0], idBytes)}, lengths[1:]...)
	}
	if l.Plan.Setting.Wait || op.Mode == ModeContext {
		limit := callTime
		if l.Plan.Setting.Wait {
			limit = fullTime
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	b := l.oracle.Sending(s, lengths)
	var expect uint64
	if op.Expect != ExpectNothing {
		expect = op.Expect.record(l.state(s, h))
	}
	known := l.oracle.Asking(s, b, expect, op.Timed)
	seq, err := h.Append(ctx, op.Mode, Batch{Recs: b.recs, Events: b.events, Expect: b.expect})
	if l.sched.ended() {
		return
	}
	var mismatch *MismatchError
	if errors.As(err, &mismatch) {
		l.oracle.Mismatched(s, b, known, mismatch)
	}
	if seq == 0 && err == nil {
		l.oracle.Breach(violation("law", "an append returned neither a number nor an error"))
	}
	if seq > 0 && err != nil && !errors.Is(err, ErrUnsettled) {
		l.oracle.Breach(violation("law", "an append returned %d and %v", seq, err))
	}
	l.oracle.Sent(s, b, seq, err == nil && (op.Mode == ModeWait || op.Mode == ModeContext))
	if seq == 0 && (mismatch != nil || l.Plan.Setting.Wait && errors.Is(err, context.DeadlineExceeded)) {
		return // there was no room
	}
	l.judge("append", s, err)
	if seeking, ok := h.(Seeking); ok && op.Keep && seq > 0 {
		l.keepBehind(s, h, seeking, seq+uint64(len(b.recs))-1)
	}
}

func (l *life) await(ctx context.Context, s *stream, h Stream) {
	state := l.state(s, h)
	if state.Next <= state.First {
		return
	}
	err := h.WaitDurable(ctx, state.Next-1)
	if l.sched.ended() {
		return
	}
	if err == nil {
		l.oracle.Durable(s, state.Next-1)
	}
	l.judge("await", s, err)
}

// read reads from somewhere in the stream to the end there is now.
func (l *life) read(ctx context.Context, s *stream, h Stream, op Op) {
	state := l.state(s, h)
	if state.Durable < state.First {
		return
	}
	from := state.First + (state.Durable-state.First)*uint64(op.Arg)/1000
	l.visit(ctx, s, h, from, state.Durable)
}

// follow reads from the end, and waits for as many records.
func (l *life) follow(ctx context.Context, s *stream, h Stream, op Op) {
	ctx, cancel := context.WithTimeout(ctx, followTime)
	defer cancel()
	state := l.state(s, h)
	from := max(state.Durable+1, state.First)
	l.visit(ctx, s, h, from, from+uint64(op.Arg)-1)
}

func (l *life) visit(ctx context.Context, s *stream, h Stream, from, to uint64) {
	next := from
	l.seen(s, h.Read(ctx, from, to, l.viewer(s, &next, nil)))
}

// viewer is what looks at the records that a reader is given. next is the one that is
// due, 0 for any; also gets those that are in order, unless it is nil.
func (l *life) viewer(s *stream, next *uint64, also func(Record)) func(Record) error {
	return func(r Record) error {
		if l.sched.ended() {
			return context.Canceled
		}
		if *next != 0 && r.Seq != *next {
			return violation("order", "stream %q: a reader got %d where %d is due", s.name, r.Seq, *next)
		}
		*next = r.Seq + 1
		if v := l.oracle.Shown(s, r); v != nil {
			return v
		}
		if also != nil {
			also(r)
		}
		return nil
	}
}

// seen judges what a reader ended with. It reports whether it read all it should.
func (l *life) seen(s *stream, err error) bool {
	var v *Violation
	switch {
	case l.sched.ended():
		return false
	case errors.As(err, &v):
		l.oracle.Breach(v)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, ErrTrimmed):
	default:
		l.judge("read", s, err)
	}
	return err == nil
}

func (l *life) trim(ctx context.Context, s *stream, h Stream, op Op) {
	state := l.state(s, h)
	before := state.First + (state.Durable+1-state.First)*uint64(op.Arg)/1000
	if before <= state.First {
		return
	}
	if !l.oracle.Knows(s, before) {
		// It may lie within a batch that is durable and not answered yet, whose remains
		// nobody could attribute; batches end where durability does.
		before = state.Durable + 1
	}
	l.oracle.Trimming(s, before)
	err := h.Trim(ctx, before)
	if l.sched.ended() {
		return
	}
	if err == nil {
		l.oracle.Trimmed(s, before)
	}
	l.judge("trim", s, err)
}

// delete deletes a stream, behind which nothing may be appended to it.
func (l *life) delete(ctx context.Context, s *stream, h Stream) {
	l.oracle.Deleting(s)
	err := l.store.Delete(ctx, s.name)
	if l.sched.ended() {
		return
	}
	if err == nil {
		l.oracle.Deleted(s)
		if seq, err := h.Append(ctx, ModeTry, Batch{Recs: [][]byte{s.meta()}}); seq != 0 || err == nil {
			l.oracle.Breach(violation("law", "stream %q took record %d after it was deleted", s.name, seq))
		}
	}
	l.judge("delete", nil, err)
}
