// Package mark provides the one thing everybody waits for: a number that only grows.
//
// A Mark stands for progress: the byte up to which a file is synced, the last durable record of a stream, the count of
// hot files prepared so far. One side advances it, the other asks for a channel that is closed once the mark has
// reached a target. The package hides how waiters are kept: those of one target share one channel, targets lie in a
// heap, and nothing is allocated for a target that is reached already.
//
// A wait is level-triggered. Reached looks at the present value, so a target that was passed between a check and the
// wait is never missed, and a caller that asks again and again at the same target leaves one channel behind, not many.
// A channel that nobody waits on any more costs its few bytes until the mark passes its target or ends.
//
// # Concurrency
//
// All methods may be called from any goroutine at any time. No method waits for anything but the Mark's own mutex,
// which is held for the closing of channels at most and never while something else is locked.
package mark

import (
	"sync"
	"sync/atomic"
)

// keepTargets is how many targets' worth of bookkeeping a Mark with nobody waiting holds on to. What a burst of
// waiters needed beyond that is given back.
const keepTargets = 1024

// closed is handed out for every target that needs no waiting.
var closed = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Mark is a number that only grows and that others wait for. The zero value is ready for use and stands at 0.
// A Mark must not be copied once it is in use.
type Mark struct {
	at    atomic.Uint64 // written under mu, read by anybody
	ended atomic.Bool   // written under mu, read by anybody

	// Outside the lock, and as long as the mark has not ended: targets and channels name the same targets, and each
	// of them is greater than at.
	mu struct {
		sync.Mutex
		targets  targets                  // min-heap, each target once
		channels map[uint64]chan struct{} // the open channel of each target
	}
}

// At returns the present value.
func (m *Mark) At() uint64 { return m.at.Load() }

// Advance raises the mark to n and closes the channel of every target reached by that. It does nothing when the mark
// is already at n or beyond. A mark that has ended still moves.
func (m *Mark) Advance(n uint64) {
	if n <= m.at.Load() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if n <= m.at.Load() {
		return
	}
	m.at.Store(n)
	m.releaseLocked(n)
}

// Reached returns a channel that is closed once the mark is at n or beyond, or has ended; which of the two it was is
// seen from At and Ended. Callers with the same target share the channel.
func (m *Mark) Reached(n uint64) <-chan struct{} {
	if m.passed(n) {
		return closed
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.passed(n) {
		return closed
	}
	if c, ok := m.mu.channels[n]; ok {
		return c
	}
	if m.mu.channels == nil {
		m.mu.channels = make(map[uint64]chan struct{})
	}
	c := make(chan struct{})
	m.mu.channels[n] = c
	m.mu.targets.push(n)
	return c
}

// End ends every wait, present and future: all channels are closed, and later ones come closed. The value stays.
// Ending twice is the same as ending once.
func (m *Mark) End() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended.Swap(true) {
		return
	}
	for _, c := range m.mu.channels {
		close(c)
	}
	m.mu.targets, m.mu.channels = nil, nil
}

// Ended tells whether End was called.
func (m *Mark) Ended() bool { return m.ended.Load() }

// passed tells whether a wait for n would be over at once.
func (m *Mark) passed(n uint64) bool { return n <= m.at.Load() || m.ended.Load() }

// releaseLocked closes the channels of all targets up to n.
func (m *Mark) releaseLocked(n uint64) {
	for len(m.mu.targets) > 0 && m.mu.targets[0] <= n {
		target := m.mu.targets.pop()
		close(m.mu.channels[target])
		delete(m.mu.channels, target)
	}
	if len(m.mu.targets) == 0 && cap(m.mu.targets) > keepTargets {
		m.mu.targets, m.mu.channels = nil, nil
	}
}
