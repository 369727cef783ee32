package peer

import (
	"encoding/binary"
	"errors"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// pebbleKind is github.com/cockroachdb/pebble used as a log: records under keys that only grow. It has a
// group commit of its own and verifies its blocks.
var pebbleKind = Kind{Name: "pebble", Accepts: true, Random: true, Scans: true, Verifies: true, Loads: true, open: openPebble}

const (
	pebbleMemTable = 64 << 20
	pebbleCache    = 512 << 20 // where all of it may be kept in memory; else pebble's own default
)

type pebbleLog struct {
	db    *pebble.DB
	write *pebble.WriteOptions
	last  atomic.Uint64
	disk  *countingFS
}

func openPebble(dir string, o Options) (Log, error) {
	l := &pebbleLog{write: pebble.Sync, disk: &countingFS{FS: vfs.Default}}
	if o.Accepted {
		l.write = pebble.NoSync
	}
	options := &pebble.Options{FS: l.disk, MemTableSize: pebbleMemTable, Logger: silent{}}
	if o.Resident {
		options.CacheSize = pebbleCache
	}
	var err error
	if l.db, err = pebble.Open(dir, options); err != nil {
		return nil, err
	}
	last, err := l.newest()
	if err != nil {
		return nil, errors.Join(err, l.db.Close())
	}
	l.last.Store(last)
	l.disk.syncs.Store(0)
	return l, nil
}

func (l *pebbleLog) newest() (last uint64, err error) {
	it, err := l.db.NewIter(nil)
	if err != nil {
		return 0, err
	}
	if it.Last() {
		last = binary.BigEndian.Uint64(it.Key())
	}
	return last, it.Close()
}

func (l *pebbleLog) Append(recs [][]byte) error {
	first := l.last.Add(uint64(len(recs))) - uint64(len(recs)) + 1
	b := l.db.NewBatch()
	var key [8]byte
	for i, rec := range recs {
		binary.BigEndian.PutUint64(key[:], first+uint64(i))
		if err := b.Set(key[:], rec, nil); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	return errors.Join(b.Commit(l.write), b.Close())
}

// Sync writes nothing to the log of pebble, durably: what came before is durable then.
func (l *pebbleLog) Sync() error { return l.db.LogData(nil, pebble.Sync) }

func (l *pebbleLog) Last() (uint64, error) { return l.last.Load(), nil }

func (l *pebbleLog) Get(seq uint64, use func([]byte) error) error {
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], seq)
	v, closer, err := l.db.Get(key[:])
	if err != nil {
		return err
	}
	return errors.Join(use(v), closer.Close())
}

func (l *pebbleLog) Scan(use func([]byte) error) error {
	it, err := l.db.NewIter(nil)
	if err != nil {
		return err
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var v []byte
		if v, err = it.ValueAndErr(); err == nil {
			err = use(v)
		}
	}
	return errors.Join(err, it.Error(), it.Close())
}

func (l *pebbleLog) TrimBefore(seq uint64) error {
	return l.db.DeleteRange(binary.BigEndian.AppendUint64(nil, 0), binary.BigEndian.AppendUint64(nil, seq), pebble.NoSync)
}

func (l *pebbleLog) Syncs() int64 { return l.disk.syncs.Load() }
func (l *pebbleLog) Close() error { return l.db.Close() }

// silent drops pebble's own log of what it does.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}

func (silent) Fatalf(format string, args ...any) { pebble.DefaultLogger.Fatalf(format, args...) }

// countingFS counts the syncs of pebble's log, which are those of files that were created or taken again
// for writing the log.
type countingFS struct {
	vfs.FS
	syncs atomic.Int64
}

func (c *countingFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := c.FS.Create(name, category)
	return c.count(f, category), err
}

func (c *countingFS) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := c.FS.ReuseForWrite(from, to, category)
	return c.count(f, category), err
}

func (c *countingFS) count(f vfs.File, category vfs.DiskWriteCategory) vfs.File {
	if f == nil || category != "pebble-wal" {
		return f
	}
	return &countingFile{f, c}
}

type countingFile struct {
	vfs.File
	fs *countingFS
}

func (f *countingFile) Sync() error {
	f.fs.syncs.Add(1)
	return f.File.Sync()
}

func (f *countingFile) SyncData() error {
	f.fs.syncs.Add(1)
	return f.File.SyncData()
}
