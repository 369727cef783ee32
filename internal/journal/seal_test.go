package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/aof2/aof/internal/fsys/memfs"
	"github.com/aof2/aof/internal/segment"
)

func TestSealingAddsIndexAndFooterAndChangesNothingBefore(t *testing.T) {
	w := begin(t)
	one, two := w.create(), w.create()
	w.append(one, "a", "b")
	w.append(two, "c")
	w.append(one, "d")
	w.roll()
	w.append(one, "e")
	before := frames(t, w.mem, 1)
	s := w.seal()
	before = slices.DeleteFunc(before, func(f segment.Frame) bool { return f.Offset >= s.DataEnd }) // a mark behind the last sync
	if got := frames(t, w.mem, 1); fmt.Sprint(got) != fmt.Sprint(before) {
		t.Errorf("frames were %+v and are %+v", before, got)
	}
	if got := sizeOf(t, w.mem, 1); got != s.Size || got >= testFileSize {
		t.Errorf("the file has %d bytes, the seal says %d", got, s.Size)
	}
	for i := range s.Runs {
		s.Runs[i].Bytes, s.Runs[i].Newest = 0, 0
	}
	if want := []SealedRun{{1, 1, 3, 0, 0}, {2, 1, 1, 0, 0}}; !slices.Equal(s.Runs, want) {
		t.Errorf("runs %+v, want %+v", s.Runs, want)
	}
	w.wantRecords(one, "a", "b", "d", "e")
	w.wantRecords(two, "c")
	if f := w.j.Rolled(); f != nil {
		t.Errorf("file %d is still to be sealed", f.ID)
	}
	outcome{records: []string{"a", "b", "d", "e"}}.check(t, w.kill(), life{})
}

// The states in the index chain from file to file, whether the sealing process
// remembers them, reads them from the file before, or is told.
func TestDigestsChainFromFileToFile(t *testing.T) {
	chain := func(between func(w *world, l *Lane) (*world, *Lane)) [][]byte {
		w := begin(t)
		l := w.create()
		var after [][]byte
		for i := range 3 {
			w.append(l, fmt.Sprint("record ", i))
			w.roll()
			f := w.j.Rolled()
			w.seal()
			after = append(after, w.j.StateAfter(f.ID, l.Ordinal))
			w, l = between(w, l)
		}
		w.end()
		return after
	}
	want := chain(func(w *world, l *Lane) (*world, *Lane) { return w, l })
	if got := chain(func(w *world, l *Lane) (*world, *Lane) {
		w = open(t, w.close(), life{})
		return w, w.j.Lane(l.Ordinal)
	}); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Error("a process that did not seal the files before comes to other digests")
	}
	if len(want[0]) == 0 || string(want[0]) == string(want[1]) {
		t.Error("the digest does not change")
	}
}

// A process may die at any operation of a seal, and power may fail. What was
// sealed without a decision is sealed again, and what the decision says is on the
// disk.
func TestASealIsDurableBeforeItIsDecided(t *testing.T) {
	prepared := func() (*world, *Lane) {
		w := begin(t)
		l := w.create()
		w.append(l, "a")
		w.roll()
		w.append(l, "b")
		return w, l
	}
	w, _ := prepared()
	ops := 0
	w.mem.SetHook(func(op *memfs.Op) error {
		if op.Kind.Changes() {
			ops++
		}
		return nil
	})
	if _, err := w.j.Seal(w.j.Rolled(), noState, func() {}); err != nil {
		t.Fatal(err)
	}
	w.end()
	for n := range ops + 1 {
		for seed := range uint64(8) {
			w, _ := prepared()
			image, i := (*memfs.Mem)(nil), 0
			mem := w.mem
			mem.SetHook(func(op *memfs.Op) error {
				if op.Kind.Changes() {
					if i == n {
						image = mem.Kill(newRand(seed))
					}
					i++
				}
				return nil
			})
			if _, err := w.j.Seal(w.j.Rolled(), noState, func() {}); err != nil {
				t.Fatal(err)
			}
			if image == nil {
				image = mem.Clone()
			}
			w.end()
			// The next process seals, decides, and the power fails.
			w = open(t, image, life{})
			w.append(w.j.Lane(1), "c")
			w.seal()
			mem = w.mem.Crash(newRand(seed), memfs.Loss{})
			w.end()
			w = open(t, mem, life{})
			if len(w.found.Damage) > 0 || w.found.ReadOnly != nil || len(w.book.files) != 1 {
				t.Fatalf("operation %d, seed %d: %+v %v, %d sealed", n, seed, w.found.Damage, w.found.ReadOnly, len(w.book.files))
			}
			w.wantRecords(w.j.Lane(1), "a", "b", "c")
			w.end()
		}
	}
}

