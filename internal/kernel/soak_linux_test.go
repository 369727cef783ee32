package kernel

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aof2/aof"
	"golang.org/x/sys/unix"
)

// TestHoursOfMixedLoadLoseNothingAndGrowNothing runs child after child over one directory, for as long as AOF_SOAK
// says: they append, pipeline, follow, trim, seal, delete and make streams again within a small budget, on a disk that
// somebody else fills and empties, and are killed. Every second life lasts long; those between them end at random
// moments. After each the store is compared with the ledger.
func TestHoursOfMixedLoadLoseNothingAndGrowNothing(t *testing.T) {
	k := &soak{l: newLedger(), total: soakTime(t), begun: time.Now(), y: tally{begun: time.Now()}}
	var d *disk
	dir := filepath.Join(t.TempDir(), "store")
	if why := noLoop(); why != "" {
		t.Logf("LEFT OUT: %s, so it runs in a plain directory, and no disk runs full; budgets do", why)
	} else {
		d = ext4Disk(t, filepath.Join(t.TempDir(), "disk.img"), 24<<20)
		d.mount(t)
		k.other = filepath.Join(d.dir, "somebody-else")
		dir = d.store()
	}
	for life := uint64(1); time.Since(k.begun) < k.total; life++ {
		k.live(t, dir, life)
		settle(t, dir, k.l, life, &k.y)
	}
	k.report(t)
	if d != nil {
		d.unmount(t)
	}
}

// soakTime is how long a soak lasts.
func soakTime(t *testing.T) time.Duration {
	t.Helper()
	if v := os.Getenv("AOF_SOAK"); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			t.Fatalf("AOF_SOAK is %q; it is a duration like 2h or 1m", v)
		}
		return d
	}
	return time.Duration(sized(t, 2, 30, 1800)) * time.Second
}

// noLoop says why no loop device can be mounted here.
func noLoop() string {
	if os.Geteuid() != 0 {
		return "mounting needs root"
	}
	for _, c := range []string{"mkfs.ext4", "mount", "losetup"} {
		if _, err := exec.LookPath(c); err != nil {
			return c + " is not installed"
		}
	}
	if out, err := exec.Command("losetup", "-f").CombinedOutput(); err != nil {
		return "there is no loop device: " + strings.TrimSpace(string(out))
	}
	return ""
}

// Of a soak's time, so many parts are long lives, and each is sampled so many times.
const (
	longLives    = 24
	lifeSamples  = 40
	longFileSize = 64 << 10
	longBudget   = 1 << 20
	crowdedEvery = 10      // samples, for two of which the disk is full
	crowdedRoom  = 8 << 10 // what somebody else leaves free
)

// soak is one run.
type soak struct {
	l     *ledger
	y     tally
	total time.Duration
	begun time.Time
	other string // somebody else's file on the same disk; "" where there is no disk of our own

	samples []sample // of the long lives
	long    int
	crowds  int // times the disk was made full
	full    int // appends that were refused, or waited in vain, for want of room
	onFull  int // of those, while the disk was full
}

// live starts a child and kills it, after a share of the run or at some moment.
func (k *soak) live(t *testing.T, dir string, life uint64) {
	t.Helper()
	r := random(life ^ 0x50a4)
	lasting := k.total / (longLives + 6)
	every := min(lasting/lifeSamples, 2*time.Second)
	task := task{Dir: dir, Life: life, HotFileSize: longFileSize, MaxFailures: 1 << 30, Soak: &soakTask{
		Budget: longBudget, WhenFull: aof.WhenFull(life / 2 % 2), Every: every,
	}}
	long := life%2 == 1
	m := &moment{}
	if !long {
		m = someMoment(&r, 400)
		task.HotFileSize = someSize(&r)
		task.Soak.Budget = task.HotFileSize*8 + int64(r.below(4<<20))
	}
	begun, seen, crowded := time.Now(), 0, false
	note := func(e event) {
		if e.kind != sampled {
			k.note(e, crowded)
			return
		}
		s := sample{run: time.Since(k.begun), life: time.Since(begun)}
		if err := s.parse(e.text); err != nil {
			t.Errorf("%q: %v", e.text, err)
		}
		if long {
			k.samples = append(k.samples, s)
		}
		if seen++; seen%crowdedEvery == crowdedEvery-2 || crowded {
			was := crowded
			if crowded = k.crowd(t, seen%crowdedEvery != 0); crowded && !was {
				k.crowds++
			}
		}
	}
	c := task.start(t)
	if err := c.listen(note, func(e event) bool {
		return long && time.Since(begun) > lasting || !long && (m.reached(e) || time.Since(begun) > lasting)
	}); err != nil {
		t.Fatalf("life %d: %v", life, err)
	}
	if long {
		k.long++
	}
	if crowded {
		k.crowd(t, false)
	}
	if k.l.counts[ended]+k.l.counts[readOnly]+k.l.counts[poisoned] > 0 {
		t.Fatalf("life %d: the store failed, and nothing but kill and full disks was done to it", life)
	}
}

