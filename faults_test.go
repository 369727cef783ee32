package aof_test

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

// A full disk is a state that is entered and left: appends are refused when no
// further hot file can be prepared, everything else goes on, and no restart is
// needed once there is room.
func TestAFullDiskIsEnteredAndLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, aoftest.Small())
		fillRounds(t, s, st, 3)
		synctest.Wait()
		d.SetFree(0)
		full := fillUntilRefused(t, st, 1000)
		expect(t, "append", full, aof.ErrFull)
		for range 3 { // it stays full, whoever asks
			synctest.Wait()
			before := st.Bounds()
			seq, err := st.TryAppend(make([]byte, 1000))
			if !errors.Is(err, aof.ErrFull) && !errors.Is(err, aof.ErrWouldBlock) {
				t.Errorf("try: %v", err)
			}
			lawful(t, st, before, 1, seq, err)
			seq, err = st.Append(ctx, make([]byte, 1000))
			expect(t, "append", err, aof.ErrFull)
			lawful(t, st, before, 1, seq, err)
		}
		last := st.Bounds().Durable
		expectSeqs(t, read(t, st, aof.ReaderOptions{}), 1, last)
		aoftest.Check(t, s)
		d.SetFree(-1)
		fill(t, st, 50, 1000)
		expectSeqs(t, read(t, st, aof.ReaderOptions{}), 1, last+50)
		synctest.Wait()
		d.CheckFiles(s)
	})
}

// fillUntilRefused appends records of about size bytes until that is an error,
// which it returns.
func fillUntilRefused(t *testing.T, st *aof.Stream, size int) error {
	t.Helper()
	for range 1000 {
		before := st.Bounds()
		body := text(before.Next) + strings.Repeat(".", size)
		seq, err := st.Append(ctx, []byte(body))
		lawful(t, st, before, 1, seq, err)
		if err != nil {
			return err
		}
	}
	t.Fatal("the disk never fills")
	return nil
}

// On a disk with no room for another hot file, but for a snapshot, a trim makes
// room: what it frees is used again.
func TestATrimMakesRoomOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, aoftest.Small())
		fillRounds(t, s, st, 6)
		synctest.Wait()
		// Two such records leave room in a file, and a trim needs some in the open one.
		d.SetFree(aoftest.SmallFile - 8<<10)
		expect(t, "append", fillUntilRefused(t, st, 10_000), aof.ErrFull)
		for range 3 {
			next := st.Bounds().Next
			expect(t, "trim", st.TrimBefore(ctx, next), nil)
			synctest.Wait()
			if err := fillUntilRefused(t, st, 10_000); !errors.Is(err, aof.ErrFull) || st.Bounds().Next < next+2 {
				t.Errorf("%d records fitted behind a trim, then %v", st.Bounds().Next-next, err)
			}
		}
		if s.Stats().Recycled == 0 {
			t.Error("nothing was recycled")
		}
	})
}

func TestTheFirstAppendOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := aoftest.NewDisk(t)
		d.SetFree(16 << 10)
		s := d.Open(aoftest.Small())
		_, err := s.CreateStream(ctx, "s", nil)
		expect(t, "create", err, aof.ErrFull)
		if n := s.Stats(); n.Streams != 0 || n.Files != 0 {
			t.Errorf("stats %+v", n)
		}
		d.SetFree(-1)
		fill(t, create(t, s, "s"), 3, 0)
	})
}

// recorder keeps the events of a store.
type recorder struct {
	mu     sync.Mutex
	events []aof.Event
}

