// Package coordinator decides what happens to hot files in the background and
// does it: preparing the next one, sealing complete ones, writing catalog
// snapshots, recycling what holds nothing that is needed. It hides when these
// happen and in which order their decisions and their effects must become
// durable.
//
// What to do next is a pure function of a small state (Plan); doing it is plain
// code without a choice in it. The ledger keeps the catalog and the journal in
// step for everybody who decides something.
//
// # Concurrency
//
// One goroutine, started by Start, does one action at a time; Stop ends it after
// the action it is at and waits for it. It sleeps on the journal's changed mark,
// and while somebody waits for the disk to have room, for a second at a time.
package coordinator

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/aof2/aof/internal/catalog"
	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/journal"
	"github.com/aof2/aof/internal/mark"
	"github.com/aof2/aof/internal/metric"
)

// Config is what a coordinator works with.
type Config struct {
	FS        fsys.FS
	Journal   *journal.Journal
	Ledger    *Ledger
	Store     [16]byte
	Snapshots []SnapshotFile // that were found at open, the newest last
	Event     func(Event)
	Yield     func() // lets others run first; nil does nothing
}

// Event is a snapshot that was written, or an action that failed and waits for
// something to change.
type Event struct {
	Action Action
	Detail string
	Err    error
}

// calmAfter is how long no round must have ended for appends to count as calm.
const calmAfter = 2 * time.Millisecond

// Coordinator does the background work of one store.
type Coordinator struct {
	cfg    Config
	stop   chan struct{}
	worker sync.WaitGroup

	took  [kinds]metric.Histogram // nanoseconds, of the actions that were done
	acted mark.Mark               // counts actions done, also those that failed

	mu struct {
		sync.Mutex
		snapshots []snapshot // kept ones, the newest last
		written   uint64
		errs      [kinds]error // of the last action of each kind
	}
	failed [kinds]bool // of the worker
	spares spares      // of the worker
	calm   bool        // of the worker: no round has ended for a moment
	calmAt uint64      // of the worker: and this is how many had
	made   bool        // of the worker: the directory of the snapshots is there, durably
	found  bool        // spares tells of those that the last life left; of the worker
}

// snapshot is a kept snapshot.
type snapshot struct {
	name   string
	seq    uint64
	file   uint64
	serial uint64
	bytes  int64
}

// New returns a coordinator that is not started.
func New(cfg Config) *Coordinator {
	c := &Coordinator{cfg: cfg, stop: make(chan struct{})}
	for _, s := range cfg.Snapshots {
		c.mu.snapshots = append(c.mu.snapshots, snapshot{s.Name, s.Position.Seq, s.Position.File, s.serial, s.bytes})
	}
	return c
}

// Start starts the worker.
func (c *Coordinator) Start() {
	c.worker.Add(1)
	go c.work()
}

// Stop ends the worker after what it is doing, and waits for it. What it has not
// begun is left for the next life.
func (c *Coordinator) Stop() {
	close(c.stop)
	c.worker.Wait()
	c.acted.End()
}

// Acted counts up with every action, done or failed.
func (c *Coordinator) Acted() *mark.Mark { return &c.acted }

// Took is how long the actions of a kind took that were done, in nanoseconds.
func (c *Coordinator) Took(k ActionKind) *metric.Histogram { return &c.took[k] }

// LastError is what the last action of a kind met, nil when it was done.
func (c *Coordinator) LastError(k ActionKind) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.errs[k]
}

// Snapshots is how many snapshots were written.
func (c *Coordinator) Snapshots() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.written
}

// work plans and acts until it is stopped.
func (c *Coordinator) work() {
	defer c.worker.Done()
	changed := c.cfg.Journal.Changed()
	for seen := changed.At(); ; {
		c.yield() // who waits for the same change comes first
		if at := changed.At(); at != seen {
			seen, c.failed = at, [kinds]bool{}
		}
		a := c.next(seen)
		if a.Kind == Sleep {
			if !c.sleep(seen) {
				return
			}
			continue
		}
		select {
		case <-c.stop:
			return
		default:
		}
		c.do(a)
	}
}

// do does one action and keeps what became of it.
func (c *Coordinator) do(a Action) {
	begin := time.Now()
	err := c.act(a)
	if err == nil {
		c.took[a.Kind].Since(begin)
	}
	c.mu.Lock()
	c.mu.errs[a.Kind] = err
	c.mu.Unlock()
	c.acted.Advance(c.acted.At() + 1)
	if err != nil {
		c.failed[a.Kind] = true
		if !errors.Is(err, errStopped) && !isBlocked(err) {
			c.event(Event{Action: a, Err: err})
		}
	}
}

// lookEvery is how often the disk is looked at while somebody waits for it to have
// room: the only thing here that nobody tells of.
const lookEvery = time.Second

