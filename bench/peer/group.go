package peer

import "sync"

// grouped gives a log a group commit: appends that come while one is on its way are handed over together,
// in one call. The records are not copied, for their writers wait. It is what a user would wrap such a
// log with, and the same for all.
type grouped struct {
	Log

	mu      sync.Mutex
	next    *round
	leading bool
}

// round is the records of all who wait for the same append.
type round struct {
	recs [][]byte
	done chan struct{} // closed when the append has returned
	err  error         // set before that
}

// Append hands the records over with those of the others that wait.
func (g *grouped) Append(recs [][]byte) error {
	g.mu.Lock()
	if g.next == nil {
		g.next = &round{done: make(chan struct{})}
	}
	r := g.next
	r.recs = append(r.recs, recs...)
	leads := !g.leading
	g.leading = true
	g.mu.Unlock()
	if leads {
		g.lead(r)
	}
	<-r.done
	return r.err
}

// lead hands rounds over until nothing waits. After its own it leaves the rest to another goroutine,
// which ends when nobody waits: before Close, that is, for Close comes after the appends.
func (g *grouped) lead(own *round) {
	for {
		g.mu.Lock()
		r := g.next
		g.next = nil
		if r == nil {
			g.leading = false
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		r.err = g.Log.Append(r.recs)
		g.mu.Lock()
		more := g.next != nil
		g.leading = more
		g.mu.Unlock()
		close(r.done)
		switch {
		case !more:
			return
		case r == own:
			go g.lead(nil)
			return
		}
	}
}
