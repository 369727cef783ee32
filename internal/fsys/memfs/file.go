package memfs

import (
	"io"
	"io/fs"
	"sync/atomic"
)

// handle is an open file of one life. It implements fsys.File.
type handle struct {
	mem    *Mem
	node   *node
	name   string
	writes bool
	closed atomic.Bool
	seen   int // failures this handle knows of; under mem.mu
}

// do carries out an operation on an open handle.
func (h *handle) do(op *Op, effect func() error) error {
	if h.closed.Load() {
		return pathError(op.Kind.String(), h.name, fs.ErrClosed)
	}
	if op.Kind.Changes() && !h.writes && op.Kind != OpSync && op.Kind != OpDropCache {
		return pathError(op.Kind.String(), h.name, fs.ErrPermission)
	}
	if op.Off < 0 || op.Len < 0 {
		return pathError(op.Kind.String(), h.name, fs.ErrInvalid)
	}
	op.Name, op.node, op.handle = h.name, h.node, h
	return h.mem.do(op, effect)
}

// ReadAt implements io.ReaderAt.
func (h *handle) ReadAt(p []byte, off int64) (n int, err error) {
	err = h.do(&Op{Kind: OpRead, Off: off, Len: int64(len(p))}, func() error {
		im := &h.node.cache
		n = int(min(int64(len(p)), max(im.size-off, 0)))
		im.read(p[:n], off)
		return nil
	})
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// WriteAt implements io.WriterAt.
func (h *handle) WriteAt(p []byte, off int64) (n int, err error) {
	op := &Op{Kind: OpWrite, Off: off, Len: int64(len(p)), Data: p}
	err = h.do(op, func() error {
		n, err = h.mem.write(h.node, p, off)
		return err
	})
	if err != nil && n == 0 {
		n = op.written
	}
	return n, err
}

// Size implements fsys.File.
func (h *handle) Size() (size int64, err error) {
	err = h.do(&Op{Kind: OpSize}, func() error {
		size = h.node.cache.size
		return nil
	})
	return size, err
}

// Allocate implements fsys.File.
func (h *handle) Allocate(size int64) error {
	return h.do(&Op{Kind: OpAllocate, Len: size}, func() error { return h.mem.reserve(h.node, size) })
}

// Truncate implements fsys.File.
func (h *handle) Truncate(size int64) error {
	return h.do(&Op{Kind: OpTruncate, Len: size}, func() error {
		if size > h.node.cache.size {
			return pathError("truncate", h.name, fs.ErrInvalid)
		}
		h.mem.cut(h.node, size)
		return nil
	})
}

// Allocated implements fsys.File.
func (h *handle) Allocated() (size int64, err error) {
	err = h.do(&Op{Kind: OpAllocated}, func() error {
		size = h.node.cache.blocks() * PageBytes
		return nil
	})
	return size, err
}

// Sync implements fsys.File. When the hook returns an error it fails like a
// kernel: a random part of the data reaches the disk, all of it counts as
// clean, readers still see it, and the next Sync returns nil.
func (h *handle) Sync() error {
	op := &Op{Kind: OpSync}
	return h.do(op, func() error {
		h.mem.sync(h.node, op.captured)
		if h.seen < h.node.failures {
			h.seen, h.node.reported = h.node.failures, true
			return pathError("sync", h.name, ErrIO)
		}
		return nil
	})
}

// DropCache implements fsys.File. Clean pages are read from the disk again,
// which shows what a failed sync lost.
func (h *handle) DropCache() error {
	return h.do(&Op{Kind: OpDropCache}, func() error {
		h.mem.dropCache(h.node)
		return nil
	})
}

func (m *Mem) dropCache(n *node) {
	m.freeze()
	before := n.cache.blocks()
	for i := range max(len(n.cache.pages), len(n.disk.pages)) {
		if n.isDirty(int32(i)) || n.cache.get(i) == n.disk.get(i) || int64(i) >= pagesOf(n.cache.size) {
			continue
		}
		if int64(i) >= pagesOf(n.cutTo) {
			continue // behind a cut the disk does not know of yet
		}
		m.counters.add(FaultCacheDropped, 1)
		n.cache.set(i, n.disk.get(i))
	}
	m.used += n.cache.blocks() - before
}

// Close implements io.Closer.
func (h *handle) Close() error {
	if h.closed.Swap(true) {
		return pathError("close", h.name, fs.ErrClosed)
	}
	m := h.mem
	m.mu.Lock()
	defer m.mu.Unlock()
	h.node.handles--
	m.release(h.node)
	return nil
}
