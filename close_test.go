package aof_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

// After Close every call says so, and none opens anything again.
func TestEveryCallOnAClosedStore(t *testing.T) {
	d, s, st := active(t, aoftest.Small())
	fill(t, st, 3, 0)
	expect(t, "close", s.Close(), nil)
	expect(t, "close again", s.Close(), nil)
	calls := map[string]func() error{
		"CreateStream": func() error { _, err := s.CreateStream(ctx, "x", nil); return err },
		"Stream":       func() error { _, err := s.Stream(ctx, "s"); return err },
		"DeleteStream": func() error { return s.DeleteStream(ctx, "s") },
		"Seal":         func() error { return s.Seal(ctx) },
		"Verify":       func() error { _, err := s.Verify(ctx, aof.VerifyOptions{}); return err },
		"TryAppend":    func() error { _, err := st.TryAppend([]byte("x")); return err },
		"Append":       func() error { _, err := st.Append(ctx, []byte("x")); return err },
		"AppendBatch":  func() error { _, err := st.AppendBatch(ctx, batch(aof.AckAccepted, []byte("x"))); return err },
		"TrimBefore":   func() error { return st.TrimBefore(ctx, 2) },
		"Reader":       func() error { _, err := st.Reader(aof.ReaderOptions{}); return err },
	}
	for name, call := range calls {
		expect(t, name, call(), aof.ErrClosed)
	}
	expect(t, "WaitDurable of what is durable", st.WaitDurable(ctx, 3), nil)
	if b := st.Bounds(); b.Durable != 3 || st.Info().Records() != 3 || s.Stats().Streams != 1 || len(s.Files()) == 0 {
		t.Errorf("bounds %+v", b)
	}
	if d.Handles() != 0 {
		t.Errorf("%d files are open", d.Handles())
	}
}

// Close while every other call is at work, by several at once: nobody hangs, and
// every call ends well or with ErrClosed.
func TestCloseDuringEveryOperation(t *testing.T) {
	for round := range 10 {
		d, s, st := active(t, aoftest.Small())
		fill(t, st, 20, 1000)
		follower, err := st.Reader(aof.ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		trier, err := st.Reader(aof.ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ending, cancel := context.WithCancel(ctx)
		names := 0
		operations := []func() error{
			func() error { _, err := st.Append(ctx, make([]byte, 500)); return err },
			func() error { _, err := st.Append(ending, make([]byte, 500)); return err },
			func() error {
				_, err := st.AppendBatch(ctx, batch(aof.AckAccepted, make([]byte, 500)))
				return err
			},
			func() error { _, err := follower.Next(ctx); return err },
			func() error { _, err := tryNext(trier); return err },
			func() error {
				names++
				_, err := s.CreateStream(ctx, string(rune('a'+names%26)), nil)
				return err
			},
			func() error { return s.DeleteStream(ctx, "b") },
			func() error { return st.TrimBefore(ctx, st.Bounds().First) },
			func() error { return s.Seal(ctx) },
			func() error { _, err := s.Verify(ctx, aof.VerifyOptions{}); return err },
			func() error { // what is durable stays so; ask the store whether it is open
				_, err := s.Stream(ctx, "s")
				return errors.Join(st.WaitDurable(ctx, st.Bounds().Next-1), err)
			},
			func() error { _, err := s.Stream(ctx, "s"); return err },
			func() error {
				_, _, _ = s.Files(), s.Stats(), st.Info()
				_, err := s.Stream(ctx, "s")
				return err
			},
		}
		var started, ended sync.WaitGroup
		started.Add(len(operations))
		for i, operate := range operations {
			ended.Go(func() { untilClosed(t, i, started.Done, operate) })
		}
		started.Wait()
		for range 1 + round%3 {
			ended.Go(func() { expect(t, "close", s.Close(), nil) })
		}
		ended.Wait()
		cancel()
		if d.Handles() != 0 {
			t.Errorf("%d files are open", d.Handles())
		}
	}
}

// untilClosed operates until that is ErrClosed; whatever else may come is listed.
func untilClosed(t *testing.T, i int, started func(), operate func() error) {
	for n := 0; ; n++ {
		err := operate()
		if n == 0 {
			started()
		}
		switch {
		case errors.Is(err, aof.ErrClosed):
			return
		case err == nil, errors.Is(err, aof.ErrExists), errors.Is(err, aof.ErrNotFound), errors.Is(err, aof.ErrWouldBlock):
		default:
			t.Errorf("operation %d: %v", i, err)
			return
		}
	}
}

// Close ends the waits that nothing else would end.
func TestCloseEndsEveryWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, st := active(t, aoftest.Small())
		r, err := st.Reader(aof.ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.TryNext()
		tail := blocked(t, err, aof.BlockTail)
		done := make(chan error)
		go func() {
			other, err := st.Reader(aof.ReaderOptions{})
			if err == nil {
				_, err = other.Next(ctx)
			}
			done <- err
		}()
		synctest.Wait()
		expect(t, "close", s.Close(), nil)
		expect(t, "next at the tail", <-done, aof.ErrClosed)
		<-tail.Ready()
		_, err = r.TryNext()
		expect(t, "try", err, aof.ErrClosed)
	})
}

