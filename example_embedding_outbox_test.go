package aof_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

var errNoSave = errors.New("the state cannot be saved")

// memoryState is a keeper that can be made to fail.
type memoryState struct {
	mu    sync.Mutex
	state []byte
	fail  bool
}

func (m *memoryState) load() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state, nil
}

func (m *memoryState) save(b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail {
		return errNoSave
	}
	m.state = b
	return nil
}

// freeze returns what is kept, as the last that is ever kept.
func (m *memoryState) freeze() *memoryState {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = true
	return &memoryState{state: m.state}
}

// begin lets a consumer run; the function it returns stops it and says how it ended.
func begin(o *outbox, name string, m *memoryState, sums map[string]int) (end func() error) {
	c := &consumer{name: name, keep: m, apply: func(derived map[string]int, rec aof.Record) error {
		err := addAmounts(derived, rec)
		clear(sums)
		maps.Copy(sums, derived)
		return err
	}}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- c.run(ctx, o) }()
	return func() error {
		stop()
		return <-ended
	}
}

// catchUp runs a consumer until it has nothing more to do, and returns what it has derived.
func catchUp(t *testing.T, o *outbox, name string, m *memoryState, want error) map[string]int {
	t.Helper()
	sums := map[string]int{}
	end := begin(o, name, m, sums)
	synctest.Wait()
	expect(t, "consumer "+name, end(), want)
	return sums
}

func ordered(t *testing.T, o *outbox, customer string, amount int) {
	t.Helper()
	_, err := o.place(ctx, order{customer, amount}, message{customer, "thank you"})
	expect(t, "place", err, nil)
}

// openedBox opens the store on d and an outbox with two consumers.
func openedBox(t *testing.T, d *aoftest.Disk) *outbox {
	t.Helper()
	s := d.Open(aoftest.Small())
	st, err := s.CreateStream(ctx, "orders", nil)
	if errors.Is(err, aof.ErrExists) {
		st = stream(t, s, "orders")
	}
	return newOutbox(st, "a", "b")
}

// Behind a crash every order that was acknowledged is counted once by each consumer, although they had come to different
// places and the stream was trimmed behind the slower one.
func TestTheOutboxSurvivesACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := aoftest.NewDisk(t)
		box := openedBox(t, d)
		var mu sync.Mutex
		placed, sure := []string{"before all"}, []string(nil)
		a, b := &memoryState{}, &memoryState{}
		ordered(t, box, placed[0], 1)
		catchUp(t, box, "a", a, context.Canceled)
		catchUp(t, box, "b", b, context.Canceled)
		expect(t, "trim", box.trim(ctx), nil) // so that nobody can begin anew
		var keptA, keptB *memoryState
		endA, endB := begin(box, "a", a, map[string]int{}), begin(box, "b", b, map[string]int{})
		after := crashed(t, d, 3, func(client, step int) {
			who := fmt.Sprintf("%d-%d", client, step)
			ordered(t, box, who, 1)
			if client == 0 && step%5 == 4 {
				expect(t, "trim", box.trim(ctx), nil)
			}
			mu.Lock()
			defer mu.Unlock()
			placed = append(placed, who)
		}, func() {
			mu.Lock()
			defer mu.Unlock()
			sure, keptA, keptB = slices.Clone(placed), a.freeze(), b.freeze()
		})
		for _, err := range []error{endA(), endB()} {
			if !errors.Is(err, errNoSave) && !errors.Is(err, context.Canceled) {
				t.Errorf("a consumer ended with %v", err)
			}
		}
		box = openedBox(t, after)
		ordered(t, box, "behind the crash", 1)
		for name, m := range map[string]*memoryState{"a": keptA, "b": keptB} {
			sums := catchUp(t, box, name, m, context.Canceled)
			for _, who := range append(sure, "behind the crash") {
				if sums[who] == 0 {
					t.Errorf("consumer %s has missed %s", name, who)
				}
			}
			for who, n := range sums {
				if n != 1 {
					t.Errorf("consumer %s has counted %s %d times", name, who, n)
				}
			}
		}
	})
}

// The stream is trimmed up to where the slowest consumer has saved, in this life or in an earlier one, and no further.
func TestTheOutboxIsTrimmedBehindTheSlowest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := aoftest.NewDisk(t)
		box := openedBox(t, d)
		first := func(what string, want aof.Seq) {
			t.Helper()
			expect(t, "trim", box.trim(ctx), nil)
			if got := box.stream.Bounds().First; got != want {
				t.Errorf("%s the first record is %d, want %d", what, got, want)
			}
		}
		a, b := &memoryState{}, &memoryState{}
		ordered(t, box, "ann", 1)
		catchUp(t, box, "a", a, context.Canceled)
		first("when one has saved", 1)
		catchUp(t, box, "b", b, context.Canceled)
		first("when both have saved", 3)
		ordered(t, box, "ann", 2)
		b.fail = true
		catchUp(t, box, "a", a, context.Canceled)
		catchUp(t, box, "b", b, errNoSave)
		first("when one could not save", 3)
		b.fail = false
		if sums := catchUp(t, box, "b", b, context.Canceled); sums["ann"] != 3 {
			t.Errorf("after a failed save: %v, want 3", sums)
		}
		box = openedBox(t, d.Crash(1))
		first("in another life, when nobody runs", 3)
		catchUp(t, box, "a", a, context.Canceled)
		catchUp(t, box, "b", b, context.Canceled)
		first("in another life, when both run", 5)
		catchUp(t, box, "c", &memoryState{}, errTooLate)
	})
}

// A store that was put back from an older copy is not the one that a state was derived from, whether it has fewer
// records or others; forgetting the state and beginning again is right as long as nothing is trimmed.
func TestAConsumerOfAStoreThatWasPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := aoftest.NewDisk(t)
		box := openedBox(t, d)
		ordered(t, box, "ann", 1)
		older := d.Kill(1)
		ordered(t, box, "ann", 10)
		state := &memoryState{}
		if sums := catchUp(t, box, "a", state, context.Canceled); sums["ann"] != 11 {
			t.Fatalf("derived %v", sums)
		}
		box = openedBox(t, older)
		catchUp(t, box, "a", state, aof.ErrDiverged)
		ordered(t, box, "ann", 100)
		ordered(t, box, "ann", 1000)
		catchUp(t, box, "a", state, aof.ErrDiverged)
		expect(t, "forget", state.save(nil), nil)
		if sums := catchUp(t, box, "a", state, context.Canceled); sums["ann"] != 1101 {
			t.Errorf("begun again: %v", sums)
		}
	})
}
