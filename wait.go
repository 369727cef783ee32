package aof

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/aof2/aof/internal/budget"
	"github.com/aof2/aof/internal/catalog"
	"github.com/aof2/aof/internal/coordinator"
	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/journal"
	"github.com/aof2/aof/internal/segment"
)

// wait is the waiting form of a Try call: it tries, and where that would block,
// waits until trying again is worthwhile or ctx ends. Where no hot file could be
// prepared, another attempt is waited for once: the failure that is told may be
// older than this call, and the disk may have room again.
func wait[T any](ctx context.Context, try func() (T, error)) (T, error) {
	for waited := false; ; {
		v, err := try()
		var b *WouldBlockError
		var stale *journal.StaleError
		var ready <-chan struct{}
		switch {
		case err == nil:
			return v, nil
		case errors.As(err, &b):
			ready = b.Ready()
		case errors.As(err, &stale) && !waited:
			waited, ready = true, stale.Mark.Reached(stale.Target)
		default:
			return v, err
		}
		select {
		case <-ready:
		case <-ctx.Done():
			return v, context.Cause(ctx)
		}
	}
}

// refusal translates why the journal did not accept something.
func (s *Store) refusal(err error) error {
	if err == nil {
		return nil
	}
	var b *journal.BlockError
	if errors.As(err, &b) {
		return &WouldBlockError{Kind: blockKinds[b.Block], mark: b.Mark, target: b.Target}
	}
	if errors.Is(err, journal.ErrFull) && !errors.Is(err, journal.ErrReadOnly) {
		return s.full(err)
	}
	return translate(err)
}

var blockKinds = map[journal.Block]BlockKind{
	journal.Admission: BlockAdmission, journal.Rollover: BlockRollover, journal.Flush: BlockFlush,
}

// waitsFor is what a refusal lets a caller who can wait wait for, and whether it
// does.
func waitsFor(refused error) (journal.Block, bool) {
	var b *WouldBlockError
	if errors.As(refused, &b) {
		for block, kind := range blockKinds {
			if kind == b.Kind {
				return block, true
			}
		}
	}
	var stale *journal.StaleError
	return journal.Rollover, errors.As(refused, &stale)
}

// full says what is full, and who holds on to the oldest file.
func (s *Store) full(err error) error {
	e := &FullError{Used: s.room.Used(), Pinned: pinned(s.ledger), Err: err}
	var over *budget.Error
	if errors.As(err, &over) {
		e.Budget = over.Limit
	}
	return e
}

// pinned names streams that hold on to the oldest hot file.
func pinned(ledger *coordinator.Ledger) (names []string) {
	const most = 8
	ledger.Read(func(c *catalog.Catalog) { names = c.Pinned(most) })
	return names
}

// translate gives errors of inner packages their public names.
func translate(err error) error {
	for _, pair := range []struct{ inner, public error }{
		{journal.ErrClosed, ErrClosed},
		{journal.ErrReadOnly, ErrReadOnly},
		{journal.ErrFull, ErrFull},
		{journal.ErrGone, ErrNotFound},
		{journal.ErrTooLarge, ErrTooLarge},
		{segment.ErrVersion, ErrVersion},
		{catalog.ErrVersion, ErrVersion},
		{catalog.ErrUnknownKind, ErrVersion},
		{segment.ErrDamaged, ErrCorrupt},
		{catalog.ErrMalformed, ErrCorrupt},
	} {
		if errors.Is(err, pair.inner) {
			return fmt.Errorf("%w: %w", pair.public, err)
		}
	}
	return err
}

// openError names why a directory could not be opened.
func openError(dir string, err error) error {
	var locked *fsys.LockedError
	if errors.As(err, &locked) {
		return &LockedError{Dir: dir, Holder: string(locked.Note)}
	}
	var illegal *catalog.IllegalError
	if errors.As(err, &illegal) {
		return fmt.Errorf("%w: open %s: %w", ErrCorrupt, dir, err)
	}
	return fmt.Errorf("open %s: %w", dir, translate(err))
}

