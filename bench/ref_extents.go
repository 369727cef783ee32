package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Reference f, frozen: the least that reading one of many interleaved streams costs who knows where its
// records lie. Record k of stream s is the (k*streams+s)-th of the file; records that lie side by side
// are read together, up to 256 KiB, and each is verified.
type extentLoop struct {
	file    *os.File
	frame   int64 // bytes of a record with its header
	streams int64
	rounds  int64 // records of each stream
	stream  int64 // the next one to be read
	buf     []byte
}

const extentBytes = 256 << 10

func newExtentLoop(dir string, w work) (side, error) {
	path := filepath.Join(dir, "extents.ref")
	streams := max(1, w.streams)
	rounds := scanBytes / w.size / streams
	if err := writeRecords(path, w.size, rounds*streams); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &extentLoop{
		file: f, frame: int64(groupHeader + w.size), streams: int64(streams), rounds: int64(rounds), buf: make([]byte, extentBytes),
	}, nil
}

func (l *extentLoop) run(d time.Duration) (sample, error) {
	return passes(d, func() (int64, error) {
		s := l.stream
		l.stream = (s + 1) % l.streams
		together := int64(1)
		if l.streams == 1 {
			together = int64(len(l.buf)) / l.frame
		}
		for k := int64(0); k < l.rounds; k += together {
			n := min(together, l.rounds-k)
			b := l.buf[:n*l.frame]
			if _, err := l.file.ReadAt(b, (k*l.streams+s)*l.frame); err != nil {
				return k, fmt.Errorf("extent at record %d: %w", k, err)
			}
			for len(b) > 0 {
				var err error
				if _, b, err = next(b); err != nil {
					return k, err
				}
			}
		}
		return l.rounds, nil
	})
}

func (l *extentLoop) rest() error     { return nil }
func (l *extentLoop) ahead() []string { return []string{l.file.Name()} }
func (l *extentLoop) close() error    { return l.file.Close() }
