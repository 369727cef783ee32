package coordinator

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/aof2/aof/internal/catalog"
	"github.com/aof2/aof/internal/fsys"
)

// spareSlack is how many bytes a snapshot may grow beyond what is foreseen when its room is set aside: by what is
// decided in the files that are prepared already.
const spareSlack = 128 << 10

// spares are the files that the next snapshots will be written into. Their blocks are their own before another hot
// file is prepared, so that a disk without a free byte never keeps the store from the snapshots that let it give room
// back. With the kept snapshots they are one more than is kept. Only the worker uses them.
type spares [keptSnapshots + 1]int64 // bytes set aside; 0: the file is not there, or not looked at in this life

func spareName(i int) string { return fmt.Sprintf("%s/spare-%d", SnapshotDir, i) }

// isSpare reports whether a name in the directory is that of a spare file.
func isSpare(base string) bool { return strings.HasPrefix(base, "spare-") }

// largest is the spare file to write into next.
func (s *spares) largest() (at int) {
	for i, size := range s {
		if size > s[at] {
			at = i
		}
	}
	return at
}

// reserve sets the room for the next snapshots aside, unless it has been. It is left half as large again as the
// catalog could become now, and made larger when a quarter is left.
func (c *Coordinator) reserve() error {
	var bound int64
	c.cfg.Ledger.Read(func(cat *catalog.Catalog) { bound = int64(cat.SnapshotBound()) })
	slack := min(spareSlack, 2*c.cfg.Journal.FileSize())
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
	for i, size := range c.spares {
		if missing == 0 || size >= bound+bound/4+slack/2 {
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
