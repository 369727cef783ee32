package memfs

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// capture is what a sync covers: the dirty pages and the length at the time
// it began. What is written while it runs stays dirty.
type capture struct {
	size, reserved int64
	pages          []captured
	done           bool
}

type captured struct {
	index int32
	page  *page
}

func (m *Mem) capture(n *node) *capture {
	m.freeze()
	c := &capture{size: n.cache.size, reserved: n.cache.reserved}
	for _, i := range n.dirty {
		c.pages = append(c.pages, captured{i, n.cache.get(int(i))})
	}
	return c
}

// sync makes durable what c covers.
func (m *Mem) sync(n *node, c *capture) {
	if c.done {
		return
	}
	c.done = true
	n.flushMeta(c.size, c.reserved)
	for _, p := range c.pages {
		n.writeBack(p.index, p.page)
		if n.cache.get(int(p.index)) == p.page {
			n.setClean(p.index)
		}
	}
}

// failSync ends a sync the way kernels end one that fails: some of what it
// covers reaches the disk, all of it counts as clean from now on, readers go
// on seeing it, and nobody will be told again.
func (m *Mem) failSync(n *node, c *capture) {
	m.counters.add(FaultSyncFailed, 1)
	n.failures++
	n.reported = true
	if c.done {
		return
	}
	c.done = true
	if m.rng.IntN(2) == 0 {
		n.flushMeta(c.size, c.reserved)
	}
	keep := chance(m.rng)
	if n.cutTo != notCut {
		keep = 0 // new blocks behind a cut that the disk does not know of
	}
	for _, p := range c.pages {
		m.lose(n, p.index, p.page, m.rng.Float64() >= keep)
	}
}

// lose makes page i clean. If lost, the disk keeps what it had.
func (m *Mem) lose(n *node, i int32, p *page, lost bool) {
	if n.cache.get(int(i)) == p {
		n.setClean(i)
	}
	if !lost {
		n.writeBack(i, p)
	} else if n.disk.get(int(i)) != p {
		m.counters.add(FaultCleanButWrong, 1)
	}
}

// chance picks how likely each of several things is, so that all of them and
// none of them happen often.
func chance(rng *rand.Rand) float64 {
	return [...]float64{0, 0.1, 0.5, 0.5, 0.9, 1}[rng.IntN(6)]
}

// Background lets the system do one thing nobody asked for: write back one
// dirty page, write back a whole file, or make names durable early. It picks
// by rng and says whether there was anything to do.
func (m *Mem) Background(rng *rand.Rand) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	what := rng.IntN(10)
	if what < 3 {
		return m.persistEarly(rng)
	}
	var files []*node
	for _, n := range m.nodes {
		if len(n.dirty) > 0 {
			files = append(files, n)
		}
	}
	if len(files) == 0 {
		return m.persistEarly(rng)
	}
	n := files[rng.IntN(len(files))]
	if what < 4 {
		m.counters.add(FaultWriteBackFile, 1)
		m.sync(n, m.capture(n))
		return true
	}
	m.counters.add(FaultWriteBackPage, 1)
	m.freeze()
	if n.cutTo != notCut {
		n.flushMeta(n.cache.size, n.cache.reserved)
	}
	i := n.dirty[rng.IntN(len(n.dirty))]
	n.writeBack(i, n.cache.get(int(i)))
	n.setClean(i)
	return true
}

// persistEarly makes some changes of names durable, as when another file's
// sync commits the file system's journal: a prefix of them.
func (m *Mem) persistEarly(rng *rand.Rand) bool {
	if len(m.pending) == 0 {
		return false
	}
	early := m.pending[:1+rng.IntN(len(m.pending))]
	m.counters.add(FaultEarlyName, 1)
	for _, c := range early {
		if c.kind == changeUnlink {
			m.counters.add(FaultEarlyRemove, 1)
		}
		c.apply(func(n *node) *entries { return &n.durable })
	}
	m.pending = slices.Delete(m.pending, 0, len(early))
	return true
}

// FailWriteBack lets the writing back of every dirty page of a file fail
// before anybody asked for a sync: the pages count as clean, and the next
// sync reports it, once.
func (m *Mem) FailWriteBack(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.file(name)
	if err != nil || len(n.dirty) == 0 {
		return false
	}
	m.counters.add(FaultWriteBackFailed, 1)
	n.failures++
	n.reported = false
	c := m.capture(n)
	for _, p := range c.pages {
		m.lose(n, p.index, p.page, true)
	}
	return true
}

// Owing reports whether a write-back failed that nobody was told about: the next
// sync of that file fails, whoever asks for it.
func (m *Mem) Owing() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.nodes {
		if n.failures > 0 && !n.reported {
			return true
		}
	}
	return false
}

// Unsynced returns how many bytes a loss of power now could lose: bytes in
// which readers see something else than the disk has, and bytes of writes
// under way.
func (m *Mem) Unsynced() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var total int64
	for _, n := range m.nodes {
		for _, i := range n.dirty {
			total += differing(n.cache.get(int(i)), n.disk.get(int(i)))
		}
	}
	for _, op := range m.inflight {
		if op.Kind == OpWrite {
			total += op.Len
		}
	}
	return total
}

// AtStake reports whether Unsynced is more than 0.
func (m *Mem) AtStake() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, op := range m.inflight {
		if op.Kind == OpWrite && op.Len > 0 {
			return true
		}
	}
	for _, n := range m.nodes {
		for _, i := range n.dirty {
			a, b := cmp.Or(n.cache.get(int(i)), &zeroPage), cmp.Or(n.disk.get(int(i)), &zeroPage)
			if a != b && a.data != b.data {
				return true
			}
		}
	}
	return false
}

var zeroPage page // never written

func differing(a, b *page) int64 {
	if a == b {
		return 0
	}
	if a == nil {
		a = &zeroPage
	}
	if b == nil {
		b = &zeroPage
	}
	var n int64
	for i := range a.data {
		if a.data[i] != b.data[i] {
			n++
		}
	}
	return n
}

// UnsyncedNames returns how many changes of names a loss of power could lose.
func (m *Mem) UnsyncedNames() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.pending)
}