// A seal whose sync fails is made again from the data.
func TestASealIsTriedAgain(t *testing.T) {
	for _, kind := range []memfs.OpKind{memfs.OpWrite, memfs.OpTruncate, memfs.OpSync} {
		w := begin(t)
		l := w.create()
		w.append(l, "a")
		w.roll()
		w.append(l, "b")
		armed := true
		w.mem.SetHook(func(op *memfs.Op) error {
			if armed && op.Kind == kind && op.Name == fileName(1) {
				armed = false
				return memfs.ErrIO
			}
			return nil
		})
		if _, err := w.j.Seal(w.j.Rolled(), noState, func() {}); !errors.Is(err, memfs.ErrIO) {
			t.Fatalf("%s: %v", kind, err)
		}
		if !w.j.mu.unsealable {
			t.Error("appends would wait for a seal that fails")
		}
		w.wantRecords(l, "a", "b")
		w.seal()
		if w.j.mu.unsealable {
			t.Error("the failure is not forgotten")
		}
		w.wantRecords(l, "a", "b")
		mem := w.mem.Crash(newRand(1), memfs.Loss{})
		outcome{records: []string{"a", "b"}}.check(t, mem, life{})
	}
}

// The sealed size never exceeds the capacity of the file, whatever it was filled
// with: the room for index and footer is accounted for when frames are accepted.
func TestASealedFileNeverExceedsItsCapacity(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := begin(t)
		var lanes []*Lane
		for range 1 + rng.IntN(12) {
			lanes = append(lanes, w.create())
		}
		most := []int{1, 30, 400, 3000}[rng.IntN(4)]
		for len(w.j.mu.files) < 4 {
			l := lanes[rng.IntN(len(lanes))]
			recs := make([]string, 1+rng.IntN(4))
			for i := range recs {
				recs[i] = strings.Repeat("r", rng.IntN(most))
			}
			w.append(l, recs...)
			if rng.IntN(10) == 0 {
				mem := w.close()
				w = open(t, mem, life{})
				for i, l := range lanes {
					lanes[i] = w.j.Lane(l.Ordinal)
				}
			}
		}
		for range 3 {
			if s := w.seal(); s.Size > testFileSize {
				t.Fatalf("seed %d: sealed file %d has %d bytes", seed, s.File.ID, s.Size)
			} else if most < 1000 && s.DataEnd < testFileSize/3 {
				t.Errorf("seed %d: only %d bytes of data in file %d", seed, s.DataEnd, s.File.ID)
			}
		}
		w.end()
	}
}

func TestRecycleWaitsForReadersAndUsesTheFileAgain(t *testing.T) {
	w := begin(t)
	l := w.create()
	w.append(l, "a")
	w.roll()
	w.append(l, "b")
	w.seal()
	f := w.j.mu.files[0]
	if !f.acquire() {
		t.Fatal("no lease")
	}
	c := w.j.Cursor(l, 1)
	w.decide(decision{Kind: "trim", Ordinal: 1, First: 2})
	l.Trim(2)
	w.decide(decision{Kind: "recycle", File: f.ID})
	done := make(chan error)
	go func() { done <- w.j.Recycle(f.ID) }()
	for f.leases.Load() != 1 {
		runtime.Gosched()
	}
	select {
	case err := <-done:
		t.Fatalf("recycled under a reader: %v", err)
	default:
	}
	if _, err := f.ReadAt(make([]byte, 8), 0); err != nil {
		t.Errorf("the reader reads no more: %v", err)
	}
	f.release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if f.acquire() {
		t.Error("a lease on a recycled file")
	}
	var trimmed *TrimmedError
	if err := c.Fill(); !errors.As(err, &trimmed) || trimmed.First != 2 {
		t.Errorf("a reader of what is gone is told %v", err)
	}
	nonce := f.Nonce
	if err := w.j.Prepare(nothingBefore); err != nil {
		t.Fatal(err)
	}
	p := w.j.mu.prepared[len(w.j.mu.prepared)-1]
	if w.j.Stats().Reused != 1 || p.Nonce == nonce || headerOf(t, w.mem, p.ID).Nonce != p.Nonce {
		t.Errorf("file %d: %+v", p.ID, w.j.Stats())
	}
	if _, err := w.mem.Open(fileName(f.ID)); !isNotExist(err) {
		t.Errorf("the old name: %v", err)
	}
	if err := w.j.Recycle(999); err != nil {
		t.Errorf("recycle of no file: %v", err)
	}
}

// A snapshot made while a complete file is not sealed has to be read from that
// file on: nobody else knows what is in it.
func TestASnapshotBeginsAtTheOldestUnsealedFile(t *testing.T) {
	w := begin(t)
	l := w.create()
	w.append(l, "a")
	w.roll()
	w.append(l, "b")
	w.roll()
	w.append(l, "c")
	from := w.snapshot()
	if from.start.File != 1 {
		t.Errorf("the snapshot begins at file %d", from.start.File)
	}
	outcome{records: []string{"a", "b", "c"}}.check(t, w.mem.Clone(), from)
	w.seal()
	if from = w.snapshot(); from.start.File != 2 {
		t.Errorf("the snapshot begins at file %d", from.start.File)
	}
	outcome{records: []string{"a", "b", "c"}}.check(t, w.kill(), from)
}

