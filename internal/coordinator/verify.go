package coordinator

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/aof2/aof/internal/catalog"
	"github.com/aof2/aof/internal/fsys"
)

// BadSnapshot is a snapshot that does not verify. It was synced before it got its
// name, so no crash can explain that.
type BadSnapshot struct {
	Name string
	Size int64
}

// VerifySnapshots reads the snapshots there are and returns those that do not
// verify. One that goes meanwhile, because a newer one takes its place, is passed
// over.
func VerifySnapshots(fsy fsys.FS) ([]BadSnapshot, error) {
	entries, err := fsy.List(SnapshotDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", SnapshotDir, err)
	}
	var bad []BadSnapshot
	for _, e := range entries {
		if e.Dir || !isSnapshotName(e.Name) {
			continue
		}
		_, err := readSnapshot(fsy, SnapshotDir+"/"+e.Name)
		switch {
		case errors.Is(err, catalog.ErrMalformed) && isGone(fsy, SnapshotDir+"/"+e.Name):
		case errors.Is(err, catalog.ErrMalformed):
			bad = append(bad, BadSnapshot{SnapshotDir + "/" + e.Name, e.Size})
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	return bad, nil
}

// isSnapshotName reports whether a name in the directory is that of a snapshot.
func isSnapshotName(name string) bool {
	var seq, serial uint64
	n, err := fmt.Sscanf(name, "%016x-%04x", &seq, &serial)
	return err == nil && n == 2 && SnapshotDir+"/"+name == snapshotName(seq, serial)
}
