package aof_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

// twenty returns a stream of records 1..20 of which 1..5 are trimmed, across
// several sealed files and the open one.
func twenty(t *testing.T) (*aof.Store, *aof.Stream) {
	t.Helper()
	_, s, st := active(t, aoftest.Small())
	for range 4 {
		fill(t, st, 5, 5000)
		expect(t, "seal", s.Seal(ctx), nil)
	}
	expect(t, "trim", st.TrimBefore(ctx, 6), nil)
	return s, st
}

func TestWhereAReaderBeginsAndEnds(t *testing.T) {
	_, st := twenty(t)
	cases := []struct {
		name        string
		o           aof.ReaderOptions
		first, last aof.Seq
		want        error
	}{
		{"the zero value begins with the oldest", aof.ReaderOptions{}, 6, 20, nil},
		{"from the first", aof.ReaderOptions{From: 6}, 6, 20, nil},
		{"from the middle", aof.ReaderOptions{From: 13}, 13, 20, nil},
		{"from the last", aof.ReaderOptions{From: 20}, 20, 20, nil},
		{"from the end", aof.ReaderOptions{From: 21}, 21, 20, nil},
		{"from a trimmed record", aof.ReaderOptions{From: 5}, 0, 0, aof.ErrTrimmed},
		{"from the first trimmed record", aof.ReaderOptions{From: 1}, 0, 0, aof.ErrTrimmed},
		{"from beyond the end", aof.ReaderOptions{From: 22}, 0, 0, aof.ErrInvalid},
		{"from far beyond the end", aof.ReaderOptions{From: 1<<64 - 1}, 0, 0, aof.ErrInvalid},
		{"the last one", aof.ReaderOptions{Last: 1}, 20, 20, nil},
		{"the last seven", aof.ReaderOptions{Last: 7}, 14, 20, nil},
		{"as many as there are", aof.ReaderOptions{Last: 15}, 6, 20, nil},
		{"more than there are", aof.ReaderOptions{Last: 16}, 6, 20, nil},
		{"far more than there are", aof.ReaderOptions{Last: 1<<64 - 1}, 6, 20, nil},
		{"from and last", aof.ReaderOptions{From: 6, Last: 1}, 0, 0, aof.ErrInvalid},
		{"up to the middle", aof.ReaderOptions{To: 10}, 6, 10, nil},
		{"one record", aof.ReaderOptions{From: 9, To: 9}, 9, 9, nil},
		{"an end before the beginning", aof.ReaderOptions{From: 9, To: 8}, 9, 8, nil},
		{"the last three up to one before", aof.ReaderOptions{Last: 3, To: 19}, 18, 19, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.want == nil {
				expectSeqs(t, read(t, st, c.o), c.first, c.last)
				return
			}
			_, err := st.Reader(c.o)
			expect(t, "reader", err, c.want)
			var trimmed *aof.TrimmedError
			if errors.As(err, &trimmed) && trimmed.First != 6 {
				t.Errorf("the first record is said to be %d", trimmed.First)
			}
		})
	}
}

