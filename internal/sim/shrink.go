package sim

import "testing"

// Shrinker makes a plan that fails smaller, as long as it goes on failing in
// the same way.
type Shrinker struct {
	System System
	Class  string // of the violation
	Tries  int    // plans that may be run; shrinking ends when they are used up

	// Reseeds is how many other orders a smaller plan is tried with: what is
	// left out changes which crash points are taken and in which order
	// operations go on.
	Reseeds int
}

// Shrink returns the smallest plan it found that fails with a violation of the
// class. Whole lives go first, from the last one; then operations, whoever they
// belong to, then faults. What is left is made plain: small batches, small
// records, no noise, the smallest store.
func (s *Shrinker) Shrink(t *testing.T, plan *Plan) *Plan {
	best := plan.clone()
	fails := func(p *Plan) bool {
		failing := s.failing(t, p)
		if failing != nil {
			best = failing
		}
		return failing != nil
	}
	for before := -1; before != best.weight() && s.Tries > 0; {
		before = best.weight()
		minimize(best.Lives, func(lives []Life) bool {
			return len(lives) > 0 && fails(best.with(lives))
		})
		base := best
		minimize(base.places(), func(kept []place) bool { return fails(base.keep(kept).seededBy(best)) })
		for i := 0; i < len(best.Lives); i++ { //nolint:intrange // best shrinks meanwhile
			minimize(best.Lives[i].Faults, func(faults []Fault) bool {
				p := best.clone()
				if i >= len(p.Lives) {
					return false
				}
				p.Lives[i].Faults = faults
				return fails(p)
			})
		}
		for _, simpler := range simplifications {
			for i := 0; i < len(best.Lives); i++ { //nolint:intrange // best shrinks meanwhile
				for p := best.clone(); s.Tries > 0 && simpler(p, &p.Lives[i]) && fails(p) && i < len(best.Lives); {
					p = best.clone()
				}
			}
		}
	}
	return best
}

// failing runs the plan, and again with other seeds, until one fails in the
// right way. It returns that one, or nil.
func (s *Shrinker) failing(t *testing.T, p *Plan) *Plan {
	p = p.clone()
	for i := 0; i <= s.Reseeds && s.Tries > 0; i++ {
		if i > 0 {
			for j := range p.Lives {
				p.Lives[j].Seed++
			}
		}
		s.Tries--
		r := &Run{System: s.System, Plan: p}
		if v := r.Execute(t); v != nil && v.Class == s.Class {
			p.Lives = p.Lives[:r.count] // what comes later was never reached
			return p
		}
	}
	return nil
}

// simplifications change a plan a little, and report whether there was
// anything to change.
var simplifications = []func(*Plan, *Life) bool{
	func(p *Plan, _ *Life) bool { return lower(&p.Setting.HotFileSize, 16<<10) },
	func(p *Plan, _ *Life) bool { return lower(&p.Setting.MaxUnflushed, 2<<10) },
	func(_ *Plan, l *Life) bool { return lower(&l.Noise, 0) },
	func(_ *Plan, l *Life) bool { return lower(&l.End.After, 0) },
	func(_ *Plan, l *Life) bool { return lower(&l.Points, l.Points/2) },
	func(_ *Plan, l *Life) bool { return each(l, plainer) },
	func(_ *Plan, l *Life) bool { return each(l, func(o *Op) bool { return lowerEach(o, 0, idBytes) }) },
	func(_ *Plan, l *Life) bool { return each(l, func(o *Op) bool { return lowerEach(o, 2, 2) }) },
	func(_ *Plan, l *Life) bool {
		return each(l, func(o *Op) bool {
			if len(o.Lengths) < 2 {
				return false
			}
			o.Lengths = o.Lengths[:(len(o.Lengths)+1)/2]
			return true
		})
	},
}

func lower[N int | int64](n *N, to N) bool {
	if *n <= to {
		return false
	}
	*n = to
	return true
}

// lowerEach makes the records of an append shorter: all of them least bytes,
// or divided by a number.
func lowerEach(o *Op, divide, least int) (changed bool) {
	for i, n := range o.Lengths {
		if divide > 0 {
			changed = lower(&o.Lengths[i], max(n/divide, idBytes*least)) || changed
		} else {
			changed = lower(&o.Lengths[i], least) || changed
		}
	}
	return changed
}

// plainer makes an append one that asks for nothing.
func plainer(o *Op) bool {
	changed := o.Expect != ExpectNothing || o.Timed || o.Keep
	o.Expect, o.Timed, o.Keep = ExpectNothing, false, false
	return changed
}

func each(l *Life, change func(*Op) bool) (changed bool) {
	for _, c := range l.Clients {
		for i := range c {
			changed = change(&c[i]) || changed
		}
	}
	return changed
}

// minimize leaves out parts of a list while what is left still fails: the end
// first, then halves, quarters, down to single ones.
func minimize[T any](list []T, fails func([]T) bool) []T {
	for size := len(list); size > 0; size /= 2 {
		for end := len(list); end > 0; end -= size {
			from := max(0, end-size)
			without := append(append([]T(nil), list[:from]...), list[min(end, len(list)):]...)
			if len(without) < len(list) && fails(without) {
				list = without
			}
		}
	}
	return list
}

// place is where an operation stands in a plan.
type place struct{ life, client, op int }

// places lists the operations of a plan.
func (p *Plan) places() (all []place) {
	for i, l := range p.Lives {
		for j, c := range l.Clients {
			for k := range c {
				all = append(all, place{i, j, k})
			}
		}
	}
	return all
}

// keep returns the plan with only some of its operations, and without clients
// that do nothing.
func (p *Plan) keep(kept []place) *Plan {
	n := p.clone()
	for i := range n.Lives {
		n.Lives[i].Clients = nil
		for j, c := range p.Lives[i].Clients {
			var ops Client
			for _, at := range kept {
				if at.life == i && at.client == j {
					ops = append(ops, c[at.op])
				}
			}
			if len(ops) > 0 {
				n.Lives[i].Clients = append(n.Lives[i].Clients, ops)
			}
		}
	}
	return n.clone()
}

// seededBy gives the lives the seeds that another plan's have, and leaves out
// those that the other one does without.
func (p *Plan) seededBy(o *Plan) *Plan {
	p.Lives = p.Lives[:min(len(p.Lives), len(o.Lives))]
	for i := range p.Lives {
		p.Lives[i].Seed = o.Lives[i].Seed
	}
	return p
}

func (p *Plan) with(lives []Life) *Plan {
	n := *p
	n.Lives = lives
	return n.clone()
}

// clone copies a plan by way of its text, so that nothing is found that the
// text cannot say.
func (p *Plan) clone() *Plan {
	n, err := ParsePlan(p.Text())
	if err != nil {
		panic("sim: a plan that is not read back: " + err.Error())
	}
	return n
}

// weight is how large a plan is.
func (p *Plan) weight() (n int) {
	for _, l := range p.Lives {
		n += 100 + len(l.Faults) + l.Noise + l.Points
		each(&l, func(o *Op) bool {
			n += 10
			for _, length := range o.Lengths {
				n += 1 + length
			}
			return false
		})
	}
	return n
}

// Ops counts the operations of a plan.
func (p *Plan) Ops() int { return len(p.places()) }
