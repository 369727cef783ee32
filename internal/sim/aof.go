package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/aof2/aof"
	"github.com/aof2/aof/internal/coordinator"
	"github.com/aof2/aof/internal/fsys"
)

// AOF is the store this repository is about, through its public interface.
type AOF struct{}

// Can implements System.
func (AOF) Can(OpKind) bool { return true }

// IsData implements System.
func (AOF) IsData(name string) bool {
	// A hot file keeps the name it was opened under, which ends in .tmp.
	return strings.HasPrefix(name, "journal/") && strings.Contains(name, ".aof")
}

// Open implements System.
func (AOF) Open(ctx context.Context, disk fsys.FS, o Setting) (Store, error) {
	s := &aofStore{}
	st, err := aof.Open(ctx, "sim", &aof.Options{
		HotFileSize: o.HotFileSize, MaxUnflushed: o.MaxUnflushed, HotBudget: o.Budget, WhenFull: whenFull(o.Wait),
		FS: disk, OnEvent: s.event, Now: o.Clock.Now,
	})
	if err != nil {
		return nil, plain(err)
	}
	s.store = st
	return s, nil
}

func whenFull(wait bool) aof.WhenFull {
	if wait {
		return aof.WaitWhenFull
	}
	return aof.FailWhenFull
}

// Least is the least budget of a store.
func (AOF) Least(hotFileSize int64) int64 { return coordinator.LeastBudget(hotFileSize) }

// aofStore implements Store.
type aofStore struct {
	store *aof.Store

	mu     sync.Mutex
	events []string
}

func (s *aofStore) event(e aof.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, "event: "+string(e.Kind))
}

func (s *aofStore) Create(ctx context.Context, name string, meta []byte) (Stream, error) {
	st, err := s.store.CreateStream(ctx, name, &aof.StreamOptions{Metadata: meta})
	if err != nil {
		return nil, plain(err)
	}
	return &aofStream{st}, nil
}

func (s *aofStore) Stream(ctx context.Context, name string) (Stream, error) {
	st, err := s.store.Stream(ctx, name)
	if err != nil {
		return nil, plain(err)
	}
	return &aofStream{st}, nil
}

func (s *aofStore) Delete(ctx context.Context, name string) error {
	return plain(s.store.DeleteStream(ctx, name))
}

func (s *aofStore) Streams() (all []StreamState) {
	for _, info := range s.store.Streams() {
		all = append(all, stateOf(info))
	}
	return all
}

func (s *aofStore) Seal(ctx context.Context) error { return plain(s.store.Seal(ctx)) }

func (s *aofStore) Verify(ctx context.Context) error {
	report, err := s.store.Verify(ctx, aof.VerifyOptions{})
	if err == nil && len(report.Damage) > 0 {
		return fmt.Errorf("%w: %+v", ErrDamaged, report.Damage[0])
	}
	return plain(err)
}

func (s *aofStore) Close() error { return plain(s.store.Close()) }

// aofStream implements Stream.
type aofStream struct{ st *aof.Stream }

func (s *aofStream) Append(ctx context.Context, mode Mode, b Batch) (uint64, error) {
	var seq aof.Seq
	var err error
	batch := &aof.Batch{ExpectNext: aof.Seq(b.Expect)}
	for i, r := range b.Recs {
		batch.Records = append(batch.Records, aof.Entry{Data: r})
		if b.Events != nil {
			batch.Records[i].EventTime = b.Events[i]
		}
	}
	plainly := b.Events == nil && b.Expect == 0
	switch {
	case mode == ModeTry && plainly:
		seq, err = s.st.TryAppend(b.Recs...)
	case mode == ModeTry:
		seq, err = s.st.TryAppendBatch(batch)
	case mode == ModeAccepted:
		batch.Ack = aof.AckAccepted
		seq, err = s.st.AppendBatch(ctx, batch)
	case plainly:
		seq, err = s.st.Append(ctx, b.Recs...)
	default:
		seq, err = s.st.AppendBatch(ctx, batch)
	}
	return uint64(seq), plain(err)
}

func (s *aofStream) WaitDurable(ctx context.Context, seq uint64) error {
	return plain(s.st.WaitDurable(ctx, aof.Seq(seq)))
}

func (s *aofStream) Trim(ctx context.Context, before uint64) error {
	return plain(s.st.TrimBefore(ctx, aof.Seq(before)))
}

func (s *aofStream) State() StreamState {
	info := s.st.Info()
	return stateOf(info)
}

func stateOf(info aof.StreamInfo) StreamState {
	b := info.Bounds
	return StreamState{
		Name: info.Name, Meta: info.Metadata, ID: info.ID,
		First: uint64(b.First), Durable: uint64(b.Durable), Next: uint64(b.Next),
	}
}

func (s *aofStream) Read(ctx context.Context, from, to uint64, visit func(Record) error) error {
	_, err := s.read(ctx, aof.ReaderOptions{From: aof.Seq(from), To: aof.Seq(to)}, visit)
	return err
}

// read returns the place behind the record that was visited last.
func (s *aofStream) read(ctx context.Context, o aof.ReaderOptions, visit func(Record) error) (string, error) {
	r, err := s.st.Reader(o)
	if err != nil {
		return "", plain(err)
	}
	defer func() { _ = r.Close() }()
	return visitAll(ctx, r, visit)
}

func visitAll(ctx context.Context, r *aof.Reader, visit func(Record) error) (string, error) {
	for {
		rec, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return r.Cursor().String(), nil
		}
		if err != nil {
			return r.Cursor().String(), plain(err)
		}
		err = visit(Record{Seq: uint64(rec.Seq), TimeMs: rec.Time.UnixMilli(), Event: rec.EventTime, Data: rec.Data})
		if err != nil {
			return "", err
		}
	}
}

// plain gives the errors of the store the names the oracle knows.
func plain(err error) error {
	var corrupt *aof.CorruptError
	var unsettled *aof.UnsettledError
	var full *aof.FullError
	var mismatch *aof.MismatchError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &corrupt):
		return fmt.Errorf("%w: %w", &DamageError{uint64(corrupt.First), uint64(corrupt.Last)}, err)
	case errors.As(err, &unsettled):
		return fmt.Errorf("%w: %w", ErrUnsettled, err)
	case errors.As(err, &mismatch):
		return fmt.Errorf("%w: %w", &MismatchError{uint64(mismatch.Expected), uint64(mismatch.Next)}, err)
	case errors.Is(err, aof.ErrDiverged):
		return fmt.Errorf("%w: %w", ErrDiverged, err)
	case errors.As(err, &full) && full.Budget > 0, errors.Is(err, aof.ErrWouldBlock):
		return fmt.Errorf("%w: %w", ErrRefused, err)
	case errors.Is(err, aof.ErrExists):
		return fmt.Errorf("%w: %w", ErrExists, err)
	case errors.Is(err, aof.ErrTrimmed):
		return fmt.Errorf("%w: %w", ErrTrimmed, err)
	case errors.Is(err, aof.ErrCorrupt):
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}
