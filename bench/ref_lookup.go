package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Reference g, frozen: the least that reading a record by its seq costs who does not map the file. All
// records are of one size, so that the place is a multiplication: one positional read and one checksum.
type lookupLoop struct {
	file    *os.File
	work    work
	frame   int64
	records uint64
	cold    bool
}

func newLookupLoop(dir string, w work) (side, error) { return openLookupLoop(dir, w, scanBytes, false) }

func newColdLookupLoop(dir string, w work) (side, error) {
	return openLookupLoop(dir, w, coldBytes, true)
}

func openLookupLoop(dir string, w work, bytes int, cold bool) (side, error) {
	path := filepath.Join(dir, "lookup.ref")
	records := bytes / w.size
	if err := writeRecords(path, w.size, records); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &lookupLoop{file: f, work: w, frame: int64(groupHeader + w.size), records: uint64(records), cold: cold}, nil
}

func (l *lookupLoop) prepare(time.Duration) error { return l.rest() }

func (l *lookupLoop) run(d time.Duration) (sample, error) {
	return lookups(l.work, d, l.records, func(int) getter {
		buf := make([]byte, l.frame)
		return func(seq uint64) error {
			if _, err := l.file.ReadAt(buf, int64(seq-1)*l.frame); err != nil {
				return err
			}
			if got := binary.LittleEndian.Uint64(buf[8:]); got != seq {
				return fmt.Errorf("record %d lies where %d should", got, seq)
			}
			_, _, err := next(buf)
			return err
		}
	})
}

// rest drops what was read from the cache, where the work is to find nothing there.
func (l *lookupLoop) rest() error {
	if !l.cold {
		return nil
	}
	return forget([]string{l.file.Name()})
}

func (l *lookupLoop) ahead() []string {
	if l.cold {
		return nil
	}
	return []string{l.file.Name()}
}

func (l *lookupLoop) close() error { return l.file.Close() }
