package journal

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/fsys/memfs"
	"github.com/aof2/aof/internal/segment"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testFileSize = 16 << 10

// world is one life of a journal. The test is its coordinator: nothing happens
// but on its goroutine and the writer's.
type world struct {
	t     *testing.T
	mem   *memfs.Mem
	fs    fsys.FS
	cfg   Config
	j     *Journal
	book  *book
	found Found
	over  bool

	mu struct {
		sync.Mutex
		events []Event
	}
}

type life struct {
	size    int64
	start   Start
	book    *book // what the snapshot at start holds
	view    bool
	durable bool // only what a frame says was synced
	fs      fsys.FS
	flush   int64
}

func begin(t *testing.T) *world { return open(t, memfs.New(1), life{}) }

// open recovers what lies on the disk and starts the journal.
func open(t *testing.T, mem *memfs.Mem, l life) *world {
	t.Helper()
	w, err := tryOpen(t, mem, l)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return w
}

func tryOpen(t *testing.T, mem *memfs.Mem, l life) (*world, error) {
	t.Helper()
	w := &world{t: t, mem: mem, fs: mem, book: newBook()}
	if l.fs != nil {
		w.fs = l.fs
	}
	if l.book != nil {
		w.book = l.book.clone()
	}
	if l.size == 0 {
		l.size = testFileSize
	}
	if l.flush == 0 {
		l.flush = 1 << 20
	}
	rng := rand.New(rand.NewPCG(7, mem.Uint64()))
	w.cfg = Config{
		FS: w.fs, FileSize: l.size, MaxUnflushed: l.flush, Now: func() time.Time { return time.UnixMilli(1_000_000) },
		Random: rng.Uint64, Event: w.note, DurableOnly: l.durable,
	}
	rec, err := Recover(w.cfg, l.start, l.view, w.book)
	if err != nil {
		return nil, err
	}
	if !l.view {
		if err := rec.RemoveLeftovers(); err != nil {
			return nil, err
		}
	}
	var streams []StreamState
	for _, s := range w.book.streams {
		streams = append(streams, *s)
	}
	w.j = rec.Attach(w.book.files, streams)
	w.found = *rec.Found()
	if !l.view {
		w.j.Start()
	}
	t.Cleanup(w.end)
	return w, nil
}

func (w *world) note(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.events = append(w.mu.events, e)
}