// A snapshot knows of deletions that lie behind the frames of what was deleted.
func TestFramesOfAStreamThatIsGoneArePassedOver(t *testing.T) {
	w := begin(t)
	one, two := w.create(), w.create()
	w.append(two, "gone")
	w.append(one, "a")
	w.decide(decision{Kind: "delete", Ordinal: 2})
	w.j.DropLane(two)
	w.append(one, "b")
	from := w.snapshot()
	mem := w.kill()
	outcome{records: []string{"a", "b"}}.check(t, mem.Clone(), from)
	outcome{records: []string{"a", "b"}}.check(t, mem, life{})
}

func TestARunIndexThatDoesNotVerifyIsReplacedByTheData(t *testing.T) {
	w := begin(t)
	one, two := w.create(), w.create()
	for i := range 6 {
		w.append(one, fmt.Sprint("a", i))
		w.append(two, fmt.Sprint("b", i))
	}
	w.roll()
	s := w.seal()
	want := w.read(one)
	w.j.indexes.drop(s.File.ID)
	poke(t, w.mem, s.File.name, s.DataEnd+10, []byte{1, 2, 3})
	w.wantRecords(one, want...)
	// A read that fails is not damage: the cursor stays, and reads on later.
	w.mem.SetHook(func(op *memfs.Op) error {
		if op.Kind == memfs.OpRead {
			return memfs.ErrIO
		}
		return nil
	})
	w.j.indexes.drop(s.File.ID)
	c := w.j.Cursor(one, 1)
	if err := c.Fill(); !errors.Is(err, memfs.ErrIO) || c.Seq() != 1 {
		t.Errorf("fill: %v, the cursor stands at %d", err, c.Seq())
	}
	w.mem.SetHook(nil)
	if err := c.Fill(); err != nil {
		t.Error(err)
	}
	c.Release()
}

func TestTheIndexCacheHasABudget(t *testing.T) {
	c := cache[uint64, segment.Index]{limit: indexCacheBytes}
	for id := range uint64(10) {
		c.put(id+1, segment.Index{}, indexCacheBytes/4)
	}
	c.put(100, segment.Index{}, indexCacheBytes+1)
	kept := 0
	for id := range uint64(200) {
		if _, ok := c.get(id); ok {
			kept++
		}
	}
	if kept != 4 || c.mu.bytes != indexCacheBytes {
		t.Errorf("%d kept, %d bytes", kept, c.mu.bytes)
	}
	c.drop(10)
	c.drop(10)
	if c.mu.bytes != indexCacheBytes*3/4 || len(c.mu.entries) != 3 {
		t.Errorf("%d bytes in %d", c.mu.bytes, len(c.mu.order))
	}
}

// A file that has its footer is not written again.
func TestAFooterThatIsThereIsKept(t *testing.T) {
	w := begin(t)
	l := w.create()
	w.append(l, "a")
	w.roll()
	w.append(l, "b")
	want, err := w.j.Seal(w.j.Rolled(), noState, func() {})
	if err != nil {
		t.Fatal(err)
	}
	w = open(t, w.kill(), life{})
	w.append(w.j.Lane(1), "c")
	writes := 0
	w.mem.SetHook(func(op *memfs.Op) error {
		if op.Kind == memfs.OpWrite || op.Kind == memfs.OpTruncate {
			writes++
		}
		return nil
	})
	got, err := w.j.Seal(w.j.Rolled(), noState, func() {})
	if err != nil || writes > 0 {
		t.Errorf("%d writes, %v", writes, err)
	}
	want.File, got.File = nil, nil
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("sealed %+v, and then %+v", want, got)
	}
}

// After damage the digest of a stream begins anew, from nothing.
func TestADigestBeginsAnewBehindDamage(t *testing.T) {
	w := begin(t)
	l := w.create()
	w.append(l, "a")
	w.roll()
	w.append(l, "b")
	w.append(l, "c")
	w.seal()
	w.roll()
	w.append(l, "d")
	mem := w.kill()
	poke(t, mem, fileName(2), data(frames(t, mem, 2))[0].End()-8, []byte("x"))
	w = open(t, mem, life{})
	w.append(w.j.Lane(1), "e")
	w.seal() // file 2: its digest is not known
	w.roll()
	w.append(w.j.Lane(1), "f")
	f := w.j.Rolled()
	w.seal()
	x, err := w.j.index(f)
	if err != nil {
		t.Fatal(err)
	}
	r, ok, err := x.Find(1)
	if err != nil || !ok || !r.Restarted || len(r.Before) != 0 || len(r.After) == 0 {
		t.Errorf("run %+v, %v, %v", r, ok, err)
	}
}

// Sealing lets others go first after every paceBytes, within a large frame too.
func TestSealingIsPaced(t *testing.T) {
	w := open(t, memfs.New(1), life{size: 2 << 20})
	l := w.create()
	recs := make([]string, 40)
	for i := range recs {
		recs[i] = strings.Repeat("x", paceBytes/10)
	}
	w.append(l, recs...)
	w.roll()
	paced := 0
	if _, err := w.j.Seal(w.j.Rolled(), noState, func() { paced++ }); err != nil {
		t.Fatal(err)
	}
	if paced < 3 || paced > 4 {
		t.Errorf("it was paced %d times for 40 records of %d bytes in one frame", paced, paceBytes/10)
	}
}
