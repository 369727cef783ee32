package kernel

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/aof2/aof"
	"golang.org/x/sys/unix"
)

const churnBudget = 8 << 20

// TestAStoreLivesWithinItsBudget appends and trims many times the budget on an ext4 that has 5 % more room than that.
// The disk never runs full: the budget is what refuses, and what the files take is never more.
func TestAStoreLivesWithinItsBudget(t *testing.T) {
	needRoot(t, "mkfs.ext4", "mount")
	d := ext4Disk(t, filepath.Join(t.TempDir(), "disk.img"), 32<<20)
	d.mount(t)
	leaveFree(t, d.dir, churnBudget+churnBudget/20)
	c := &churn{t: t}
	s, err := aof.Open(t.Context(), d.store(), &aof.Options{
		HotFileSize: 256 << 10, HotBudget: churnBudget, WhenFull: aof.WaitWhenFull, OnEvent: c.event,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.s = s
	stop := c.sample(d.store())
	bytes := int64(sized(t, 4, 30, 2000)) * churnBudget
	for _, name := range []string{"a", "b", "c"} {
		st, err := s.CreateStream(t.Context(), name, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.streams = append(c.streams, st)
	}
	for range 3 {
		c.appenders.Go(func() { c.append(bytes / 3) })
	}
	c.appenders.Wait()
	most := stop()
	st := s.Stats()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if st.Poisoned > 0 || st.Recycled == 0 || most > churnBudget || most < churnBudget*3/4 {
		t.Errorf("at most %d bytes were taken of %d: %+v", most, churnBudget, st)
	}
	t.Logf("%d MiB appended within %d MiB, at most %d KiB taken, %d times without room", int64(st.Bytes)>>20, churnBudget>>20, most>>10, st.WouldBlock[aof.BlockAdmission])
	d.unmount(t)
}

// leaveFree writes somebody else's file, so that as many bytes are free.
func leaveFree(t *testing.T, dir string, free int64) {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "somebody-else"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Fallocate(int(f.Fd()), 0, 0, int64(st.Bavail)*st.Frsize-free), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// churn appends and trims at the limit.
type churn struct {
	t         *testing.T
	s         *aof.Store
	streams   []*aof.Stream
	appenders sync.WaitGroup
}

// event fails the test when the disk ran full in the background.
func (c *churn) event(e aof.Event) {
	if errors.Is(e.Err, unix.ENOSPC) {
		c.t.Errorf("%s: %v", e.Kind, e.Err)
	}
}

// append fills all streams in turn, and trims each to half when it holds a fifth of the budget. Whoever comes does that: were
// a stream trimmed by its own appender only, one that is slow or done would hold on to every file that it is in, and nobody
// could go on.
func (c *churn) append(bytes int64) {
	ctx := context.Background()
	const size = 20_000
	for turn := 0; bytes > 0; turn, bytes = turn+1, bytes-size {
		st := c.streams[turn%len(c.streams)]
		if b := st.Bounds(); int64(b.Next-b.First)*size > churnBudget/5 {
			if err := st.TrimBefore(ctx, b.Next-(b.Next-b.First)/2); err != nil {
				c.t.Errorf("trim %s: %v", st.Name(), err)
				return
			}
		}
		if _, err := st.AppendBatch(ctx, &aof.Batch{Records: []aof.Entry{{Data: make([]byte, size)}}, Ack: aof.AckAccepted}); err != nil {
			c.t.Errorf("append to %s: %v", st.Name(), err)
			return
		}
	}
}

// sample looks again and again at what the files of a directory take; the result ends that and returns the most.
func (c *churn) sample(dir string) (stop func() int64) {
	var most atomic.Int64
	ended := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			select {
			case <-ended:
				return
			default:
			}
			n := taken(dir)
			for try := 0; try < 3 && n > churnBudget; try++ {
				n = min(n, taken(dir)) // room may have gone from one file to another while the files were looked at
			}
			most.Store(max(n, most.Load()))
		}
	})
	return func() int64 {
		close(ended)
		looking.Wait()
		return most.Load()
	}
}

// taken is what the files below a directory take on the disk. One that gets another name meanwhile may be counted
// under both: each counts once.
func taken(dir string) int64 {
	_, bytes := footprint(dir)
	return bytes
}

// footprint is how many files there are below a directory, and what they take.
func footprint(dir string) (files int, bytes int64) {
	seen := map[uint64]bool{}
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil // it is gone meanwhile
		}
		info, err := e.Info()
		if err != nil {
			return nil
		}
		if st := info.Sys().(*syscall.Stat_t); !seen[st.Ino] {
			seen[st.Ino] = true
			bytes += st.Blocks * 512
		}
		return nil
	})
	return len(seen), bytes
}
