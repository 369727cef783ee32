package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aof2/aof"
	"golang.org/x/sys/unix"
)

func TestAFullTmpfsIsAState(t *testing.T) {
	needRoot(t)
	fillUp(t, "full tmpfs", mountTmpfs(t, 3<<20))
}

func TestAFullExt4IsAState(t *testing.T) {
	needRoot(t, "mkfs.ext4", "mount")
	d := ext4Disk(t, filepath.Join(t.TempDir(), "disk.img"), 12<<20)
	d.mount(t)
	fillUp(t, "full ext4", d.dir)
	d.unmount(t)
}

// enoughRefusals is how many appends of different sizes are refused in a row before the disk counts as full.
const enoughRefusals = 40

// filler fills a small file system and makes room again.
type filler struct {
	t       *testing.T
	s       *aof.Store
	c       *client
	l       *ledger
	y       tally
	failure atomic.Value // of the last background work that failed
}

// fillUp fills the file system several times without closing the store, makes room by trimming and by removing
// somebody else's file, and compares while it is full, afterwards, and after opening again.
func fillUp(t *testing.T, what, dir string) {
	other := filepath.Join(dir, "somebody-else")
	f := &filler{t: t, l: newLedger(), y: tally{begun: time.Now()}}
	store := filepath.Join(dir, "store")
	s, err := aof.Open(context.Background(), store, &aof.Options{HotFileSize: 64 << 10, OnEvent: func(e aof.Event) {
		if e.Kind == aof.EventFailed {
			f.failure.Store(e.Err.Error())
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w := &writer{store: s, life: 1, tell: f.l.note, maxFailures: 1}
	f.s, f.c = s, w.client(0)
	for _, name := range shared {
		if err := f.c.ensure(name); err != nil {
			t.Fatal(err)
		}
	}
	rounds := sized(t, 2, 8, 200)
	for round := range rounds {
		f.takeRoom(other)
		f.fill([]int{1, enoughRefusals}[round%2])
		f.compare("while full")
		f.trim()
		if err := os.Remove(other); err != nil {
			t.Fatal(err)
		}
		if err := f.c.append(context.Background(), shared[0]); err != nil {
			t.Fatalf("round %d: there is room again, and still: %v", round, err)
		}
		f.compare("with room again")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	settle(t, store, f.l, 2, &f.y)
	f.y.report(t, what, f.l, fmt.Sprintf("; %d times full", rounds))
}

// takeRoom writes somebody else's file. What trimming gave back may still be on its way.
func (f *filler) takeRoom(name string) {
	f.t.Helper()
	f.within(func() bool {
		err := os.WriteFile(name, make([]byte, 512<<10), 0o600)
		if err == nil {
			return true
		}
		if !errors.Is(err, unix.ENOSPC) {
			f.t.Fatal(err)
		}
		if err := os.Remove(name); err != nil {
			f.t.Fatal(err)
		}
		return false
	})
}

// within tries until there is room. Trying does not hurry the store, and each append that is refused makes it look
// again.
func (f *filler) within(try func() bool) {
	f.t.Helper()
	for late := time.Now().Add(silence); !try(); {
		if time.Now().After(late) {
			f.t.Fatalf("trimming made no room: %+v; the last failure in the background: %v", f.s.Stats(), f.failure.Load())
		}
		if err := f.c.append(context.Background(), shared[0]); err != nil && !errors.Is(err, aof.ErrFull) {
			f.t.Fatalf("after trimming: %v", err)
		}
	}
}

// fill appends until the disk is full: until so many batches of different sizes were refused in a row.
func (f *filler) fill(enough int) {
	f.t.Helper()
	for refusals := 0; refusals < enough; {
		for refusals == 0 && len(newBatchID(1, 0, f.c.count+1).lengths()) < 8 {
			f.c.count++ // a larger one, so that it does not take long
		}
		err := f.c.append(context.Background(), shared[f.c.rand.below(len(shared))])
		switch {
		case err == nil:
			refusals = 0
		case errors.Is(err, aof.ErrFull):
			refusals++
		default:
			f.t.Fatalf("filling: %v", err)
		}
	}
}

// trim gives up everything but the last batches, and waits until that has made room.
func (f *filler) trim() {
	f.t.Helper()
	recycled := f.s.Stats().Recycled
	for _, name := range shared {
		if err := f.c.trim(context.Background(), name); err != nil {
			f.t.Fatalf("trimming while full: %v", err)
		}
	}
	f.within(func() bool { return f.s.Stats().Recycled > recycled })
}

func (f *filler) compare(when string) {
	f.t.Helper()
	found := f.l.compare(f.s, storeReader(f.s))
	f.y.add(found)
	for _, p := range found.problems {
		f.t.Errorf("%s: %s", when, p)
	}
}
