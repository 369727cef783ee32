package main

import (
	"context"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"time"

	"github.com/aof2/aof"
)

// Reference h, frozen: reading the file that says which streams there are, and its CRC32C. The file is
// the snapshot of a store of ours with as many streams.
type snapshotLoop struct{ path string }

func newSnapshotLoop(dir string, w work) (side, error) {
	if err := makeStreams(dir, w.streams); err != nil {
		return nil, err
	}
	view, err := aof.Inspect(context.Background(), dir, nil)
	if err != nil {
		return nil, err
	}
	name := view.Recovery().Snapshot
	if err := view.Close(); err != nil {
		return nil, err
	}
	if name == "" {
		return nil, errors.New("the store has no snapshot to read")
	}
	found, err := find(dir, filepath.Base(filepath.FromSlash(name)))
	return &snapshotLoop{found}, err
}

// find returns the path of the file of that name below dir.
func find(dir, name string) (string, error) {
	paths, err := filesBelow(dir)
	for _, path := range paths {
		if filepath.Base(path) == name {
			return path, nil
		}
	}
	return "", errors.Join(err, &os.PathError{Op: "find", Path: filepath.Join(dir, name), Err: os.ErrNotExist})
}

func (l *snapshotLoop) run(d time.Duration) (sample, error) {
	return passes(d, func() (int64, error) {
		b, err := os.ReadFile(l.path)
		crc32.Checksum(b, castagnoli)
		return 1, err
	})
}

func (l *snapshotLoop) rest() error     { return nil }
func (l *snapshotLoop) ahead() []string { return []string{l.path} }
func (l *snapshotLoop) close() error    { return nil }
