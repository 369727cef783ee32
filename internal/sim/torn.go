package sim

import (
	"math/rand/v2"
	"strings"

	"github.com/aof2/aof/internal/fsys/memfs"
	"github.com/aof2/aof/internal/segment"
)

// Tearing is a System that knows how badly the end of a log is torn.
type Tearing interface {
	// Torn counts what lies whole behind the first hole at the log's end: what
	// comes back if somebody fills the hole exactly.
	Torn(disk *memfs.Mem) int
}

// Torn implements Tearing.
func (AOF) Torn(disk *memfs.Mem) (behind int) {
	for _, name := range filesOf(disk) {
		if !strings.HasPrefix(name, "journal/") || !strings.HasSuffix(name, ".aof") {
			continue
		}
		_, frames, err := framesOf(disk, name)
		if err != nil || len(frames) == 0 {
			continue
		}
		behind = 0 // of the newest file there is
		end := int64(segment.HeaderBytes)
		for _, f := range frames {
			if f.Offset != end {
				behind++
				continue // end stays at the hole
			}
			end = f.End()
		}
	}
	return behind
}

const (
	tornOneIn = 2  // lives that end with the log torn as badly as it may be
	tornTries = 6  // disks to choose from
	tornFrom  = 20 // steps after which such a life may end, and up to
	tornRange = 97 // as many more
)

// tears reports whether this life ends now because there is much to tear.
func (l *life) tears() bool {
	return l.tearing() && l.steps >= tornFrom+int(l.plan.Seed/tornOneIn%tornRange) &&
		l.disk.AtStake() && l.disk.Unsynced() > memfs.PageBytes
}

// tearing picks the lives that end with a torn log.
func (l *life) tearing() bool {
	_, ok := l.System.(Tearing)
	return ok && l.plan.Seed%tornOneIn == 0
}

// tear finds a disk whose log is torn worse than image's, among those that a
// loss of power now could leave. The life after it has the most to get wrong.
func (l *life) tear(image *memfs.Mem) *memfs.Mem {
	system, ok := l.System.(Tearing)
	if !ok || !l.tearing() {
		return image
	}
	rng := rand.New(rand.NewPCG(l.plan.Seed, 4))
	worst := system.Torn(image)
	for range tornTries {
		other := l.disk.Crash(rng, memfs.RandomLoss(rng))
		if n := system.Torn(other); n > worst {
			image, worst = other, n
		}
	}
	return image
}
