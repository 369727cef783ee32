package sim_test

import (
	"flag"
	"testing"

	"github.com/aof2/aof/internal/sim"
)

var (
	seeds     = flag.Int("sim.seeds", 0, "seeds to run; 0 is AOF_SIM_SEEDS or few")
	firstSeed = flag.Int("sim.first", 0, "first seed")
	workers   = flag.Int("sim.workers", 2, "seeds run at the same time")
	tail      = flag.Int("sim.tail", 0, "steps to print before a violation")
	jsonFile  = flag.String("sim.json", "", "file that gets the report as JSON")
	harm      = flag.Int("sim.harm", -1, "disks of each seed that are damaged; -1 follows the size")
	buggy     = flag.Bool("sim.buggy", false, "a bug is planted: stop at the first violation")
)

func TestToySurvives(t *testing.T) {
	total, count := sim.NewReport(), 40
	if *seeds > 0 {
		count = *seeds
	}
	for seed := range uint64(count) {
		plan := sim.Generate(seed, sim.Shape{Points: 40, Streams: 1, Can: toySystem{}.Can})
		r := &sim.Run{System: toySystem{}, Plan: plan, Report: sim.NewReport()}
		if v := r.Execute(t); v != nil {
			t.Fatalf("seed %d: %v", seed, v)
		}
		total.Add(r.Report)
	}
	if total.Points == 0 && !*buggy {
		t.Error("no crash point was taken")
	}
}
