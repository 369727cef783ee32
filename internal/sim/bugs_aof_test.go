package sim_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/aof2/aof/internal/sim"
)

const (
	wantBugs   = 18                     // planted in the real store, at least
	mostSeeds  = 1000                   // that any of them may take
	bugPoints  = 200                    // crash points of a seed
	bugTimeout = 4 * time.Minute        // of one run of seeds
	allBugs    = "testdata/bugs/aof-*/" // and a directory for each package
)

var shrinkTo = flag.String("sim.shrink", "", "directory that gets the smallest plan with which each planted bug was noticed")

// someBugs are planted in every run of the tests; all of them with AOF_SIM=ci.
var someBugs = []string{
	"aof-journal/ack-before-sync", "aof-journal/failed-sync-retried", "aof-coordinator/recycled-before-decided",
}

// TestPlantedBug is run in another process with a bug planted, see
// TestAOFBugsAreCaught. It stops at the first violation.
func TestPlantedBug(t *testing.T) {
	if !*buggy {
		t.Skip("no bug is planted")
	}
	for seed := uint64(*firstSeed); seed < uint64(*firstSeed+*seeds); seed++ {
		if v := bugSeed(t, seed, max(*harm, 0)); v != nil {
			if *shrinkTo != "" && *harm <= 0 {
				writeCase(t, seed, v)
			}
			t.Fatalf("seed %d: %v", seed, v)
		}
	}
}

// bugSeed runs one of the seeds that bugs are looked for with.
func bugSeed(t *testing.T, seed uint64, harm int) *sim.Violation {
	points := bugPoints
	if harm > 0 {
		points /= 4
	}
	plan := bugPlan(seed, points)
	r := &sim.Run{System: sim.AOF{}, Plan: plan, Report: sim.NewReport(), Harm: harm}
	return r.Execute(t)
}

func bugPlan(seed uint64, points int) *sim.Plan {
	return sim.Generate(seed, sim.Shape{Points: points, Streams: 3, Can: sim.AOF{}.Can, Least: sim.AOF{}.Least})
}

// writeCase makes the plan of a seed small and writes it as text.
func writeCase(t *testing.T, seed uint64, v *sim.Violation) {
	s := sim.Shrinker{System: sim.AOF{}, Class: v.Class, Tries: 400, Reseeds: 2}
	plan := s.Shrink(t, bugPlan(seed, bugPoints))
	text := fmt.Sprintf("# Gave %s.\n%s", v.Class, plan.Text())
	if err := os.WriteFile(*shrinkTo, []byte(text), 0o600); err != nil {
		t.Error(err)
	}
}

// TestAOFBugsApply fails when a planted bug no longer fits the code.
func TestAOFBugsApply(t *testing.T) {
	bugs := loadBugs(t)
	if len(bugs) < wantBugs {
		t.Errorf("%d bugs are planted in the store, want %d", len(bugs), wantBugs)
	}
	for name, bug := range bugs {
		if bug.Seeds > mostSeeds {
			t.Errorf("%s: %d seeds, at most %d", name, bug.Seeds, mostSeeds)
		}
		if _, err := bug.Overlay(absolute(t, moduleRoot), t.TempDir()); err != nil {
			t.Error(err)
		}
	}
}

// TestAOFBugsAreCaught plants each bug in a copy of the store and demands that
// the simulator notices. What the unchanged store fails with as well counts
// for nothing.
func TestAOFBugsAreCaught(t *testing.T) {
	if testing.Short() {
		t.Skip("builds this package once for each bug")
	}
	if *buggy {
		t.Skip("a bug is planted already")
	}
	bugs := loadBugs(t)
	names := someBugs
	if os.Getenv("AOF_SIM") == "ci" {
		names = nil
		for name := range bugs {
			names = append(names, name)
		}
	}
	table := bugTable{begin: time.Now()}
	t.Run("bugs", func(t *testing.T) {
		for _, name := range names {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				bug := bugs[name]
				if bug == nil {
					t.Fatal("there is no such bug")
				}
				table.add(name, hunt(t, bug))
			})
		}
	})
	t.Log("\n" + table.String())
}

