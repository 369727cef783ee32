package sim

import (
	"context"
	"errors"
)

// seek does what needs a stream with places, and reports whether op is of that kind.
func (l *life) seek(ctx context.Context, s *stream, h Stream, seeking Seeking, op Op) bool {
	switch op.Kind {
	case DoSince:
		l.since(ctx, s, h, seeking, op)
	case DoKeep:
		l.keep(s, h, seeking, op)
	case DoResume:
		l.resume(ctx, s, h, seeking, op)
	default:
		return false
	}
	return true
}

// since reads from about the time of some record, and then looks itself for what it
// should have begun with.
func (l *life) since(ctx context.Context, s *stream, h Stream, seeking Seeking, op Op) {
	before := l.state(s, h)
	if before.Durable < before.First {
		return
	}
	at := before.First + (before.Durable-before.First)*uint64(op.Arg)/1000
	var timeMs int64
	next := at
	if !l.seen(s, h.Read(ctx, at, at, l.viewer(s, &next, func(r Record) { timeMs = r.TimeMs }))) || next == at {
		return
	}
	timeMs += int64(op.Arg%3) - 1
	var first Record
	next = 0
	err := seeking.Since(ctx, timeMs, before.Durable, l.viewer(s, &next, func(r Record) {
		if first.Seq == 0 {
			first = Record{Seq: r.Seq, TimeMs: r.TimeMs}
		}
	}))
	after := l.state(s, h)
	if errors.Is(err, ErrTrimmed) && after.First == before.First && !l.sched.ended() {
		l.oracle.Breach(violation("time", "stream %q: a reader from %d begins among what is trimmed: %v", s.name, timeMs, err))
	}
	if !l.seen(s, err) {
		return
	}
	l.oracle.Searched(first.Seq != 0)
	if first.Seq != 0 && first.TimeMs < timeMs && after.First == before.First {
		l.oracle.Breach(violation("time", "stream %q: a reader from %d begins with record %d of %d", s.name, timeMs, first.Seq, first.TimeMs))
	}
	last := before.Durable
	if first.Seq != 0 {
		last = first.Seq - 1
	}
	if next = after.First; next > last {
		return
	}
	l.seen(s, h.Read(ctx, next, last, l.viewer(s, &next, func(r Record) {
		if r.TimeMs >= timeMs {
			l.oracle.Breach(violation("time", "stream %q: a reader from %d begins with record %d (0 is none), and not with %d of %d",
				s.name, timeMs, first.Seq, r.Seq, r.TimeMs))
		}
	})))
}

// keep remembers the place behind a record: the newest that was accepted, or a durable
// one.
func (l *life) keep(s *stream, h Stream, seeking Seeking, op Op) {
	state := l.state(s, h)
	seq := l.oracle.Newest(s)
	if op.Arg%3 == 0 && state.Durable >= state.First {
		seq = state.First + (state.Durable-state.First)*uint64(op.Arg)/1000
	}
	if seq > 0 && l.oracle.Knows(s, seq) {
		l.keepBehind(s, h, seeking, seq)
	}
}

// keepBehind remembers the place behind a record.
func (l *life) keepBehind(s *stream, h Stream, seeking Seeking, seq uint64) {
	at, err := seeking.Cursor(seq)
	switch {
	case l.sched.ended():
	case err == nil:
		l.oracle.Keep(s, seq, at)
	case errors.Is(err, ErrTrimmed) && l.state(s, h).First > seq:
	default:
		l.judge("cursor", s, err)
	}
}

// resume goes on behind a place that was remembered, perhaps in another life, and
// remembers where that ended.
func (l *life) resume(ctx context.Context, s *stream, h Stream, seeking Seeking, op Op) {
	ctx, cancel := context.WithTimeout(ctx, followTime)
	defer cancel()
	k := l.oracle.Kept(s.name, op.Arg)
	if k == nil {
		return
	}
	before := l.state(s, h)
	r := resumption{stream: s, before: before.First, to: max(before.Durable, k.seq), next: k.seq + 1}
	at, err := seeking.Resume(ctx, k.at, r.to, l.viewer(s, &r.next, nil))
	if l.sched.ended() {
		return
	}
	r.err, r.after = err, l.state(s, h).First
	var v *Violation
	if errors.As(err, &v) {
		l.oracle.Breach(v)
		return
	}
	if v := l.oracle.Resumed(k, &r); v != nil {
		l.oracle.Breach(v)
		return
	}
	if !errors.Is(err, ErrDiverged) {
		l.seen(s, err)
	}
	if err == nil && r.next > k.seq+1 {
		l.oracle.Keep(s, r.next-1, at)
	}
}
