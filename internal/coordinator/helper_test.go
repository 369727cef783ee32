package coordinator

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/aof2/aof/internal/catalog"
	"github.com/aof2/aof/internal/fsys/memfs"
	"github.com/aof2/aof/internal/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testFileSize = 16 << 10

// store is a journal, its ledger and its coordinator on one disk.
type store struct {
	t      *testing.T
	mem    *memfs.Mem
	j      *journal.Journal
	ledger *Ledger
	c      *Coordinator
	found  journal.Found
	used   string // the snapshot it began with
	over   bool

	mu struct {
		sync.Mutex
		log []string // what was done, in order
	}
}

func (s *store) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.log = append(s.mu.log, what)
}

// done returns what has been done since it was last asked.
func (s *store) done() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	log := s.mu.log
	s.mu.log = nil
	return log
}

// open opens what lies on the disk. The coordinator is not started.
func open(t *testing.T, mem *memfs.Mem) *store {
	t.Helper()
	s := &store{t: t, mem: mem}
	snapshots, problems, err := LoadSnapshots(mem)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		s.note(p)
	}
	cat, start := catalog.New(), journal.Start{}
	if n := len(snapshots); n > 0 {
		k := snapshots[n-1]
		cat, s.used = k.Catalog, k.Name
		start = journal.Start{Seq: k.Position.Seq, File: k.Position.File, Epoch: k.Position.Epoch, Store: k.Store}
	}
	s.ledger = NewLedger(cat)
	rec, err := journal.Recover(journal.Config{
		FS: mem, FileSize: testFileSize, MaxUnflushed: 1 << 20, Now: func() time.Time { return time.UnixMilli(1) },
		Random: rand.New(rand.NewPCG(mem.Uint64(), 1)).Uint64, Event: s.journalEvent,
	}, start, false, s.ledger)
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.RemoveLeftovers(); err != nil {
		t.Fatal(err)
	}
	s.j = rec.Attach(attachments(cat))
	s.found = *rec.Found()
	s.ledger.Bind(s.j)
	s.c = New(Config{FS: mem, Journal: s.j, Ledger: s.ledger, Store: s.found.Store, Snapshots: snapshots, Event: s.event})
	s.j.Start()
	t.Cleanup(s.end)
	return s
}

func attachments(cat *catalog.Catalog) (files []journal.SealedFile, streams []journal.StreamState) {
	for f := range cat.Files() {
		files = append(files, journal.SealedFile{ID: f.File, DataEnd: f.DataEnd, Size: f.Size, IndexHash: f.IndexHash})
	}
	for k := range cat.Streams() {
		state := journal.StreamState{Ordinal: k.Ordinal, First: k.First, Next: k.SealedNext}
		for _, r := range k.Runs {
			state.Runs = append(state.Runs, journal.StreamRun{File: r.File, First: r.First, Last: r.Last, Newest: r.Newest})
		}
		streams = append(streams, state)
	}
	return files, streams
}

var eventNames = map[journal.EventKind]string{
	journal.Prepared: "prepared", journal.Rolled: "rolled", journal.Sealed: "sealed", journal.Recycled: "recycled",
	journal.Poisoned: "poisoned", journal.ReadOnly: "read-only",
}

func (s *store) journalEvent(e journal.Event) {
	s.note(fmt.Sprintf("%s %d", eventNames[e.Kind], e.File))
}

var actionNames = [kinds]string{"sleep", "activate", "prepare", "seal", "recycle", "roll", "snapshot"}

func (s *store) event(e Event) {
	if e.Err != nil {
		s.note(actionNames[e.Action.Kind] + " failed")
		return
	}
	s.note(actionNames[e.Action.Kind])
}

// end ends this life without another write.
func (s *store) end() {
	if s.over {
		return
	}
	s.over = true
	s.mem.SetHook(nil)
	s.mem.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	select {
	case <-s.c.stop:
	default:
		s.c.Stop()
	}
	_ = s.j.Close(ctx)
}

// kill ends this life and returns what the death of the process leaves.
func (s *store) kill() *memfs.Mem {
	mem := s.mem.Clone()
	s.end()
	return mem
}

// step does what the plan says once, and says what that was.
func (s *store) step() (ActionKind, error) {
	a := s.c.next(s.j.Changed().At())
	return a.Kind, s.c.act(a)
}

// settle does what the plan says until it says to sleep.
func (s *store) settle() {
	s.t.Helper()
	for range 100 {
		kind, err := s.step()
		if err != nil {
			s.t.Fatalf("%s: %v", actionNames[kind], err)
		}
		if kind == Sleep {
			return
		}
	}
	s.t.Fatal("there is always something to do")
}

// keepGoing tries until what it tries is not refused for want of a file. The
// test is the coordinator.
func (s *store) keepGoing(try func() error) {
	s.t.Helper()
	for range 20 {
		err := try()
		if err == nil {
			return
		}
		if !isBlocked(err) {
			s.t.Fatal(err)
		}
		if kind, err := s.step(); err != nil {
			s.t.Fatalf("%s: %v", actionNames[kind], err)
		}
	}
	s.t.Fatal("nothing helps against being refused")
}

func (s *store) decide(d catalog.Decision, h Hooks) {
	s.t.Helper()
	s.keepGoing(func() error {
		t, err := s.ledger.Decide(func(*catalog.Catalog) (catalog.Decision, error) { return d, nil }, h)
		if err != nil {
			return err
		}
		return s.j.WaitDone(t)
	})
}

func (s *store) create(name string) *journal.Lane {
	s.t.Helper()
	var o uint32
	s.ledger.Read(func(c *catalog.Catalog) { o = c.NextOrdinal() })
	s.decide(catalog.Created{Ordinal: o, Name: name, TimeMs: 1}, Hooks{})
	return s.j.AddLane(o)
}

func (s *store) trim(l *journal.Lane, first uint64) {
	s.t.Helper()
	s.decide(catalog.Trimmed{Ordinal: l.Ordinal, First: first, TimeMs: 1}, Hooks{Durable: func() { l.Trim(first) }})
}

func (s *store) append(l *journal.Lane, recs ...string) {
	s.t.Helper()
	b := make([][]byte, len(recs))
	for i := range recs {
		b[i] = []byte(recs[i])
	}
	s.keepGoing(func() error {
		t, err := s.j.TryAppend(l, journal.Batch{Records: b}, true, nil)
		if err != nil {
			return err
		}
		return s.j.Wait(context.Background(), t)
	})
}

func (s *store) roll() {
	s.t.Helper()
	s.keepGoing(func() error {
		t, err := s.j.TryRoll()
		if err != nil || t == nil {
			return err
		}
		return s.j.WaitDone(*t)
	})
}

// names lists a directory.
func (s *store) names(dir string) (names []string) {
	s.t.Helper()
	entries, err := s.mem.List(dir)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name)
	}
	return names
}

// kept lists the snapshots.
func (s *store) kept() []string {
	s.t.Helper()
	return slices.DeleteFunc(s.names(SnapshotDir), isSpare)
}

// read returns the records of a stream, or the error that ends them.
func (s *store) read(l *journal.Lane) (out []string, err error) {
	c := s.j.Cursor(l, l.First())
	defer c.Release()
	for c.Seq() <= l.Durable() {
		if !c.Holds() {
			if err := c.Fill(); err != nil {
				return out, err
			}
			continue
		}
		r, err := c.Next()
		if err != nil {
			return out, err
		}
		out = append(out, string(r.Payload))
	}
	return out, nil
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 13)) }
