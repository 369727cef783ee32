package sim_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/aof2/aof/internal/sim"
)

func everything(sim.OpKind) bool { return true }

func TestPlanRoundTrip(t *testing.T) {
	for seed := range uint64(200) {
		plan := sim.Generate(seed, sim.Shape{Points: 100, Streams: 3, Can: everything, Least: sim.AOF{}.Least})
		text := plan.Text()
		again, err := sim.ParsePlan(text)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		if again.Text() != text {
			t.Fatalf("seed %d: the text changed from\n%s\nto\n%s", seed, text, again.Text())
		}
		if again.Seed != plan.Seed || again.Step != plan.Step || again.Setting != plan.Setting || len(again.Lives) != len(plan.Lives) {
			t.Fatalf("seed %d: the plan changed", seed)
		}
		for i := range plan.Lives {
			checkLife(t, &plan.Lives[i], &again.Lives[i])
		}
	}
}

// checkLife compares lives but for the arguments of operations that have none.
func checkLife(t *testing.T, want, got *sim.Life) {
	t.Helper()
	if got.Seed != want.Seed || got.Points != want.Points || got.Noise != want.Noise || got.End != want.End ||
		!reflect.DeepEqual(got.Faults, want.Faults) || len(got.Clients) != len(want.Clients) {
		t.Fatalf("life %+v became %+v", want, got)
	}
	for i, c := range want.Clients {
		if len(got.Clients[i]) != len(c) {
			t.Fatalf("client %d: %d operations became %d", i, len(c), len(got.Clients[i]))
		}
		for j, op := range c {
			if have := got.Clients[i][j]; !equalOps(op, have) {
				t.Fatalf("client %d, operation %d: %+v became %+v", i, j, op, have)
			}
		}
	}
}

func equalOps(a, b sim.Op) bool {
	for _, o := range []*sim.Op{&a, &b} {
		switch o.Kind {
		case sim.DoRead, sim.DoFollow, sim.DoTrim, sim.DoFull, sim.DoSince, sim.DoKeep, sim.DoResume, sim.DoClock:
		default:
			o.Arg = 0
		}
	}
	return reflect.DeepEqual(a, b)
}

func TestPlanWithEveryWord(t *testing.T) {
	const text = `plan 7 step=true hot=16384 unflushed=2048 budget=500000 wait=true
life 9 points=3 noise=20 end=kill-after-fault after=0
  fail sync 1
  fail write-back 80
  fail short-write 2
  fail rename 1
  client
    create 0
    append 0 try 0 8 100
    append 1 wait 40
    append 1 try if-next timed 40
    append 1 wait if-durable 40
    append 1 wait if-old 40
    append 1 context if-gap 40
    append 1 accepted timed kept 40 40
    append 0 context 40
    append 0 accepted 40 40
    await 0
    read 0 500
    follow 0 3
  client
    trim 0 1000
    seal 0
    verify 0
    full 0 3
    room 0
    since 0 400
    keep 0 1
    resume 0 2
    clock 0 900
    delete 0
life 10 points=0 noise=0 end=close after=12
`
	plan, err := sim.ParsePlan("# a comment\n\n" + text)
	if err != nil {
		t.Fatal(err)
	}
	if got := plan.Text(); got != text {
		t.Errorf("became\n%s", got)
	}
	if plan.Ops() != 23 {
		t.Errorf("%d operations", plan.Ops())
	}
}

func TestPlanRefused(t *testing.T) {
	const head = "plan 1 step=false hot=16384 unflushed=2048\n"
	const life = head + "life 1 points=0 noise=0 end=crash after=0\n"
	for _, tt := range []struct{ name, text, problem string }{
		{"nothing", "", "without a life"},
		{"no life", head, "without a life"},
		{"a head cut short", "plan 1 step=false\n", "line 1"},
		{"an end that is none", head + "life 1 points=0 noise=0 end=boom after=0\n", "boom"},
		{"a fault before the first life", head + "fail sync 1\n", "before the first life"},
		{"a fault that is none", life + "fail fsync 1\n", "fsync"},
		{"a fault without a number", life + "fail sync\n", "line 3"},
		{"an operation before the first client", life + "seal 0\n", "before the first client"},
		{"an operation that is none", life + "client\nflush 0\n", "flush"},
		{"an operation without a stream", life + "client\nseal\n", "not an operation"},
		{"a stream that is no number", life + "client\nseal x\n", "line 4"},
		{"an append without a mode", life + "client\nappend 0 40\n", "40"},
		{"an append of nothing", life + "client\nappend 0 wait\n", "append of nothing"},
		{"an expectation that is none", life + "client\nappend 0 wait if-lucky 40\n", "if-lucky"},
		{"a negative length", life + "client\nappend 0 wait -1\n", "not a length"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := sim.ParsePlan(tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("error %v, want one with %q", err, tt.problem)
			}
		})
	}
}