func loadBugs(t *testing.T) map[string]*sim.Bug {
	files, err := filepath.Glob(allBugs + "*.txt")
	if err != nil {
		t.Fatal(err)
	}
	bugs := make(map[string]*sim.Bug)
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(file), "testdata/bugs/"), ".txt")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bugs[name], err = sim.ParseBug(name, string(text)); err != nil {
			t.Fatal(err)
		}
	}
	return bugs
}

func absolute(t *testing.T, path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// catch is how a bug was noticed.
type catch struct {
	seeds     int // run until then
	violation string
	took      time.Duration
}

// hunt builds the tests with the bug and runs seeds until one fails that the
// unchanged store passes.
func hunt(t *testing.T, bug *sim.Bug) catch {
	begin := time.Now()
	binary := plant(t, bug)
	for seed := 0; seed < bug.Seeds; {
		at, class, line := runBug(t, binary, bug, seed)
		if class == "" {
			break
		}
		if v := bugSeed(t, uint64(at), bug.Harm); v != nil && v.Class == class {
			seed = at + 1 // it fails without the bug as well
			continue
		}
		return catch{at + 1, line, time.Since(begin)}
	}
	t.Errorf("not noticed in %d seeds", bug.Seeds)
	return catch{bug.Seeds, "-", time.Since(begin)}
}

// plant builds this package's tests with the bug and returns the program.
func plant(t *testing.T, bug *sim.Bug) string {
	dir := t.TempDir()
	overlay, err := bug.Overlay(absolute(t, moduleRoot), dir)
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "sim.test")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("does not build: %v\n%s", err, out)
	}
	return binary
}

var violationLine = regexp.MustCompile(`(?m)seed (\d+): sim: violation: ([^:\n]+): (.*)$`)

// runBug runs seeds and returns the first that fails, with its violation. The
// class is empty when all of them pass. Whatever else ends the program is an
// error of the bug.
func runBug(t *testing.T, binary string, bug *sim.Bug, first int) (seed int, class, line string) {
	ctx, cancel := context.WithTimeout(t.Context(), bugTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.run=^TestPlantedBug$", "-sim.buggy",
		"-sim.first", strconv.Itoa(first), "-sim.seeds", strconv.Itoa(bug.Seeds-first), "-sim.harm", strconv.Itoa(bug.Harm))
	if *shrinkTo != "" {
		name := strings.ReplaceAll(bug.Name, "/", "-") + ".txt"
		cmd.Args = append(cmd.Args, "-sim.shrink", filepath.Join(absolute(t, *shrinkTo), name))
	}
	out, err := cmd.CombinedOutput()
	m := violationLine.FindSubmatch(out)
	switch {
	case err == nil:
		return 0, "", ""
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		t.Fatalf("neither noticed nor passed in %s:\n%s", bugTimeout, last(out))
	case m == nil:
		t.Fatalf("fails without a violation: %v\n%s", err, last(out))
	}
	seed, err = strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return seed, string(m[2]), string(m[2]) + ": " + string(m[3])
}

// last is the end of a program's output.
func last(out []byte) []byte {
	const most = 4000
	if i := bytes.Index(out, []byte("panic: ")); i >= 0 {
		return out[i:min(len(out), i+most)]
	}
	return out[max(0, len(out)-most):]
}

// bugTable is what the hunt found, for people.
type bugTable struct {
	begin time.Time
	mu    sync.Mutex
	lines []string
}

func (b *bugTable) add(name string, c catch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, fmt.Sprintf("%s\t%d\t%.1f\t%.150s\n", name, c.seeds, c.took.Seconds(), c.violation))
}

func (b *bugTable) String() string {
	slices.Sort(b.lines)
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "bug\tseeds\tseconds\tviolation\n%s", strings.Join(b.lines, ""))
	_ = w.Flush() // into memory
	return fmt.Sprintf("%s%d bugs in %s", text.String(), len(b.lines), time.Since(b.begin).Round(time.Millisecond))
}
