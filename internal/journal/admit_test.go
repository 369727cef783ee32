package journal

import (
	"errors"
	"testing"

	"github.com/aof2/aof/internal/fsys"
)

// Who asks for a file while one is being prepared is told: of the attempt behind
// it when it fails, and of that one when it is enough.
func TestWhoAsksDuringAnAttemptIsTold(t *testing.T) {
	w := begin(t)
	l := w.create()
	w.mem.SetFree(0)
	if err := w.pump(); !errors.Is(err, fsys.ErrNoSpace) {
		t.Fatalf("prepare on a full disk: %v", err)
	}
	w.j.SetClearing(false, w.j.changed.At())
	var stale *StaleError
	ask := func() error {
		_, err := w.j.TryAppend(l, Batch{Records: [][]byte{nil}}, false, nil)
		if stale = nil; !errors.As(err, &stale) || !errors.Is(err, ErrFull) {
			t.Errorf("a full disk: %v", err)
		}
		return nil
	}
	told := func() bool { return w.j.tries.At() >= stale.Target }
	if err := w.j.Prepare(ask); !errors.Is(err, fsys.ErrNoSpace) || told() {
		t.Errorf("an attempt that was under way fails, %v, and who asked was told: %v", err, told())
	}
	if !w.j.Wants().Prepare {
		t.Error("nobody makes the attempt that was asked for")
	}
	if err := w.j.Prepare(nothingBefore); !errors.Is(err, fsys.ErrNoSpace) || !told() {
		t.Errorf("the attempt that was asked for: %v, who asked was told: %v", err, told())
	}
	w.mem.SetFree(-1)
	if err := w.j.Prepare(ask); err != nil || !told() {
		t.Errorf("an attempt that is enough: %v, who asked was told: %v", err, told())
	}
}
