package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Reference e, frozen: the least that reading all records in order and verifying them costs. The file
// is mapped whole and in the page cache; the loop walks headers {length, CRC32C, seq} and checks each
// record's checksum.
type walkLoop struct {
	path   string
	mapped []byte
	unmap  func() error
}

func newWalkLoop(dir string, w work) (side, error) {
	path := filepath.Join(dir, "walk.ref")
	if err := writeRecords(path, w.size, scanBytes/w.size); err != nil {
		return nil, err
	}
	b, unmap, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	return &walkLoop{path, b, unmap}, nil
}

// writeRecords writes a file of so many records with headers.
func writeRecords(path string, size, records int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	record := noise(size)
	sum := crc32.Checksum(record, castagnoli)
	var buf []byte
	for i := range records {
		buf = binary.LittleEndian.AppendUint32(buf, uint32(size))
		buf = binary.LittleEndian.AppendUint32(buf, sum)
		buf = binary.LittleEndian.AppendUint64(buf, uint64(i+1))
		buf = append(buf, record...)
		if len(buf) >= 1<<20 || i == records-1 {
			if _, err := f.Write(buf); err != nil {
				return errors.Join(err, f.Close())
			}
			buf = buf[:0]
		}
	}
	return errors.Join(f.Sync(), f.Close())
}

var errChecksum = errors.New("a record of the reference does not verify")

// next takes a record off the front of b and verifies it.
func next(b []byte) (record, rest []byte, err error) {
	n := int(binary.LittleEndian.Uint32(b))
	record = b[groupHeader : groupHeader+n]
	if crc32.Checksum(record, castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return nil, nil, fmt.Errorf("%w: %d", errChecksum, binary.LittleEndian.Uint64(b[8:]))
	}
	return record, b[groupHeader+n:], nil
}

func (l *walkLoop) run(d time.Duration) (sample, error) {
	return passes(d, func() (records int64, err error) {
		for b := l.mapped; len(b) > 0; records++ {
			if _, b, err = next(b); err != nil {
				return records, err
			}
		}
		return records, nil
	})
}

func (l *walkLoop) rest() error     { return nil }
func (l *walkLoop) ahead() []string { return []string{l.path} }
func (l *walkLoop) close() error    { return l.unmap() }

// passes reads again and again until d is over, and counts records, allocations and the bytes that were
// asked of the operating system.
func passes(d time.Duration, pass func() (records int64, err error)) (sample, error) {
	out := sample{syncs: -1}
	read := bytesRead()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for out.records == 0 || out.elapsed < d {
		n, err := pass()
		if err != nil {
			return out, err
		}
		if n == 0 {
			return out, errors.New("there was nothing to read")
		}
		out.records += n
		out.elapsed = time.Since(start)
	}
	runtime.ReadMemStats(&after)
	out.allocs = int64(after.Mallocs - before.Mallocs)
	out.read = bytesRead() - read
	return out, nil
}
