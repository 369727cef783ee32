package journal

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/aof2/aof/internal/mark"
	"github.com/aof2/aof/internal/metric"
	"github.com/aof2/aof/internal/segment"
)

// Journal is an open journal. See the package comment for who may touch what.
type Journal struct {
	cfg     Config
	store   [16]byte      // the store's id
	epoch   uint64        // of every frame of this life
	view    bool          // nothing is locked and nothing may be written: files can change underneath
	changed mark.Mark     // counts up whenever the coordinator may have something to do
	durable mark.Mark     // the newest round that is durable
	tries   mark.Mark     // counts attempts to prepare a file, also those that failed
	beat    mark.Mark     // counts up with every round that ends
	left    mark.Mark     // counts who was at the head of the line and has left
	failed  chan struct{} // closed when no more frames are taken for good
	rested  chan struct{} // closed when nobody leads and nobody will
	closed  atomic.Bool   // says what mu.closing does, to readers for each record
	ended   chan struct{} // closed to end the writer goroutine
	kick    chan struct{} // wakes the writer goroutine; one waiting kick is enough
	writer  sync.WaitGroup
	meta    chan struct{} // the token for changing which files there are

	mu struct {
		sync.Mutex
		lanes      map[uint32]*Lane
		gather     *round
		spare      []byte
		leading    bool  // somebody leads, or has been asked to
		active     bool  // the first append of this life has been prepared for
		closing    bool  // no more frames are taken
		stopped    bool  // no more rounds are led
		fatal      error // why no more frames are taken, for good
		prepared   []*File
		taken      *File // bound to a slot, nothing written to it yet
		unsealable bool  // the last seal failed: appends do not wait for the next
		unbound    int   // slots that are opened and not yet bound to a file
		full       full
		line       line
		slot       slot
		unflushed  int64
		lastTime   int64
		files      []*File // every file that holds data, in order; then nothing
		stats      Stats
	}

	lead struct { // the leader's own
		file     *File // what the newest slot that has been written to is bound to
		end      int64 // where the next frame goes; file.End() is where synced data ends
		unmarked bool  // a sync has ended and no frame says so yet
		arranger arranger
		places   []placement
		first    []byte // a roll frame and what follows it
		mark     []byte
	}

	files struct { // guarded by the meta token
		current current
		free    []*File // recycled files, to be used again
		clean   bool    // current says that the last life ended cleanly
		tail    *File   // the file that held the end of the journal at open
		goesOn  bool    // this life writes to it
	}
	metrics Metrics
	clock   clock
	indexes cache[uint64, segment.Index]    // of sealed files, by id
	extents cache[runKey, []segment.Extent] // of sealed files, some of what the indexes say
	tables  cache[place, frameTable]
	handles handlePool
	seals   struct { // of the one who seals
		states map[uint32]digestState
	}
}

// slot is the room of the file that appends are being accepted for.
type slot struct {
	no       uint64
	capacity int64
	used     int64
	frames   int
	lanes    int
}

// fits reports whether a frame of n bytes leaves room for index and footer.
func (s *slot) fits(n int64, newLane bool) bool {
	lanes := s.lanes
	if newLane {
		lanes++
	}
	return s.used+n+segment.IndexBound(s.frames+1, lanes)+segment.FooterBytes <= s.capacity
}

// Stats are counters since Start, and sizes now.
type Stats struct {
	Appends, Records, Bytes uint64
	Rounds, Syncs           uint64
	Unflushed               int64
	Poisoned                uint64
	Prepared, Reused        uint64
	Files                   int
	FileBytes               int64
	BlockedRollover         uint64
	BlockedFlush            uint64
	BlockedAdmission        uint64
}

