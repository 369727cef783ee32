package journal

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aof2/aof/internal/fsys/memfs"
	"github.com/aof2/aof/internal/segment"
)

// A record that becomes durable while one of its time is looked for is not passed over.
func TestFindTimePassesOverNothingThatComesMeanwhile(t *testing.T) {
	j := newJournal(Config{})
	l := newLane(1, 1)
	f := newFile(memfs.New(1), 1, 1, StateOpen)
	var stop atomic.Bool
	var all sync.WaitGroup
	all.Go(func() {
		for n := uint64(1); !stop.Load(); n++ { // record n is accepted at time n
			l.publish(f, segment.Extent{Off: 64 * int64(n), Len: 64, First: n, Newest: int64(n)}, n+1)
		}
	})
	for range 20_000 {
		want := l.Durable() + 1
		c := j.Cursor(l, want)
		if from, _, err := c.stretch(int64(want)); err != nil || from == 0 && c.Seq() > want {
			t.Errorf("record %d of time %d is passed over for %d, %v", want, want, c.Seq(), err)
			break
		}
	}
	stop.Store(true)
	all.Wait()
}
