package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Reasons of an InvalidError.
const (
	ReasonZeros     = "zeros"              // a frame's header could stand here and is all zero
	ReasonShort     = "short"              // what is left has no room for a frame
	ReasonSync      = "no sync word"       // not a frame of this file
	ReasonLength    = "impossible length"  // the lengths in the header contradict each other
	ReasonBeyond    = "beyond the end"     // the frame would end behind the walk's end
	ReasonChecksum  = "checksum"           // header, extensions or record headers were changed
	ReasonMalformed = "malformed"          // the checksum holds over what no writer writes
	ReasonMissing   = "bytes do not exist" // the file ends before the walk's end
)

// InvalidError says that the bytes at Offset are not a frame. Whether that is
// where the data ends, a torn write or damage is for the caller to find out.
type InvalidError struct {
	Offset int64
	Reason string
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("segment: no frame at %d: %s", e.Offset, e.Reason)
}

// WalkerOptions bound a Walker.
type WalkerOptions struct {
	// Window is how many bytes are read and held at a time: 256 KiB when 0,
	// never less than 8 KiB nor more than 4 MiB.
	Window int
}

// A Walker goes over the frames of a file and over the records of a frame.
// It believes nothing that a checksum does not cover and takes no memory on the
// word of a length it has not compared with what is left: at most its window,
// 64 KiB for the headers of a frame longer than the window, and the largest
// single record that was read and did not fit the window.
//
// The zero Walker is ready for Reset or ResetBytes.
type Walker struct {
	win    window
	window int // bytes the window may hold when it has to be read
	nonce  uint64
	sync   uint32
	seed   uint32 // the checksum of the nonce: what every other one continues
	to     int64
	pos    int64 // where the next frame is looked for
	err    error

	frame   Frame
	ext     []byte // memory of frame.Ext
	tableAt int    // where the record headers begin in the frame

	cursor  recordCursor
	scratch [32]byte // what checksums begin with; see putFrameSeed, putRecordSeed
}

// NewWalker walks the file behind r from the frame at from. No frame may end
// beyond to, and no byte there is read.
func NewWalker(r io.ReaderAt, nonce uint64, from, to int64, opts WalkerOptions) *Walker {
	w := &Walker{window: opts.Window}
	w.Reset(r, nonce, from, to)
	return w
}

// Reset starts another walk with the memory of the one before.
func (w *Walker) Reset(r io.ReaderAt, nonce uint64, from, to int64) {
	size := w.window
	if size == 0 {
		size = defaultWindow
	}
	w.win.r, w.win.limit, w.win.size = r, to, min(max(size, minWindow), maxWindow)
	w.win.base, w.win.buf = 0, nil
	w.start(nonce, from, to)
}

// ResetBytes walks b, the bytes of a file from offset base, where a frame
// begins, without copying them: payloads are pieces of b.
func (w *Walker) ResetBytes(b []byte, base int64, nonce uint64) {
	to := base + int64(len(b))
	w.win.r, w.win.limit, w.win.size = nil, to, len(b)
	w.win.base, w.win.buf = base, b
	w.start(nonce, base, to)
}

// Release gives back the Walker's memory. It walks nothing until it is reset.
func (w *Walker) Release() {
	*w = Walker{window: w.window}
}

func (w *Walker) start(nonce uint64, from, to int64) {
	if nonce != w.nonce || w.sync == 0 {
		w.nonce, w.sync = nonce, syncWord(nonce)
		binary.LittleEndian.PutUint64(w.scratch[:], nonce)
		w.seed = crc32.Update(0, castagnoli, w.scratch[:8])
	}
	w.to = to
	w.SeekTo(from)
}

// SeekTo makes off the place where Next looks for a frame.
func (w *Walker) SeekTo(off int64) {
	w.pos, w.err = off, nil
	w.leave()
}

// leave forgets the current frame.
func (w *Walker) leave() {
	w.frame = Frame{}
	w.cursor.reset(0)
}

// Offset is where Next looks for a frame: the end of the current one, or the
// place that Err complains of.
func (w *Walker) Offset() int64 { return w.pos }

// Frame is the frame Next found, the zero Frame when it found none.
func (w *Walker) Frame() Frame { return w.frame }

// Err says why Next found no frame. It is nil when the walk is exactly at its
// end, an *InvalidError when the bytes are no valid frame, an error that is
// ErrVersion when they are one of a newer program, and else the error of a read.
func (w *Walker) Err() error { return w.err }

// Next goes to the next frame. It is false at the walk's end and at the first
// place without a frame whose header, extensions and record headers verify;
// there it stays. Payloads are not looked at: see Check and NextRecord.
func (w *Walker) Next() bool {
	if w.err != nil || w.pos >= w.to {
		w.leave()
		return false
	}
	reason, err := w.probe(w.pos)
	if reason == "" && err == nil {
		w.pos = w.frame.End()
		return true
	}
	w.leave()
	if reason != "" {
		err = &InvalidError{Offset: w.pos, Reason: reason}
	}
	w.err = err
	return false
}

// Resync looks for the first frame that verifies at or behind Offset; only
// behind it when Err says that there is none at it. When it finds one, Err is
// nil, Offset is the frame's, and Next goes there. Else Offset stays, and so
// does Err, unless a read failed, which it then says.
func (w *Walker) Resync() bool {
	w.leave()
	pos := align(w.pos)
	if w.err != nil {
		pos = align(w.pos + 1)
	}
	for ; ; pos += FrameAlign {
		var err error
		if pos, err = w.findSync(pos); err != nil {
			w.err = err
			return false
		}
		if pos < 0 {
			return false
		}
		reason, err := w.probe(pos)
		w.leave()
		switch {
		case reason == "" && (err == nil || errors.Is(err, ErrVersion)):
			w.SeekTo(pos)
			return true
		case err != nil:
			w.err = err
			return false
		}
	}
}

// findSync is the first place at or behind off where the sync word stands and
// a frame has room, or -1.
func (w *Walker) findSync(off int64) (int64, error) {
	for w.to-off >= FrameHeaderBytes {
		b, err := w.win.atLeast(off, FrameAlign)
		if err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return -1, err
		}
		for len(b) >= FrameAlign && w.to-off >= FrameHeaderBytes {
			if binary.LittleEndian.Uint32(b) == w.sync {
				return off, nil
			}
			b, off = b[FrameAlign:], off+FrameAlign
		}
	}
	return -1, nil
}