func newJournal(cfg Config) *Journal {
	if cfg.Yield == nil {
		cfg.Yield = runtime.Gosched
	}
	j := &Journal{
		cfg:    cfg,
		failed: make(chan struct{}),
		rested: make(chan struct{}),
		ended:  make(chan struct{}),
		kick:   make(chan struct{}, 1),
		meta:   make(chan struct{}, 1),
	}
	j.clock.shared = cfg.SharedNow
	j.clock.read = func() int64 { return j.cfg.Now().UnixMilli() }
	j.indexes.limit, j.extents.limit, j.tables.limit = indexCacheBytes, extentCacheBytes, tableCacheBytes
	j.mu.lanes = make(map[uint32]*Lane)
	j.seals.states = make(map[uint32]digestState)
	j.mu.gather = newRound(1, nil)
	return j
}

// Start starts the writer goroutine. Close ends it.
func (j *Journal) Start() {
	j.writer.Add(1)
	go j.write()
}

// write leads whenever nobody who appends does.
func (j *Journal) write() {
	defer j.writer.Done()
	for {
		select {
		case <-j.kick:
			j.leadRounds(nil)
		case <-j.ended:
			return
		}
	}
}

// Closed reports whether Close has begun.
func (j *Journal) Closed() bool { return j.closed.Load() }

// CloseView closes the files of a journal that was not started.
func (j *Journal) CloseView() error {
	j.mu.Lock()
	j.mu.closing = true
	j.closed.Store(true)
	j.mu.Unlock()
	j.endWaits()
	return j.closeFiles()
}

// Changed counts up whenever there may be something to prepare, seal or recycle.
func (j *Journal) Changed() *mark.Mark { return &j.changed }

// Failed is closed when the journal has become read-only.
func (j *Journal) Failed() <-chan struct{} { return j.failed }

// Err is why the journal is read-only, or nil.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mu.fatal
}

// AddLane makes a lane for a new stream.
func (j *Journal) AddLane(ordinal uint32) *Lane {
	l := newLane(ordinal, 1)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mu.lanes[ordinal] = l
	return l
}

// Lane returns the lane of a stream, or nil.
func (j *Journal) Lane(ordinal uint32) *Lane {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mu.lanes[ordinal]
}

// DropLane forgets the lane of a deleted stream and wakes whoever waits at its
// tail.
func (j *Journal) DropLane(l *Lane) {
	j.mu.Lock()
	delete(j.mu.lanes, l.Ordinal)
	j.mu.Unlock()
	l.tail.End() // first: who finds no run asks whether this is why
	l.mu.Lock()
	l.mu.runs = nil
	l.mu.Unlock()
}

// Bounds is one consistent reading of a lane.
func (j *Journal) Bounds(l *Lane) (first, durable, next uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.first, l.durable.Load(), l.next
}

// Epoch is that of the frames of this life.
func (j *Journal) Epoch() uint64 { return j.epoch }

// Identity tells the lane's stream from every other of any store.
func (j *Journal) Identity(l *Lane) uint64 {
	var b [20]byte
	copy(b[:], j.store[:])
	binary.LittleEndian.PutUint32(b[16:], l.Ordinal)
	sum := sha256.Sum256(b[:])
	return binary.LittleEndian.Uint64(sum[:])
}

// Place is the file from which on the journal has to be read by who knows all
// decisions so far: the oldest that is not sealed, 0 when there is none. No later
// one would do: what lies in a file between its end and the decision that it is
// sealed is known from the file alone. It also returns the epoch.
func (j *Journal) Place() (file, epoch uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, f := range j.mu.files {
		if s := f.State(); s == StateOpen || s == StateRolled {
			return f.ID, j.epoch
		}
	}
	return 0, j.epoch
}

// OpenID is the file that frames are written to, 0 before the first one.
func (j *Journal) OpenID() (id uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, f := range j.mu.files {
		if f.State() == StateOpen {
			id = f.ID
		}
	}
	return id
}

// Files lists the hot files that hold data, oldest first, and the prepared ones.
func (j *Journal) Files() []*File {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Concat(j.mu.files, j.mu.prepared)
}

// DataFiles lists the hot files that hold data, oldest first. No file between two
// of them is left out, which cannot be said of those that Files adds.
func (j *Journal) DataFiles() []*File {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.mu.files)
}

