package sim

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/fsys/memfs"
	"github.com/aof2/aof/internal/segment"
)

// Exposed implements Fragile. Only in the file that holds the end can anything
// go without a word: what lies before the end of every other file is vouched
// for by the one that follows, and what lies below the watermark of a frame of
// the last file by that frame. Where the damage took the first frame of the
// last file too, the one before is the last.
func (AOF) Exposed(before, after *memfs.Mem, tail string) (*Exposure, error) {
	e := &Exposure{From: make(map[uint32]uint64)}
	for name := tail; name != "" && !same(before, after, name); {
		was, err := readHot(before, name)
		var gone *fs.PathError
		if name != tail && errors.As(err, &gone) {
			break // recycled: nothing in it is needed
		}
		if err != nil {
			return nil, err
		}
		is, err := readHot(after, name)
		if errors.As(err, &gone) || errors.Is(err, segment.ErrDamaged) || errors.Is(err, segment.ErrNotSegment) || err == nil && is.header != was.header {
			return e, nil // a file that is named, and not there or another one, is always missed
		}
		if err != nil {
			return nil, err
		}
		e.add(was.frames, is.vouched())
		if is.rolls {
			break
		}
		name, e.Revived = was.before, true
	}
	return e, nil
}

// add takes in the frames that no watermark vouches for.
func (e *Exposure) add(frames []segment.Frame, vouched int64) {
	for _, f := range frames {
		if f.Offset < vouched {
			continue
		}
		switch f.Kind {
		case segment.KindControl:
			e.Decisions = true
		case segment.KindData:
			if have, ok := e.From[f.Ordinal]; !ok || f.First < have {
				e.From[f.Ordinal] = f.First
			}
		}
	}
}

// hot is what verifies of a hot file.
type hot struct {
	header segment.Header
	frames []segment.Frame
	rolls  bool   // its first frame verifies
	before string // the file it follows, "" when it is the first
}

// vouched is the highest watermark.
func (h *hot) vouched() (end int64) {
	for _, f := range h.frames {
		end = max(end, f.Watermark)
	}
	return end
}

func readHot(disk *memfs.Mem, name string) (*hot, error) {
	f, err := disk.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, segment.HeaderBytes)
	if _, err := f.ReadAt(b, 0); err != nil {
		return nil, fmt.Errorf("%w: %w", segment.ErrDamaged, err)
	}
	h := &hot{}
	if h.header, err = segment.DecodeHeader(b); err != nil {
		return nil, err
	}
	w := segment.NewWalker(f, h.header.Nonce, segment.HeaderBytes, size, segment.WalkerOptions{})
	for w.Next() || w.Resync() {
		fr := w.Frame()
		if fr.Length > 0 {
			h.frames = append(h.frames, fr)
		}
		if fr.Kind == segment.KindRoll && w.NextRecord() {
			id, _, err := segment.DecodeRoll(w.Record().Payload)
			if h.rolls = err == nil; h.rolls && id > 0 {
				h.before = fmt.Sprintf("journal/%016x.aof", id)
			}
		}
	}
	var invalid *segment.InvalidError
	if err := w.Err(); err != nil && !errors.As(err, &invalid) {
		return nil, err
	}
	return h, nil
}

// framesOf lists the frames of a hot file that verify.
func framesOf(disk *memfs.Mem, name string) (segment.Header, []segment.Frame, error) {
	h, err := readHot(disk, name)
	if err != nil {
		return segment.Header{}, nil, err
	}
	return h.header, h.frames, nil
}

// same reports whether a file has the same contents on both disks.
func same(a, b *memfs.Mem, name string) bool {
	x, errX := contents(a, name)
	y, errY := contents(b, name)
	return errX == nil && errY == nil && x == y
}

func contents(disk fsys.FS, name string) (string, error) {
	f, err := disk.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return "", err
	}
	b := make([]byte, size)
	_, err = f.ReadAt(b, 0)
	return string(b), err
}
