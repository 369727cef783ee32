package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/aof2/aof/bench/peer"
)

// peerSide is another program's log under the work of a cell that appends: one log for all writers, or
// one for each. Between runs it gives up what it holds.
type peerSide struct {
	logs []peer.Log
	work work
}

// besidePeer opens one log for all writers.
func besidePeer(k peer.Kind) contestant {
	return func(dir string, w work) (side, error) { return openPeers(k, dir, w, 1, false) }
}

// besideManyPeers opens a log for each writer.
func besideManyPeers(k peer.Kind) contestant {
	return func(dir string, w work) (side, error) { return openPeers(k, dir, w, w.writers, false) }
}

// besidePeerInBatches appends batches of 100, whatever the other side does.
func besidePeerInBatches(k peer.Kind) contestant {
	return func(dir string, w work) (side, error) {
		w.batch = 100
		return openPeers(k, dir, w, 1, false)
	}
}

func openPeers(k peer.Kind, dir string, w work, logs int, accepted bool) (*peerSide, error) {
	s := &peerSide{work: w}
	for i := range logs {
		place := filepath.Join(dir, fmt.Sprint(i))
		if err := os.Mkdir(place, 0o700); err != nil {
			return nil, errors.Join(err, s.close())
		}
		l, err := k.Open(place, peer.Options{Accepted: accepted, Writers: w.writers / logs})
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.logs = append(s.logs, l)
	}
	return s, nil
}

func (s *peerSide) run(d time.Duration) (sample, error) {
	before := s.syncs()
	out, err := drive(s.work, d, func(writer int) appender { return s.logs[writer%len(s.logs)].Append })
	out.syncs = -1
	if after := s.syncs(); after >= 0 {
		out.syncs = after - before
	}
	return out, err
}

func (s *peerSide) syncs() (n int64) {
	for _, l := range s.logs {
		one := l.Syncs()
		if one < 0 {
			return -1
		}
		n += one
	}
	return n
}

func (s *peerSide) rest() error {
	var errs []error
	for _, l := range s.logs {
		last, err := l.Last()
		if err == nil && last > 0 {
			err = l.TrimBefore(last)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// ahead returns nothing: what is written next was just made.
func (s *peerSide) ahead() []string { return nil }

func (s *peerSide) close() error {
	var errs []error
	for _, l := range s.logs {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// peerAccepted takes bursts without syncing each append.
type peerAccepted struct{ *peerSide }

func besidePeerAccepting(k peer.Kind) contestant {
	return func(dir string, w work) (side, error) {
		s, err := openPeers(k, dir, w, 1, true)
		if err != nil {
			return nil, err
		}
		return &peerAccepted{s}, nil
	}
}

func (s *peerAccepted) run(d time.Duration) (sample, error) {
	l := s.logs[0]
	recs := [][]byte{noise(s.work.size)}
	return bursts(s.work, d, func(calls int) error {
		for range calls {
			if err := l.Append(recs); err != nil {
				return err
			}
		}
		return nil
	}, l.Sync)
}