func TestSeek(t *testing.T) {
	_, st := twenty(t)
	r, err := st.Reader(aof.ReaderOptions{To: 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range []aof.Seq{20, 6, 13, 14, 6} {
		expect(t, "seek", r.Seek(seq), nil)
		if rec, err := r.Next(ctx); rec.Seq != seq || err != nil {
			t.Errorf("sought %d, got %d, %v", seq, rec.Seq, err)
		}
	}
	expect(t, "seek to 0", r.Seek(0), aof.ErrInvalid)
	expect(t, "seek to a trimmed record", r.Seek(5), aof.ErrTrimmed)
	expect(t, "seek beyond the end", r.Seek(22), aof.ErrInvalid)
	if rec, err := r.Next(ctx); rec.Seq != 7 || err != nil {
		t.Errorf("a refused Seek moved the reader: %d, %v", rec.Seq, err)
	}
	expect(t, "seek to the end", r.Seek(21), nil)
	_, err = r.Next(ctx)
	expect(t, "next behind To", err, io.EOF)
	if _, err := r.TryNext(); !errors.Is(err, io.EOF) {
		t.Errorf("try behind To: %v", err)
	}
	expect(t, "close", r.Close(), nil)
}

func TestAReaderThatIsClosed(t *testing.T) {
	_, st := twenty(t)
	r, err := st.Reader(aof.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = r.TryNext(); err == nil { // a fetch is under way
		t.Error("a record without a fetch")
	}
	expect(t, "close", r.Close(), nil)
	expect(t, "close again", r.Close(), nil)
	_, err = r.Next(ctx)
	expect(t, "next", err, aof.ErrClosed)
	_, err = r.TryNext()
	expect(t, "try", err, aof.ErrClosed)
	expect(t, "seek", r.Seek(7), aof.ErrClosed)
	n := 0
	for _, err := range r.All(ctx) {
		n++
		expect(t, "all", err, aof.ErrClosed)
	}
	if n != 1 {
		t.Errorf("All yielded %d times", n)
	}
}

// TryNext says Hydration until the fetch is done, then gives what it brought, and
// then Tail until there is more.
func TestTheStatesOfTryNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, aoftest.Small())
		fill(t, st, 3, 0)
		gate := make(chan struct{})
		d.Fail(func(kind, _ string) bool {
			if kind == "read" {
				<-gate
			}
			return false
		})
		r, err := st.Reader(aof.ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.TryNext()
		ready := blocked(t, err, aof.BlockHydration).Ready()
		_, err = r.TryNext()
		_ = blocked(t, err, aof.BlockHydration)
		if isClosed(ready) {
			t.Error("ready before the read is done")
		}
		close(gate)
		<-ready
		for want := aof.Seq(1); want <= 3; {
			rec, err := tryNext(r)
			if err != nil || rec.Seq != want {
				t.Fatalf("record %d, %v; want %d", rec.Seq, err, want)
			}
			want++
		}
		_, err = r.TryNext()
		tail := blocked(t, err, aof.BlockTail)
		if isClosed(tail.Ready()) {
			t.Error("ready at the tail")
		}
		fill(t, st, 1, 0)
		<-tail.Ready()
		if rec, err := tryNext(r); rec.Seq != 4 || err != nil {
			t.Errorf("record %d, %v", rec.Seq, err)
		}
		w := s.Stats().WouldBlock
		if w[aof.BlockTail] != 1 || w[aof.BlockHydration] == 0 {
			t.Errorf("counted %v", w)
		}
		expect(t, "close", r.Close(), nil)
	})
}

func TestNextEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, st := active(t, aoftest.Small())
		r, err := st.Reader(aof.ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		c, cancel := context.WithCancelCause(ctx)
		done := make(chan error)
		go func() {
			_, err := r.Next(c)
			done <- err
		}()
		synctest.Wait()
		cancel(errStop)
		expect(t, "next at the tail", <-done, errStop)
		fill(t, st, 1, 0)
		_, err = r.Next(c)
		expect(t, "next with a context that has ended", err, errStop)
		if rec, err := r.Next(ctx); rec.Seq != 1 || err != nil {
			t.Errorf("afterwards: %d, %v", rec.Seq, err)
		}
	})
}

// A loop over All may end early, and go on where it ended.
func TestAllMayBeLeftAndTakenUpAgain(t *testing.T) {
	_, st := twenty(t)
	r, err := st.Reader(aof.ReaderOptions{To: 20})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want := aof.Seq(6)
	for want <= 20 {
		n := 0
		for rec, err := range r.All(ctx) {
			if err != nil || rec.Seq != want {
				t.Fatalf("record %d, %v; want %d", rec.Seq, err, want)
			}
			want++
			if n++; n == 4 {
				break
			}
		}
	}
}

