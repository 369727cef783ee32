package peer

import (
	"encoding/binary"
	"errors"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

// bboltKind is go.etcd.io/bbolt with a bucket of records by seq. Its pages carry no checksums.
var bboltKind = Kind{Name: "bbolt", Accepts: true, Random: true, Scans: true, Loads: true, open: openBbolt}

var bboltBucket = []byte("records")

const (
	bboltFill  = 0.9 // keys only grow: pages need not be split in the middle
	bboltDelay = time.Millisecond
)

type bboltLog struct {
	db       *bbolt.DB
	accepted bool
	alone    bool
	start    int // the number of write transactions before the log was opened
}

func openBbolt(dir string, o Options) (Log, error) {
	db, err := bbolt.Open(filepath.Join(dir, "bolt.db"), 0o600, &bbolt.Options{
		Timeout: time.Second, NoSync: o.Accepted, FreelistType: bbolt.FreelistMapType,
	})
	if err != nil {
		return nil, err
	}
	// A batch goes when as many as there are writers wait, and need not wait for more.
	db.MaxBatchSize, db.MaxBatchDelay = max(1, o.Writers), bboltDelay
	l := &bboltLog{db: db, accepted: o.Accepted, alone: o.Writers <= 1}
	if err := db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bboltBucket)
		return err
	}); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	l.start, err = l.transactions()
	return l, err
}

func (l *bboltLog) Append(recs [][]byte) error {
	add := func(tx *bbolt.Tx) error {
		b := tx.Bucket(bboltBucket)
		b.FillPercent = bboltFill
		for _, rec := range recs {
			seq, err := b.NextSequence()
			if err != nil {
				return err
			}
			if err := b.Put(bboltKey(seq), rec); err != nil {
				return err
			}
		}
		return nil
	}
	if l.alone {
		return l.db.Update(add)
	}
	return l.db.Batch(add)
}

func bboltKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

func (l *bboltLog) Sync() error { return l.db.Sync() }

func (l *bboltLog) Last() (seq uint64, err error) {
	err = l.db.View(func(tx *bbolt.Tx) error {
		seq = tx.Bucket(bboltBucket).Sequence()
		return nil
	})
	return seq, err
}

func (l *bboltLog) Get(seq uint64, use func([]byte) error) error {
	return l.db.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket(bboltBucket).Get(bboltKey(seq))
		if v == nil {
			return errors.New("no such record")
		}
		return use(v)
	})
}

func (l *bboltLog) Scan(use func([]byte) error) error {
	return l.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bboltBucket).ForEach(func(_, v []byte) error { return use(v) })
	})
}

func (l *bboltLog) TrimBefore(seq uint64) error {
	return l.db.Update(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bboltBucket).Cursor()
		for k, _ := c.First(); k != nil && binary.BigEndian.Uint64(k) < seq; k, _ = c.Next() {
			if err := c.Delete(); err != nil {
				return err
			}
		}
		return nil
	})
}

// Syncs is two for each write transaction: its pages, and the page that makes them the newest.
func (l *bboltLog) Syncs() int64 {
	if l.accepted {
		return 0
	}
	n, err := l.transactions()
	if err != nil {
		return -1
	}
	return 2 * int64(n-l.start)
}

// transactions is the number of the newest write transaction.
func (l *bboltLog) transactions() (n int, err error) {
	err = l.db.View(func(tx *bbolt.Tx) error {
		n = tx.ID()
		return nil
	})
	return n, err
}

func (l *bboltLog) Close() error { return l.db.Close() }
