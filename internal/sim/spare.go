package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/aof2/aof/internal/fsys/memfs"
)

// Sparing is a System that keeps some files twice, in different words.
type Sparing interface {
	// Spare lists the files of a disk any one of which may be damaged or gone,
	// and nothing is lost.
	Spare(disk *memfs.Mem) []string
}

// Spare implements Sparing: either snapshot does, with the journal behind it.
func (AOF) Spare(disk *memfs.Mem) (names []string) {
	for _, name := range filesOf(disk) {
		if strings.HasPrefix(name, "snapshot/") && !strings.HasPrefix(name, "snapshot/spare-") {
			names = append(names, name)
		}
	}
	return names
}

// sparePoint takes power away and damages a file that the store does without.
func (l *life) sparePoint(rng *rand.Rand) *Violation {
	sparing, ok := l.System.(Sparing)
	if !ok {
		return nil
	}
	image := l.disk.Crash(rng, memfs.RandomLoss(rng))
	image.SetFree(-1)
	names := sparing.Spare(image)
	if len(names) == 0 {
		return nil
	}
	name := names[rng.IntN(len(names))]
	var what string
	switch rng.IntN(3) {
	case 0:
		what = name + " was deleted"
		image.DeleteFile(name)
	case 1:
		bit := somewhere(image, name, rng)*8 + rng.Int64N(8)
		what = fmt.Sprintf("bit %d of %s was flipped", bit, name)
		image.FlipBit(name, bit)
	case 2:
		size := somewhere(image, name, rng)
		what = fmt.Sprintf("%s was cut to %d bytes", name, size)
		image.CutFile(name, size)
	}
	l.Report.DamagePoints++
	if _, v := l.inspect(image, nil); v != nil {
		v.Detail += ", after " + what + ", which it does without"
		return v
	}
	l.Report.Survived++
	return nil
}
