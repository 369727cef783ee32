package memfs

import (
	"slices"
)

// page is one version of one page. It is written in place only while gen is
// the present generation of its Mem, which means that nobody else has it.
type page struct {
	gen     uint64
	version uint64
	data    [PageBytes]byte
}

// image is one state of a file. A nil page is zeros, as is what lies behind
// the last page.
type image struct {
	size     int64
	reserved int64 // pages from the start with blocks of their own, written or not
	pages    []*page
}

// blocks returns how many pages the image takes on the disk.
func (im *image) blocks() int64 {
	n := im.reserved
	for i := im.reserved; i < int64(len(im.pages)); i++ {
		if im.pages[i] != nil {
			n++
		}
	}
	return n
}

func (im *image) get(i int) *page {
	if i >= len(im.pages) {
		return nil
	}
	return im.pages[i]
}

func (im *image) set(i int, p *page) {
	if i >= len(im.pages) {
		im.pages = append(im.pages, make([]*page, i+1-len(im.pages))...)
	}
	im.pages[i] = p
}

// cut drops what lies at or behind size.
func (im *image) cut(size int64) {
	keep := int(pagesOf(size))
	if keep < len(im.pages) {
		clear(im.pages[keep:])
		im.pages = im.pages[:keep]
	}
	im.reserved = min(im.reserved, int64(keep))
	im.size = min(im.size, size)
}

// clearTail gives the image a page with zeros behind size, where it has one
// that reaches beyond. The page it had may be shared and stays as it is.
func (im *image) clearTail(size int64) {
	i, at := int(size/PageBytes), size%PageBytes
	old := im.get(i)
	if at == 0 || old == nil {
		return
	}
	p := &page{version: old.version}
	copy(p.data[:at], old.data[:at])
	im.pages[i] = p
}

func (im *image) clone() image {
	return image{size: im.size, reserved: im.reserved, pages: slices.Clone(im.pages)}
}

// read copies bytes at off, which lie before the end, into p.
func (im *image) read(p []byte, off int64) {
	for len(p) > 0 {
		at := int(off % PageBytes)
		n := min(len(p), PageBytes-at)
		if pg := im.get(int(off / PageBytes)); pg != nil {
			copy(p[:n], pg.data[at:])
		} else {
			clear(p[:n])
		}
		p, off = p[n:], off+int64(n)
	}
}

func pagesOf(size int64) int64 { return (size + PageBytes - 1) / PageBytes }

// freeze makes every present page immutable.
func (m *Mem) freeze() { m.gen++ }

// writable returns the cached page i, alone and marked dirty.
func (m *Mem) writable(n *node, i int) *page {
	m.version++
	old := n.cache.get(i)
	n.setDirty(int32(i))
	if old != nil && old.gen == m.gen {
		old.version = m.version
		return old
	}
	p := &page{gen: m.gen, version: m.version}
	if old != nil {
		p.data = old.data
	}
	n.cache.set(i, p)
	return p
}

// write is a write as the page cache takes it: a page at a time, as far as
// there is room.
func (m *Mem) write(n *node, b []byte, off int64) (int, error) {
	done := 0
	for done < len(b) {
		i, at := int(off/PageBytes), int(off%PageBytes)
		if int64(i) >= n.cache.reserved && n.cache.get(i) == nil {
			if m.used >= m.capacity {
				m.counters.add(FaultNoSpace, 1)
				return done, errNoSpace
			}
			m.used++
		}
		k := copy(m.writable(n, i).data[at:], b[done:])
		done, off = done+k, off+int64(k)
		if off > n.cache.size {
			n.cache.size, n.meta = off, true
		}
	}
	return done, nil
}

// writeWords applies the 8-byte words of b at off that keep picks: what a
// write in progress leaves when it is cut off.
func (m *Mem) writeWords(n *node, b []byte, off int64, keep func(word int64) bool) {
	start, end := off, off+int64(len(b))
	from := int64(-1) // where the present stretch of words kept begins
	for at := start; at < end; at = (at/8 + 1) * 8 {
		switch kept := keep(at / 8); {
		case kept && from < 0:
			from = at
		case !kept && from >= 0:
			_, _ = m.write(n, b[from-start:at-start], from) // as much as there is room for
			from = -1
		}
	}
	if from >= 0 {
		_, _ = m.write(n, b[from-start:], from)
	}
}

// reserve gives the file blocks for its first size bytes, and that length.
func (m *Mem) reserve(n *node, size int64) error {
	before := n.cache.blocks()
	was := n.cache.reserved
	n.cache.reserved = max(was, pagesOf(size))
	if more := n.cache.blocks() - before; m.used+more > m.capacity && more > 0 {
		n.cache.reserved = was
		m.counters.add(FaultNoSpace, 1)
		return errNoSpace
	} else if more > 0 {
		m.used += more
	}
	n.cache.size = max(n.cache.size, size)
	n.meta = true
	return nil
}

// cut shortens the file. A sync under way covers what was there before.
func (m *Mem) cut(n *node, size int64) {
	if size >= n.cache.size {
		return
	}
	for _, op := range m.inflight {
		if op.Kind == OpSync && op.node == n {
			m.sync(n, op.captured)
		}
	}
	before := n.cache.blocks()
	n.cache.cut(size)
	n.dirty = slices.DeleteFunc(n.dirty, func(i int32) bool { return int64(i) >= pagesOf(size) })
	if at := size % PageBytes; at != 0 && n.cache.get(int(size/PageBytes)) != nil {
		clear(m.writable(n, int(size/PageBytes)).data[at:])
	}
	m.used -= before - n.cache.blocks()
	n.cutTo = min(n.cutTo, size)
	n.meta = true
}

func (n *node) setDirty(i int32) {
	if k := len(n.dirty); k == 0 || n.dirty[k-1] < i {
		n.dirty = append(n.dirty, i)
	} else if at, found := slices.BinarySearch(n.dirty, i); !found {
		n.dirty = slices.Insert(n.dirty, at, i)
	}
}

func (n *node) isDirty(i int32) bool {
	_, found := slices.BinarySearch(n.dirty, i)
	return found
}

func (n *node) setClean(i int32) {
	if at, found := slices.BinarySearch(n.dirty, i); found {
		n.dirty = slices.Delete(n.dirty, at, at+1)
	}
}

// writeBack gives the disk version p of page i, unless it has a younger one.
func (n *node) writeBack(i int32, p *page) {
	have := n.disk.get(int(i))
	if have != nil && p != nil && have.version >= p.version {
		return
	}
	if int(i) >= len(n.older) {
		n.older = append(n.older, make([]*page, int(i)+1-len(n.older))...)
	}
	n.older[i] = have
	n.disk.set(int(i), p)
}

// flushMeta makes a length, an allocation and any cut durable.
func (n *node) flushMeta(size, reserved int64) {
	if n.cutTo != notCut {
		n.disk.cut(n.cutTo)
		n.disk.clearTail(n.cutTo)
		n.cutTo = notCut
	}
	n.disk.size, n.disk.reserved = size, reserved
	n.meta = n.disk.size != n.cache.size || n.disk.reserved != n.cache.reserved
}
