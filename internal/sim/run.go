package sim

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/aof2/aof/internal/fsys/memfs"
)

// Run is one execution of a plan.
type Run struct {
	System System
	Plan   *Plan
	Replay []string // the order to keep, nil to follow the plan's seeds
	Quick  bool     // look at nothing between two steps: no crash points, no damage, no sweeps
	Harm   int      // disks to damage besides taking power away
	Sweeps int      // disks to open again and again, with a crash and an error at each operation of Open

	Report   *Report
	Order    []string // what was released, in order
	Diverged bool     // the order to keep could not be kept

	trace  uint64
	oracle *Oracle
	disk   *memfs.Mem
	past   *memfs.Mem // an earlier disk, for what comes back
	extra  *rand.Rand // of damage
	swept  *rand.Rand // of sweeps
	owed   int        // crash points not taken yet
	count  int        // lives begun
	clock  Clock      // of the stores
}

// Execute runs the plan in a bubble of its own and returns the first
// violation. That the store under test hangs is one.
func (r *Run) Execute(t *testing.T) (v *Violation) {
	defer func() {
		if p := recover(); p != nil {
			v = hang(p)
		}
	}()
	synctest.Test(t, func(*testing.T) { v = r.execute() })
	return v
}

// Trace is a digest of everything that happened, in order.
func (r *Run) Trace() uint64 { return r.trace }

func (r *Run) execute() *Violation {
	r.oracle = NewOracle()
	r.disk = memfs.New(r.Plan.Seed)
	r.extra = rand.New(rand.NewPCG(r.Plan.Seed, 0xda3a))
	r.swept = rand.New(rand.NewPCG(r.Plan.Seed, 0x5e))
	if r.Report == nil {
		r.Report = NewReport()
	}
	defer func() {
		r.Report.Faults.Add(r.disk.Counters())
		for name, n := range r.oracle.met {
			r.Report.Branches[name] += n
		}
	}()
	for i := range r.Plan.Lives {
		r.count++
		if v := r.life(&r.Plan.Lives[i]); v != nil {
			v.Detail = fmt.Sprintf("life %d: %s", r.count, v.Detail)
			return v
		}
		if r.Diverged {
			return nil
		}
	}
	return r.last()
}

// last opens what the last life left and compares it.
func (r *Run) last() *Violation {
	_, v := r.inspect(r.disk, nil)
	return v
}

// note adds a line to the trace.
func (r *Run) note(line string) {
	h := fnv.New64a()
	fmt.Fprint(h, r.trace, line)
	r.trace = h.Sum64()
}
