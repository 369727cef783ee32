package journal

import (
	"errors"
	"fmt"
	"io"

	"github.com/aof2/aof/internal/segment"
)

var errNoFooter = errors.New("no footer")

// readFooter reads and verifies the footer of a file of the given size. A file
// that was never sealed has none: errNoFooter.
func (f *File) readFooter(size int64) (*segment.Footer, error) {
	f.mu.Lock()
	known := f.mu.footer
	f.mu.Unlock()
	if known != nil {
		return known, nil
	}
	if size < segment.HeaderBytes+segment.FooterBytes {
		return nil, errNoFooter
	}
	b := make([]byte, segment.FooterBytes)
	if _, err := f.ReadAt(b, size-segment.FooterBytes); errors.Is(err, io.EOF) {
		return nil, errNoFooter
	} else if err != nil {
		return nil, fmt.Errorf("read the footer of %s: %w", f.name, err)
	}
	ft, err := segment.DecodeFooter(b, f.Nonce)
	if errors.Is(err, segment.ErrVersion) {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	if err != nil || ft.ID != f.ID || ft.Size() != size {
		return nil, errNoFooter
	}
	f.mu.Lock()
	f.mu.footer = &ft
	f.mu.Unlock()
	return &ft, nil
}

// knownFooter is the footer that was found or written, nil when there is none.
func (f *File) knownFooter() *segment.Footer {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.footer
}

// forgetFooter makes the file one without a footer: what stands there is not
// whole.
func (f *File) forgetFooter() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.footer = nil
}

// index returns the run index of a sealed file.
func (j *Journal) index(f *File) (segment.Index, error) {
	if x, ok := j.indexes.get(f.ID); ok {
		return x, nil
	}
	ft, err := f.readFooter(f.Size())
	if err != nil {
		return segment.Index{}, err
	}
	b := make([]byte, ft.IndexLen)
	if _, err := f.ReadAt(b, ft.IndexOff); err != nil && !errors.Is(err, io.EOF) {
		return segment.Index{}, fmt.Errorf("read the run index of %s: %w", f.name, err)
	}
	x, err := segment.OpenIndex(b)
	if err != nil {
		return segment.Index{}, fmt.Errorf("the run index of %s: %w", f.name, err)
	}
	j.indexes.put(f.ID, x, int64(len(b)))
	return x, nil
}

// extentsOf returns where the records of one stream lie in a sealed file. When
// the index does not verify they are found by walking the data, which has
// checksums of its own.
func (j *Journal) extentsOf(f *File, ordinal uint32) ([]segment.Extent, error) {
	key := runKey{f.ID, ordinal}
	if extents, ok := j.extents.get(key); ok {
		return extents, nil
	}
	x, err := j.index(f)
	if err == nil {
		r, ok, err := x.Find(ordinal)
		if err == nil && ok {
			j.extents.put(key, r.Extents, int64(len(r.Extents))*extentMemory)
			return r.Extents, nil
		}
	}
	if errors.Is(err, segment.ErrVersion) {
		return nil, err
	}
	var extents []segment.Extent
	w := segment.NewWalker(f, f.Nonce, segment.HeaderBytes, f.End(), segment.WalkerOptions{})
	for w.Next() || w.Resync() {
		fr := w.Frame()
		if fr.Length == 0 || fr.Ordinal != ordinal || fr.Count == 0 || fr.Kind == segment.KindRoll {
			continue
		}
		extents = append(extents, extentOf(fr))
	}
	var invalid *segment.InvalidError
	if err := w.Err(); err != nil && !errors.As(err, &invalid) {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	if len(extents) == 0 {
		return nil, fmt.Errorf("%s holds no frame of stream %d: %w", f.name, ordinal, segment.ErrDamaged)
	}
	return extents, nil
}
