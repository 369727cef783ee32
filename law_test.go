package aof_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

var errStop = errors.New("the caller has had enough")

// lawful holds an append's outcome against the law of append: the seq is not zero
// exactly when the records were accepted, and then an error says that.
func lawful(t *testing.T, st *aof.Stream, before aof.Bounds, n int, seq aof.Seq, err error) {
	t.Helper()
	accepted := st.Bounds().Next - before.Next
	var unsettled *aof.UnsettledError
	switch isUnsettled := errors.As(err, &unsettled); {
	case err == nil && (seq != before.Next || accepted != aof.Seq(n)):
		t.Errorf("seq %d without error, and %d records were accepted from %d on", seq, accepted, before.Next)
	case err != nil && seq == 0 && (accepted != 0 || isUnsettled):
		t.Errorf("seq 0 and %v, and %d records were accepted", err, accepted)
	case err != nil && seq != 0 && (!isUnsettled || accepted != aof.Seq(n)):
		t.Errorf("seq %d and %v, and %d records were accepted", seq, err, accepted)
	case isUnsettled && (unsettled.First != seq || unsettled.Last != seq+aof.Seq(n)-1):
		t.Errorf("seq %d of %d records, and the error tells of %d..%d", seq, n, unsettled.First, unsettled.Last)
	}
}

// forms are the four ways to append.
var forms = []struct {
	name   string
	waits  bool
	append func(c context.Context, st *aof.Stream, recs ...[]byte) (aof.Seq, error)
}{
	{"TryAppend", false, func(_ context.Context, st *aof.Stream, recs ...[]byte) (aof.Seq, error) {
		return st.TryAppend(recs...)
	}},
	{"Append", true, func(c context.Context, st *aof.Stream, recs ...[]byte) (aof.Seq, error) {
		return st.Append(c, recs...)
	}},
	{"TryAppendBatch", false, func(_ context.Context, st *aof.Stream, recs ...[]byte) (aof.Seq, error) {
		return st.TryAppendBatch(batch(aof.AckDurable, recs...))
	}},
	{"AppendBatch", true, func(c context.Context, st *aof.Stream, recs ...[]byte) (aof.Seq, error) {
		return st.AppendBatch(c, batch(aof.AckDurable, recs...))
	}},
	{"AppendBatch accepted", true, func(c context.Context, st *aof.Stream, recs ...[]byte) (aof.Seq, error) {
		return st.AppendBatch(c, batch(aof.AckAccepted, recs...))
	}},
}

func batch(ack aof.Ack, recs ...[]byte) *aof.Batch {
	b := &aof.Batch{Ack: ack}
	for _, r := range recs {
		b.Records = append(b.Records, aof.Entry{Data: r})
	}
	return b
}

// Refusals that do not depend on time: every form refuses, and nothing happens.
func TestTheLawOfAppendOnRefusals(t *testing.T) {
	one := [][]byte{[]byte("x")}
	cancelled, cancel := context.WithCancelCause(ctx)
	cancel(errStop)
	cases := []struct {
		name  string
		ctx   context.Context
		recs  [][]byte
		spoil func(t *testing.T, s *aof.Store)
		want  error
		only  bool // for the forms that take a context
	}{
		{name: "context has ended before", ctx: cancelled, recs: one, want: errStop, only: true},
		{name: "no record at all", recs: nil, want: aof.ErrInvalid},
		{name: "record over its limit", recs: [][]byte{make([]byte, 1001)}, want: aof.ErrTooLarge},
		{name: "batch over its limit", recs: [][]byte{make([]byte, 1000), make([]byte, 1000), make([]byte, 100)}, want: aof.ErrTooLarge},
		{name: "store closed", recs: one, want: aof.ErrClosed, spoil: func(t *testing.T, s *aof.Store) {
			expect(t, "close", s.Close(), nil)
		}},
		{name: "stream deleted", recs: one, want: aof.ErrNotFound, spoil: func(t *testing.T, s *aof.Store) {
			expect(t, "delete", s.DeleteStream(ctx, "s"), nil)
		}},
		{name: "stream deleted and made again", recs: one, want: aof.ErrNotFound, spoil: func(t *testing.T, s *aof.Store) {
			expect(t, "delete", s.DeleteStream(ctx, "s"), nil)
			create(t, s, "s")
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, s, st := active(t, &aof.Options{HotFileSize: aoftest.SmallFile, MaxRecord: 1000, MaxBatch: 2100})
			fill(t, st, 3, 0)
			if c.spoil != nil {
				c.spoil(t, s)
			}
			for _, f := range forms {
				if c.only && !f.waits {
					continue
				}
				use := c.ctx
				if use == nil {
					use = ctx
				}
				before := st.Bounds()
				seq, err := f.append(use, st, c.recs...)
				expect(t, f.name, err, c.want)
				lawful(t, st, before, len(c.recs), seq, err)
				if seq != 0 {
					t.Errorf("%s: refused with seq %d", f.name, seq)
				}
			}
		})
	}
}

// A sync that hangs: the context ends after the records were accepted.
func TestTheLawOfAppendWhenTheContextEndsBehindAcceptance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _, st := active(t, aoftest.Small())
		hold := d.HoldSyncs()
		c, cancel := context.WithCancelCause(ctx)
		before := st.Bounds()
		type outcome struct {
			seq aof.Seq
			err error
		}
		done := make(chan outcome)
		go func() {
			seq, err := st.Append(c, []byte("record 1"), []byte("record 2"))
			done <- outcome{seq, err}
		}()
		<-hold.Reached()
		cancel(errStop)
		got := <-done
		if got.seq != 1 {
			t.Errorf("seq %d", got.seq)
		}
		expect(t, "append", got.err, errStop)
		lawful(t, st, before, 2, got.seq, got.err)
		if b := st.Bounds(); b.Durable != 0 {
			t.Errorf("durable before its sync: %+v", b)
		}
		hold.Release()
		expect(t, "wait until it is durable", st.WaitDurable(ctx, 2), nil)
		expectSeqs(t, read(t, st, aof.ReaderOptions{}), 1, 2)
	})
}

