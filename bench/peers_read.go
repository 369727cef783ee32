package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aof2/aof/bench/peer"
)

// peerReading is another program's log that was loaded and is read.
type peerReading struct {
	kind    peer.Kind
	dir     string
	work    work
	options peer.Options
	log     peer.Log
	records uint64
	cold    bool // nothing of it is in the cache when a run begins
}

func besidePeerReading(k peer.Kind, scan bool) contestant {
	return func(dir string, w work) (side, error) {
		r := &peerReading{kind: k, dir: dir, work: w, options: peer.Options{Accepted: true, Writers: 1, Resident: !scan}}
		if err := r.load(scanBytes); err != nil {
			return nil, err
		}
		if scan {
			return &peerScan{r}, nil
		}
		return &peerLookup{r}, nil
	}
}

func besidePeerReadingCold(k peer.Kind) contestant {
	return func(dir string, w work) (side, error) {
		r := &peerReading{kind: k, dir: dir, work: w, options: peer.Options{Accepted: true, Writers: 1}, cold: true}
		if err := r.load(coldBytes); err != nil {
			return nil, err
		}
		return &peerLookup{r}, nil
	}
}

func (r *peerReading) load(bytes int) (err error) {
	if r.log, err = r.kind.Open(r.dir, r.options); err != nil {
		return err
	}
	r.records = uint64(bytes / r.work.size)
	batch := make([][]byte, min(1000, r.records))
	for i := range batch {
		batch[i] = noise(r.work.size)
	}
	for left := r.records; left > 0 && err == nil; {
		n := min(left, uint64(len(batch)))
		err = r.log.Append(batch[:n])
		left -= n
	}
	if err := errors.Join(err, r.log.Sync()); err != nil {
		return errors.Join(err, r.log.Close())
	}
	return nil
}

func (r *peerReading) prepare(time.Duration) error { return r.rest() }

// rest drops the log's files from the cache, where the work is to find nothing there. Nobody may have
// them mapped then, so the log is closed meanwhile.
func (r *peerReading) rest() error {
	if !r.cold {
		return nil
	}
	if err := r.log.Close(); err != nil {
		return err
	}
	r.log = nil
	paths, err := filesBelow(r.dir)
	if err := errors.Join(err, forget(paths)); err != nil {
		return err
	}
	r.log, err = r.kind.Open(r.dir, r.options)
	return err
}

func (r *peerReading) ahead() []string {
	if r.cold {
		return nil
	}
	paths, err := filesBelow(r.dir)
	if err != nil {
		return []string{r.dir} // reading it will say what is wrong
	}
	return paths
}

func (r *peerReading) close() error {
	if r.log == nil {
		return nil
	}
	return r.log.Close()
}

// peerScan reads all of it, again and again.
type peerScan struct{ *peerReading }

func (s *peerScan) run(d time.Duration) (sample, error) {
	return passes(d, func() (records int64, err error) {
		err = s.log.Scan(func(rec []byte) error {
			records++
			touch(rec)
			return nil
		})
		if err == nil && uint64(records) != s.records {
			err = fmt.Errorf("the scan found %d of %d records", records, s.records)
		}
		return records, err
	})
}

// peerLookup reads records by seq.
type peerLookup struct{ *peerReading }

func (s *peerLookup) run(d time.Duration) (sample, error) {
	l := s.log
	return lookups(s.work, d, s.records, func(int) getter {
		use := func(rec []byte) error {
			if len(rec) != s.work.size {
				return fmt.Errorf("a record has %d bytes", len(rec))
			}
			return nil
		}
		return func(seq uint64) error { return l.Get(seq, use) }
	})
}

// peerProgram is another log as a child uses it.
type peerProgram struct{ peer.Log }

func openPeerProgram(name, dir string) (program, error) {
	k, err := peer.Find(name)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	l, err := k.Open(dir, peer.Options{Writers: 1})
	if err != nil {
		return nil, err
	}
	return peerProgram{l}, nil
}

func (p peerProgram) append(recs [][]byte) error { return p.Append(recs) }
func (p peerProgram) scanned() int64             { return 0 }
func (p peerProgram) close() error               { return p.Close() }
