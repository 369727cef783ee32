package aof_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

// expecting is a batch of one record that is to be record next.
func expecting(next aof.Seq) *aof.Batch {
	return &aof.Batch{Records: []aof.Entry{{Data: []byte(text(next))}}, ExpectNext: next}
}

// A conditional append is accepted as exactly what it expects to be, or refused without effect, and the refusal says what
// the next record is.
func TestAConditionalAppend(t *testing.T) {
	_, _, st := active(t, aoftest.Small())
	try := func(b *aof.Batch) (aof.Seq, error) { return st.TryAppendBatch(b) }
	wait := func(b *aof.Batch) (aof.Seq, error) { return st.AppendBatch(ctx, b) }
	for _, row := range []struct {
		name   string
		append func(*aof.Batch) (aof.Seq, error)
		expect aof.Seq
		want   aof.Seq // 0: refused
	}{
		{"the first record of an empty stream", wait, 1, 1},
		{"the next one", wait, 2, 2},
		{"one that is there", wait, 2, 0},
		{"the first one again", wait, 1, 0},
		{"one of the future", wait, 4, 0},
		{"the last that could ever be", wait, math.MaxUint64, 0},
		{"no expectation", wait, 0, 3},
		{"the next one, without waiting", try, 4, 4},
		{"one that is there, without waiting", try, 4, 0},
	} {
		next := st.Bounds().Next
		b := expecting(row.expect)
		b.Records[0].Data = []byte(text(next))
		got, err := row.append(b)
		if got != row.want {
			t.Fatalf("%s: it became record %d, %v; want %d", row.name, got, err, row.want)
		}
		if row.want != 0 {
			expect(t, row.name, err, nil)
			continue
		}
		var m *aof.MismatchError
		if !errors.As(err, &m) || !errors.Is(err, aof.ErrMismatch) || m.Stream != "s" || m.Expected != row.expect || m.Next != next {
			t.Errorf("%s: %v, want a mismatch that says %d", row.name, err, next)
		}
		if st.Bounds().Next != next {
			t.Errorf("%s: the refusal had an effect", row.name)
		}
	}
	expect(t, "wait", st.WaitDurable(ctx, 4), nil)
	expectSeqs(t, read(t, st, aof.ReaderOptions{}), 1, 4)
}

// Of many that expect the same, one gets it: the stream has each number once, and who is refused knows the next.
func TestConditionalAppendsRace(t *testing.T) {
	_, _, st := active(t, aoftest.Small())
	const clients, each = 8, 50
	var wait sync.WaitGroup
	for range clients {
		wait.Go(func() {
			next := aof.Seq(1)
			for done := 0; done < each; {
				seq, err := st.AppendBatch(ctx, expecting(next))
				var m *aof.MismatchError
				switch {
				case err == nil && seq == next:
					done++
					next++
				case errors.As(err, &m) && m.Next > next:
					next = m.Next
				default:
					t.Errorf("expecting %d: record %d, %v", next, seq, err)
					return
				}
			}
		})
	}
	wait.Wait()
	expectSeqs(t, read(t, st, aof.ReaderOptions{}), 1, clients*each)
}

// An expectation that becomes wrong while the append waits for room refuses it.
func TestAnExpectationThatEndsWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := aoftest.Small()
		o.MaxUnflushed = 2000
		d, _, st := active(t, o)
		hold := d.HoldSyncs()
		if _, err := st.TryAppend(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		large := make([]byte, 1500) // more than may be un-flushed beside the first
		first, second := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := st.Append(ctx, large)
			first <- err
		}()
		synctest.Wait()
		go func() {
			b := expecting(2)
			b.Records[0].Data = large
			_, err := st.AppendBatch(ctx, b)
			second <- err
		}()
		synctest.Wait()
		hold.Release()
		expect(t, "the append that came first", <-first, nil)
		expect(t, "the append that waited", <-second, aof.ErrMismatch)
		expect(t, "wait", st.WaitDurable(ctx, 2), nil)
		if b := st.Bounds(); b.Next != 3 {
			t.Errorf("the refusal had an effect: %+v", b)
		}
	})
}

// The caller's time comes back as it was given, beside that of the store, and without any there is none.
func TestACallersTimeBesideTheStores(t *testing.T) {
	given := []time.Time{
		{},
		time.Unix(0, 0), time.Date(2026, 11, 23, 4, 5, 6, 789_012_345, time.UTC), time.Unix(math.MaxInt64, 999_999_999),
		time.Unix(math.MinInt64, 0), time.Date(1850, 1, 1, 0, 0, 0, 0, time.UTC), // reversed, and at the ends of the range
	}
	d, s, st := active(t, aoftest.Small())
	b := &aof.Batch{}
	for i, at := range given {
		b.Records = append(b.Records, aof.Entry{Data: []byte(text(aof.Seq(i + 1))), EventTime: at})
	}
	if seq, err := st.AppendBatch(ctx, b); seq != 1 || err != nil {
		t.Fatalf("seq %d, %v", seq, err)
	}
	fillRounds(t, s, st, 2) // so that they are read from a sealed file too
	for _, s := range []*aof.Store{s, d.Kill(1).Open(aoftest.Small())} {
		r, err := stream(t, s, "s").Reader(aof.ReaderOptions{To: aof.Seq(len(given))})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for rec, err := range r.All(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			if want := given[n]; !rec.EventTime.Equal(want) || rec.EventTime.IsZero() != want.IsZero() {
				t.Errorf("record %d has the time %v, want %v", rec.Seq, rec.EventTime, want)
			}
			if string(rec.Data) != text(rec.Seq) || rec.Time.IsZero() {
				t.Errorf("record %d is %q of %v", rec.Seq, rec.Data, rec.Time)
			}
			n++
		}
		if n != len(given) {
			t.Errorf("%d records, want %d", n, len(given))
		}
		expect(t, "close", r.Close(), nil)
		if report, err := s.Verify(context.Background(), aof.VerifyOptions{}); err != nil || len(report.Damage) > 0 {
			t.Errorf("verify: %+v, %v", report, err)
		}
	}
}
