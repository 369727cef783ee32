package aof_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aof2/aof"
)

// digest is the SHA-256 of an entry as it was appended.
type digest [sha256.Size]byte

// auditEntry is who did what. It holds the digest of the entry before, so no entry can be changed, left out or put in
// without changing the digests of all that follow.
type auditEntry struct {
	Who, What string
	Before    digest
}

// receipt proves an entry to whoever keeps it elsewhere: the log must still have this digest there.
type receipt struct {
	Seq    aof.Seq
	Digest digest
}

// auditLog is the only writer of its stream.
type auditLog struct {
	entries *aof.Stream
	mu      struct {
		sync.Mutex
		last receipt
	}
}

// openAudit takes up the log where it ends.
func openAudit(ctx context.Context, store *aof.Store) (*auditLog, error) {
	st, err := store.CreateStream(ctx, "audit", nil)
	if errors.Is(err, aof.ErrExists) {
		st, err = store.Stream(ctx, "audit")
	}
	if err != nil {
		return nil, err
	}
	l := &auditLog{entries: st}
	b := st.Bounds()
	if l.mu.last.Seq = b.Next - 1; b.First == b.Next {
		return l, nil // without an entry
	}
	r, err := st.Reader(aof.ReaderOptions{Last: 1})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	rec, err := r.Next(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.last.Digest = sha256.Sum256(rec.Data)
	return l, nil
}

// add returns when the entry is durable. With a receipt and an error it was accepted, and is not known to be durable.
func (l *auditLog) add(ctx context.Context, who, what string) (receipt, error) {
	for {
		got, err := l.try(auditEntry{Who: who, What: what})
		var block *aof.WouldBlockError
		switch {
		case err == nil:
			return got, l.entries.WaitDurable(ctx, got.Seq)
		case !errors.As(err, &block):
			return receipt{}, err
		}
		select {
		case <-block.Ready():
		case <-ctx.Done():
			return receipt{}, context.Cause(ctx)
		}
	}
}

// try chains the entry to the last one and appends it. It holds a mutex, and may: a Try call never waits for the disk.
func (l *auditLog) try(e auditEntry) (receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Before = l.mu.last.Digest
	data, err := json.Marshal(e)
	if err != nil {
		return receipt{}, err
	}
	seq, err := l.entries.TryAppendBatch(&aof.Batch{Records: []aof.Entry{{Data: data}}, ExpectNext: l.mu.last.Seq + 1})
	if err != nil {
		return receipt{}, err
	}
	l.mu.last = receipt{Seq: seq, Digest: sha256.Sum256(data)}
	return l.mu.last, nil
}

// between calls f for the entries from the first one that the store took at from or later, up to the first one that it
// took at until or later.
func (l *auditLog) between(ctx context.Context, from, until time.Time, f func(aof.Record)) error {
	newest := l.entries.Bounds().Durable
	if newest == 0 {
		return nil
	}
	r, err := l.entries.Reader(aof.ReaderOptions{FromTime: from, To: newest})
	if err != nil {
		return err
	}
	defer r.Close()
	for rec, err := range r.All(ctx) {
		if err != nil {
			return err
		}
		if !rec.Time.Before(until) {
			return nil
		}
		f(rec)
	}
	return nil
}

var errTampered = errors.New("this is not the log that was written")

// checkChain reads to the end of r, which stands before the oldest entry, and holds every entry against the one before
// it and the receipts against their entries. The oldest entry is taken at its word when those before were trimmed.
func checkChain(ctx context.Context, r *aof.Reader, receipts ...receipt) error {
	want := map[aof.Seq]digest{}
	for _, rc := range receipts {
		want[rc.Seq] = rc.Digest
	}
	var before digest
	for first := true; ; first = false {
		rec, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		var e auditEntry
		if err := json.Unmarshal(rec.Data, &e); err != nil {
			return fmt.Errorf("entry %d: %w", rec.Seq, err)
		}
		if e.Before != before && (!first || rec.Seq == 1) {
			return fmt.Errorf("%w: entry %d does not follow the one before it", errTampered, rec.Seq)
		}
		before = sha256.Sum256(rec.Data)
		if d, ok := want[rec.Seq]; ok && d != before {
			return fmt.Errorf("%w: entry %d does not fit its receipt", errTampered, rec.Seq)
		}
		delete(want, rec.Seq)
	}
	if len(want) > 0 {
		return fmt.Errorf("%w: %d entries with a receipt are missing", errTampered, len(want))
	}
	return nil
}

// An audit log: every entry is durable when add returns and is chained to the one before, entries are found by time, and
// an auditor checks all of it without the store's lock, beside the running program.
func Example_auditLog() {
	dir, err := os.MkdirTemp("", "aof-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var hour atomic.Int64 // the store asks for the time from goroutines of its own
	clock := func() time.Time { return noon.Add(time.Duration(hour.Load()) * time.Hour) }
	store, err := aof.Open(ctx, dir, &aof.Options{Now: clock})
	if err != nil {
		log.Fatal(err)
	}
	audit, err := openAudit(ctx, store)
	if err != nil {
		log.Fatal(err)
	}
	var kept receipt
	for i, what := range []string{"log in", "read the salaries", "log out"} {
		hour.Store(int64(i))
		if kept, err = audit.add(ctx, "mallory", what); err != nil {
			log.Fatal(err)
		}
	}
	err = audit.between(ctx, noon.Add(30*time.Minute), noon.Add(90*time.Minute), func(rec aof.Record) {
		fmt.Println(rec.Seq, rec.Time.UTC().Format("15:04"))
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := store.Close(); err != nil {
		log.Fatal(err)
	}

	view, err := aof.Inspect(ctx, dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer view.Close()
	report, err := view.Verify(ctx, aof.VerifyOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("damaged ranges:", len(report.Damage))
	r, err := view.Reader("audit", aof.ReaderOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	fmt.Println("chain:", checkChain(ctx, r, kept))
	// Output:
	// 2 13:00
	// damaged ranges: 0
	// chain: <nil>
}
