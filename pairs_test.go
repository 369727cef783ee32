package aof_test

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

// A Try call never waits: with the disk standing still each returns at once, or
// this test does not end.
func TestTryCallsNeverWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _, st := active(t, &aof.Options{HotFileSize: aoftest.SmallFile, MaxUnflushed: 300})
		fill(t, st, 3, 0)
		r, err := st.Reader(aof.ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		gate := make(chan struct{})
		d.Fail(func(kind, _ string) bool {
			<-gate
			return false
		})
		for range 5 {
			before := st.Bounds()
			seq, err := st.TryAppend([]byte("x"))
			lawful(t, st, before, 1, seq, err)
			before = st.Bounds()
			seq, err = st.TryAppendBatch(batch(aof.AckDurable, []byte("x"), nil))
			lawful(t, st, before, 2, seq, err)
			_, err = r.TryNext()
			_ = blocked(t, err, aof.BlockHydration)
		}
		_, err = st.TryAppend(make([]byte, 200))
		_ = blocked(t, err, aof.BlockFlush)
		close(gate)
		expect(t, "close the reader", r.Close(), nil)
	})
}

// The waiting form is Try, wait for Ready, Try: whoever writes that loop gets what
// Append and Next give.
func TestTheWaitingFormIsTryWaitTry(t *testing.T) {
	tryAppend := func(st *aof.Stream, b []byte) (aof.Seq, error) {
		for {
			seq, err := st.TryAppend(b)
			var block *aof.WouldBlockError
			if !errors.As(err, &block) {
				return seq, err
			}
			<-block.Ready()
		}
	}
	_, s, tried := active(t, &aof.Options{HotFileSize: aoftest.SmallFile, MaxUnflushed: 4000})
	waited := create(t, s, "waited")
	const n = 400
	for i := aof.Seq(1); i <= n; i++ {
		b := append([]byte(text(i)), "................................"...)
		seq1, err1 := tryAppend(tried, b)
		seq2, err2 := waited.Append(ctx, b)
		if seq1 != i || seq2 != i || err1 != nil || err2 != nil {
			t.Fatalf("%d: %d, %v by trying, %d, %v by waiting", i, seq1, err1, seq2, err2)
		}
	}
	expect(t, "wait", tried.WaitDurable(ctx, n), nil)
	r1, err1 := tried.Reader(aof.ReaderOptions{To: n})
	r2, err2 := waited.Reader(aof.ReaderOptions{To: n})
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	defer r1.Close()
	defer r2.Close()
	for {
		rec1, err1 := tryNext(r1)
		rec2, err2 := r2.Next(ctx)
		if rec1.Seq != rec2.Seq || string(rec1.Data) != string(rec2.Data) || !errors.Is(err1, err2) {
			t.Fatalf("%d, %v by trying, %d, %v by waiting", rec1.Seq, err1, rec2.Seq, err2)
		}
		if errors.Is(err1, io.EOF) {
			break
		}
	}
	st := s.Stats()
	if st.WouldBlock[aof.BlockRollover]+st.WouldBlock[aof.BlockFlush] == 0 {
		t.Error("nothing ever had to wait; the test shows nothing")
	}
}
