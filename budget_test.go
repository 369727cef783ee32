package aof_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

// leastBudget is the least that the error names for the hot files of aoftest.Small.
const leastBudget = 448 << 10

// within returns small options with a budget.
func within(budget int64) *aof.Options {
	o := aoftest.Small()
	o.HotBudget = budget
	return o
}

// watch holds what is taken of the disk against the budget at every operation, and
// returns the most it saw.
func watch(t *testing.T, d *aoftest.Disk, budget int64) *atomic.Int64 {
	t.Helper()
	var most atomic.Int64
	d.Fail(func(kind, name string) bool {
		if used := d.Used(); used > most.Load() {
			most.Store(used)
			if used > budget {
				t.Errorf("%d bytes are taken at %s %s, the budget is %d", used, kind, name, budget)
			}
		}
		return false
	})
	return &most
}

// However much is appended and trimmed, at no operation of the disk is more taken
// than the budget allows, and the store never stays full behind a trim.
func TestTheBudgetIsNeverExceeded(t *testing.T) {
	for _, budget := range []int64{leastBudget, leastBudget + 50_000, 1 << 20} {
		synctest.Test(t, func(t *testing.T) {
			d, s, st := active(t, within(budget))
			most := watch(t, d, budget)
			refused := 0
			for int64(s.Stats().Bytes) < 8*budget {
				if refused > 500 {
					t.Fatalf("budget %d: trimming makes no room: %+v", budget, s.Stats())
				}
				err := fillUntilRefused(t, st, 1000)
				expect(t, "append", err, aof.ErrFull)
				refused++
				b := st.Bounds()
				expect(t, "trim", st.TrimBefore(ctx, b.First+(b.Next-b.First)/2), nil)
			}
			if refused == 0 || most.Load() < budget*3/4 {
				t.Errorf("budget %d: refused %d times, at most %d bytes were taken", budget, refused, most.Load())
			}
			synctest.Wait()
			if got := s.Stats(); got.HotBytes != d.Used() || got.HotBudget != budget {
				t.Errorf("%d bytes of %d by the store's account, %d are taken", got.HotBytes, got.HotBudget, d.Used())
			}
		})
	}
}

// What is full names the budget and who holds on to the oldest file, in every form
// to append, at once, and nothing happens.
func TestAFullBudgetNamesWhoHoldsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, pinning := active(t, within(leastBudget))
		fill(t, pinning, 1, 0)
		for i := range 10 {
			fill(t, create(t, s, "another "+string(rune('a'+i))), 1, 0)
		}
		st := create(t, s, "large")
		expect(t, "append", fillUntilRefused(t, st, 1000), aof.ErrFull)
		synctest.Wait()
		for _, f := range forms {
			before := st.Bounds()
			seq, err := f.append(ctx, st, make([]byte, 1000))
			lawful(t, st, before, 1, seq, err)
			var full *aof.FullError
			if !errors.As(err, &full) || full.Budget != leastBudget || full.Used > leastBudget || full.Used != s.Stats().HotBytes {
				t.Fatalf("%s: %v (%+v)", f.name, err, full)
			}
			if len(full.Pinned) != 8 || full.Pinned[0] != "s" || !strings.Contains(err.Error(), `"another a"`) {
				t.Errorf("%s: pinned by %q: %v", f.name, full.Pinned, err)
			}
		}
		for what, got := range map[string][]string{"stats": s.Stats().Pinned, "a view": d.Inspect(nil).Pinned()} {
			if len(got) != 8 || got[0] != "s" {
				t.Errorf("%s: pinned by %q", what, got)
			}
		}
		expect(t, "trim", st.TrimBefore(ctx, st.Bounds().Next), nil)
		fill(t, st, 5, 1000)
		for name := range s.Streams() {
			if name != "large" {
				expect(t, "delete", s.DeleteStream(ctx, name), nil)
			}
		}
		synctest.Wait()
		if got := s.Stats().Pinned; slices.Contains(got, "s") {
			t.Errorf("stats: pinned by %q, which is deleted", got)
		}
	})
}

