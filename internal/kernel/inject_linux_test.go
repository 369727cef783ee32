package kernel

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// fault is a system call that fails, and how.
type fault struct{ call, err string }

func TestSystemCallsThatFailLoseNothing(t *testing.T) {
	needRoot(t, "strace", "mkfs.ext4", "mount")
	inject(t, "failing calls", sized(t, 7, 42, 4_200), []fault{
		{"fdatasync", "EIO"},
		{"fdatasync", "ENOSPC"},
		{"pwrite64", "EIO"},
		{"pwrite64", "ENOSPC"},
		{"fsync", "EIO"}, // of directories
		{"fallocate", "ENOSPC"},
		{"renameat,renameat2", "EIO"},
	})
}

func TestReadsThatFailGiveErrors(t *testing.T) {
	needRoot(t, "strace", "mkfs.ext4", "mount")
	inject(t, "failing reads", sized(t, 4, 16, 2_000), []fault{{"pread64", "EIO"}})
}

// inject lets one kind of system call fail in each life of an unmodified child: once in each of its threads, again and
// again, or always from some moment on. Each life ends with the file system shut down, so that an answer given without
// a sync behind it shows.
func inject(t *testing.T, what string, lives int, faults []fault) {
	dir := t.TempDir()
	d := ext4Disk(t, filepath.Join(dir, "disk.img"), 96<<20)
	l, y := newLedger(), tally{begun: time.Now()}
	injected, saidSo := 0, 0
	for life := uint64(1); life <= uint64(lives); life++ {
		f := faults[int(life-1)%len(faults)]
		d.mount(t)
		r := random(life ^ 0xe10)
		trace := filepath.Join(dir, "trace")
		k := task{Dir: d.store(), Life: life, HotFileSize: someSize(&r), MaxFailures: 20, Opens: 5, ReadFirst: true}
		c := k.start(t, "strace", "-f", "--seccomp-bpf", "-qq", "-o", trace, "-e", "trace="+f.call,
			"-e", fmt.Sprintf("inject=%s:error=%s:when=%s", f.call, f.err, someTimes(&r)))
		m := &moment{"a", 30 + r.below(120)}
		var cutErr error
		cut := func(e event) bool {
			if e.kind != ended && !m.reached(e) {
				return false
			}
			if e.kind == ended && (e.text == "read-only" || e.text == "open") {
				saidSo++
			}
			l.cutOff()
			cutErr = d.shutDown(flushNothing)
			return true
		}
		if err := c.listen(l.note, cut); err != nil {
			t.Fatalf("life %d, %v: %v", life, f, err)
		}
		if cutErr != nil {
			t.Fatal(cutErr)
		}
		log, err := os.ReadFile(trace)
		if err != nil {
			t.Fatal(err)
		}
		injected += bytes.Count(log, []byte("(INJECTED)"))
		d.unmount(t)
		d.mount(t)
		settle(t, d.store(), l, life, &y)
		d.unmount(t)
	}
	if injected == 0 || lives >= 40 && (saidSo == 0 || len(faults) > 1 && l.wentOn == 0) {
		t.Errorf("%d calls failed, %d batches followed a file given up, %d lives ended read-only: the test has lost its point", injected, l.wentOn, saidSo)
	}
	y.report(t, what, l, fmt.Sprintf("; %d calls failed, %d files given up and %d batches acknowledged afterwards, %d times the store ended its life saying so, %d errors heard",
		injected, l.counts[poisoned], l.wentOn, saidSo, l.failures))
}

// someTimes says which of the calls of each thread fail.
func someTimes(r *random) string {
	n := 1 + r.below(6)
	if r.oneIn(3) {
		n += r.below(60)
	}
	switch r.below(4) {
	case 0:
		return fmt.Sprintf("%d+", n) // all from then on
	case 1:
		return fmt.Sprintf("%d+%d", n, 2+r.below(30))
	}
	return fmt.Sprint(n)
}
