package coordinator

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/aof2/aof/internal/catalog"
	"github.com/aof2/aof/internal/fsys"
)

// spareSlack is how many bytes a snapshot may grow beyond what is foreseen when its room is set aside: by what is
// decided in the files that are prepared already.
const spareSlack = 128 << 10

// LeastBudget is what a store with hot files of that size needs to go on: the open file, the next one, one in reserve
// for decisions and one that is being sealed or given up, the kept snapshots and room for the next, and small things.
func LeastBudget(fileSize int64) int64 {
	const hotFiles, small = 4, 128 << 10
	return hotFiles*fileSize + (keptSnapshots+1)*slackOf(fileSize) + small
}

// slackOf is how much room a snapshot is left to grow.
func slackOf(fileSize int64) int64 { return min(spareSlack, 2*fileSize) }

// spares are the files that the next snapshots will be written into. Their blocks are their own before another hot
// file is prepared, so that a disk without a free byte never keeps the store from the snapshots that let it give room
// back. With the kept snapshots they are one more than is kept. Only the worker uses them.
type spares [keptSnapshots + 1]int64 // bytes set aside; 0: the file is not there, or not looked at in this life

func spareName(i int) string { return fmt.Sprintf("%s/spare-%d", SnapshotDir, i) }

// isSpare reports whether a name in the directory is that of a spare file.
func isSpare(base string) bool { return strings.HasPrefix(base, "spare-") }

// bySize lists them, the largest first.
func (s *spares) bySize() []int {
	order := make([]int, len(s))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s[b], s[a]) })
	return order
}

// find looks once in a life which spare files the last one left.
func (c *Coordinator) find() error {
	if c.found {
		return nil
	}
	entries, err := c.cfg.FS.List(SnapshotDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for spare files: %w", err)
	}
	for _, e := range entries {
		for i := range c.spares {
			if SnapshotDir+"/"+e.Name == spareName(i) && !e.Dir {
				c.spares[i] = min(e.Size, e.Allocated)
			}
		}
	}
	c.found = true
	return nil
}

// reserve sets the room for the next snapshots aside, unless it has been. It is left half as large again as the
// catalog could become now, and made larger when a quarter is left.
func (c *Coordinator) reserve() error {
	if err := c.find(); err != nil {
		return err
	}
	var bound int64
	c.cfg.Ledger.Read(func(cat *catalog.Catalog) { bound = int64(cat.SnapshotBound()) })
	slack := slackOf(c.cfg.Journal.FileSize())
	c.mu.Lock()
	missing := max(1, len(c.spares)-len(c.mu.snapshots))
	c.mu.Unlock()
	for _, size := range c.spares {
		if size >= bound+bound/4+slack/2 {
			missing--
		}
	}
	if missing <= 0 {
		return nil
	}
	if err := c.makeDir(); err != nil {
		return fmt.Errorf("make %s: %w", SnapshotDir, err)
	}
	for _, i := range c.spares.bySize() { // what is there already is made larger
		if missing == 0 || c.spares[i] >= bound+bound/4+slack/2 {
			continue
		}
		if err := c.allocateSpare(i, bound+bound/2+slack); err != nil {
			return err
		}
		missing--
	}
	return nil
}

// allocateSpare makes a spare file at least so large, if need be with the room of files kept for appends.
func (c *Coordinator) allocateSpare(i int, size int64) error {
	f, err := openOrCreate(c.cfg.FS, spareName(i))
	if err != nil {
		return fmt.Errorf("set room aside for the next snapshot: %w", err)
	}
	for {
		err = f.Allocate(size)
		if !errors.Is(err, fsys.ErrNoSpace) {
			break
		}
		if dropped, dropErr := c.cfg.Journal.DropFree(); !dropped {
			err = errors.Join(err, dropErr)
			break
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("set %d bytes aside for the next snapshot: %w", size, err)
	}
	c.spares[i] = size
	return nil
}

// keepAsSpare gives the room of a snapshot that is no longer needed to the next one. The old name must be gone from
// the disk before anything is written under the new one, or a crash would show it with what the next snapshot holds.
func (c *Coordinator) keepAsSpare(i int, old snapshot) error {
	err := c.cfg.FS.Rename(old.name, spareName(i))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		if err = c.cfg.FS.SyncDir(SnapshotDir); err != nil {
			err = errors.Join(err, c.cfg.FS.Remove(spareName(i)))
		}
	}
	if err != nil {
		return fmt.Errorf("keep the room of %s: %w", old.name, err)
	}
	c.spares[i] = old.bytes
	return nil
}

// writeSnapshot writes a snapshot into a spare file, syncs it, gives it its name and syncs the directory.
func writeSnapshot(fsy fsys.FS, spare, name string, b []byte) error {
	f, err := openOrCreate(fsy, spare)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(b, 0); err == nil {
		err = f.Truncate(int64(len(b)))
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = fsy.Rename(spare, name)
	}
	if err == nil {
		err = fsy.SyncDir(SnapshotDir)
	}
	return err
}

func openOrCreate(fsy fsys.FS, name string) (fsys.File, error) {
	f, err := fsy.OpenWrite(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fsy.Create(name)
	}
	return f, err
}
