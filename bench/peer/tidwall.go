package peer

import (
	"sync/atomic"

	"github.com/tidwall/wal"
)

// tidwall is github.com/tidwall/wal with its own defaults: segments of 20 MiB, no checksums.
var tidwall = Kind{Name: "tidwall/wal", Grouped: true, Accepts: true, Random: true, Scans: true, Loads: true, open: openTidwall}

// tidwallResident is how many segments are kept in memory where all may be. Each read outside of them
// fetches a whole one.
const tidwallResident = 1 << 10

type tidwallLog struct {
	log      *wal.Log
	accepted bool
	last     uint64 // the one goroutine's that appends
	syncs    atomic.Int64
}

func openTidwall(dir string, o Options) (Log, error) {
	options := *wal.DefaultOptions
	options.NoSync = o.Accepted
	options.AllowEmpty = true
	if o.Resident {
		options.SegmentCacheSize = tidwallResident
	}
	l, err := wal.Open(dir, &options)
	if err != nil {
		return nil, err
	}
	last, err := l.LastIndex()
	return &tidwallLog{log: l, accepted: o.Accepted, last: last}, err
}

func (t *tidwallLog) Append(recs [][]byte) error {
	var b wal.Batch
	for i, rec := range recs {
		b.Write(t.last+uint64(i)+1, rec)
	}
	if err := t.log.WriteBatch(&b); err != nil {
		return err
	}
	t.last += uint64(len(recs))
	if !t.accepted {
		t.syncs.Add(1)
	}
	return nil
}

func (t *tidwallLog) Sync() error           { return t.log.Sync() }
func (t *tidwallLog) Last() (uint64, error) { return t.log.LastIndex() }
func (t *tidwallLog) Syncs() int64          { return t.syncs.Load() }
func (t *tidwallLog) Close() error          { return t.log.Close() }

func (t *tidwallLog) TrimBefore(seq uint64) error { return t.log.TruncateFront(seq) }

func (t *tidwallLog) Get(seq uint64, use func([]byte) error) error {
	b, err := t.log.Read(seq)
	if err != nil {
		return err
	}
	return use(b)
}

func (t *tidwallLog) Scan(use func([]byte) error) error { return scanByGet(t, t.log.FirstIndex, use) }

// scanByGet is how a log is scanned that offers nothing but its records by seq.
func scanByGet(l Log, first func() (uint64, error), use func([]byte) error) error {
	from, err := first()
	if err != nil {
		return err
	}
	last, err := l.Last()
	if err != nil {
		return err
	}
	for seq := max(1, from); seq <= last; seq++ {
		if err := l.Get(seq, use); err != nil {
			return err
		}
	}
	return nil
}
