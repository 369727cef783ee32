package memfs

import (
	"math"
	"math/rand/v2"
	"slices"
)

// loseNames decides which unsynced changes of names survive, and makes
// readers see the disk's names.
func (m *Mem) loseNames(rng *rand.Rand, loss Loss) {
	var lost []change
	prefix, keep := rng.IntN(len(m.pending)+1), chance(rng)
	for i, p := range m.pending {
		survives := i < prefix
		if !loss.Ordered {
			survives = rng.Float64() < keep && !slices.ContainsFunc(lost, p.touches)
		}
		if !survives {
			lost = append(lost, p)
			m.counters.add(FaultNameLost, 1)
			continue
		}
		p.apply(func(n *node) *entries { return &n.durable })
		if p.kind == changeUnlink {
			m.counters.add(FaultEarlyRemove, 1)
		}
		if len(lost) > 0 {
			m.counters.add(FaultNamesReordered, 1)
		}
	}
	m.pending = nil
	for _, n := range m.nodes {
		n.cached = slices.Clone(n.durable)
	}
}

// loseData decides what of a file's unsynced data and metadata survives, and
// makes readers see the disk's contents.
func (m *Mem) loseData(n *node, rng *rand.Rand, loss Loss, torn map[*page]bool) {
	limit := m.loseMeta(n, rng)
	keep, tear := chance(rng), chance(rng)/2
	folio, kept := int32(-1), false
	for _, i := range n.dirty {
		if i >= limit {
			break
		}
		if loss.Folio > 1 {
			if f := i / int32(loss.Folio); f != folio {
				folio, kept = f, rng.Float64() < keep
				m.counters.add(FaultFolio, 1)
			}
			m.keepPage(n, i, kept, torn)
		} else if rng.Float64() < tear {
			m.tearPage(n, i, rng)
		} else {
			m.keepPage(n, i, rng.Float64() < keep, torn)
		}
	}
	if n.disk.size < int64(len(n.disk.pages))*PageBytes {
		n.disk.clearTail(n.disk.size)
		reserved := n.disk.reserved
		n.disk.cut(n.disk.size)
		n.disk.reserved = reserved
	}
	n.cache = n.disk.clone()
	n.dirty, n.meta, n.cutTo, n.failures, n.reported = nil, false, notCut, 0, false
}

// loseMeta decides which length and allocation the file has. It returns the
// page from which on no unsynced data can have survived.
func (m *Mem) loseMeta(n *node, rng *rand.Rand) int32 {
	const all = math.MaxInt32
	if !n.meta && n.cutTo == notCut {
		return all
	}
	switch rng.IntN(4) {
	case 0:
		m.counters.add(FaultSizeLost, 1)
		if n.cutTo != notCut {
			return int32(n.cutTo / PageBytes)
		}
	case 1:
		if grown := n.cache.size - min(n.disk.size, n.cutTo); grown > 0 {
			m.counters.add(FaultSizePartial, 1)
			n.flushMeta(n.cache.size-rng.Int64N(grown+1), n.disk.reserved)
			return all
		}
		fallthrough
	default:
		n.flushMeta(n.cache.size, n.cache.reserved)
	}
	return all
}

func (m *Mem) keepPage(n *node, i int32, keep bool, torn map[*page]bool) {
	p := n.cache.get(int(i))
	if !keep {
		m.counters.add(FaultPageLost, 1)
		return
	}
	n.writeBack(i, p)
	m.counters.add(FaultPageKept, 1)
	if torn[p] {
		m.counters.add(FaultTornWrite, 1)
	}
}

// tearPage leaves a page on the disk that is partly the old version and
// partly the new one.
func (m *Mem) tearPage(n *node, i int32, rng *rand.Rand) {
	m.version++
	p := &page{version: m.version}
	if old := n.disk.get(int(i)); old != nil {
		p.data = old.data
	}
	young := n.cache.get(int(i))
	if rng.IntN(3) == 0 {
		m.counters.add(FaultPagePrefix, 1)
		end := 8 * (1 + rng.IntN(PageBytes/8-1))
		copy(p.data[:end], young.data[:end])
	} else {
		m.counters.add(FaultSectors, 1)
		which := rng.Uint32()
		for s := range PageBytes / SectorBytes {
			if which>>s&1 != 0 {
				copy(p.data[s*SectorBytes:], young.data[s*SectorBytes:(s+1)*SectorBytes])
			}
		}
	}
	n.writeBack(i, p)
}