// A sync that hangs holds Close up: a system call in progress cannot be ended.
// Everybody who waits is told as soon as it returns.
func TestCloseWithAHungSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, aoftest.Small())
		fill(t, st, 2, 0)
		hold := d.HoldSyncs()
		appended := make(chan error)
		go func() {
			seq, err := st.Append(ctx, []byte("record 3"))
			if seq != 3 {
				t.Errorf("seq %d", seq)
			}
			appended <- err
		}()
		<-hold.Reached()
		closed := make(chan error, 1)
		go func() { closed <- s.Close() }()
		synctest.Wait()
		if len(closed) != 0 {
			t.Error("Close returned while the sync hangs")
		}
		_, err := st.TryAppend([]byte("x"))
		expect(t, "append to a store that closes", err, aof.ErrClosed)
		hold.Release()
		expect(t, "append", <-appended, nil)
		expect(t, "close again, while the first is at work", s.Close(), nil)
		expect(t, "close", <-closed, nil)
		expectSeqs(t, read(t, stream(t, d.Open(aoftest.Small()), "s"), aof.ReaderOptions{}), 1, 3)
	})
}

// What TryAppend has accepted is durable when Close returns nil.
func TestCloseSettlesWhatWasAccepted(t *testing.T) {
	for range 20 {
		d, s, st := active(t, aoftest.Small())
		n := 0
		for ; n < 50; n++ {
			if _, err := st.TryAppend([]byte(text(aof.Seq(n + 1)))); err != nil {
				break
			}
		}
		expect(t, "close", s.Close(), nil)
		expectSeqs(t, read(t, stream(t, d.Crash(1).Open(aoftest.Small()), "s"), aof.ReaderOptions{}), 1, aof.Seq(n))
	}
}

// And when it could not be made durable, Close says so.
func TestCloseTellsWhatItCouldNotSettle(t *testing.T) {
	_, idle, _ := active(t, aoftest.Small())
	expect(t, "close of a store at rest", idle.Close(), nil)

	d, s, st := active(t, aoftest.Small())
	d.FailSyncs(-1)
	if _, err := st.TryAppend([]byte("x")); err != nil {
		t.Fatal(err)
	}
	expect(t, "close", s.Close(), aof.ErrReadOnly)
	expect(t, "close again", s.Close(), aof.ErrReadOnly)
}

func TestOpenWithAContextThatHasEnded(t *testing.T) {
	c, cancel := context.WithCancelCause(ctx)
	cancel(errStop)
	d := aoftest.NewDisk(t)
	_, err := aof.Open(c, d.Path(), d.Options(nil))
	expect(t, "open", err, errStop)
	_, err = aof.Inspect(c, d.Path(), d.Options(nil))
	expect(t, "inspect", err, errStop)
	s := d.Open(nil)
	_, err = s.CreateStream(c, "s", nil)
	expect(t, "create", err, errStop)
	st := create(t, s, "s")
	_, err = s.Stream(c, "s")
	expect(t, "stream", err, errStop)
	expect(t, "delete", s.DeleteStream(c, "s"), errStop)
	expect(t, "seal", s.Seal(c), errStop)
	expect(t, "trim", st.TrimBefore(c, 1), errStop)
	_, err = s.Verify(c, aof.VerifyOptions{})
	expect(t, "verify", err, errStop)
}

// Seal is about the files there are when it is called: it returns however fast
// further ones are filled.
func TestSealReturnsUnderLoad(t *testing.T) {
	_, s, st := active(t, aoftest.Small())
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 2 {
		load.Go(func() {
			for !isClosed(stop) {
				if _, err := st.Append(ctx, make([]byte, 8000)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 5 {
		expect(t, "seal", s.Seal(ctx), nil)
	}
	close(stop)
	load.Wait()
}