// Stats returns the counters.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.mu.stats
	s.Unflushed = j.mu.unflushed
	s.Files = len(j.mu.files) + len(j.mu.prepared)
	for _, f := range j.mu.files {
		s.FileBytes += f.Size()
	}
	for _, f := range j.mu.prepared {
		s.FileBytes += f.Size()
	}
	return s
}

// Metrics are the distributions that a journal keeps.
type Metrics struct {
	Write, Sync metric.Histogram // nanoseconds, of those that succeeded
	RoundBytes  metric.Histogram // bytes written at once
}

// Metrics returns the distributions since Start, which go on changing.
func (j *Journal) Metrics() *Metrics { return &j.metrics }

// Nudge tells the coordinator that a decision may have made files superfluous.
func (j *Journal) Nudge() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.hopeLocked()
}

// bumpLocked tells the coordinator that something has changed.
func (j *Journal) bumpLocked() { j.changed.Advance(j.changed.At() + 1) }

// event reports without a lock held.
func (j *Journal) event(e Event) {
	if j.cfg.Event != nil {
		j.cfg.Event(e)
	}
}

// fail makes the journal read-only for good.
func (j *Journal) fail(err error) {
	j.mu.Lock()
	first := j.mu.fatal == nil
	if first {
		j.mu.fatal = fmt.Errorf("%w: %w", ErrReadOnly, err)
		close(j.failed)
	}
	j.bumpLocked()
	j.mu.Unlock()
	j.durable.End()
	j.tries.End()
	j.beat.End()
	j.left.End()
	if first {
		j.event(Event{Kind: ReadOnly, Err: err})
	}
}

// holdMeta takes the token for changing which files there are.
func (j *Journal) holdMeta() { j.meta <- struct{}{} }

func (j *Journal) releaseMeta() { <-j.meta }

// Close takes no more frames, waits until ctx ends for those that were accepted,
// joins the writer, records a clean end, and closes every file. It is called
// once, after the coordinator has ended. A system call in progress cannot be
// ended: Close waits for it.
func (j *Journal) Close(ctx context.Context) error {
	j.mu.Lock()
	j.mu.closing = true
	j.closed.Store(true)
	last := j.mu.gather.no
	if len(j.mu.gather.buf) == 0 {
		last--
	}
	j.mu.Unlock()
	select {
	case <-j.durable.Reached(last):
	case <-j.failed:
	case <-ctx.Done():
	}
	var err error
	if j.durable.At() < last {
		if err = j.Err(); err == nil {
			err = fmt.Errorf("accepted records were not made durable in time: %w", context.Cause(ctx))
		}
	}
	j.rest()
	close(j.ended)
	j.writer.Wait()
	err = errors.Join(err, j.recordEnd())
	j.endWaits()
	return errors.Join(err, j.closeFiles())
}

// rest lets the leader finish the round it is at and returns when nobody leads.
// What has gathered since is abandoned: its waiters are told.
func (j *Journal) rest() {
	j.mu.Lock()
	j.mu.stopped = true
	if !j.mu.leading {
		close(j.rested)
	}
	j.mu.Unlock()
	<-j.rested
	j.mu.Lock()
	r := j.mu.gather
	j.mu.gather = newRound(r.no+1, nil)
	j.mu.Unlock()
	if len(r.buf) > 0 {
		r.err = ErrClosed
		close(r.done)
	}
}

// endWaits ends every wait there is; new ones end at once.
func (j *Journal) endWaits() {
	j.durable.End()
	j.tries.End()
	j.beat.End()
	j.left.End()
	j.changed.End()
	j.mu.Lock()
	lanes := slices.Collect(maps.Values(j.mu.lanes))
	j.mu.Unlock()
	for _, l := range lanes {
		l.tail.End()
	}
}

// closeFiles closes every handle; those of readers at work when they are done.
func (j *Journal) closeFiles() error {
	j.mu.Lock()
	files := append(append([]*File(nil), j.mu.files...), j.mu.prepared...)
	j.mu.Unlock()
	var errs []error
	for _, f := range files {
		errs = append(errs, f.close())
	}
	return errors.Join(errs...)
}