func (k *soak) note(e event, crowded bool) {
	if e.kind == refused {
		k.full++
		if crowded {
			k.onFull++
		}
	}
	k.l.note(e)
}

// crowd fills the disk with somebody else's file, or removes that; it returns whether the disk is full now.
func (k *soak) crowd(t *testing.T, full bool) bool {
	t.Helper()
	if k.other == "" {
		return false
	}
	if !full {
		if err := os.Remove(k.other); err != nil {
			t.Error(err)
		}
		return false
	}
	if err := takeAllBut(k.other, crowdedRoom); err != nil {
		t.Error(err)
	}
	return true
}

// takeAllBut makes a file that takes what is free, but for some bytes.
func takeAllBut(name string, free int64) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	var st unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(name), &st); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	n := int64(st.Bavail)*st.Frsize - free
	if n <= 0 {
		return nil
	}
	err = unix.Fallocate(int(f.Fd()), 0, info.Size(), n)
	if errors.Is(err, unix.ENOSPC) {
		return nil // the store was quicker; it is full all the same
	}
	return err
}

// report prints what happened, and fails when something grew.
func (k *soak) report(t *testing.T) {
	t.Helper()
	last := time.Since(k.begun)
	k.y.report(t, "soak", k.l, fmt.Sprintf("; %d of the lives long, %d trims, %d deletions, %d seals asked for, %d appends without room, %d of those on a full disk, which it was %d times",
		k.long, k.l.counts[trimming], k.l.counts[deleting], k.l.counts[sealing], k.full, k.onFull, k.crowds))
	lasting := k.total / (longLives + 6)
	all := trends(k.samples, last, func(s sample) time.Duration { return s.run })
	aged := trends(k.samples, lasting, func(s sample) time.Duration { return s.life })
	t.Logf("%d samples, medians of tenths; a quarter and a little more is tolerated\n%s%s", len(k.samples), table("over the run", all), table("over the long lives", aged))
	if k.total < 20*time.Second {
		t.Log("LEFT OUT: nothing is said about growth in less than 20 s")
		return
	}
	if all == nil || aged == nil || k.full == 0 || k.other != "" && k.onFull == 0 {
		t.Errorf("not everything was met that was to be met: %+v", *k)
	}
	for _, tr := range append(all, aged...) {
		if tr.grown() {
			t.Errorf("%s grew from %d to %d %s; %d is tolerated", tr.name, tr.first, tr.last, tr.unit, tr.limit())
		}
	}
}

// takeSample looks at this process and at what lies in the directory.
func takeSample(dir string) (sample, error) {
	var s sample
	var pages, resident int64
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return s, err
	}
	if _, err := fmt.Sscan(string(b), &pages, &resident); err != nil {
		return s, err
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return s, err
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	files, bytes := footprint(dir)
	s.values = [...]int64{
		resident * int64(syscall.Getpagesize()) >> 10, int64(live[0].Value.Uint64() >> 10),
		int64(len(open)), int64(runtime.NumGoroutine()), int64(files), bytes >> 10,
	}
	return s, nil
}