// While something at work can make room a Try form says that, and Ready closes when
// it has been made.
func TestAdmissionIsWaitedForWhileRoomIsBeingMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, within(leastBudget))
		expect(t, "append", fillUntilRefused(t, st, 1000), aof.ErrFull)
		synctest.Wait()
		_, err := st.TryAppend(make([]byte, 1000))
		expect(t, "try", err, aof.ErrFull)
		hold, trimmed := d.HoldSyncs(), make(chan error)
		go func() { trimmed <- st.TrimBefore(ctx, st.Bounds().Next) }()
		<-hold.Reached()
		synctest.Wait()
		before := st.Bounds()
		seq, err := st.TryAppend(make([]byte, 1000))
		lawful(t, st, before, 1, seq, err)
		b := blocked(t, err, aof.BlockAdmission)
		if isClosed(b.Ready()) || s.Stats().WouldBlock[aof.BlockAdmission] == 0 {
			t.Error("room is there before it was made, or nobody counted")
		}
		hold.Release()
		<-b.Ready()
		expect(t, "trim", <-trimmed, nil)
		synctest.Wait()
		fill(t, st, 5, 1000)
	})
}

// A budget may change between two lives. Below what is taken it refuses appends,
// everything else goes on, and trimming brings the store below it.
func TestABudgetThatWasLowered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, within(2<<20))
		expect(t, "append", fillUntilRefused(t, st, 3000), aof.ErrFull)
		synctest.Wait()
		killed := d.Kill(1)
		expect(t, "close", s.Close(), nil)
		for _, d := range []*aoftest.Disk{d, killed} {
			s := d.Open(within(leastBudget))
			st := stream(t, s, "s")
			taken := d.Used()
			expect(t, "append", fillUntilRefused(t, st, 1000), aof.ErrFull) // what was set aside is used up
			if d.Used() > taken {
				t.Errorf("%d bytes are taken, %d were when the budget was lowered to %d", d.Used(), taken, leastBudget)
			}
			last := st.Bounds().Durable
			expectSeqs(t, read(t, st, aof.ReaderOptions{}), 1, last)
			expect(t, "trim", st.TrimBefore(ctx, last), nil)
			synctest.Wait()
			fill(t, st, 200, 100)
			synctest.Wait()
			if got := s.Stats(); got.HotBytes > leastBudget {
				t.Errorf("%d bytes are taken of %d", got.HotBytes, leastBudget)
			}
			expect(t, "close", s.Close(), nil)
			fill(t, stream(t, d.Open(within(2<<20)), "s"), 200, 1000) // and raised again
		}
	})
}

// A budget that is too small to go on with is refused with the least that would do.
func TestTheLeastBudget(t *testing.T) {
	d := aoftest.NewDisk(t)
	for _, budget := range []int64{1, leastBudget - 1, -1} {
		_, err := d.TryOpen(within(budget))
		expect(t, "open", err, aof.ErrInvalid)
		if budget > 0 && !strings.Contains(err.Error(), "458752") {
			t.Errorf("the least is not named: %v", err)
		}
	}
	d.Open(within(leastBudget))
}

// With WaitWhenFull an append waits until a trim has made room; nobody looks at the
// disk for that.
func TestWhoWaitsForTheBudgetGoesOnBehindATrim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := within(leastBudget)
		o.WhenFull = aof.WaitWhenFull
		d, s, st := active(t, o)
		looks := countLooks(d)
		done := make(chan error)
		go func() {
			for {
				if _, err := st.Append(ctx, make([]byte, 3000)); err != nil {
					done <- err
					return
				}
			}
		}()
		for range 20 {
			<-time.After(time.Hour)
			n, before := st.Bounds().Next, looks.Load()
			_, err := st.TryAppend(nil)
			if b := blocked(t, err, aof.BlockAdmission); isClosed(b.Ready()) {
				t.Error("ready, and there is no room")
			}
			<-time.After(time.Hour)
			if looks.Load() != before || st.Bounds().Next != n {
				t.Errorf("the disk was looked at %d times, and %d records were accepted", looks.Load()-before, st.Bounds().Next-n)
			}
			expect(t, "trim", st.TrimBefore(ctx, n), nil)
			synctest.Wait()
			if st.Bounds().Next == n {
				t.Error("a trim made room, and who waits was not told")
			}
		}
		expect(t, "delete", s.DeleteStream(ctx, "s"), nil)
		expect(t, "append", <-done, aof.ErrNotFound)
	})
}