func (r *recorder) add(e aof.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// kinds lists the events so far, those of one kind in a row once, and forgets them.
func (r *recorder) kinds() []aof.EventKind {
	r.mu.Lock()
	defer r.mu.Unlock()
	var kinds []aof.EventKind
	for _, e := range r.events {
		kinds = append(kinds, e.Kind)
	}
	r.events = nil
	return slices.Compact(kinds)
}

func TestEventsTellAStoresLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		var log strings.Builder
		o := aoftest.Small()
		o.OnEvent = rec.add
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		tell := func(what string, want ...aof.EventKind) {
			t.Helper()
			synctest.Wait()
			got := rec.kinds()
			if !slices.Equal(got, want) {
				t.Errorf("%s: events %v, want %v", what, got, want)
			}
			for _, k := range got {
				if !strings.Contains(log.String(), "event="+string(k)) {
					t.Errorf("%s was not logged", k)
				}
			}
		}
		d, s, st := active(t, o)
		tell("the first append", aof.EventPrepared)
		fill(t, st, 10, 1000)
		tell("appends")
		expect(t, "seal", s.Seal(ctx), nil)
		tell("seal", aof.EventRolled, aof.EventPrepared, aof.EventSealed, aof.EventSnapshot)
		expect(t, "trim", st.TrimBefore(ctx, 11), nil)
		expect(t, "seal", s.Seal(ctx), nil)
		synctest.Wait()
		if got := rec.kinds(); !slices.Contains(got, aof.EventSnapshot) || !slices.Contains(got, aof.EventSealed) {
			t.Errorf("trimmed and sealed: events %v", got)
		}
		fillRounds(t, s, st, 2)
		expect(t, "trim", st.TrimBefore(ctx, st.Bounds().Next), nil)
		expect(t, "seal", s.Seal(ctx), nil)
		synctest.Wait()
		if got := rec.kinds(); !slices.Contains(got, aof.EventRecycled) {
			t.Errorf("trimmed to empty: events %v", got)
		}
		d.FailSyncs(1)
		fill(t, st, 1, 0)
		synctest.Wait()
		if got := rec.kinds(); !slices.Contains(got, aof.EventPoisoned) || slices.Contains(got, aof.EventReadOnly) {
			t.Errorf("one sync failed: events %v", got)
		}
		killed := d.Kill(1)
		d.FailSyncs(-1)
		_, err := st.Append(ctx, []byte("x"))
		expect(t, "append", err, aof.ErrReadOnly)
		synctest.Wait()
		if got := rec.kinds(); !slices.Contains(got, aof.EventReadOnly) {
			t.Errorf("every sync fails: events %v", got)
		}
		expect(t, "close", s.Close(), aof.ErrReadOnly)
		rec.kinds()
		killed.Open(o)
		tell("an unclean end", aof.EventRecovered)
	})
}

func TestStatsCountWhatHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, st := active(t, aoftest.Small())
		if _, err := st.Append(ctx, []byte("a"), []byte("b")); err != nil {
			t.Fatal(err)
		}
		fill(t, st, 8, 1000)
		expect(t, "seal", s.Seal(ctx), nil)
		synctest.Wait()
		got := s.Stats()
		if got.Streams != 1 || got.Appends != 9 || got.Records != 10 || got.Sealed != 1 || got.Unflushed != 0 || got.Poisoned != 0 {
			t.Errorf("stats %+v", got)
		}
		if got.Syncs == 0 || got.Syncs > got.Rounds || got.Bytes < 8000 || got.Files < 2 {
			t.Errorf("stats %+v", got)
		}
	})
}

// wall is a wall clock that is set by hand.
type wall struct {
	mu sync.Mutex
	at time.Time
}

func (w *wall) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *wall) step(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// A small step back of the wall clock is hidden, a large one is taken as it is and
// told, whoever meets it first.
func TestClockSteps(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, decided := range []bool{false, true} {
		clock, rec := &wall{at: start}, &recorder{}
		_, s, st := active(t, &aof.Options{Now: clock.now, OnEvent: rec.add})
		steps := []struct {
			by     time.Duration
			want   time.Duration // since the start
			events int
		}{
			{time.Minute, time.Minute, 0},
			{-9999 * time.Millisecond, time.Minute, 0},
			{5 * time.Second, time.Minute, 0},
			{5 * time.Second, time.Minute + time.Millisecond, 0},
			{-time.Hour, -time.Hour + time.Minute + time.Millisecond, 1},
			{time.Second, -time.Hour + time.Minute + time.Second + time.Millisecond, 1},
			{-10 * time.Second, -time.Hour + time.Minute - 9*time.Second + time.Millisecond, 2},
		}
		for i, step := range steps {
			clock.step(step.by)
			if decided {
				create(t, s, string(rune('a'+i)))
			}
			fill(t, st, 1, 0)
			r, err := st.Reader(aof.ReaderOptions{Last: 1})
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Next(ctx)
			if err != nil || !got.Time.Equal(start.Add(step.want)) {
				t.Errorf("step %d: the record's time is %v from the start, want %v (%v)", i, got.Time.Sub(start), step.want, err)
			}
			expect(t, "close", r.Close(), nil)
			if n := clockEvents(rec); n != step.events {
				t.Errorf("decided %v, step %d: %d events, want %d", decided, i, n, step.events)
			}
		}
	}
}

func clockEvents(r *recorder) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == aof.EventClock {
			n++
		}
	}
	return n
}

