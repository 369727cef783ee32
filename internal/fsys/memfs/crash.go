package memfs

import (
	"math/rand/v2"
	"slices"
)

// Loss says how a loss of power treats what was not synced. The zero value is
// a kernel in which anything permitted may happen; the fields narrow it to
// what some kernels do.
type Loss struct {
	// Ordered keeps a prefix of the unsynced changes of names, as a file system
	// with one journal does. Otherwise any subset survives in which no change
	// of a name survives an earlier one of that name that does not.
	Ordered bool

	// Folio, if above one, makes so many neighbouring pages share their fate,
	// as pages cached in one large folio do.
	Folio int
}

// RandomLoss picks a Loss.
func RandomLoss(rng *rand.Rand) Loss {
	l := Loss{Ordered: rng.IntN(2) == 0}
	if rng.IntN(4) == 0 {
		l.Folio = 2 << rng.IntN(5)
	}
	return l
}

// Clone returns the disk with its cache as it is now, without the operations
// under way, as a new life.
func (m *Mem) Clone() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, _ := m.clone(m.gen)
	return c
}

// Kill returns the disk as the death of the process leaves it: the cache
// stays, what is dirty stays dirty, and what a failed sync declared clean
// stays visible until DropCache. Operations under way have happened, have
// not, or are cut off in the middle.
func (m *Mem) Kill(rng *rand.Rand) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, copies := m.clone(rng.Uint64())
	c.settle(m.underWay(), copies, rng, false)
	c.counters.add(FaultProcessDeath, 1)
	return c
}

// Crash returns one of the disks that a loss of power now could leave.
func (m *Mem) Crash(rng *rand.Rand, loss Loss) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, copies := m.clone(rng.Uint64())
	torn := c.settle(m.underWay(), copies, rng, true)
	c.counters.add(FaultPowerLoss, 1)
	c.loseNames(rng, loss)
	for _, n := range c.nodes {
		if !n.dir {
			c.loseData(n, rng, loss, torn)
		}
	}
	c.used = c.inUse()
	return c
}

// clone copies what a name, a durable name or an unsynced change leads to. It
// also returns the copy of each node, by the index of the original.
func (m *Mem) clone(seed uint64) (c *Mem, copies []*node) {
	m.freeze()
	c = &Mem{
		counters: m.counters,
		locks:    make(map[string][]byte),
		rng:      rand.New(rand.NewPCG(seed, 0x5eed)),
		capacity: m.capacity,
		gen:      m.gen,
		version:  m.version,
		pending:  slices.Clone(m.pending),
	}
	copies = make([]*node, len(m.nodes))
	c.root = c.adopt(m.root, copies)
	for i := range c.pending {
		p := &c.pending[i]
		p.node = c.adopt(p.node, copies)
		p.to.dir = c.adopt(p.to.dir, copies)
		if p.kind == changeRename {
			p.from.dir = c.adopt(p.from.dir, copies)
		}
	}
	c.used = c.inUse()
	return c, copies
}

// adopt returns the copy of n in c, and makes it if there is none.
func (m *Mem) adopt(n *node, copies []*node) *node {
	if copies[n.index] != nil {
		return copies[n.index]
	}
	k := &node{
		index: len(m.nodes), dir: n.dir,
		cache: n.cache.clone(), disk: n.disk.clone(),
		older: slices.Clone(n.older), dirty: slices.Clone(n.dirty),
		cutTo: n.cutTo, meta: n.meta, failures: n.failures, reported: n.reported,
	}
	m.nodes = append(m.nodes, k)
	copies[n.index] = k
	k.cached, k.durable = slices.Clone(n.cached), slices.Clone(n.durable)
	for _, list := range []entries{k.cached, k.durable} {
		for i := range list {
			list[i].node = m.adopt(list[i].node, copies)
		}
	}
	return k
}

// inUse counts the pages of every file that has a name.
func (m *Mem) inUse() int64 {
	counted := make([]bool, len(m.nodes))
	var count func(dir *node) int64
	count = func(dir *node) (total int64) {
		for _, e := range dir.cached {
			if counted[e.node.index] {
				continue
			}
			counted[e.node.index] = true
			if e.node.dir {
				total += count(e.node)
			} else {
				total += e.node.cache.blocks()
			}
		}
		return total
	}
	return count(m.root)
}

// settle decides how far each operation under way in the original got. It
// returns the pages in which a write was cut off between two words.
func (m *Mem) settle(ops []*Op, copies []*node, rng *rand.Rand, power bool) map[*page]bool {
	var torn map[*page]bool
	for _, op := range ops {
		if op.node != nil {
			if n := copies[op.node.index]; n != nil {
				torn = m.settleFile(op, n, rng, power, torn)
			}
		} else if rng.IntN(2) == 0 {
			m.settleName(op)
		}
	}
	return torn
}

// settleName carries out a change of names that was under way. Where it would
// have failed nothing has happened.
func (m *Mem) settleName(op *Op) {
	switch op.Kind {
	case OpCreate:
		_, _ = m.create(op.Name)
	case OpRename:
		_ = m.rename(op.Name, op.To)
	case OpRemove:
		_ = m.remove(op.Name)
	case OpMkdir:
		_ = m.mkdir(op.Name)
	}
}

// settleFile decides how much of an operation on a file that was under way
// happened.
func (m *Mem) settleFile(op *Op, n *node, rng *rand.Rand, power bool, torn map[*page]bool) map[*page]bool {
	how := rng.IntN(3)
	if how == 0 {
		return torn
	}
	switch op.Kind {
	case OpAllocate:
		_ = m.reserve(n, op.Len)
	case OpTruncate:
		m.cut(n, op.Len)
	case OpWrite:
		if how == 1 || op.Len == 0 {
			_, _ = m.write(n, op.Data, op.Off)
			return torn
		}
		first, last := op.Off/8, (op.Off+op.Len-1)/8
		end := first + rng.Int64N(last-first+1)
		keep := func(word int64) bool { return word <= end }
		if p := chance(rng); power && rng.IntN(2) == 0 {
			keep = func(int64) bool { return rng.Float64() < p }
		} else if !power {
			m.counters.add(FaultTornWrite, 1)
		}
		m.writeWords(n, op.Data, op.Off, keep)
		if torn == nil {
			torn = make(map[*page]bool)
		}
		for i := op.Off / PageBytes; i <= (op.Off+op.Len-1)/PageBytes; i++ {
			torn[n.cache.get(int(i))] = true
		}
	}
	return torn
}
