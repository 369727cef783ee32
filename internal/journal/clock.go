package journal

import "sync/atomic"

// maxCached is how many appends in a row may be stamped with one reading of the clock.
const maxCached = 64

// clock is the wall clock as appends read it. Reading it costs more than copying a small record, so while rounds are being
// led and readings fall into the same millisecond, up to maxCached appends share one. Where appends are slow enough for the
// clock to move in between, and whenever nobody leads, each append reads it.
type clock struct {
	read   func() int64 // milliseconds
	shared bool         // else each append reads it

	ms   atomic.Int64 // the last reading
	left atomic.Int64 // appends that may still use it
	step atomic.Int64 // how many the next reading is good for, if it is the same
}

// now returns the time in milliseconds, and whether it is that of an earlier reading.
func (c *clock) now() (ms int64, cached bool) {
	if c.left.Load() > 0 && c.left.Add(-1) >= 0 {
		return c.ms.Load(), true
	}
	ms = c.read()
	if !c.shared {
		return ms, false
	}
	if ms == c.ms.Swap(ms) {
		step := min(2*c.step.Load()+1, maxCached)
		c.step.Store(step)
		c.left.Store(step)
	} else {
		c.step.Store(0)
	}
	return ms, false
}

// rest is called when nobody leads any more: the next append reads the clock.
func (c *clock) rest() { c.left.Store(0) }
