package sim_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/sim"
)

// lying is the toy on a disk whose syncs of data do nothing.
type lying struct{ toySystem }

func (lying) Open(ctx context.Context, disk fsys.FS, o sim.Setting) (sim.Store, error) {
	return toySystem{}.Open(ctx, lyingFS{disk}, o)
}

type lyingFS struct{ fsys.FS }

type lyingFile struct{ fsys.File }

func (lyingFile) Sync() error { return nil }

func (d lyingFS) Create(name string) (fsys.File, error) {
	f, err := d.FS.Create(name)
	if err != nil || !(toySystem{}).IsData(name) {
		return f, err
	}
	return lyingFile{f}, nil
}

// firstFailure is the first seed whose plan fails, with its violation.
func firstFailure(t *testing.T, s sim.System, count int) (*sim.Plan, *sim.Violation) {
	for seed := range uint64(count) {
		plan := sim.Generate(seed, sim.Shape{Points: 40, Streams: 1, Can: s.Can})
		r := &sim.Run{System: s, Plan: plan}
		if v := r.Execute(t); v != nil {
			return plan, v
		}
	}
	return nil, nil
}

func TestShrinkKeepsTheFailure(t *testing.T) {
	plan, v := firstFailure(t, lying{}, 20)
	if v == nil {
		t.Fatal("a disk that does not sync was not noticed")
	}
	small := shrink(t, lying{}, plan, v)
	if v := (&sim.Run{System: toySystem{}, Plan: small}).Execute(t); v != nil {
		t.Errorf("the smallest plan fails on a disk that syncs as well: %v", v)
	}
}

// shrink makes a failing plan smaller and demands that little is left, which
// still fails in the same way when it is read back from text.
func shrink(t *testing.T, system sim.System, plan *sim.Plan, v *sim.Violation) *sim.Plan {
	s := sim.Shrinker{System: system, Class: v.Class, Tries: 600, Reseeds: 3}
	small := s.Shrink(t, plan)
	if small.Ops() > 16 || len(small.Lives) > 6 {
		t.Errorf("%d lives with %d operations are left of %d with %d:\n%s",
			len(small.Lives), small.Ops(), len(plan.Lives), plan.Ops(), small.Text())
	}
	again, err := sim.ParsePlan(small.Text())
	if err != nil {
		t.Fatal(err)
	}
	w := (&sim.Run{System: system, Plan: again}).Execute(t)
	if w == nil || w.Class != v.Class {
		t.Errorf("the smallest plan gives %v, the whole one %v", w, v)
	}
	t.Logf("%d lives with %d operations of %d with %d", len(small.Lives), small.Ops(), len(plan.Lives), plan.Ops())
	return small
}

// TestPlantedToyShrinks is run in another process with a bug planted in the
// toy, see TestToyBugsShrink.
func TestPlantedToyShrinks(t *testing.T) {
	if !*buggy {
		t.Skip("no bug is planted")
	}
	plan, v := firstFailure(t, toySystem{}, *seeds)
	if v == nil {
		return
	}
	if shrink(t, toySystem{}, plan, v); !t.Failed() {
		t.Error(v) // it was noticed, and it shrinks
	}
}

func TestToyBugsShrink(t *testing.T) {
	if os.Getenv("AOF_SIM") != "ci" {
		t.Skip("AOF_SIM is not ci")
	}
	planted(t, "testdata/bugs/toy", "TestPlantedToyShrinks", 5)
}

// TestMinimalCases replays what was once found and made small: text plans in
// which the toy (toy-*) or the store (the others) with some bug broke its
// promise. Without the bug they pass.
func TestMinimalCases(t *testing.T) {
	files, err := filepath.Glob("testdata/crash/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d cases: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := sim.ParsePlan(string(text))
			if err != nil {
				t.Fatal(err)
			}
			r := &sim.Run{System: sim.AOF{}, Plan: plan}
			if strings.HasPrefix(filepath.Base(file), "toy-") {
				r.System = toySystem{}
			}
			if v := r.Execute(t); v != nil {
				t.Error(v)
			}
		})
	}
}
