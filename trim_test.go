package aof_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

func TestTrimBefore(t *testing.T) {
	cases := []struct {
		name  string
		seq   aof.Seq
		first aof.Seq
		want  error
	}{
		{"record 0", 0, 1, aof.ErrInvalid},
		{"the first record", 1, 1, nil},
		{"the second", 2, 2, nil},
		{"the middle", 10, 10, nil},
		{"the last", 20, 20, nil},
		{"the next: to empty", 21, 21, nil},
		{"beyond the next", 22, 1, aof.ErrInvalid},
		{"far beyond the next", 1<<64 - 1, 1, aof.ErrInvalid},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d, s, st := active(t, aoftest.Small())
			fill(t, st, 20, 3000)
			for life := range 3 {
				if life == 0 {
					expect(t, "trim", st.TrimBefore(ctx, c.seq), c.want)
					expect(t, "trim again", st.TrimBefore(ctx, c.seq), c.want)
				}
				if b, want := st.Bounds(), (aof.Bounds{First: c.first, Durable: 20, Next: 21}); b != want {
					t.Errorf("life %d: bounds %+v, want %+v", life, b, want)
				}
				if n := st.Info().Records(); n != uint64(21-c.first) {
					t.Errorf("life %d: %d records", life, n)
				}
				expectSeqs(t, read(t, st, aof.ReaderOptions{}), c.first, 20)
				switch life {
				case 0: // the next life begins with a crash
					d = d.Crash(uint64(c.first))
					s = d.Open(aoftest.Small())
				case 1:
					expect(t, "close", s.Close(), nil)
					s = d.Open(aoftest.Small())
				}
				st = stream(t, s, "s")
			}
		})
	}
}

func TestATrimmedStreamGoesOnWithItsSeqs(t *testing.T) {
	d, s, st := active(t, aoftest.Small())
	fill(t, st, 50, 1000)
	expect(t, "trim to empty", st.TrimBefore(ctx, 51), nil)
	fill(t, st, 1, 0)
	expectSeqs(t, read(t, st, aof.ReaderOptions{}), 51, 51)
	expect(t, "trim to empty again", st.TrimBefore(ctx, 52), nil)
	expect(t, "close", s.Close(), nil)
	s = d.Open(aoftest.Small())
	st = stream(t, s, "s")
	if b, want := st.Bounds(), (aof.Bounds{First: 52, Durable: 51, Next: 52}); b != want {
		t.Errorf("bounds %+v, want %+v", b, want)
	}
	fill(t, st, 5, 0)
	expectSeqs(t, read(t, st, aof.ReaderOptions{Last: 100}), 52, 56)
}

// A reader at the tail of an emptied stream goes on with what comes.
func TestAFollowerSurvivesATrimToEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, st := active(t, aoftest.Small())
		fill(t, st, 3, 0)
		behind, err := st.Reader(aof.ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer behind.Close()
		follower, err := st.Reader(aof.ReaderOptions{From: 4})
		if err != nil {
			t.Fatal(err)
		}
		defer follower.Close()
		got := make(chan aof.Seq)
		go func() {
			rec, err := follower.Next(ctx)
			expect(t, "follow", err, nil)
			got <- rec.Seq
		}()
		synctest.Wait()
		expect(t, "trim", st.TrimBefore(ctx, 4), nil)
		_, err = behind.Next(ctx)
		var trimmed *aof.TrimmedError
		if !errors.As(err, &trimmed) || trimmed.First != 4 {
			t.Errorf("a reader behind the trim: %v", err)
		}
		fill(t, st, 1, 0)
		if seq := <-got; seq != 4 {
			t.Errorf("the follower got %d", seq)
		}
	})
}

