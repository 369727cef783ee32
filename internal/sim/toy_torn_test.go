package sim_test

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/fsys/memfs"
)

// Torn implements sim.Tearing: it counts the frames that verify behind the
// first place where there is none, in the last file.
func (toySystem) Torn(disk *memfs.Mem) (behind int) {
	entries, err := disk.List(".")
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name, ".log") || e.Size == 0 {
			continue
		}
		f, err := disk.Open(e.Name)
		if err != nil {
			return 0
		}
		b := make([]byte, e.Size)
		if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
			return 0
		}
		behind = behindHole(append(bytes.TrimRight(b, "\x00"), make([]byte, toyHeader)...))
	}
	return behind
}

// fileOf is a file with some contents.
type fileOf struct {
	fsys.File
	*bytes.Reader
}

func (f fileOf) ReadAt(p []byte, off int64) (int, error) { return f.Reader.ReadAt(p, off) }
func (f fileOf) Size() (int64, error)                    { return f.Reader.Size(), nil }

func behindHole(b []byte) (behind int) {
	f, hole := fileOf{Reader: bytes.NewReader(b)}, false
	for off := int64(0); off < int64(len(b)); {
		frame, err := readFrame(f, off, int64(len(b)))
		if err != nil || frame == nil {
			hole = true
			off++
			continue
		}
		if hole {
			behind++
		}
		off += frame.length
	}
	return behind
}
