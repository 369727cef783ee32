package segment

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

const testNonce = 0x0123456789abcdef

// file builds the bytes of a file in memory, header included.
type file struct {
	b      []byte
	nonce  uint64
	frames []Frame    // without Ext
	recs   [][][]byte // of each frame
}

func newFile() *file {
	f := &file{b: make([]byte, HeaderBytes), nonce: testNonce}
	EncodeHeader(f.b, f.header())
	return f
}

func (f *file) header() Header {
	return Header{Store: [16]byte{1, 2, 3}, ID: 42, Nonce: f.nonce, Epoch: 5, Capacity: 64 << 20}
}

// frame appends a finished frame.
func (f *file) frame(k Kind, ordinal uint32, first uint64, recs ...[]byte) Frame {
	start := len(f.b)
	f.b = AppendFrame(f.b, k, ordinal, first, testTime+int64(len(f.frames)), recs)
	FinishFrame(f.b[start:], f.nonce, int64(start), HeaderBytes, 9)
	fr := decodeFixed(f.b[start:], int64(start))
	f.frames = append(f.frames, fr)
	f.recs = append(f.recs, recs)
	return fr
}

const testTime = 1_700_000_000_000

// walk is a Walker over all frames.
func (f *file) walk(window int) *Walker {
	end := int64(len(f.b))
	return NewWalker(&boundedReader{b: f.b, to: end}, f.nonce, HeaderBytes, end, WalkerOptions{Window: window})
}

// boundedReader fails the program when a byte at or beyond to is asked for.
type boundedReader struct {
	b    []byte
	to   int64
	read int64
}

func (r *boundedReader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off+int64(len(p)) > r.to {
		panic(fmt.Sprintf("read of %d bytes at %d, walk's end is %d", len(p), off, r.to))
	}
	if off >= int64(len(r.b)) {
		return 0, io.EOF
	}
	n := copy(p, r.b[off:])
	r.read += int64(n)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// fill is n bytes that look random and are never all zero.
func fill(n, seed int) []byte {
	b := make([]byte, n)
	rng := rand.New(rand.NewPCG(uint64(seed), 1))
	for i := range b {
		b[i] = byte(rng.Uint32()) | 1
	}
	return b
}

// extend puts extensions into an unfinished frame without any.
func extend(frame, ext []byte) []byte {
	out := append([]byte(nil), frame[:FrameHeaderBytes]...)
	out = append(out, ext...)
	out = append(out, frame[FrameHeaderBytes:]...)
	out = append(out, make([]byte, int(align(int64(len(out))))-len(out))...)
	binary.LittleEndian.PutUint16(out[extLenAt:], uint16(len(ext)))
	binary.LittleEndian.PutUint32(out[lengthAt:], uint32(len(out)))
	return out
}

func manyRuns(n int) []Run {
	runs := make([]Run, n)
	for i := range runs {
		off := int64(HeaderBytes + i*4096)
		runs[i] = Run{
			Ordinal: uint32(i + 1), First: uint64(i + 1), Last: uint64(i + 100),
			After: fill(108, i), Extents: []Extent{{off, 1024, uint64(i + 1), testTime}, {off + 2048, 512, uint64(i + 60), testTime - int64(i)}},
		}
		if i > 0 {
			runs[i].Before = fill(108, i+n)
		}
	}
	return runs
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s did not panic", what)
		}
	}()
	f()
}
