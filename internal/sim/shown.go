package sim

import "slices"

// state asks a stream where it stands. What a client was shown counts: records
// shown as durable have to stay, and those shown as trimmed are gone for good.
func (l *life) state(s *stream, h Stream) StreamState {
	state := h.State()
	if !l.sched.ended() {
		l.oracle.ShownState(s, state)
	}
	return state
}

// ShownState notes where a client was told that a stream stands.
func (o *Oracle) ShownState(s *stream, state StreamState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if state.First > s.first && !slices.Contains(s.trims, state.First) {
		o.breach(violation("trim", "stream %q shows that it starts at %d; trims acknowledged %d, under way %d",
			s.name, state.First, s.first, s.trims))
	}
	if state.First > s.first {
		s.startAt(state.First)
	}
	s.acknowledge(state.Durable, o.round)
}

// unlocked is the violation that an operation on the disk is if its store has
// given the disk free: another process may have it by then. Stores that never
// lock are let off.
func (l *life) unlocked(key string) *Violation {
	if l.disk.Locks() > 0 {
		l.locked = true
	} else if l.locked {
		return violation("unlocked", "%s, after the lock was released", key)
	}
	return nil
}