// end lets the goroutines of this life go without another write.
func (w *world) end() {
	if w.over {
		return
	}
	w.over = true
	w.mem.SetHook(nil)
	w.mem.Stop()
	if w.j.view {
		_ = w.j.CloseView()
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = w.j.Close(ctx)
}

// kill ends this life and opens what the death of the process leaves.
func (w *world) kill() *memfs.Mem {
	m := w.mem.Clone()
	w.end()
	return m
}

// close ends this life as it should end.
func (w *world) close() *memfs.Mem {
	w.t.Helper()
	if err := w.j.Close(context.Background()); err != nil {
		w.t.Fatalf("close: %v", err)
	}
	w.over = true
	return w.mem.Clone()
}

func nothingBefore() error { return nil }

// pump does what a coordinator would do so that appends go on.
func (w *world) pump() error {
	switch wants := w.j.Wants(); {
	case wants.Activate:
		return w.j.Activate()
	case wants.Prepare:
		return w.j.Prepare(nothingBefore)
	}
	w.j.SetClearing(false, w.j.changed.At()) // nobody seals or recycles
	return nil
}

// keepGoing tries until what it tries is not refused for want of a file.
func (w *world) keepGoing(try func() error) error {
	for waited, n := false, 0; n < 20; n++ {
		err := try()
		var b *BlockError
		var stale *StaleError
		switch {
		case errors.As(err, &stale) && !waited:
			waited = true // one more attempt, as for those who can wait
			b = &BlockError{}
		case !errors.As(err, &b):
			return err
		}
		if b.Block == Flush {
			<-b.Mark.Reached(b.Target)
			continue
		}
		if err := w.pump(); err != nil {
			return err
		}
	}
	return errors.New("nothing helps against being refused")
}

func (w *world) tryDecide(d decision) error {
	payload, err := json.Marshal(d)
	if err != nil {
		w.t.Fatal(err)
	}
	var t Ticket
	if err := w.keepGoing(func() (err error) {
		t, err = w.j.TryDecide(payload, false, nil, nil)
		return err
	}); err != nil {
		return err
	}
	if err := w.j.WaitDone(t); err != nil {
		return err
	}
	w.idle()
	return w.book.Decision(t.First, payload)
}

func (w *world) decide(d decision) {
	w.t.Helper()
	if err := w.tryDecide(d); err != nil {
		w.t.Fatalf("decide %+v: %v", d, err)
	}
}

// create makes the next stream.
func (w *world) create() *Lane {
	w.t.Helper()
	o := w.book.made + 1
	w.decide(decision{Kind: "create", Ordinal: o})
	return w.j.AddLane(o)
}

func (w *world) tryAppend(l *Lane, recs ...string) (first uint64, err error) {
	b := make([][]byte, len(recs))
	for i := range recs {
		b[i] = []byte(recs[i])
	}
	var t Ticket
	if err := w.keepGoing(func() (err error) {
		t, err = w.j.TryAppend(l, Batch{Records: b}, true, nil)
		return err
	}); err != nil {
		return 0, err
	}
	err = w.j.Wait(context.Background(), t)
	w.idle()
	return t.First, err
}

// idle returns when nobody leads any more: the mark behind the last round has
// been written.
func (w *world) idle() {
	for {
		w.j.mu.Lock()
		leading := w.j.mu.leading
		w.j.mu.Unlock()
		if !leading {
			return
		}
		runtime.Gosched()
	}
}

// append appends a batch and waits until it is durable.
func (w *world) append(l *Lane, recs ...string) {
	w.t.Helper()
	if _, err := w.tryAppend(l, recs...); err != nil {
		w.t.Fatalf("append: %v", err)
	}
}

// together appends batches of one record each in one round. It returns the round's
// fate.
func (w *world) together(l *Lane, recs ...string) error {
	var first Ticket
	for i, r := range recs {
		if err := w.keepGoing(func() error {
			t, err := w.j.TryAppend(l, Batch{Records: [][]byte{[]byte(r)}}, i == 0, nil)
			if err == nil && i == 0 {
				first = t
			}
			return err
		}); err != nil {
			return err
		}
	}
	defer w.idle()
	return w.j.Wait(context.Background(), first)
}

// roll ends the open file.
func (w *world) roll() {
	w.t.Helper()
	var t *Ticket
	if err := w.keepGoing(func() (err error) {
		t, err = w.j.TryRoll()
		return err
	}); err != nil {
		w.t.Fatalf("roll: %v", err)
	}
	if t != nil {
		if err := w.j.WaitDone(*t); err != nil {
			w.t.Fatalf("roll: %v", err)
		}
		w.idle()
	}
}

func noState(uint32) (uint64, []byte) { return 0, nil }

// seal seals the oldest complete file.
func (w *world) seal() Seal {
	w.t.Helper()
	s, err := w.j.Seal(w.j.Rolled(), noState, func() {})
	if err != nil {
		w.t.Fatalf("seal: %v", err)
	}
	w.decideSealed(s)
	return s
}

func (w *world) decideSealed(s Seal) {
	w.t.Helper()
	w.decide(decision{Kind: "seal", Runs: s.Runs, Sealed: &SealedFile{ID: s.File.ID, DataEnd: s.DataEnd, Size: s.Size, IndexHash: s.IndexHash}})
	w.j.SealDecided(s)
}

// snapshot is what a catalog snapshot of now would hold.
func (w *world) snapshot() life {
	file, epoch := w.j.Place()
	return life{book: w.book.clone(), start: Start{Seq: w.book.last, File: file, Epoch: epoch, Store: w.found.Store}}
}

// read returns the durable records of a lane; damage reads as "!first-last".
func (w *world) read(l *Lane) []string {
	w.t.Helper()
	var out []string
	c := w.j.Cursor(l, l.First())
	defer c.Release()
	for c.Seq() <= l.Durable() {
		var damage *DamageError
		if !c.Holds() {
			if err := c.Fill(); errors.As(err, &damage) {
				out = append(out, fmt.Sprintf("!%d-%d", damage.First, damage.Last))
			} else if err != nil {
				w.t.Fatalf("fill: %v", err)
			}
			continue
		}
		r, err := c.Next()
		if errors.As(err, &damage) {
			out = append(out, fmt.Sprintf("!%d-%d", damage.First, damage.Last))
		} else if err != nil {
			w.t.Fatalf("next: %v", err)
		} else {
			out = append(out, string(r.Payload))
		}
	}
	return out
}

// wantRecords compares what a lane holds.
func (w *world) wantRecords(l *Lane, want ...string) {
	w.t.Helper()
	if l == nil {
		w.t.Fatal("the stream is not known")
	}
	if got := w.read(l); !slices.Equal(got, want) {
		w.t.Errorf("records are %q, want %q", short(got), short(want))
	}
}

func short(s []string) string {
	out := strings.Join(s, " ")
	if len(out) > 400 {
		return out[:400] + "..."
	}
	return out
}

// frames lists the frames that verify in a file, up to the first that does not.
func frames(t *testing.T, fsy fsys.FS, id uint64) []segment.Frame {
	t.Helper()
	f := newFile(fsy, id, headerOf(t, fsy, id).Nonce, StateOpen)
	defer func() { _ = f.closeHandle() }()
	h, err := f.open()
	if err != nil {
		t.Fatal(err)
	}
	size, err := h.Size()
	if err != nil {
		t.Fatal(err)
	}
	var out []segment.Frame
	for w := segment.NewWalker(f, f.Nonce, segment.HeaderBytes, size, segment.WalkerOptions{}); w.Next(); {
		out = append(out, w.Frame())
	}
	return out
}

func headerOf(t *testing.T, fsy fsys.FS, id uint64) segment.Header {
	t.Helper()
	b := make([]byte, segment.HeaderBytes)
	h, err := fsy.Open(fileName(id))
	if err == nil {
		_, err = h.ReadAt(b, 0)
		err = errors.Join(err, h.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	header, err := segment.DecodeHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	return header
}

// poke overwrites bytes of a file at rest, durably.
func poke(t *testing.T, fsy fsys.FS, name string, off int64, b []byte) {
	t.Helper()
	h, err := fsy.OpenWrite(name)
	if err == nil {
		_, err = h.WriteAt(b, off)
	}
	if err == nil {
		err = errors.Join(h.Sync(), h.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// wipe overwrites a frame, or a part of it, with zeros.
func wipe(t *testing.T, fsy fsys.FS, id uint64, off, n int64) {
	t.Helper()
	poke(t, fsy, fileName(id), off, make([]byte, n))
}

// data returns the data frames among some.
func data(all []segment.Frame) []segment.Frame {
	return slices.DeleteFunc(slices.Clone(all), func(f segment.Frame) bool { return f.Kind != segment.KindData })
}

func (w *world) count(k EventKind) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.mu.events {
		if e.Kind == k {
			n++
		}
	}
	return n
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 11)) }

// fixSum gives a block a checksum that holds again.
func fixSum(b []byte) {
	n := len(b) - 4
	binary.LittleEndian.PutUint32(b[n:], crc32.Checksum(b[:n], castagnoli))
}
