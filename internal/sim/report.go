package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aof2/aof/internal/fsys/memfs"
)

// Report counts what runs did. A Report belongs to one run at a time; Add
// brings several together.
type Report struct {
	Seeds        int
	Concurrent   int // seeds with many clients at once
	Replayed     int // of these, seeds whose recorded order gave the same again
	ReplayTried  int
	Repeated     int // seeds in step mode that gave the same trace twice
	RepeatTried  int
	Lives        int
	Steps        int64
	Points       int64 // crash points: unsynced bytes, an acknowledged record, recovered, every record compared
	Idle         int64 // the same without unsynced bytes or without an acknowledged record
	Recoveries   int64 // crash points during the recovery of another
	OpenImages   int   // disks on which Open was tried with a crash and an error at each operation
	OpenPoints   int64 // those crash points
	OpenErrors   int64 // those errors
	DamagePoints int64 // disks that were damaged besides, each opened twice
	Survived     int64 // openings of these in which nothing was missing
	Reported     int64 // in which the store said what is missing, or that it is read-only
	Refused      int64 // in which it refused the disk as damaged
	Exposed      int64 // in which acknowledged records of the very end were missing, which nothing behind them vouched for
	Records      int64 // compared
	Violations   int
	Branches     map[string]int64
	Faults       *memfs.Counters
	Wall         time.Duration

	mu sync.Mutex
}

// NewReport returns an empty report.
func NewReport() *Report {
	return &Report{Branches: make(map[string]int64), Faults: new(memfs.Counters)}
}

func (r *Report) branch(name string) { r.Branches[name]++ }

// found counts what a store met.
func (r *Report) found(f *Found) {
	for _, b := range f.Branches {
		r.branch(b)
	}
	for _, e := range f.Events {
		r.branch(e)
	}
}

// Add adds what o counted. It may be called by many goroutines.
func (r *Report) Add(o *Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Seeds += o.Seeds
	r.Concurrent += o.Concurrent
	r.Replayed += o.Replayed
	r.ReplayTried += o.ReplayTried
	r.Repeated += o.Repeated
	r.RepeatTried += o.RepeatTried
	r.Lives += o.Lives
	r.Steps += o.Steps
	r.Points += o.Points
	r.Idle += o.Idle
	r.Recoveries += o.Recoveries
	r.OpenImages += o.OpenImages
	r.OpenPoints += o.OpenPoints
	r.OpenErrors += o.OpenErrors
	r.DamagePoints += o.DamagePoints
	r.Survived += o.Survived
	r.Reported += o.Reported
	r.Refused += o.Refused
	r.Exposed += o.Exposed
	r.Records += o.Records
	r.Violations += o.Violations
	for b, n := range o.Branches {
		r.Branches[b] += n
	}
	r.Faults.Add(o.Faults)
}

// Missing lists the faults and branches that never happened.
func (r *Report) Missing(branches []string, unless ...memfs.Fault) (missing []string) {
	for _, f := range memfs.Faults() {
		if r.Faults.Count(f) == 0 && !slices.Contains(unless, f) {
			missing = append(missing, "fault "+f.String())
		}
	}
	for _, b := range branches {
		if r.Branches[b] == 0 {
			missing = append(missing, "branch "+b)
		}
	}
	return missing
}

// row is a line of the table.
type row struct {
	name  string
	count any
}

func (r *Report) rows() []row {
	return []row{
		{"seeds", r.Seeds},
		{"seeds with concurrent clients", r.Concurrent},
		{"concurrent seeds replayed from their order", fmt.Sprintf("%d of %d", r.Replayed, r.ReplayTried)},
		{"step seeds with the same trace twice", fmt.Sprintf("%d of %d", r.Repeated, r.RepeatTried)},
		{"lives", r.Lives},
		{"steps", r.Steps},
		{"crash points", r.Points},
		{"crash points with nothing at stake", r.Idle},
		{"crash points during recovery", r.Recoveries},
		{"disks swept through Open", r.OpenImages},
		{"crash points at an operation of Open", r.OpenPoints},
		{"errors of an operation of Open", r.OpenErrors},
		{"disks damaged", r.DamagePoints},
		{"openings of these: nothing missing", r.Survived},
		{"openings of these: reported", r.Reported},
		{"openings of these: refused", r.Refused},
		{"openings of these: lost an unvouched end", r.Exposed},
		{"records compared", r.Records},
		{"violations", r.Violations},
	}
}

// String is the report for people.
func (r *Report) String() string {
	var b strings.Builder
	for _, l := range r.rows() {
		fmt.Fprintf(&b, "%-44s %v\n", l.name, l.count)
	}
	fmt.Fprintf(&b, "%-44s %s, %d cores, %s/%s, %s\n", "wall time", r.Wall.Round(time.Millisecond),
		runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH, runtime.Version())
	if r.Points > 0 {
		fmt.Fprintf(&b, "%-44s %s\n", "wall time for each crash point", (r.Wall / time.Duration(r.Points)).Round(time.Microsecond))
	}
	b.WriteString("\nfaults\n" + r.Faults.String())
	b.WriteString("\nbranches\n")
	for _, name := range slices.Sorted(maps.Keys(r.Branches)) {
		fmt.Fprintf(&b, "%-34s %d\n", name, r.Branches[name])
	}
	return b.String()
}

// MarshalJSON is the report for machines.
func (r *Report) MarshalJSON() ([]byte, error) {
	faults := make(map[string]int64)
	for _, f := range memfs.Faults() {
		faults[f.String()] = r.Faults.Count(f)
	}
	counts := make(map[string]any)
	for _, l := range r.rows() {
		counts[l.name] = l.count
	}
	return json.Marshal(map[string]any{
		"counts": counts, "branches": r.Branches, "faults": faults,
		"seconds": r.Wall.Seconds(), "cores": runtime.GOMAXPROCS(0), "go": runtime.Version(),
		"os": runtime.GOOS, "arch": runtime.GOARCH,
	})
}
