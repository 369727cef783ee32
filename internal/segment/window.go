package segment

import "io"

// Bounds of a window. The smallest holds any frame's header with its
// extensions; the largest leaves, of 4 MiB, the room of a table chunk.
const (
	defaultWindow = 256 << 10
	minWindow     = 8 << 10
	maxWindow     = 4<<20 - tableChunk
	tableChunk    = 64 << 10
)

// window is a piece of a file in memory that moves forward as it is asked for
// more. It reads nothing at or beyond limit.
type window struct {
	r     io.ReaderAt // nil: buf is all there is
	limit int64
	size  int    // most bytes held at a time
	base  int64  // file offset of buf[0]
	buf   []byte // what is held
	mem   []byte // the window's own memory; not used when r is nil
}

// bytes is the n bytes at off, valid until the next call. n is at most size.
func (w *window) bytes(off int64, n int) ([]byte, error) {
	if i := off - w.base; i >= 0 && i+int64(n) <= int64(len(w.buf)) {
		return w.buf[i : i+int64(n)], nil
	}
	if err := w.fill(off, n); err != nil {
		return nil, err
	}
	return w.buf[:n], nil
}

// atLeast is n bytes at off and all that is held behind them.
func (w *window) atLeast(off int64, n int) ([]byte, error) {
	if _, err := w.bytes(off, n); err != nil {
		return nil, err
	}
	return w.buf[off-w.base:], nil
}

// fill moves the window to off so that it holds at least n bytes from there.
// What it holds already is not read again. The error is io.ErrUnexpectedEOF
// when the bytes do not exist.
func (w *window) fill(off int64, n int) error {
	want := int(min(int64(w.size), w.limit-off))
	if w.r == nil || n > want {
		return io.ErrUnexpectedEOF
	}
	mem := w.mem[:cap(w.mem)]
	if len(mem) < want {
		mem = make([]byte, max(want, min(w.size, 2*len(mem))))
	}
	kept := 0
	if i := off - w.base; i >= 0 && i < int64(len(w.buf)) {
		kept = copy(mem[:want], w.buf[i:])
	}
	got, err := w.r.ReadAt(mem[kept:want], off+int64(kept))
	w.mem, w.base, w.buf = mem, off, mem[:kept+got]
	if len(w.buf) >= n {
		return nil
	}
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// read fills p from off, past the window.
func (w *window) read(p []byte, off int64) error {
	if w.r == nil || off+int64(len(p)) > w.limit {
		return io.ErrUnexpectedEOF
	}
	if n, err := w.r.ReadAt(p, off); n < len(p) {
		if err == nil || err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	return nil
}
