package coordinator

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sort"

	"github.com/aof2/aof/internal/catalog"
	"github.com/aof2/aof/internal/fsys"
)

// SnapshotDir is the directory of the catalog snapshots.
const SnapshotDir = "snapshot"

// keptSnapshots is how many there are: the newest, and one for when it is damaged.
const keptSnapshots = 2

// maxSnapshotBytes bounds what is read into memory on the word of a file's size.
const maxSnapshotBytes = 1 << 30

// SnapshotFile is a snapshot that verified.
type SnapshotFile struct {
	Name     string
	Position catalog.Position
	Store    [16]byte
	Catalog  *catalog.Catalog
	serial   uint64
	bytes    int64
}

// snapshotName orders snapshots: by the decision they hold last, then by the
// order in which they were written.
func snapshotName(seq, serial uint64) string {
	return fmt.Sprintf("%s/%016x-%04x", SnapshotDir, seq, serial&0xffff)
}

// LoadSnapshots reads the snapshots there are, the newest last, and says what is
// wrong with those that do not verify. A snapshot of a newer version is an error.
func LoadSnapshots(fsy fsys.FS) (good []SnapshotFile, problems []string, err error) {
	entries, err := fsy.List(SnapshotDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list %s: %w", SnapshotDir, err)
	}
	for _, e := range entries {
		name := SnapshotDir + "/" + e.Name
		if isSpare(e.Name) && !e.Dir {
			continue
		}
		var seq, serial uint64
		if n, err := fmt.Sscanf(e.Name, "%016x-%04x", &seq, &serial); err != nil || n != 2 || name != snapshotName(seq, serial) || e.Dir {
			problems = append(problems, name+" is not a file of this store and is left alone")
			continue
		}
		s, err := readSnapshot(fsy, name)
		switch {
		case errors.Is(err, catalog.ErrVersion):
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		case errors.Is(err, fs.ErrNotExist):
			continue // a newer one has taken its place
		case errors.Is(err, catalog.ErrMalformed):
			problems = append(problems, name+" does not verify and is not used")
			continue
		case err != nil:
			return nil, nil, err
		}
		s.serial = serial
		good = append(good, s)
	}
	sort.SliceStable(good, func(i, k int) bool {
		a, b := good[i], good[k]
		if a.Position.Seq != b.Position.Seq {
			return a.Position.Seq < b.Position.Seq
		}
		return a.serial < b.serial
	})
	return good, problems, nil
}

// readSnapshot reads one snapshot. While a store runs, the room of an old one goes to a new one, even as it is read: what
// does not verify then is fs.ErrNotExist, and not damage.
func readSnapshot(fsy fsys.FS, name string) (s SnapshotFile, err error) {
	f, err := fsy.Open(name)
	if err != nil {
		return s, fmt.Errorf("open %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return s, fmt.Errorf("size of %s: %w", name, err)
	}
	if size > maxSnapshotBytes {
		return s, fmt.Errorf("%s has %d bytes: %w", name, size, catalog.ErrMalformed)
	}
	b := make([]byte, size)
	n, err := f.ReadAt(b, 0)
	switch s.Name, s.bytes = name, size; {
	case err != nil && !errors.Is(err, io.EOF):
		return s, fmt.Errorf("read %s: %w", name, err)
	case int64(n) < size:
		err = fmt.Errorf("%s became shorter: %w", name, catalog.ErrMalformed)
	default:
		s.Catalog, s.Position, s.Store, err = catalog.DecodeSnapshot(b)
	}
	if errors.Is(err, catalog.ErrMalformed) {
		if again, openErr := fsy.Open(name); openErr == nil {
			err = errors.Join(err, again.Close())
		} else {
			err = openErr
		}
	}
	return s, err
}
