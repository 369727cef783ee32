package peer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	etcdwal "go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
)

// etcdWAL is etcd's write-ahead log. It is read as a whole when it is opened, and offers no other way;
// its checksums are chained over all of it.
var etcdWAL = Kind{Name: "etcd wal", Grouped: true, Accepts: true, Scans: true, Verifies: true, Loads: true, open: openEtcd}

type etcdLog struct {
	wal      *etcdwal.WAL
	dir      string
	accepted bool
	last     uint64 // the one goroutine's that appends
	syncs    atomic.Int64
}

const etcdTerm = 1

func openEtcd(parent string, o Options) (Log, error) {
	dir := filepath.Join(parent, "wal") // it makes the directory itself
	l := &etcdLog{dir: dir, accepted: o.Accepted}
	if !etcdwal.Exist(dir) {
		w, err := etcdwal.Create(zap.NewNop(), dir, nil)
		if err != nil {
			return nil, err
		}
		l.wal = w
	} else if err := l.recover(); err != nil {
		return nil, err
	}
	if o.Accepted {
		l.wal.SetUnsafeNoFsync()
	}
	return l, nil
}

// recover opens what is there and reads it, after its own repair of a torn end. A log that was trimmed
// cannot be opened without the snapshot that took over; the cells that trim do not open again.
func (l *etcdLog) recover() error {
	for repaired := false; ; repaired = true {
		w, err := etcdwal.Open(zap.NewNop(), l.dir, &walpb.Snapshot{})
		if err != nil {
			return err
		}
		_, _, entries, err := w.ReadAll()
		if err == nil {
			l.wal = w
			if n := len(entries); n > 0 {
				l.last = entries[n-1].GetIndex()
			}
			return nil
		}
		err = errors.Join(err, w.Close())
		if repaired || !errors.Is(err, io.ErrUnexpectedEOF) || !etcdwal.Repair(zap.NewNop(), l.dir) {
			return err
		}
	}
}

func (l *etcdLog) Append(recs [][]byte) error {
	entries := make([]*raftpb.Entry, len(recs))
	term := uint64(etcdTerm)
	for i, rec := range recs {
		index := l.last + uint64(i) + 1
		entries[i] = &raftpb.Entry{Term: &term, Index: &index, Data: rec}
	}
	if err := l.wal.Save(&raftpb.HardState{}, entries); err != nil {
		return err
	}
	l.last += uint64(len(recs))
	if !l.accepted {
		l.syncs.Add(1)
	}
	return nil
}

// Sync makes nothing durable in a log that was told never to sync: it writes out what is buffered.
func (l *etcdLog) Sync() error           { return l.wal.Sync() }
func (l *etcdLog) Last() (uint64, error) { return l.last, nil }
func (l *etcdLog) Syncs() int64          { return l.syncs.Load() }
func (l *etcdLog) Close() error          { return l.wal.Close() }

func (l *etcdLog) Get(uint64, func([]byte) error) error { return errors.ErrUnsupported }

func (l *etcdLog) Scan(use func([]byte) error) error {
	w, err := etcdwal.OpenForRead(zap.NewNop(), l.dir, &walpb.Snapshot{})
	if err != nil {
		return err
	}
	_, _, entries, err := w.ReadAll() // which lets go of the files; Close is for a log that is written
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := use(e.GetData()); err != nil {
			return err
		}
	}
	return nil
}

// TrimBefore removes the files before the one that holds seq, as etcd does behind a snapshot.
func (l *etcdLog) TrimBefore(seq uint64) error {
	if err := l.wal.ReleaseLockTo(seq); err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(l.dir, "*.wal"))
	if err != nil {
		return err
	}
	for i := 0; i+1 < len(names); i++ { // sorted, and so in order
		var nr, first uint64
		if _, err := fmt.Sscanf(filepath.Base(names[i+1]), "%016x-%016x.wal", &nr, &first); err != nil {
			return err
		}
		if first > seq {
			return nil
		}
		if err := os.Remove(names[i]); err != nil {
			return err
		}
	}
	return nil
}
