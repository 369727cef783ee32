package aof

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/aof2/aof/internal/budget"
	"github.com/aof2/aof/internal/catalog"
	"github.com/aof2/aof/internal/coordinator"
	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/journal"
	"github.com/aof2/aof/internal/metric"
)

// maxFetches bounds the goroutines that read for TryNext.
const maxFetches = 8

// Store is an open directory of streams. Its methods may be called by any number
// of goroutines.
type Store struct {
	dir         string
	opts        Options
	fs          fsys.FS
	ownFS       bool
	room        *budget.Disk // fs, with what is taken of it counted
	lock        interface{ Close() error }
	journal     *journal.Journal
	ledger      *coordinator.Ledger
	coordinator *coordinator.Coordinator
	recovery    Recovery
	events      *eventFeed
	fetches     *fetchPool
	appendTime  metric.Histogram

	closeOnce sync.Once
	closeErr  error

	mu struct {
		sync.Mutex
		streams map[uint32]*Stream // handles that were given out, by ordinal
		closed  bool
	}
}

// Open opens the store in dir and makes it when there is none; the directory is
// made too. It takes the directory's lock for as long as the store is open.
//
// Opening costs the end of the journal, not its history, and writes no hot file:
// the first append does. The errors to act on are *LockedError, ErrCorrupt (the
// store's own files are damaged so that nothing can be said about its end),
// ErrVersion and ErrInvalid. Damage to records does not keep a store from
// opening: see Recovery.
func Open(ctx context.Context, dir string, opts *Options) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, opts: o, fs: o.FS}
	s.mu.streams = make(map[uint32]*Stream)
	s.events = newEventFeed(&s.opts)
	s.fetches = newFetchPool(maxFetches)
	if err := s.open(); err != nil {
		return nil, errors.Join(openError(dir, err), s.giveUp())
	}
	return s, nil
}

func (s *Store) open() error {
	if s.fs == nil {
		fsy, err := fsys.Dir(s.dir, true)
		if err != nil {
			return err
		}
		s.fs, s.ownFS = fsy, true
	}
	if err := refuseForeign(s.fs); err != nil {
		return err
	}
	lock, err := s.fs.Lock(lockName, lockNote(s.opts.Now()))
	if err != nil {
		return err
	}
	s.lock = lock
	if s.room, err = budget.New(s.fs, s.opts.HotBudget, journal.Dir, coordinator.SnapshotDir); err != nil {
		return err
	}
	l, err := load(s.room, &s.opts, loadToOpen, s.events)
	if err != nil {
		return err
	}
	s.journal, s.ledger, s.recovery = l.journal, l.ledger, l.report
	s.coordinator = coordinator.New(coordinator.Config{
		FS: s.room, Journal: s.journal, Ledger: s.ledger, Store: l.store, Snapshots: l.snapshots, Event: s.events.coordinator, Yield: yieldOf(s.fs, "coordinator"),
	})
	s.journal.Start()
	s.coordinator.Start()
	for _, d := range s.recovery.Damage {
		s.events.damage(d)
	}
	if !s.recovery.Clean && !s.recovery.Fresh || len(s.recovery.Damage) > 0 {
		s.events.emit(Event{
			Kind: EventRecovered, Err: s.recovery.ReadOnly,
			Detail: fmt.Sprintf("end at %s:%d, %d torn bytes, %d damaged ranges", s.recovery.TailFile, s.recovery.TailEnd, s.recovery.Torn, len(s.recovery.Damage)),
		})
	}
	return nil
}

// giveUp lets go of what a failed open had taken.
func (s *Store) giveUp() error {
	var errs []error
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	if s.ownFS {
		errs = append(errs, s.fs.Close())
	}
	return errors.Join(errs...)
}

const lockName = "LOCK"

// lockNote is what a second opener is told.
func lockNote(now time.Time) []byte {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Appendf(nil, "pid %d on %s since %s", os.Getpid(), host, now.UTC().Format(time.RFC3339))
}