// The context ends while the append waits for room.
func TestTheLawOfAppendWhenTheContextEndsBeforeAcceptance(t *testing.T) {
	for _, f := range forms {
		if !f.waits {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, _, st := active(t, &aof.Options{HotFileSize: aoftest.SmallFile, MaxUnflushed: 1})
				hold := d.HoldSyncs()
				if _, err := st.TryAppend([]byte("record 1")); err != nil {
					t.Fatal(err)
				}
				<-hold.Reached()
				c, cancel := context.WithCancelCause(ctx)
				before := st.Bounds()
				done := make(chan struct{})
				go func() {
					defer close(done)
					seq, err := f.append(c, st, []byte("record 2"))
					expect(t, "append", err, errStop)
					lawful(t, st, before, 1, seq, err)
				}()
				synctest.Wait() // it waits for room
				cancel(errStop)
				<-done
				hold.Release()
			})
		})
	}
}

// Every file fails: what was accepted is unsettled, and the store is read-only.
func TestTheLawOfAppendWhenEverySyncFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, aoftest.Small())
		fill(t, st, 3, 0)
		d.FailSyncs(-1)
		before := st.Bounds()
		seq, err := st.Append(ctx, []byte("record 4"))
		expect(t, "append", err, aof.ErrReadOnly)
		lawful(t, st, before, 1, seq, err)
		if seq != 4 {
			t.Errorf("seq %d", seq)
		}
		for _, f := range forms {
			before := st.Bounds()
			seq, err := f.append(ctx, st, []byte("x"))
			expect(t, f.name, err, aof.ErrReadOnly)
			lawful(t, st, before, 1, seq, err)
		}
		_, err = s.CreateStream(ctx, "other", nil)
		expect(t, "create", err, aof.ErrReadOnly)
		expect(t, "trim", st.TrimBefore(ctx, 2), aof.ErrReadOnly)
		expect(t, "delete", s.DeleteStream(ctx, "s"), aof.ErrReadOnly)
		expect(t, "seal", s.Seal(ctx), aof.ErrReadOnly)
		expect(t, "wait", st.WaitDurable(ctx, 4), aof.ErrReadOnly)
		expect(t, "wait for what is durable", st.WaitDurable(ctx, 3), nil)
		expectSeqs(t, read(t, st, aof.ReaderOptions{}), 1, 3)
		if n := s.Stats().Poisoned; n != 3 {
			t.Errorf("%d files were given up, want 3", n)
		}
		expect(t, "close tells of what was lost", s.Close(), aof.ErrReadOnly)

		d.FailSyncs(0)
		after := d.Kill(1).Open(aoftest.Small())
		if n := stream(t, after, "s").Bounds().Durable; n != 3 && n != 4 {
			t.Errorf("%d records came back, want 3 or 4", n)
		}
	})
}

// Sync failures up to the limit cost nothing but the file.
func TestASyncFailureMovesTheRecordsToAnotherFile(t *testing.T) {
	for failures := 1; failures <= 2; failures++ {
		synctest.Test(t, func(t *testing.T) {
			d, s, st := active(t, aoftest.Small())
			fill(t, st, 5, 0)
			d.FailSyncs(failures)
			fill(t, st, 5, 0)
			synctest.Wait()
			if n := s.Stats().Poisoned; n != uint64(failures) {
				t.Errorf("%d files were given up, want %d", n, failures)
			}
			expectSeqs(t, read(t, st, aof.ReaderOptions{}), 1, 10)
			d.CheckFiles(s)
			for seed := range uint64(4) {
				expectSeqs(t, read(t, stream(t, d.Crash(seed).Open(aoftest.Small()), "s"), aof.ReaderOptions{}), 1, 10)
			}
		})
	}
}

// The store closes while an append waits for its sync.
func TestTheLawOfAppendWhenTheStoreCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, aoftest.Small())
		hold := d.HoldSyncs()
		if _, err := st.TryAppend([]byte("record 1")); err != nil {
			t.Fatal(err)
		}
		<-hold.Reached()
		before := st.Bounds()
		done := make(chan struct{})
		go func() {
			defer close(done)
			seq, err := st.Append(ctx, []byte("record 2")) // gathers behind the round that hangs
			expect(t, "append", err, aof.ErrClosed)
			lawful(t, st, before, 1, seq, err)
		}()
		synctest.Wait()
		closed := make(chan error)
		go func() { closed <- s.Close() }()
		// Time is virtual: the limit of Close passes once nothing else can happen.
		waitCtx, cancel := context.WithTimeout(ctx, 2*aof.DefaultCloseTimeout)
		defer cancel()
		<-waitCtx.Done()
		hold.Release()
		<-done
		expect(t, "close", <-closed, context.DeadlineExceeded)
		expect(t, "wait for what was synced", st.WaitDurable(ctx, 1), nil)
		expect(t, "wait for what was not", st.WaitDurable(ctx, 2), aof.ErrClosed)
		expectSeqs(t, read(t, stream(t, d.Open(aoftest.Small()), "s"), aof.ReaderOptions{}), 1, 1)
	})
}