// Fifty files' worth of records under trims: files are recycled, and neither
// their number nor their size grows.
func TestChurnKeepsTheFilesBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, aoftest.Small())
		pinned := create(t, s, "pinned") // its one record keeps the first file
		fill(t, pinned, 1, 0)
		most := 0
		for range 50 {
			fillRounds(t, s, st, 1)
			expect(t, "trim", st.TrimBefore(ctx, st.Bounds().Next-3), nil)
			synctest.Wait() // until the background work rests
			most = max(most, s.Stats().Files)
		}
		stats := s.Stats()
		if most > 12 || stats.FileBytes > 12*aoftest.SmallFile || stats.Recycled < 30 {
			t.Errorf("up to %d files, %d recycled, now %d bytes", most, stats.Recycled, stats.FileBytes)
		}
		expectSeqs(t, read(t, pinned, aof.ReaderOptions{}), 1, 1)
		d.CheckFiles(s)
		aoftest.Check(t, s)
		crashed := d.Crash(7).Open(aoftest.Small())
		if got, want := stream(t, crashed, "s").Bounds(), st.Bounds(); got != want {
			t.Errorf("behind a crash %+v, before %+v", got, want)
		}
		aoftest.Check(t, crashed)
	})
}

// What a deleted stream held goes as well.
func TestDeletingAStreamGivesItsRoomBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, aoftest.Small())
		fillRounds(t, s, st, 20)
		before := s.Stats().FileBytes
		expect(t, "delete", s.DeleteStream(ctx, "s"), nil)
		expect(t, "seal", s.Seal(ctx), nil)
		synctest.Wait()
		if after := s.Stats().FileBytes; after > before/2 {
			t.Errorf("%d bytes before, %d after", before, after)
		}
		d.CheckFiles(s)
	})
}

// Nothing but the delete or the trim itself happens here: it must be enough to
// give the sealed files up.
func TestDeletingOrTrimmingAloneGivesFilesUp(t *testing.T) {
	for name, forget := range map[string]func(*aof.Store, *aof.Stream) error{
		"delete": func(s *aof.Store, st *aof.Stream) error { return s.DeleteStream(ctx, st.Name()) },
		"trim":   func(_ *aof.Store, st *aof.Stream) error { return st.TrimBefore(ctx, st.Bounds().Next) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, s, st := active(t, aoftest.Small())
				fill(t, st, 1, 5000)
				expect(t, "seal", s.Seal(ctx), nil)
				fill(t, st, 1, 5000)
				expect(t, "seal", s.Seal(ctx), nil)
				synctest.Wait()
				expect(t, name, forget(s, st), nil)
				synctest.Wait()
				if got := s.Stats().Recycled; got != 2 {
					t.Errorf("%d files were given up, want 2", got)
				}
			})
		})
	}
}

func TestTheFirstSealedFileBringsTheFirstSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, aoftest.Small())
		fill(t, st, 3, 100)
		synctest.Wait()
		if n := s.Stats().Snapshots; n != 0 {
			t.Errorf("%d snapshots before a file is sealed", n)
		}
		expect(t, "seal", s.Seal(ctx), nil)
		synctest.Wait()
		if n := s.Stats().Snapshots; n != 1 {
			t.Errorf("%d snapshots after the first sealed file", n)
		}
		expect(t, "close", s.Close(), nil)
		if d.Open(aoftest.Small()).Recovery().Snapshot == "" {
			t.Error("the next life does not use it")
		}
	})
}

func TestAViewOfAFileThatWasGivenUpIsStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, aoftest.Small())
		fill(t, st, 5, 100)
		expect(t, "seal", s.Seal(ctx), nil)
		v := d.Inspect(aoftest.Small())
		r, err := v.Reader("s", aof.ReaderOptions{})
		expect(t, "reader", err, nil)
		expect(t, "trim", st.TrimBefore(ctx, 6), nil)
		synctest.Wait()
		fillRounds(t, s, st, 3) // the file is used again
		if _, err := r.Next(ctx); !errors.Is(err, aof.ErrStale) {
			t.Errorf("a record of a file that is another one now: %v", err)
		}
		expect(t, "close the reader", r.Close(), nil)
		expect(t, "close the view", v.Close(), nil)
	})
}
