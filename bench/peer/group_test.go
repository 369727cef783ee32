package peer

import "runtime"

// await returns when cond holds; it is asked under the lock.
func (g *grouped) await(cond func() bool) {
	for {
		g.mu.Lock()
		ok := cond()
		g.mu.Unlock()
		if ok {
			return
		}
		runtime.Gosched()
	}
}
