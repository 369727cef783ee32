package sim

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/aof2/aof/internal/fsys/memfs"
)

// inspect recovers the store on a disk nobody else uses, compares every
// record and closes it. With damage, the store may refuse the disk, if it says
// that it is damaged.
func (r *Run) inspect(disk *memfs.Mem, damage *Damaged) (*Verdict, *Violation) {
	defer disk.Stop()
	ctx := context.Background()
	if damage == nil && disk.Owing() {
		damage = &Damaged{What: "a write-back had failed", Failed: true}
	}
	st, err := r.System.Open(ctx, disk, r.setting())
	if err != nil && damage != nil && damage.Failed {
		r.Report.branch("refused by fault")
		return nil, nil
	}
	if err != nil {
		return nil, violation("open-failed", "%v", err)
	}
	verdict, v := r.oracle.Check(ctx, st, damage)
	found := st.Found()
	if err := st.Close(); err != nil && v == nil && damage == nil {
		v = violation("close-failed", "%v", err)
	}
	r.Report.found(&found)
	if verdict != nil {
		verdict.Found = found
		r.Report.Records += int64(verdict.Records)
	}
	return verdict, v
}

// point takes one crash point: a disk as it could be if this moment were the
// last.
func (r *Run) point(rng *rand.Rand) *Violation {
	counts := r.disk.AtStake() && r.oracle.Acknowledged() > 0
	var image *memfs.Mem
	how := "killed"
	if rng.IntN(6) == 0 {
		image = r.disk.Kill(rng)
	} else {
		loss := memfs.RandomLoss(rng)
		how = fmt.Sprintf("lost power (%+v)", loss)
		image = r.disk.Crash(rng, loss)
	}
	image.SetFree(-1)
	owing := image.Owing()
	if rng.IntN(8) == 0 && !owing {
		if v := r.again(image, rng); v != nil {
			return v
		}
	}
	if _, v := r.inspect(image, nil); v != nil {
		v.Detail += ", after it was " + how
		return v
	}
	if counts && !owing {
		r.Report.Points++
	} else {
		r.Report.Idle++
	}
	return nil
}

// again takes a crash point during the recovery of another.
func (r *Run) again(image *memfs.Mem, rng *rand.Rand) (v *Violation) {
	var second *memfs.Mem
	first, n := image.Clone(), 1+rng.IntN(60)
	first.SetHook(func(op *memfs.Op) error {
		if op.Kind == memfs.OpYield {
			return nil // of the store's own goroutines
		}
		if n--; n == 0 {
			second = first.Crash(rng, memfs.RandomLoss(rng))
		}
		return nil
	})
	st, err := r.System.Open(context.Background(), first, r.setting())
	if err != nil {
		return violation("open-failed", "%v", err)
	}
	if err := st.Close(); err != nil {
		return violation("close-failed", "%v", err)
	}
	first.Stop()
	if second == nil {
		return nil
	}
	r.Report.Recoveries++
	if _, v = r.inspect(second, nil); v != nil {
		v.Detail += ", after power was lost during recovery"
	}
	return v
}

// takePoints looks at this moment: crash points, and what else is planned.
func (l *life) takePoints() *Violation {
	if l.Quick || l.owed <= 0 && l.Harm <= 0 && l.Sweeps <= 0 || l.points.IntN(pointOneIn) > 0 {
		return nil
	}
	if !l.disk.AtStake() || l.oracle.Acknowledged() == 0 {
		if l.points.IntN(idleOneIn) > 0 {
			return nil
		}
		return l.point(l.points)
	}
	for range min(l.owed, 1+l.points.IntN(4)+l.owed/32) {
		l.owed--
		if v := l.point(l.points); v != nil {
			return v
		}
	}
	if l.Harm > 0 && l.extra.IntN(harmOneIn) == 0 {
		l.Harm--
		if v := l.harmPoint(l.extra); v != nil {
			return v
		}
		if v := l.sparePoint(l.extra); v != nil {
			return v
		}
	}
	if l.Sweeps > 0 && l.count > 1 && l.swept.IntN(sweepOneIn) == 0 {
		l.Sweeps--
		return l.sweep(l.swept)
	}
	return nil
}