// decide makes a decision of the store, waiting until the journal has room.
func (s *Store) decide(ctx context.Context, build func(*catalog.Catalog) (catalog.Decision, error), h coordinator.Hooks) (journal.Ticket, error) {
	return wait(ctx, func() (journal.Ticket, error) {
		t, err := s.ledger.Decide(build, h)
		return t, s.refusal(err)
	})
}

// settled waits until an accepted decision is durable.
func (s *Store) settled(ctx context.Context, t journal.Ticket) error {
	err := s.journal.Wait(ctx, t)
	if err == nil {
		return nil
	}
	return &UnsettledError{Err: translate(err)}
}

// fetchPool runs reads for TryNext, a bounded number at a time. Each Reader has at
// most one outstanding, so what queues is bounded by the readers.
type fetchPool struct {
	slots   chan struct{}
	ended   chan struct{}
	workers sync.WaitGroup
	started atomic.Uint64
	tails   atomic.Uint64

	mu struct {
		sync.Mutex
		stopped bool
	}
}

func newFetchPool(n int) *fetchPool {
	return &fetchPool{slots: make(chan struct{}, n), ended: make(chan struct{})}
}

// run calls read from a goroutine of the pool. It is false when the pool has been
// stopped.
func (p *fetchPool) run(read func()) bool {
	p.mu.Lock()
	if p.mu.stopped {
		p.mu.Unlock()
		return false
	}
	p.workers.Add(1)
	p.mu.Unlock()
	p.started.Add(1)
	go func() {
		defer p.workers.Done()
		select {
		case p.slots <- struct{}{}:
			defer func() { <-p.slots }()
		case <-p.ended:
		}
		read()
	}()
	return true
}

// stop waits for the reads at work; none begins afterwards.
func (p *fetchPool) stop() {
	p.mu.Lock()
	p.mu.stopped = true
	p.mu.Unlock()
	close(p.ended)
	p.workers.Wait()
}

// eventFeed numbers, counts and hands out events, one at a time.
type eventFeed struct {
	opts *Options
	mu   struct {
		sync.Mutex
		counts map[EventKind]uint64
	}
}

func newEventFeed(o *Options) *eventFeed {
	f := &eventFeed{opts: o}
	f.mu.counts = make(map[EventKind]uint64)
	return f
}

func (f *eventFeed) count(k EventKind) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.counts[k]
}

// emit tells everybody who listens.
func (f *eventFeed) emit(e Event) {
	e.Time = f.opts.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.counts[e.Kind]++
	if l := f.opts.Logger; l != nil {
		attrs := []any{"event", string(e.Kind)}
		if e.File != 0 {
			attrs = append(attrs, "file", e.File)
		}
		if e.Detail != "" {
			attrs = append(attrs, "detail", e.Detail)
		}
		if e.Err != nil {
			l.Warn("aof", append(attrs, "err", e.Err)...)
		} else {
			l.Info("aof", attrs...)
		}
	}
	if f.opts.OnEvent != nil {
		f.opts.OnEvent(e)
	}
}

// damage tells of bytes that do not verify.
func (f *eventFeed) damage(d Damage) {
	f.emit(Event{Kind: EventDamage, Err: &CorruptError{File: d.File, Offset: d.Offset, Stream: d.Stream, First: d.First, Last: d.Last, Problem: d.Problem}})
}

var journalEvents = map[journal.EventKind]EventKind{
	journal.Prepared: EventPrepared, journal.Rolled: EventRolled, journal.Sealed: EventSealed,
	journal.Recycled: EventRecycled, journal.Poisoned: EventPoisoned, journal.ReadOnly: EventReadOnly,
	journal.ClockWentBack: EventClock,
}

// journal passes on what the journal did.
func (f *eventFeed) journal(e journal.Event) {
	f.emit(Event{Kind: journalEvents[e.Kind], File: e.File, Detail: e.Detail, Err: e.Err})
}

// coordinator passes on what the coordinator did or could not do.
func (f *eventFeed) coordinator(e coordinator.Event) {
	kind := EventSnapshot
	if e.Err != nil {
		kind = EventFailed
	}
	f.emit(Event{Kind: kind, File: e.Action.File, Detail: e.Detail, Err: e.Err})
}
