package sim

import (
	"sync/atomic"
	"time"
)

// Clock is the wall clock that a store goes by: it goes on by a millisecond with each
// step, and jumps when a plan says so. A nil Clock is that of the process.
type Clock struct{ ahead atomic.Int64 }

// Now is what the clock shows.
func (c *Clock) Now() time.Time {
	if c == nil {
		return time.Now()
	}
	return time.Now().Add(time.Duration(c.ahead.Load()))
}

func (c *Clock) step() { c.ahead.Add(int64(time.Millisecond)) }

// jump puts the clock on, or back where to is below 500. Stores do not follow small steps
// back, so that most are large: up to some twenty minutes.
func (c *Clock) jump(to int) {
	d := int64(to - 500)
	c.ahead.Add(d * d * d / 100 * int64(time.Millisecond))
}

// setting is that of a store of this run.
func (r *Run) setting() Setting {
	o := r.Plan.Setting
	o.Clock = &r.clock
	return o
}
