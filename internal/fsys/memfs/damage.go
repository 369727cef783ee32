package memfs

// What a disk does to data at rest. Every method here changes the disk and
// the cache alike, as a disk that was damaged while the machine was off, and
// says whether there was anything to damage. They are meant for a disk that a
// Crash made, where nothing is unsynced.

// FlipBit inverts one bit of a file.
func (m *Mem) FlipBit(name string, bit int64) bool {
	return m.damage(FaultBitFlip, func() bool {
		n, err := m.file(name)
		if err != nil || bit < 0 || bit/8 >= n.disk.size {
			return false
		}
		p := m.replace(n, int(bit/8/PageBytes))
		p.data[bit/8%PageBytes] ^= 1 << (bit % 8)
		return true
	})
}

// SwapPages puts two pages into each other's place, in one file or two: two
// misdirected writes.
func (m *Mem) SwapPages(name1 string, page1 int, name2 string, page2 int) bool {
	return m.damage(FaultPagesSwapped, func() bool {
		a, err1 := m.file(name1)
		b, err2 := m.file(name2)
		if err1 != nil || err2 != nil || int64(page1) >= pagesOf(a.disk.size) || int64(page2) >= pagesOf(b.disk.size) {
			return false
		}
		pa, pb := m.replace(a, page1), m.replace(b, page2)
		if pa.data == pb.data {
			return false
		}
		pa.data, pb.data = pb.data, pa.data
		return true
	})
}

// ReplayPage gives a page the contents the disk had before the present ones:
// a lost write.
func (m *Mem) ReplayPage(name string, i int) bool {
	return m.damage(FaultPageReplayed, func() bool {
		n, err := m.file(name)
		if err != nil || i >= len(n.older) || int64(i) >= pagesOf(n.disk.size) {
			return false
		}
		older := n.older[i]
		if older == nil {
			older = &zeroPage
		}
		p := m.replace(n, i)
		if p.data == older.data {
			return false
		}
		p.data = older.data
		return true
	})
}

// CutFile cuts a file to size bytes.
func (m *Mem) CutFile(name string, size int64) bool {
	return m.damage(FaultTruncated, func() bool {
		n, err := m.file(name)
		if err != nil || size < 0 || size >= n.disk.size {
			return false
		}
		for _, im := range []*image{&n.cache, &n.disk} {
			im.cut(size)
			im.clearTail(size)
		}
		return true
	})
}

// DeleteFile removes a file.
func (m *Mem) DeleteFile(name string) bool {
	return m.damage(FaultDeleted, func() bool {
		dir, base, err := m.parent("delete", name)
		if err != nil || dir.cached.get(base) == nil {
			return false
		}
		dir.cached.remove(base)
		dir.durable.remove(base)
		return true
	})
}

// DuplicateFile puts a copy of a file under another name, in place of what is
// there.
func (m *Mem) DuplicateFile(name, copyName string) bool {
	return m.damage(FaultDuplicated, func() bool {
		n, err := m.file(name)
		if err != nil {
			return false
		}
		return m.place(copyName, n)
	})
}

// RestoreFile gives a file the contents it has on another disk, an earlier
// one of this store. A file that is gone comes back.
func (m *Mem) RestoreFile(name string, from *Mem) bool {
	from.mu.Lock()
	from.freeze()
	n, err := from.file(name)
	gen, version := from.gen, from.version
	from.mu.Unlock()
	if err != nil {
		return false
	}
	return m.damage(FaultRestored, func() bool {
		m.gen, m.version = max(m.gen, gen+1), max(m.version, version)
		if now, err := m.file(name); err == nil && now.disk.equal(&n.disk) {
			return false
		}
		return m.place(name, n)
	})
}

// SwapFiles puts two files under each other's name.
func (m *Mem) SwapFiles(name1, name2 string) bool {
	return m.damage(FaultFilesSwapped, func() bool {
		a, err1 := m.file(name1)
		b, err2 := m.file(name2)
		if err1 != nil || err2 != nil || a == b {
			return false
		}
		return m.place(name1, b) && m.place(name2, a)
	})
}

func (m *Mem) damage(f Fault, do func() bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.freeze()
	if !do() {
		return false
	}
	m.counters.add(f, 1)
	m.used = m.inUse()
	return true
}

// replace gives the disk and the cache a copy of page i of the disk's
// version, and returns it.
func (m *Mem) replace(n *node, i int) *page {
	m.version++
	p := &page{version: m.version}
	if old := n.disk.get(i); old != nil {
		p.data = old.data
	}
	n.disk.set(i, p)
	n.cache.set(i, p)
	n.setClean(int32(i))
	return p
}

// place puts a copy of what the disk has of n under a name.
func (m *Mem) place(name string, n *node) bool {
	dir, base, err := m.parent("place", name)
	if err != nil {
		return false
	}
	k := m.newNode(false)
	k.disk, k.cache = n.disk.clone(), n.disk.clone()
	dir.cached.set(base, k)
	dir.durable.set(base, k)
	return true
}

func (im *image) equal(o *image) bool {
	if im.size != o.size {
		return false
	}
	for i := range max(len(im.pages), len(o.pages)) {
		if differing(im.get(i), o.get(i)) > 0 {
			return false
		}
	}
	return true
}
