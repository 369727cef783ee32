package sim_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aof2/aof/internal/sim"
)

// pointsPerSeed is how many crash points of a seed are wanted. Some lives end
// before theirs are taken.
const pointsPerSeed = 225

// size is how much a run of the simulator does.
type size struct {
	seeds  int
	points int // crash points wanted of each seed
	harm   int // damaged disks of each seed
	sweeps int // seeds from one disk on which Open is crashed everywhere to the next
	repeat int // seeds in step mode that are run twice
	full   bool
}

// sizes are chosen by AOF_SIM. The full ones fail when a kind of fault or a
// branch of recovery was never met.
var sizes = map[string]size{
	"":     {seeds: 16, points: 80, harm: 6, sweeps: 8, repeat: 4},
	"ci":   {seeds: 1000, points: pointsPerSeed, harm: 10, sweeps: 16, repeat: 50, full: true},
	"long": {seeds: 5000, points: pointsPerSeed, harm: 20, sweeps: 10, repeat: 500, full: true},
}

// chosen is the size that flags and environment ask for.
func chosen(t *testing.T) size {
	s, ok := sizes[os.Getenv("AOF_SIM")]
	if !ok {
		t.Fatalf("AOF_SIM=%q: it is ci, long or nothing", os.Getenv("AOF_SIM"))
	}
	n := *seeds
	if text := os.Getenv("AOF_SIM_SEEDS"); n == 0 && text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("AOF_SIM_SEEDS: %v", err)
		}
	}
	if n > 0 {
		s = sizes["ci"]
		s.seeds = n
		if *harm >= 0 {
			s.harm = *harm
		}
		s.full = s.full && n >= sizes["ci"].seeds
	}
	return s
}

func TestAOFSurvives(t *testing.T) {
	begin, total, s := time.Now(), sim.NewReport(), chosen(t)
	var next atomic.Uint64
	next.Store(uint64(*firstSeed))
	end := uint64(*firstSeed + s.seeds)
	t.Run("workers", func(t *testing.T) {
		for range *workers {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for seed := next.Add(1) - 1; seed < end; seed = next.Add(1) - 1 {
					runSeed(t, seed, s, total)
					if t.Failed() && *buggy {
						return
					}
				}
			})
		}
	})
	total.Wall = time.Since(begin)
	t.Log("\n" + total.String())
	if *jsonFile != "" {
		writeJSON(t, *jsonFile, total)
	}
	if *buggy {
		return
	}
	if s.full {
		for _, m := range total.Missing(sim.AOF{}.Branches()) {
			t.Errorf("never met: %s", m)
		}
		demand(t, "crash points", total.Points, int64(s.seeds)*200)
		demand(t, "seeds with four appenders, readers and a trimmer", int64(total.Concurrent), int64(s.seeds)/2)
		demand(t, "disks swept through Open", int64(total.OpenImages), 50)
		demand(t, "seeds in step mode that ran twice", int64(total.RepeatTried), 50)
	}
	if total.Repeated != total.RepeatTried {
		t.Errorf("%d of %d seeds in step mode gave the same trace twice", total.Repeated, total.RepeatTried)
	}
}

func demand(t *testing.T, what string, have, want int64) {
	if have < want {
		t.Errorf("%s: %d, want %d", what, have, want)
	}
}

func writeJSON(t *testing.T, name string, r *sim.Report) {
	b, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.WriteFile(name, append(b, '\n'), 0o600)
	}
	if err != nil {
		t.Error(err)
	}
}

// runSeed runs the plan of one seed, and then once more: in step mode that
// gives the same trace, and what ran at once can be replayed from its order.
func runSeed(t *testing.T, seed uint64, s size, total *sim.Report) {
	defer watch(seed).Stop()
	plan := sim.Generate(seed, sim.Shape{Points: s.points, Streams: 3, Can: sim.AOF{}.Can, Least: sim.AOF{}.Least})
	r := &sim.Run{System: sim.AOF{}, Plan: plan, Report: sim.NewReport(), Harm: s.harm}
	if seed%uint64(s.sweeps) == 0 {
		r.Sweeps = 1
	}
	v := r.Execute(t)
	if v != nil {
		r.Report.Violations++
		t.Errorf("seed %d (step=%t): %v", seed, plan.Step, v)
		for i := max(0, len(r.Order)-*tail); i < len(r.Order); i++ {
			t.Log(r.Order[i])
		}
	}
	r.Report.Seeds++
	if crowded(plan) {
		r.Report.Concurrent++
	}
	if v == nil && !*buggy {
		runAgain(t, r, s)
	}
	total.Add(r.Report)
}

// crowded reports whether a plan has a life in which four clients append at
// once while others read and trim.
func crowded(p *sim.Plan) bool {
	return !p.Step && slices.ContainsFunc(p.Lives, func(l sim.Life) bool {
		var appenders, readers, trimmers int
		for _, c := range l.Clients {
			has := func(kinds ...sim.OpKind) bool {
				return slices.ContainsFunc(c, func(o sim.Op) bool { return slices.Contains(kinds, o.Kind) })
			}
			switch {
			case has(sim.DoAppend):
				appenders++
			case has(sim.DoTrim):
				trimmers++
			case has(sim.DoRead, sim.DoFollow):
				readers++
			}
		}
		return appenders >= 4 && readers > 0 && trimmers > 0
	})
}

// replayTries is how often the recorded order of a concurrent seed is tried:
// goroutines of the store that wake each other between two steps may come in
// another order than they did.
const replayTries = 3

// runAgain runs the plan again without looking at it on the way.
func runAgain(t *testing.T, r *sim.Run, s size) {
	if !r.Plan.Step {
		r.Report.ReplayTried++
		for range replayTries {
			again := &sim.Run{System: sim.AOF{}, Plan: r.Plan, Quick: true, Replay: r.Order}
			if v := again.Execute(t); v == nil && !again.Diverged && again.Trace() == r.Trace() {
				r.Report.Replayed++
				return
			}
		}
		return
	}
	if r.Plan.Seed >= uint64(*firstSeed+2*s.repeat) {
		return
	}
	r.Report.RepeatTried++
	again := &sim.Run{System: sim.AOF{}, Plan: r.Plan, Quick: true}
	v := again.Execute(t)
	if v == nil && again.Trace() == r.Trace() {
		r.Report.Repeated++
		return
	}
	t.Errorf("seed %d in step mode gave another trace the second time: %v", r.Plan.Seed, v)
	for i, line := range r.Order {
		if i >= len(again.Order) || again.Order[i] != line {
			t.Logf("step %d: %q, then %q", i, line, again.Order[i:min(i+1, len(again.Order))])
			return
		}
	}
}

// watch ends the process when a seed takes far too long: what waits for more
// than channels and timers is not noticed by the bubble it is in.
func watch(seed uint64) *time.Timer {
	return time.AfterFunc(5*time.Minute, func() {
		fmt.Printf("seed %d: sim: violation: hang: no end in sight\n%s\n", seed, sim.Stacks())
		os.Exit(2)
	})
}