// countLooks counts how often free space is asked for.
func countLooks(d *aoftest.Disk) *atomic.Int64 {
	var n atomic.Int64
	d.Fail(func(kind, _ string) bool {
		if kind == "usage" {
			n.Add(1)
		}
		return false
	})
	return &n
}

// While somebody waits for the disk it is looked at once a second, and not when
// nobody does; when there is room, who waits goes on.
func TestTheDiskIsLookedAtOnlyWhileSomebodyWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := aoftest.Small()
		o.WhenFull = aof.WaitWhenFull
		d, s, st := active(t, o)
		fillRounds(t, s, st, 2)
		synctest.Wait()
		d.SetFree(0)
		looks := countLooks(d)
		during := func(what string, least, most int64) {
			t.Helper()
			synctest.Wait()
			before := looks.Load()
			<-time.After(time.Minute)
			if n := looks.Load() - before; n < least || n > most {
				t.Errorf("%s: %d looks at the disk in a minute", what, n)
			}
		}
		ending, stop := context.WithCancel(ctx)
		stopped := make(chan error)
		go func() {
			for {
				if _, err := st.Append(ending, make([]byte, 3000)); err != nil {
					stopped <- err
					return
				}
			}
		}()
		during("somebody waits", 59, 61)
		stop()
		expect(t, "append", <-stopped, context.Canceled)
		during("nobody waits", 0, 1)
		_, err := st.TryAppend(make([]byte, 3000))
		b := blocked(t, err, aof.BlockAdmission)
		during("somebody has tried", 59, 61)
		d.SetFree(-1)
		<-b.Ready()
		fill(t, st, 5, 1000)
		during("there is room", 0, 1)
		aoftest.Check(t, s)
	})
}

// Where only the open file holds nothing that is needed it is ended, and its room
// used again.
func TestTheOpenFileGoesWhenOnlyThatMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, st := active(t, within(leastBudget))
		var pinning *aof.Stream // of the open file
		var err error
		for files := 0; err == nil; {
			if n := openFile(s); n != files {
				files, pinning = n, create(t, s, fmt.Sprint("pins ", n))
				fill(t, pinning, 1, 0)
			}
			_, err = st.Append(ctx, make([]byte, 1000))
		}
		expect(t, "append", err, aof.ErrFull)
		expect(t, "trim", st.TrimBefore(ctx, st.Bounds().Next), nil)
		synctest.Wait()
		_, err = st.Append(ctx, make([]byte, 1000))
		expect(t, "append while every file is needed", err, aof.ErrFull)
		recycled, rolled := s.Stats().Recycled, openFile(s)
		expect(t, "trim", pinning.TrimBefore(ctx, 2), nil)
		fill(t, st, 3, 1000)
		synctest.Wait()
		if s.Stats().Recycled == recycled || openFile(s) == rolled {
			t.Errorf("the open file is still %d: %+v", openFile(s), s.Stats())
		}
		expect(t, "append", fillUntilRefused(t, st, 1000), aof.ErrFull) // and no rolling without an end
	})
}

// openFile is the id of the open file.
func openFile(s *aof.Store) (id int) {
	for _, f := range s.Files() {
		if f.State == aof.FileOpen {
			id = int(f.ID)
		}
	}
	return id
}
