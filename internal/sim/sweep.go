package sim

import (
	"context"
	"math/rand/v2"

	"github.com/aof2/aof/internal/fsys/memfs"
)

// sweep opens one disk again and again: as often as Open has operations, each
// time losing power or the process at another one, and each time with another
// one that fails. What is left is opened without a fault, and compared.
func (r *Run) sweep(rng *rand.Rand) *Violation {
	image := r.disk.Crash(rng, memfs.RandomLoss(rng))
	if rng.IntN(3) == 0 {
		image = r.disk.Kill(rng)
	}
	image.SetFree(-1)
	r.Report.OpenImages++
	operations := 1
	for at := 1; at <= operations; at++ {
		n, v := r.crashAt(image, rng, at)
		if v != nil {
			return v
		}
		if operations = n; at > operations {
			return nil
		}
		if v := r.failAt(image, rng, at); v != nil {
			return v
		}
	}
	return nil
}

// crashAt opens a copy of the image and ends that life at its operation at. It
// returns how many operations there were.
func (r *Run) crashAt(image *memfs.Mem, rng *rand.Rand, at int) (n int, v *Violation) {
	var second *memfs.Mem
	first := image.Clone()
	first.SetHook(func(op *memfs.Op) error {
		if op.Kind == memfs.OpYield {
			return nil // of the store's own goroutines
		}
		if n++; n == at {
			second = first.Crash(rng, memfs.RandomLoss(rng))
			if rng.IntN(3) == 0 {
				second = first.Kill(rng)
			}
		}
		return nil
	})
	st, err := r.System.Open(context.Background(), first, r.setting())
	first.SetHook(nil)
	if err != nil {
		return n, violation("open-failed", "%v", err)
	}
	if err := st.Close(); err != nil {
		return n, violation("close-failed", "%v", err)
	}
	first.Stop()
	if second == nil {
		return n, nil
	}
	r.Report.OpenPoints++
	if _, v = r.inspect(second, nil); v != nil {
		v.Detail += ", after Open ended at one of its operations"
	}
	return n, v
}

// failAt opens a copy of the image of which operation at fails. The store may
// refuse to open or be read-only; what is there must be there, now and when
// nothing fails any more.
func (r *Run) failAt(image *memfs.Mem, rng *rand.Rand, at int) *Violation {
	n, name := 0, ""
	first := image.Clone()
	first.SetHook(func(op *memfs.Op) error {
		if op.Kind == memfs.OpYield {
			return nil
		}
		if n++; n != at {
			return nil
		}
		if name = op.String(); op.Kind == memfs.OpWrite {
			op.Partial = rng.IntN(int(op.Len) + 1)
		}
		return memfs.ErrIO
	})
	r.Report.OpenErrors++
	st, err := r.System.Open(context.Background(), first, r.setting())
	first.SetHook(nil)
	if err != nil {
		r.Report.branch("refused by fault")
	} else {
		_, v := r.oracle.Check(context.Background(), st, &Damaged{What: name + " failed", Failed: true})
		if st.Found().ReadOnly {
			r.Report.branch("read-only by fault")
		}
		if err := st.Close(); err != nil && v == nil {
			v = violation("close-failed", "%v", err)
		}
		if v != nil {
			v.Detail += ", after this operation of Open failed: " + name
			return v
		}
	}
	second := first.Kill(rng)
	if rng.IntN(2) == 0 {
		second = first.Crash(rng, memfs.RandomLoss(rng))
	}
	first.Stop()
	if _, v := r.inspect(second, nil); v != nil {
		v.Detail += ", after a life in which this operation of Open failed: " + name
		return v
	}
	r.Report.branch("healed after faults of Open")
	return nil
}
