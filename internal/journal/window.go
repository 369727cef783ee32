package journal

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// maxLarge bounds the windows beyond extentBytes that live in this process, so that thousands of readers that stopped
// in the middle of a scan hold megabytes and not gigabytes. Who finds none reads an extent at a time.
const maxLarge = 128

// windows are what cursors read into: small ones for what a follower finds at the tail, those of an extent, and large
// ones for scans.
var windows = [...]windowPool{{bytes: 4 << 10}, {bytes: extentBytes}, {bytes: windowBytes, most: maxLarge}}

// windowPool lends windows of one size.
type windowPool struct {
	bytes int
	most  int64 // that live at the same time; 0 is any number
	free  sync.Pool
	live  atomic.Int64 // lent, free, or forgotten and not yet collected; counted where there is a limit
}

// window is memory of a pool.
type window struct {
	b    []byte
	pool *windowPool
}

// get returns nil when as many windows live as may.
func (p *windowPool) get() *window {
	if w, ok := p.free.Get().(*window); ok {
		return w
	}
	w := &window{pool: p}
	if p.most > 0 {
		if p.live.Add(1) > p.most {
			p.live.Add(-1)
			return nil
		}
		// A reader may be forgotten without being closed, and the pool drops what nobody asks for.
		runtime.AddCleanup(w, func(p *windowPool) { p.live.Add(-1) }, p)
	}
	w.b = make([]byte, p.bytes)
	return w
}

// borrow returns a window of at least n bytes, nil when none is that large or none is left.
func borrow(n int64) *window {
	for i := range windows {
		if p := &windows[i]; n <= int64(p.bytes) {
			return p.get()
		}
	}
	return nil
}

// giveBack ends the use of a window, which may be nil.
func (w *window) giveBack() {
	if w != nil {
		w.pool.free.Put(w)
	}
}

// hold makes sure that the cursor's window has n bytes; what was in it is no longer valid when it had not.
func (c *Cursor) hold(n int64) bool {
	if c.window != nil && n <= int64(len(c.window.b)) {
		return true
	}
	c.window.giveBack()
	c.window = borrow(n)
	return c.window != nil
}

// memory returns n bytes: of a window, or made for a frame that fits none.
func (c *Cursor) memory(n int64) []byte {
	if c.hold(n) {
		return c.window.b[:n]
	}
	return make([]byte, n)
}