// One writer and many readers of every kind, across rolls, seals, recycling: each
// sees every record once, in order, and nothing before it is durable.
func TestManyReadersFollowOneWriter(t *testing.T) {
	_, s, st := active(t, aoftest.Small())
	const last = 600
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			r, err := st.Reader(aof.ReaderOptions{From: 1, To: last})
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			for want := aof.Seq(1); want <= last; want++ {
				rec, err := nextBy(i, r)
				if err != nil || rec.Seq != want || string(rec.Data[:len(text(want))]) != text(want) {
					t.Errorf("reader %d: record %d, %v; want %d", i, rec.Seq, err, want)
					return
				}
				if d := st.Bounds().Durable; d < want {
					t.Errorf("record %d was read, and durable is %d", want, d)
				}
			}
			if _, err := r.Next(ctx); !errors.Is(err, io.EOF) {
				t.Errorf("reader %d at the end: %v", i, err)
			}
		})
	}
	for range last / 100 {
		fill(t, st, 100, 500)
		expect(t, "seal", s.Seal(ctx), nil)
	}
	wg.Wait()
	aoftest.Check(t, s)
}

// nextBy reads in one of two ways.
func nextBy(i int, r *aof.Reader) (aof.Record, error) {
	if i%2 == 0 {
		return r.Next(ctx)
	}
	for {
		rec, err := r.TryNext()
		var b *aof.WouldBlockError
		if !errors.As(err, &b) {
			return rec, err
		}
		<-b.Ready()
	}
}

// Trims and recycling under a reader's feet: every record it gets is the right
// one, and the only error is TrimmedError, from which Seek goes on.
func TestReadersAreSafeAgainstTrimsAndRecycling(t *testing.T) {
	_, s, st := active(t, aoftest.Small())
	const last = 3000
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			r, err := st.Reader(aof.ReaderOptions{To: last})
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			for {
				rec, err := r.Next(ctx)
				var trimmed *aof.TrimmedError
				switch {
				case errors.Is(err, io.EOF):
					return
				case errors.As(err, &trimmed):
					if err := r.Seek(trimmed.First); err != nil && !errors.Is(err, aof.ErrTrimmed) {
						t.Errorf("seek %d: %v", trimmed.First, err)
						return
					}
				case err != nil:
					t.Error(err)
					return
				case string(rec.Data[:len(text(rec.Seq))]) != text(rec.Seq):
					t.Errorf("record %d holds %q", rec.Seq, rec.Data[:20])
					return
				}
			}
		})
	}
	for range last / 50 {
		fill(t, st, 50, 400)
		expect(t, "trim", st.TrimBefore(ctx, st.Bounds().Next-40), nil)
	}
	wg.Wait()
	if s.Stats().Recycled == 0 {
		t.Error("nothing was recycled; the test shows nothing")
	}
}

// Bounds is one consistent reading, whatever goes on.
func TestBoundsHoldUnderLoad(t *testing.T) {
	_, _, st := active(t, aoftest.Small())
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			var last aof.Bounds
			for !isClosed(stop) {
				b := st.Bounds()
				if b.First > b.Durable+1 || b.Durable >= b.Next || b.First < last.First || b.Durable < last.Durable || b.Next < last.Next {
					t.Errorf("bounds %+v behind %+v", b, last)
					return
				}
				last = b
			}
		})
	}
	for range 100 {
		fill(t, st, 10, 100)
		b := st.Bounds()
		expect(t, "trim", st.TrimBefore(ctx, b.First+(b.Next-b.First)/2), nil)
	}
	close(stop)
	wg.Wait()
}

// A reader that stands in a deleted, trimmed or closed part holds no file.
func TestAForgottenReaderHoldsNoFile(t *testing.T) {
	d, s, st := active(t, aoftest.Small())
	fill(t, st, 100, 1000)
	r, err := st.Reader(aof.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(ctx); err != nil {
		t.Fatal(err)
	}
	expect(t, "close", s.Close(), nil) // and r is never closed
	if n := d.Handles(); n != 0 {
		t.Errorf("%d files are open", n)
	}
	_, err = r.Next(ctx)
	expect(t, "next", err, aof.ErrClosed)
	_, err = r.TryNext()
	expect(t, "try", err, aof.ErrClosed)
	expect(t, "seek", r.Seek(50), aof.ErrClosed)
	_ = st.Info()
	for range s.Streams() {
	}
	if n := d.Handles(); n != 0 {
		t.Errorf("%d files were opened behind Close", n)
	}
}
