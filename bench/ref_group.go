package main

import (
	"encoding/binary"
	"hash/crc32"
	"sync"
	"time"
)

// Reference b, frozen: the least that a log with group commit does. Writers copy their records, each
// with a header {length, CRC32C, seq}, into one gather buffer under a mutex. Who finds nobody leading
// leads: one positional write of the buffer on recycled files, one sync, one channel closed for all who
// wait. What gathers meanwhile is the next round.
type groupLog struct {
	ring *ring // the leader's

	mu      sync.Mutex
	gather  *groupRound
	spare   []byte
	leading bool
	seq     uint64
	syncs   int64
}

type groupRound struct {
	buf  []byte
	done chan struct{} // closed when the round is durable or has failed
	err  error         // set before that
}

const (
	groupHeader = 16
	groupBound  = 32 << 20 // bytes that may gather while a round is on its way
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newGroupLog(r *ring) *groupLog {
	return &groupLog{ring: r, gather: newGroupRound(nil)}
}

func newGroupRound(buf []byte) *groupRound {
	return &groupRound{buf: buf[:0], done: make(chan struct{})}
}

// append returns when the records are durable.
func (l *groupLog) append(recs [][]byte, crcs []uint32) error {
	r, leads := l.accept(recs, crcs)
	if leads {
		l.lead(r)
	}
	<-r.done
	return r.err
}

// accept copies the records into the gather buffer, waiting for room if it must. When leads is set the
// caller has to see to it that somebody leads.
func (l *groupLog) accept(recs [][]byte, crcs []uint32) (r *groupRound, leads bool) {
	for i, rec := range recs {
		crcs[i] = crc32.Checksum(rec, castagnoli)
	}
	l.mu.Lock()
	for len(l.gather.buf) >= groupBound {
		full := l.gather
		l.mu.Unlock()
		<-full.done
		l.mu.Lock()
	}
	defer l.mu.Unlock()
	r = l.gather
	for i, rec := range recs {
		l.seq++
		r.buf = binary.LittleEndian.AppendUint32(r.buf, uint32(len(rec)))
		r.buf = binary.LittleEndian.AppendUint32(r.buf, crcs[i])
		r.buf = binary.LittleEndian.AppendUint64(r.buf, l.seq)
		r.buf = append(r.buf, rec...)
	}
	leads = !l.leading
	l.leading = true
	return r, leads
}

// lead writes rounds until nothing has gathered. After its own round it leaves the rest to a new
// goroutine, so that its caller goes on; own nil stays to the end.
func (l *groupLog) lead(own *groupRound) {
	for {
		l.mu.Lock()
		r := l.gather
		if len(r.buf) == 0 {
			l.leading = false
			l.mu.Unlock()
			return
		}
		l.gather = newGroupRound(l.spare)
		l.spare = nil
		l.mu.Unlock()

		r.err = l.commit(r.buf)

		l.mu.Lock()
		l.syncs++
		l.spare, r.buf = r.buf, nil
		more := len(l.gather.buf) > 0
		l.leading = more
		l.mu.Unlock()
		close(r.done)
		switch {
		case !more:
			return
		case r == own:
			go l.lead(nil)
			return
		}
	}
}

func (l *groupLog) commit(buf []byte) error {
	f, off := l.ring.place(len(buf))
	if _, err := f.WriteAt(buf, off); err != nil {
		return err
	}
	return datasync(f)
}

// groupLoop is a number of writers on one groupLog, each waiting for its records to be durable.
type groupLoop struct {
	*groupLog
	work work
}

func newGroupLoop(dir string, w work) (side, error) {
	r, err := newRing(dir, ringFiles, ringFileSize)
	if err != nil {
		return nil, err
	}
	return &groupLoop{newGroupLog(r), w}, nil
}

func (g *groupLoop) run(d time.Duration) (sample, error) {
	before := g.syncs
	out, err := drive(g.work, d, func(int) appender {
		crcs := make([]uint32, g.work.batch)
		return func(recs [][]byte) error { return g.append(recs, crcs) }
	})
	g.mu.Lock()
	defer g.mu.Unlock()
	out.syncs = g.syncs - before
	return out, err
}

func (l *groupLog) rest() error     { return nil }
func (l *groupLog) ahead() []string { return l.ring.ahead() }
func (l *groupLog) close() error    { return l.ring.close() }