// CreateStream makes a stream. It returns when that is durable. ErrExists: there
// is one of that name; ErrInvalid: the name is not 1 to 255 bytes of UTF-8
// without NUL, or the metadata is too long.
func (s *Store) CreateStream(ctx context.Context, name string, o *StreamOptions) (*Stream, error) {
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	if why := catalog.CheckName(name); why != "" {
		return nil, invalidf("stream name %q: %s", name, why)
	}
	var metadata []byte
	if o != nil {
		metadata = o.Metadata
	}
	if len(metadata) > MaxMetadataBytes {
		return nil, invalidf("metadata of %d bytes, at most %d are kept", len(metadata), MaxMetadataBytes)
	}
	st := &Stream{store: s, name: name, metadata: slices.Clone(metadata)}
	st.created = time.UnixMilli(s.opts.Now().UnixMilli())
	t, err := s.decide(ctx, func(c *catalog.Catalog) (catalog.Decision, error) {
		if _, ok := c.ByName(name); ok {
			return nil, fmt.Errorf("%w: stream %q", ErrExists, name)
		}
		return catalog.Created{Ordinal: c.NextOrdinal(), Name: name, TimeMs: st.created.UnixMilli(), Options: metadata}, nil
	}, coordinator.Hooks{Accepted: func(d catalog.Decision, t journal.Ticket) {
		st.ticket = t
		st.lane = s.journal.AddLane(d.(catalog.Created).Ordinal)
		s.keep(st)
	}})
	if err != nil {
		return nil, err
	}
	if err := s.settled(ctx, t); err != nil {
		return nil, err
	}
	return st, nil
}

// Stream returns the handle of a stream, the same each time. ErrNotFound: there
// is none of that name.
func (s *Store) Stream(ctx context.Context, name string) (*Stream, error) {
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	var state catalog.StreamState
	var ok bool
	s.ledger.Read(func(c *catalog.Catalog) { state, ok = c.ByName(name) })
	if !ok {
		return nil, fmt.Errorf("%w: stream %q", ErrNotFound, name)
	}
	st := s.handle(state)
	if st == nil {
		return nil, fmt.Errorf("%w: stream %q", ErrNotFound, name)
	}
	if err := s.settled(ctx, st.ticket); err != nil {
		return nil, err
	}
	return st, nil
}

// handle returns the handle of a stream, made on first use.
func (s *Store) handle(state catalog.StreamState) *Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.mu.streams[state.Ordinal]; st != nil {
		return st
	}
	lane := s.journal.Lane(state.Ordinal)
	if lane == nil {
		return nil // deleted meanwhile
	}
	st := &Stream{store: s, lane: lane, name: state.Name, created: time.UnixMilli(state.CreatedMs), metadata: slices.Clone(state.Options)}
	s.mu.streams[state.Ordinal] = st
	return st
}

// keep makes st the handle of its stream.
func (s *Store) keep(st *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.streams[st.lane.Ordinal] = st
}

// DeleteStream ends a stream and sets its name free; a stream made under that
// name later is another one. It returns when that is durable. The room of its
// records comes back as the hot files that hold them go.
func (s *Store) DeleteStream(ctx context.Context, name string) error {
	if err := s.use(ctx); err != nil {
		return err
	}
	var lane *journal.Lane
	t, err := s.decide(ctx, func(c *catalog.Catalog) (catalog.Decision, error) {
		state, ok := c.ByName(name)
		if !ok {
			return nil, fmt.Errorf("%w: stream %q", ErrNotFound, name)
		}
		if lane = s.journal.Lane(state.Ordinal); lane == nil {
			return nil, fmt.Errorf("%w: stream %q", ErrNotFound, name)
		}
		return catalog.Deleted{Ordinal: state.Ordinal, TimeMs: s.opts.Now().UnixMilli()}, nil
	}, coordinator.Hooks{
		Locked: func() { s.journal.GoneLocked(lane) },
		Durable: func() {
			s.journal.DropLane(lane)
			s.mu.Lock()
			delete(s.mu.streams, lane.Ordinal)
			s.mu.Unlock()
			s.journal.Nudge()
		},
	})
	if err != nil {
		return err
	}
	return s.settled(ctx, t)
}