// A seal that fails says so, and the next one does it.
func TestASealThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, aoftest.Small())
		fill(t, st, 3, 0)
		d.Fail(func(kind, _ string) bool { return kind == "truncate" })
		for range 2 {
			if err := s.Seal(ctx); err == nil {
				t.Error("a failing seal said nothing")
			}
		}
		fill(t, st, 3, 0)
		d.Fail(nil)
		synctest.Wait()
		for range 2 { // the first may still tell of the attempt before
			_ = s.Seal(ctx)
			synctest.Wait()
		}
		expect(t, "seal", s.Seal(ctx), nil)
		for _, f := range s.Files() {
			if f.State == aof.FileRolled {
				t.Errorf("%s is not sealed", f.Path)
			}
		}
	})
}

// Attempts to prepare a file that fail leave nothing behind that grows.
func TestFailedPreparationsLeaveNothingBehind(t *testing.T) {
	for _, failing := range []string{"create", "allocate", "write", "rename", "sync-dir"} {
		synctest.Test(t, func(t *testing.T) {
			d, s, st := active(t, aoftest.Small())
			synctest.Wait()
			ready := map[string]bool{} // by the names under which they were made
			for _, f := range s.Files() {
				ready[f.Path+".tmp"] = true
			}
			d.Fail(func(kind, name string) bool {
				return kind == failing && (kind == "sync-dir" || strings.HasSuffix(name, ".tmp") && !ready[name])
			})
			if err := fillUntilRefused(t, st, 1000); errors.Is(err, aof.ErrWouldBlock) {
				t.Errorf("append: %v", err)
			}
			for range 20 {
				if seq, err := st.Append(ctx, make([]byte, 5000)); err == nil || seq != 0 {
					t.Errorf("%s fails, and the append gives %d, %v", failing, seq, err)
				}
			}
			d.Fail(nil)
			fill(t, st, 50, 1000)
			synctest.Wait()
			d.CheckFiles(s)
		})
	}
}

// With not a byte free, in the life that filled the disk and in the one behind an
// unclean end, streams are trimmed and deleted, files are sealed and snapshots
// written, and what that gives back is used.
func TestWithNothingFreeRoomIsGivenBack(t *testing.T) {
	giveBack := map[string]func(t *testing.T, s *aof.Store) error{
		"trim": func(t *testing.T, s *aof.Store) error {
			st := stream(t, s, "s")
			return st.TrimBefore(ctx, st.Bounds().Next)
		},
		"delete": func(_ *testing.T, s *aof.Store) error { return s.DeleteStream(ctx, "s") },
		"seal and trim": func(t *testing.T, s *aof.Store) error {
			st := stream(t, s, "s")
			return errors.Join(s.Seal(ctx), st.TrimBefore(ctx, st.Bounds().Next))
		},
		"trim often": func(t *testing.T, s *aof.Store) (err error) {
			st := stream(t, s, "s")
			for seq := aof.Seq(2); seq < st.Bounds().Next && err == nil; seq++ {
				err = st.TrimBefore(ctx, seq)
			}
			return err
		},
	}
	ends := map[string]func(d *aoftest.Disk, s *aof.Store) *aoftest.Disk{
		"the same life":          func(*aoftest.Disk, *aof.Store) *aoftest.Disk { return nil },
		"behind a clean end":     func(d *aoftest.Disk, s *aof.Store) *aoftest.Disk { expect(t, "close", s.Close(), nil); return d },
		"behind a kill":          func(d *aoftest.Disk, _ *aof.Store) *aoftest.Disk { return d.Kill(1) },
		"behind a loss of power": func(d *aoftest.Disk, _ *aof.Store) *aoftest.Disk { return d.Crash(1) },
	}
	for how, give := range giveBack {
		for when, end := range ends {
			synctest.Test(t, func(t *testing.T) {
				d, s, st := active(t, aoftest.Small())
				fillRounds(t, s, st, 3)
				synctest.Wait()
				d.SetFree(0)
				expect(t, "append", fillUntilRefused(t, st, 100), aof.ErrFull)
				synctest.Wait()
				if after := end(d, s); after != nil {
					d, s = after, after.Open(aoftest.Small())
					d.SetFree(0)
				}
				if err := give(t, s); err != nil {
					t.Errorf("%s, %s: %v", how, when, err)
				}
				synctest.Wait()
				if st := s.Stats(); st.Recycled == 0 {
					t.Errorf("%s, %s: nothing was given back: %+v", how, when, st)
				}
				fill(t, create(t, s, "another"), 20, 1000)
				synctest.Wait()
				aoftest.Check(t, s)
				d.CheckFiles(s)
			})
		}
	}
}
