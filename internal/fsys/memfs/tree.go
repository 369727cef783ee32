package memfs

import (
	"cmp"
	"slices"
)

// node is a file or a directory, whatever names lead to it.
type node struct {
	index   int
	dir     bool
	cached  entries // of a directory: what readers see
	durable entries // of a directory: what the disk has

	cache    image   // of a file: what readers see
	disk     image   // of a file: what the disk has
	older    []*page // the version the disk had of each page before this one
	dirty    []int32 // pages whose cached version is to be written back, sorted
	cutTo    int64   // lowest length since the metadata was last durable; notCut if never lowered
	meta     bool    // length, allocation or cut differ from the disk's
	handles  int     // open handles
	failures int     // syncs and write-backs that failed
	reported bool    // somebody was told about the last failure
}

const notCut = int64(1)<<62 - 1

func (m *Mem) newNode(dir bool) *node {
	n := &node{index: len(m.nodes), dir: dir, cutTo: notCut}
	m.nodes = append(m.nodes, n)
	return n
}

// entries are the names in a directory, sorted.
type entries []entry

type entry struct {
	name string
	node *node
}

func (e entries) find(name string) (int, bool) {
	return slices.BinarySearchFunc(e, name, func(x entry, name string) int { return cmp.Compare(x.name, name) })
}

func (e entries) get(name string) *node {
	if i, ok := e.find(name); ok {
		return e[i].node
	}
	return nil
}

func (e *entries) set(name string, n *node) {
	i, ok := e.find(name)
	if !ok {
		*e = slices.Insert(*e, i, entry{})
	}
	(*e)[i] = entry{name, n}
}

func (e *entries) remove(name string) {
	if i, ok := e.find(name); ok {
		*e = slices.Delete(*e, i, i+1)
	}
}

// change is one unsynced change of names.
type change struct {
	kind changeKind
	from spot // of a rename
	to   spot
	node *node
}

type changeKind uint8

const (
	changeLink changeKind = iota
	changeUnlink
	changeRename
)

// spot is where a name is.
type spot struct {
	dir  *node
	name string
}

// change applies c to what readers see and notes it as unsynced.
func (m *Mem) change(c change) {
	c.apply(func(n *node) *entries { return &n.cached })
	m.pending = append(m.pending, c)
}

func (c change) apply(image func(*node) *entries) {
	switch c.kind {
	case changeLink:
		image(c.to.dir).set(c.to.name, c.node)
	case changeUnlink:
		image(c.to.dir).remove(c.to.name)
	case changeRename:
		image(c.from.dir).remove(c.from.name)
		image(c.to.dir).set(c.to.name, c.node)
	}
}

// touches reports whether two changes share a name, so that their order on
// the disk is settled.
func (c change) touches(o change) bool {
	return c.to == o.to || c.kind == changeRename && c.from == o.to ||
		o.kind == changeRename && (c.to == o.from || c.kind == changeRename && c.from == o.from)
}

// persist makes durable the unsynced changes that want picks, and what must
// be durable before them: every earlier change of the same names. It returns
// how many.
func (m *Mem) persist(want func(change) bool) int {
	picked := make([]bool, len(m.pending))
	count := 0
	for i := len(m.pending) - 1; i >= 0; i-- {
		if !picked[i] && !want(m.pending[i]) {
			continue
		}
		picked[i] = true
		count++
		for j := range i {
			picked[j] = picked[j] || m.pending[j].touches(m.pending[i])
		}
	}
	rest := m.pending[:0]
	for i, c := range m.pending {
		if picked[i] {
			c.apply(func(n *node) *entries { return &n.durable })
		} else {
			rest = append(rest, c)
		}
	}
	m.pending = rest
	return count
}

// release gives back the room of a file that lost its last name and handle.
func (m *Mem) release(n *node) {
	if n == nil || n.dir || n.handles > 0 || m.linked(n) {
		return
	}
	m.used -= n.cache.blocks()
}

func (m *Mem) linked(n *node) bool {
	for _, dir := range m.nodes {
		for _, e := range dir.cached {
			if e.node == n {
				return true
			}
		}
	}
	return false
}