// Streams lists the streams by name, as they were when the loop began.
func (s *Store) Streams() iter.Seq2[string, StreamInfo] {
	return func(yield func(string, StreamInfo) bool) {
		var states []catalog.StreamState
		s.ledger.Read(func(c *catalog.Catalog) { states = slices.Collect(c.Streams()) })
		for _, state := range states {
			st := s.handle(state)
			if st == nil || !st.ticket.Done() {
				continue
			}
			if !yield(state.Name, st.Info()) {
				return
			}
		}
	}
}

// Seal ends the open hot file and returns when every file before the next one is
// sealed: immutable, with its run index and the digests of its streams.
func (s *Store) Seal(ctx context.Context) error {
	if err := s.use(ctx); err != nil {
		return err
	}
	acted := s.coordinator.Acted()
	before := acted.At()
	t, err := wait(ctx, func() (*journal.Ticket, error) {
		t, err := s.journal.TryRoll()
		return t, s.refusal(err)
	})
	if err != nil {
		return err
	}
	if t != nil {
		if err := s.settled(ctx, *t); err != nil {
			return err
		}
	}
	next := s.journal.OpenID() // files from this one on are for the next call
	for tried := t == nil; ; tried = true {
		at := acted.At()
		f := s.journal.Rolled()
		if f == nil || f.ID >= next {
			return nil
		}
		var b *journal.BlockError // it goes on once there is room
		err := s.coordinator.LastError(coordinator.Seal)
		if (tried || at > before) && err != nil && s.journal.Rolled() == f && !errors.As(err, &b) {
			return fmt.Errorf("seal %s: %w", f.Name(), translate(err))
		}
		select {
		case <-acted.Reached(at + 1):
			if acted.Ended() {
				return ErrClosed
			}
		case <-s.journal.Failed():
			return s.refusal(s.journal.Err())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Stats returns the counters since Open, and the sizes now.
func (s *Store) Stats() Stats {
	j := s.journal.Stats()
	st := Stats{
		Files: j.Files, FileBytes: j.FileBytes, Appends: j.Appends, Records: j.Records, Bytes: j.Bytes,
		Rounds: j.Rounds, Syncs: j.Syncs, Prepared: j.Prepared, Reused: j.Reused, Unflushed: j.Unflushed, Poisoned: j.Poisoned,
		HotBytes: s.room.Used(), HotBudget: s.room.Limit(), Pinned: pinned(s.ledger),
		Sealed: s.events.count(EventSealed), Recycled: s.events.count(EventRecycled), Snapshots: s.coordinator.Snapshots(),
		WouldBlock: map[BlockKind]uint64{
			BlockAdmission: j.BlockedAdmission, BlockRollover: j.BlockedRollover, BlockFlush: j.BlockedFlush,
			BlockHydration: s.fetches.started.Load(), BlockTail: s.fetches.tails.Load(),
		},
		AppendTime: histogram(&s.appendTime),
	}
	m := s.journal.Metrics()
	st.WriteTime, st.SyncTime, st.RoundBytes = histogram(&m.Write), histogram(&m.Sync), histogram(&m.RoundBytes)
	for kind, h := range map[coordinator.ActionKind]*Histogram{
		coordinator.Prepare: &st.PrepareTime, coordinator.Seal: &st.SealTime,
		coordinator.Snapshot: &st.SnapshotTime, coordinator.Recycle: &st.RecycleTime,
	} {
		*h = histogram(s.coordinator.Took(kind))
	}
	s.ledger.Read(func(c *catalog.Catalog) { st.Streams = c.Len() })
	return st
}

// Recovery says what Open found.
func (s *Store) Recovery() Recovery { return s.recovery }

// Close takes no more calls, waits up to CloseTimeout until what was accepted is
// durable, ends every wait, joins every goroutine and lets go of the directory.
// It returns what went wrong. A system call in progress cannot be ended: Close
// waits for it. A second Close returns the same.
func (s *Store) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Store) close() error {
	s.mu.Lock()
	s.mu.closed = true
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.CloseTimeout)
	defer cancel()
	s.coordinator.Stop()
	s.fetches.stop()
	err := s.journal.Close(ctx)
	return errors.Join(translate(err), s.giveUp())
}

// use refuses calls on a closed store or with a context that has ended.
func (s *Store) use(ctx context.Context) error {
	s.mu.Lock()
	closed := s.mu.closed
	s.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
