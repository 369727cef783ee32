package kernel

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/aof2/aof"
)

// livesPerImage is how many lives one file system goes through before another is made.
const livesPerImage = 40

func TestAShutDownExt4LosesNothing(t *testing.T) {
	needRoot(t, "mkfs.ext4", "mount")
	shutDowns(t, "ext4 shutdown", sized(t, 5, 200, 20_000), func(image string) *disk { return ext4Disk(t, image, 64<<20) })
}

func TestAShutDownXFSLosesNothing(t *testing.T) {
	needRoot(t, "mkfs.xfs", "mount")
	lives := sized(t, 0, 25, 20_000)
	if lives == 0 {
		t.Skip("set AOF_KERNEL to ci or long: making an XFS takes a while")
	}
	shutDowns(t, "XFS shutdown", lives, func(image string) *disk { return xfsDisk(t, image) })
}

// shutDowns writes to file systems that are cut off in the middle of it, mounts them again and compares.
func shutDowns(t *testing.T, what string, lives int, makeDisk func(image string) *disk) {
	var d *disk
	l, y := newLedger(), tally{begun: time.Now()}
	images, acked, batches := 0, 0, 0
	for life := uint64(1); life <= uint64(lives); life++ {
		if (life-1)%livesPerImage == 0 {
			acked, batches = acked+l.acked, batches+l.batches
			l = newLedger()
			d = makeDisk(filepath.Join(t.TempDir(), "disk.img"))
			images++
		}
		d.mount(t)
		r := random(life ^ 0xd15c)
		how := int32(flushNothing)
		if r.oneIn(5) {
			how = flushLog
		}
		if err := writeUntil(d.store(), life, l, someMoment(&r, 150), func() error { return d.shutDown(how) }); err != nil {
			t.Fatalf("life %d: %v", life, err)
		}
		d.unmount(t)
		d.mount(t)
		settle(t, d.store(), l, life, &y)
		d.unmount(t)
	}
	l.acked, l.batches = l.acked+acked, l.batches+batches
	y.report(t, what, l, fmt.Sprintf("; %d images", images))
}

// writeUntil opens the store in this process and writes. At the moment, cut is called beside the writers, which end
// because everything fails from then on.
func writeUntil(dir string, life uint64, l *ledger, m *moment, cut func() error) error {
	watch := time.AfterFunc(silence, func() {
		debug.SetTraceback("all")
		panic("the writers have said nothing for " + silence.String())
	})
	defer watch.Stop()
	due, once := make(chan struct{}), sync.Once{}
	var mu sync.Mutex
	tell := func(e event) {
		mu.Lock()
		defer mu.Unlock()
		watch.Reset(silence)
		l.note(e)
		if m.reached(e) {
			once.Do(func() { close(due) })
		}
	}
	cutErr := make(chan error, 1)
	go func() {
		<-due
		l.cutOff()
		cutErr <- cut()
	}()
	r := random(life)
	k := task{HotFileSize: someSize(&r)}
	tell(event{kind: hello})
	s, err := aof.Open(context.Background(), dir, k.options(tell))
	if err == nil {
		tell(event{kind: opened})
		w := &writer{store: s, life: life, tell: tell, maxFailures: 50}
		err = w.run(context.Background())
	}
	early := false
	once.Do(func() {
		early = true
		close(due)
	})
	if cutErr := <-cutErr; cutErr != nil {
		return cutErr
	}
	if s != nil {
		_ = s.Close() // it cannot succeed any more
	}
	if early {
		return fmt.Errorf("the store failed before it was cut off: %w", err)
	}
	return nil
}
