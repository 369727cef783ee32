package main

import "time"

// Reference a, frozen: one writer that writes a record and syncs it, again and again, on recycled
// files. No header, no checksum, no lock: what the disk and the kernel allow.
type syncLoop struct {
	ring   *ring
	record []byte
}

func newSyncLoop(dir string, w work) (side, error) {
	r, err := newRing(dir, ringFiles, ringFileSize)
	if err != nil {
		return nil, err
	}
	return &syncLoop{ring: r, record: noise(w.size)}, nil
}

func (s *syncLoop) run(d time.Duration) (sample, error) {
	var out sample
	start := time.Now()
	for out.elapsed < d {
		f, off := s.ring.place(len(s.record))
		if _, err := f.WriteAt(s.record, off); err != nil {
			return out, err
		}
		if err := datasync(f); err != nil {
			return out, err
		}
		out.appends++
		out.elapsed = time.Since(start)
	}
	out.records, out.syncs = out.appends, out.appends
	return out, nil
}

func (s *syncLoop) rest() error     { return nil }
func (s *syncLoop) ahead() []string { return s.ring.ahead() }
func (s *syncLoop) close() error    { return s.ring.close() }
