package sim_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/sim"
)

// stuckSystem makes stores whose Close never returns.
type stuckSystem struct{ toySystem }

func (stuckSystem) Open(ctx context.Context, disk fsys.FS, o sim.Setting) (sim.Store, error) {
	s, err := toySystem{}.Open(ctx, disk, o)
	if err != nil {
		return nil, err
	}
	return stuckStore{s}, nil
}

type stuckStore struct{ sim.Store }

func (stuckStore) Close() error {
	<-make(chan struct{})
	return nil
}

const stuckEnv = "AOF_SIM_STUCK"

// TestStuckStore leaves goroutines behind, and so runs in a process of its own.
func TestStuckStore(t *testing.T) {
	if os.Getenv(stuckEnv) == "" {
		t.Skip("run by TestHangIsAViolation")
	}
	plan := sim.Generate(0, sim.Shape{Points: 40, Streams: 1, Can: toySystem{}.Can})
	r := &sim.Run{System: stuckSystem{}, Plan: plan}
	t.Log(r.Execute(t))
}

func TestHangIsAViolation(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run", "^TestStuckStore$", "-test.v")
	cmd.Env = append(os.Environ(), stuckEnv+"=1")
	out, _ := cmd.CombinedOutput() // it fails: goroutines are left
	for _, want := range []string{"violation: hang", "stuckStore.Close"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}