// sleep returns when something has changed since seen; false when the coordinator
// is to stop.
func (c *Coordinator) sleep(seen uint64) bool {
	changed := c.cfg.Journal.Changed()
	var look <-chan time.Time
	if c.cfg.Journal.AwaitsDisk() {
		t := time.NewTimer(lookEvery)
		defer t.Stop()
		look = t.C
	}
	select {
	case <-changed.Reached(seen + 1):
		if !changed.Ended() {
			return true
		}
		<-c.stop
	case <-look:
		c.cfg.Journal.LookAtDisk()
		return true
	case <-c.stop:
	}
	return false
}

// next plans, and tells the journal whether anything that is at work may give
// room back; seen is the count of changes that the plan knows of at least.
func (c *Coordinator) next(seen uint64) Action {
	s := c.state()
	c.cfg.Journal.SetClearing(Clears(s), seen)
	return Plan(s)
}

func (c *Coordinator) yield() {
	if c.cfg.Yield != nil {
		c.cfg.Yield()
	}
}

func (c *Coordinator) event(e Event) {
	if c.cfg.Event != nil {
		c.cfg.Event(e)
	}
}

// state gathers what the plan depends on.
func (c *Coordinator) state() State {
	wants := c.cfg.Journal.Wants()
	s := State{WantsActivation: wants.Activate, WantsFile: wants.Prepare, Failed: c.failed}
	if c.cfg.Journal.Err() != nil || !wants.Active {
		return s // nothing is decided any more, or not yet
	}
	if f := c.cfg.Journal.Rolled(); f != nil {
		s.Rolled = f.ID
	}
	s.OpenDead = c.cfg.Journal.OpenDead()
	var last uint64
	c.cfg.Ledger.Read(func(cat *catalog.Catalog) {
		last, s.Streams = cat.LastSeq(), cat.Len()
		for f := range cat.Files() {
			s.Unsaved = true
			if f.LiveRuns == 0 {
				s.Dead = f.File
				break
			}
		}
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Full = c.mu.errs[Prepare] != nil
	kept := c.mu.snapshots
	s.Unsaved = s.Unsaved && len(kept) == 0
	if len(kept) >= keptSnapshots {
		s.OlderFile = kept[len(kept)-keptSnapshots].file
	}
	s.Behind = last
	if len(kept) > 0 {
		s.Behind = last - min(last, kept[len(kept)-1].seq)
	}
	return s
}

// act does one action.
func (c *Coordinator) act(a Action) error {
	switch a.Kind {
	case Activate:
		return c.cfg.Journal.Activate()
	case Prepare:
		return c.cfg.Journal.Prepare(c.reserve)
	case Seal:
		return c.seal()
	case Recycle:
		return c.recycle(a.File)
	case Roll:
		return c.roll()
	case Snapshot:
		return c.snapshot()
	}
	return nil
}

var errStopped = errors.New("coordinator: stopped")

func isBlocked(err error) bool {
	var b *journal.BlockError
	return errors.As(err, &b)
}

// decide accepts a decision and waits until it is durable. Where the journal
// wants another file first, that is for the plan to see.
func (c *Coordinator) decide(build func(*catalog.Catalog) (catalog.Decision, error)) error {
	for {
		t, err := c.cfg.Ledger.Decide(build, Hooks{Background: true})
		var b *journal.BlockError
		if errors.As(err, &b) && b.Block == journal.Flush {
			select {
			case <-b.Mark.Reached(b.Target):
				c.yield()
				continue
			case <-c.stop:
				return errStopped
			}
		}
		if err != nil {
			return err
		}
		return c.cfg.Journal.WaitDone(t)
	}
}

// seal seals the oldest complete file and decides that it is sealed. The decision
// comes after the file's sync: from then on its size and hash are its identity.
func (c *Coordinator) seal() error {
	f := c.cfg.Journal.Rolled()
	if f == nil {
		return nil
	}
	s, err := c.cfg.Journal.Seal(f, c.carried, c.pace)
	if err != nil {
		return err
	}
	err = c.decide(func(cat *catalog.Catalog) (catalog.Decision, error) {
		d := catalog.Sealed{File: f.ID, DataEnd: s.DataEnd, Size: s.Size, Checksum: s.Checksum, IndexHash: s.IndexHash}
		for _, r := range s.Runs {
			st, ok := cat.ByOrdinal(r.Ordinal)
			if !ok || st.Deleted {
				continue // nobody can read it any more
			}
			d.Runs = append(d.Runs, catalog.Run{
				Ordinal: r.Ordinal, First: r.First, Last: r.Last, Newest: r.Newest, Gap: r.First > st.SealedNext,
			})
		}
		return d, nil
	})
	if err != nil {
		return fmt.Errorf("decide that file %d is sealed: %w", f.ID, err)
	}
	c.cfg.Journal.SealDecided(s)
	return nil
}

// pace is called again and again while a file is hashed. A file that appends want is prepared first. While rounds follow each
// other and few files wait, hashing goes on with the next round only, so that a burst is not slowed down by the hashing of
// what it has just written; when none has ended for a moment, it goes on until the next one does.
func (c *Coordinator) pace() {
	if c.cfg.Journal.Wants().Prepare {
		if a := Plan(c.state()); a.Kind == Prepare {
			c.do(a)
		}
	}
	at, beat := c.cfg.Journal.Beat()
	if beat == nil || c.calm && at == c.calmAt {
		return
	}
	timer := time.NewTimer(calmAfter)
	defer timer.Stop()
	c.calm = false
	select {
	case <-beat:
	case <-timer.C:
		c.calm, c.calmAt = true, at
	case <-c.stop:
	}
	c.yield()
}

// roll ends the open file; it is sealed next.
func (c *Coordinator) roll() error {
	t, err := c.cfg.Journal.TryRoll()
	if err != nil || t == nil {
		return err
	}
	return c.cfg.Journal.WaitDone(*t)
}

// carried is the digest state that outlived its file.
func (c *Coordinator) carried(ordinal uint32) (last uint64, state []byte) {
	c.cfg.Ledger.Read(func(cat *catalog.Catalog) {
		s, _ := cat.ByOrdinal(ordinal)
		last, state = s.CarriedLast, s.Carried
	})
	return last, state
}

// recycle decides that a file without live runs is given up, and gives it up once
// that is durable. What only its run index knew, the digests of streams that go
// on elsewhere, travels in the decision.
func (c *Coordinator) recycle(file uint64) error {
	var last []catalog.Run
	c.cfg.Ledger.Read(func(cat *catalog.Catalog) { last = cat.LastRuns(file) })
	states := make(map[uint32]catalog.State, len(last))
	for _, r := range last {
		if state := c.cfg.Journal.StateAfter(file, r.Ordinal); len(state) > 0 {
			states[r.Ordinal] = catalog.State{Ordinal: r.Ordinal, Last: r.Last, State: state}
		}
	}
	err := c.decide(func(cat *catalog.Catalog) (catalog.Decision, error) {
		d := catalog.Recycled{File: file}
		for _, r := range cat.LastRuns(file) {
			if s, ok := states[r.Ordinal]; ok && s.Last == r.Last {
				d.States = append(d.States, s)
			}
		}
		return d, nil
	})
	if err != nil {
		return fmt.Errorf("decide that file %d is recycled: %w", file, err)
	}
	return c.cfg.Journal.Recycle(file)
}

// makeDir makes the directory of the snapshots, durably, before the first one.
func (c *Coordinator) makeDir() error {
	if c.made {
		return nil
	}
	err := c.cfg.FS.Mkdir(SnapshotDir)
	if err == nil {
		err = c.cfg.FS.SyncDir(".")
	}
	c.made = err == nil
	return err
}

// snapshot writes the catalog. Its decisions must be durable first, or a crash
// could leave a snapshot that is ahead of the journal.
func (c *Coordinator) snapshot() error {
	cat, at := c.cfg.Ledger.Freeze()
	if err := c.cfg.Journal.WaitDecided(at.Seq); err != nil {
		return err
	}
	c.mu.Lock()
	serial := uint64(1)
	if n := len(c.mu.snapshots); n > 0 {
		serial = c.mu.snapshots[n-1].serial + 1
	}
	c.mu.Unlock()
	s := snapshot{name: snapshotName(at.Seq, serial), seq: at.Seq, file: at.File, serial: serial & 0xffff}
	if err := errors.Join(c.makeDir(), c.find()); err != nil {
		return fmt.Errorf("make %s: %w", SnapshotDir, err)
	}
	b := catalog.EncodeSnapshot(nil, cat, at, c.cfg.Store)
	s.bytes = int64(len(b))
	spare := c.spares.bySize()[0]
	c.spares[spare] = 0
	if err := writeSnapshot(c.cfg.FS, spareName(spare), s.name, b); err != nil {
		return fmt.Errorf("write %s: %w", s.name, err)
	}
	old := c.keep(s)
	c.event(Event{Action: Action{Kind: Snapshot}, Detail: fmt.Sprintf("%s, %d bytes", s.name, len(b))})
	if len(old) > 0 {
		if err := c.giveUp(spare, old); err != nil {
			return err
		}
	}
	if err := c.reserve(); !errors.Is(err, fsys.ErrNoSpace) {
		return err
	}
	return nil // the snapshot is written; room for the next is set aside before another file is prepared
}

// keep adds a snapshot to those that are kept, and returns those that no longer are.
func (c *Coordinator) keep(s snapshot) (old []snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.snapshots = append(c.mu.snapshots, s)
	c.mu.written++
	if n := len(c.mu.snapshots) - keptSnapshots; n > 0 {
		old = append(old, c.mu.snapshots[:n]...)
		c.mu.snapshots = append([]snapshot(nil), c.mu.snapshots[n:]...)
	}
	return old
}

// giveUp lets go of snapshots that are no longer needed; the room of one goes to the spare file.
func (c *Coordinator) giveUp(spare int, old []snapshot) error {
	for _, o := range old[1:] {
		if err := c.cfg.FS.Remove(o.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", o.name, err)
		}
	}
	return c.keepAsSpare(spare, old[0])
}
