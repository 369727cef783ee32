package journal

import (
	"testing"

	"github.com/aof2/aof/internal/fsys/memfs"
)

// Readings that are the same are shared by more and more appends; one that differs ends that.
func TestTheClockIsReadLessOftenWhileItStandsStill(t *testing.T) {
	at, reads := int64(1000), 0
	c := clock{shared: true, read: func() int64 { reads++; return at }}
	take := func(n int) {
		for range n {
			if ms, _ := c.now(); ms > at || ms < at-1 {
				t.Fatalf("it is %d, and %d was returned", at, ms)
			}
		}
	}
	take(1000)
	if reads < 1000/(maxCached+1) || reads > 30 {
		t.Errorf("for 1,000 appends it was read %d times", reads)
	}
	at++
	for cached := true; cached; { // some may still share the old reading
		_, cached = c.now()
	}
	for range 100 {
		at++
		if ms, cached := c.now(); ms != at || cached {
			t.Fatalf("it moves, and %d was returned for %d", ms, at)
		}
	}
	take(1000)
	reads = 0
	c.rest()
	if _, cached := c.now(); cached || reads != 1 {
		t.Error("behind a rest it was not read")
	}
}

// Where nobody leads, each append has the time it was accepted at, whatever was read before.
func TestTheTimeOfASlowAppendIsItsOwn(t *testing.T) {
	w := open(t, memfs.New(1), life{})
	l := w.create()
	at := int64(5000)
	w.j.clock.shared = true
	w.j.clock.read = func() int64 { return at }
	for i := range 300 { // each alone: nobody leads when the next one comes
		w.append(l, "a")
		if i > 200 {
			at += 7
		}
	}
	want := at
	w.append(l, "b")
	c := w.j.Cursor(l, 301)
	defer c.Release()
	if err := c.Fill(); err != nil {
		t.Fatal(err)
	}
	if r, err := c.Next(); err != nil || r.TimeMs != want {
		t.Errorf("record %d has the time %d, want %d, %v", r.Seq, r.TimeMs, want, err)
	}
}
