package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// The reference loops write round and round over files that were written in full before. That is what
// a log that recycles its files does at its best; renaming them is left out.
const (
	ringFiles    = 8
	ringFileSize = 64 << 20
)

// ring is the recycled files of a reference loop, written one after another.
type ring struct {
	files []*os.File
	size  int64 // of each file
	index int
	off   int64
}

// newRing creates files of that size in dir and writes every byte of them once, to the disk.
func newRing(dir string, files int, size int64) (*ring, error) {
	r := &ring{size: size}
	block := noise(int(min(1<<20, size)))
	for i := range files {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d.ref", i)))
		if err != nil {
			return nil, err
		}
		r.files = append(r.files, f)
		for off := int64(0); off < size; off += int64(len(block)) {
			if _, err := f.WriteAt(block, off); err != nil {
				return nil, err
			}
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// place returns where the next n bytes go; they never span two files.
func (r *ring) place(n int) (f *os.File, off int64) {
	if r.off+int64(n) > r.size {
		r.index, r.off = (r.index+1)%len(r.files), 0
	}
	off = r.off
	r.off += int64(n)
	return r.files[r.index], off
}

// ahead returns the paths of the files that will be written next.
func (r *ring) ahead() []string {
	next := (r.index + 1) % len(r.files)
	return []string{r.files[r.index].Name(), r.files[next].Name()}
}

func (r *ring) close() error {
	for _, f := range r.files {
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// noise returns n bytes that nothing on the way can compress.
func noise(n int) []byte {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}
