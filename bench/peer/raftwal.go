package peer

import (
	"errors"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
)

// raftWAL is github.com/hashicorp/raft-wal with its own defaults. It always syncs, and checks a record
// it reads against nothing: its checksums are for what a crash leaves.
var raftWAL = Kind{Name: "raft-wal", Grouped: true, Random: true, Scans: true, Loads: true, open: openRaftWAL}

type raftWALLog struct {
	log   *wal.WAL
	meta  *metadb.BoltMetaDB
	last  uint64 // the one goroutine's that appends
	syncs atomic.Int64
}

func openRaftWAL(dir string, _ Options) (Log, error) {
	meta := &metadb.BoltMetaDB{}
	l, err := wal.Open(dir, wal.WithLogger(hclog.NewNullLogger()), wal.WithMetaStore(meta))
	if err != nil {
		return nil, err
	}
	last, err := l.LastIndex()
	return &raftWALLog{log: l, meta: meta, last: last}, err
}

func (r *raftWALLog) Append(recs [][]byte) error {
	logs := make([]*raft.Log, len(recs))
	for i, rec := range recs {
		logs[i] = &raft.Log{Index: r.last + uint64(i) + 1, Data: rec}
	}
	if err := r.log.StoreLogs(logs); err != nil {
		return err
	}
	r.last += uint64(len(recs))
	r.syncs.Add(1)
	return nil
}

func (r *raftWALLog) Sync() error           { return nil }
func (r *raftWALLog) Last() (uint64, error) { return r.log.LastIndex() }
func (r *raftWALLog) Syncs() int64          { return r.syncs.Load() }

// Close closes the database of the log's segments too, which the log leaves open and locked.
func (r *raftWALLog) Close() error { return errors.Join(r.log.Close(), r.meta.Close()) }

func (r *raftWALLog) Get(seq uint64, use func([]byte) error) error {
	var log raft.Log
	if err := r.log.GetLog(seq, &log); err != nil {
		return err
	}
	return use(log.Data)
}

func (r *raftWALLog) Scan(use func([]byte) error) error { return scanByGet(r, r.log.FirstIndex, use) }

func (r *raftWALLog) TrimBefore(seq uint64) error {
	first, err := r.log.FirstIndex()
	if err != nil || first >= seq {
		return err
	}
	return r.log.DeleteRange(first, seq-1)
}
