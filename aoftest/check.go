package aoftest

import (
	"context"
	"errors"
	"testing"

	"github.com/aof2/aof"
	"github.com/aof2/aof/internal/fsys"
)

// spareFiles bounds the hot files on a disk that a store does not list: recycled
// ones that wait to be used again.
const spareFiles = 8

// blockBytes is what file systems hand out at once, as a rule.
const blockBytes = 4096

// ExpectDamage says that what is on the disk may fail its checksums when the test
// ends.
func (d *Disk) ExpectDamage() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.damaged = true
}

// Check verifies an open store: every checksum, and the invariants between what it
// tells about its streams, its files and itself. It is for a store at rest.
func Check(tb testing.TB, s *aof.Store) {
	tb.Helper()
	rep, err := s.Verify(context.Background(), aof.VerifyOptions{})
	if err != nil {
		tb.Errorf("verify: %v", err)
		return
	}
	for _, damage := range rep.Damage {
		tb.Errorf("damage: %+v", damage)
	}
	streams := 0
	for name, info := range s.Streams() {
		streams++
		checkBounds(tb, name, info.Bounds)
	}
	st, files := atRest(s)
	size := int64(0)
	for _, f := range files {
		size += f.Bytes
	}
	if st.Streams != streams || st.Files != len(files) || st.FileBytes != size {
		tb.Errorf("stats tell of %d streams and %d files of %d bytes; listed are %d, %d, %d",
			st.Streams, st.Files, st.FileBytes, streams, len(files), size)
	}
}

// atRest returns the store's counters and its files as they were at one moment: what it does in the background may come
// between two calls, but not for ever.
func atRest(s *aof.Store) (aof.Stats, []aof.FileInfo) {
	for {
		before, files, after := s.Stats(), s.Files(), s.Stats()
		if before.Files == after.Files && before.FileBytes == after.FileBytes && before.Prepared == after.Prepared &&
			before.Sealed == after.Sealed && before.Recycled == after.Recycled {
			return after, files
		}
	}
}

// checkBounds holds the bounds of a stream against what they promise.
func checkBounds(tb testing.TB, name string, b aof.Bounds) {
	tb.Helper()
	if b.First < 1 || b.First > b.Durable+1 || b.Durable+1 > b.Next {
		tb.Errorf("stream %q has impossible bounds %+v", name, b)
	}
}

// Check looks at what lies on the disk, as it is: every checksum, and whether the
// files are there that should be, as large as they should be.
func (d *Disk) Check() {
	d.tb.Helper()
	v, err := aof.Inspect(context.Background(), d.path, d.Options(nil))
	if errors.Is(err, aof.ErrNotFound) {
		return
	}
	if err != nil {
		d.tb.Errorf("inspect what is on the disk: %v", err)
		return
	}
	rep, err := v.Verify(context.Background(), aof.VerifyOptions{})
	if err != nil {
		d.tb.Errorf("verify what is on the disk: %v", err)
	} else {
		for _, damage := range append(rep.Damage, v.Recovery().Damage...) {
			d.tb.Errorf("damage on the disk: %+v", damage)
		}
	}
	for name, info := range v.Streams() {
		checkBounds(d.tb, name, info.Bounds)
	}
	d.checkFiles(v.Files())
	if err := v.Close(); err != nil {
		d.tb.Errorf("close the view: %v", err)
	}
}

// CheckFiles holds what a store at rest says of its hot files against what the
// file system says.
func (d *Disk) CheckFiles(s *aof.Store) {
	d.tb.Helper()
	d.checkFiles(s.Files())
	listed, spare := map[string]bool{}, []string(nil)
	for _, f := range s.Files() {
		listed[f.Path] = true
	}
	d.walk("journal", func(name string, _ fsys.Entry) {
		if name != "journal/current" && !listed[name] {
			spare = append(spare, name)
		}
	})
	if allowed := spareFiles + int(s.Stats().Poisoned); len(spare) > allowed {
		d.tb.Errorf("%d files in journal/ belong to nothing, at most %d may: %v", len(spare), allowed, spare)
	}
}

func (d *Disk) checkFiles(files []aof.FileInfo) {
	d.tb.Helper()
	sizes := map[string]int64{}
	d.walk(".", func(name string, e fsys.Entry) { sizes[name] = e.Size })
	for _, f := range files {
		size, ok := sizes[f.Path]
		if !ok {
			d.tb.Errorf("%s is listed as %s and is not there", f.Path, f.State)
			continue
		}
		if size != f.Bytes || f.DataBytes > f.Bytes {
			d.tb.Errorf("%s has %d bytes, %d of them data, by the store's account, and %d by the file system's", f.Path, f.Bytes, f.DataBytes, size)
		}
	}
}

// finish is what every test on the disk ends with.
func (d *Disk) finish() {
	d.tb.Helper()
	d.mu.Lock()
	stores, damaged := d.mu.stores, d.mu.damaged
	d.mu.Unlock()
	for _, s := range stores {
		if _, err := s.Stream(context.Background(), "-"); errors.Is(err, aof.ErrClosed) {
			continue // the test has closed it, and seen what that said
		}
		if !damaged {
			Check(d.tb, s)
		}
		if err := s.Close(); err != nil {
			d.tb.Errorf("close the store: %v", err)
		}
	}
	if d.mem != nil {
		d.Fail(nil)
	}
	if !damaged {
		d.Check()
	}
	d.checkRoom()
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, n := range d.mu.handles {
		d.tb.Errorf("%s is still open, %d times", name, n)
	}
}

// checkRoom holds what the last store says it takes against what the file system
// says. File systems other than those in memory may take a block of a file for
// their own accounts while it is written to.
func (d *Disk) checkRoom() {
	d.tb.Helper()
	d.mu.Lock()
	n, touched := len(d.mu.stores), d.mu.touched
	d.mu.Unlock()
	if n == 0 || touched {
		return
	}
	taken, files := d.taken()
	slack := int64(0)
	if d.mem == nil {
		slack = int64(files) * blockBytes
	}
	if got := d.mu.stores[n-1].Stats().HotBytes; got > taken+slack || taken > got+slack {
		d.tb.Errorf("the store takes %d bytes by its own account and %d by the file system's", got, taken)
	}
}

// taken is what all files take on the disk, and how many there are.
func (d *Disk) taken() (bytes int64, files int) {
	d.tb.Helper()
	d.walk(".", func(name string, _ fsys.Entry) {
		f, err := d.fs.Open(name)
		if err != nil {
			d.tb.Fatalf("open %s: %v", name, err)
		}
		n, err := f.Allocated()
		if err = errors.Join(err, f.Close()); err != nil {
			d.tb.Fatalf("what %s takes: %v", name, err)
		}
		bytes, files = bytes+n, files+1
	})
	return bytes, files
}
