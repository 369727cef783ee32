package aof_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

// Who waits for room is served in order, over all streams; who gives up makes way;
// who does not wait is not let in before them.
func TestWhoWaitsIsServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, &aof.Options{HotFileSize: aoftest.SmallFile, MaxUnflushed: 1500})
		other := create(t, s, "other")
		fill(t, st, 1, 0)
		hold := d.HoldSyncs()
		if _, err := st.TryAppend(make([]byte, 1200)); err != nil {
			t.Fatal(err)
		}
		<-hold.Reached()
		var mu sync.Mutex
		var order []int
		var all sync.WaitGroup
		ctxs, cancels := make([]context.Context, 5), make([]context.CancelFunc, 5)
		errs := make([]error, 5)
		for i := range 5 {
			ctxs[i], cancels[i] = context.WithCancel(ctx)
			defer cancels[i]()
			to := []*aof.Stream{st, other}[i%2]
			all.Go(func() {
				_, errs[i] = to.AppendBatch(ctxs[i], batch(aof.AckAccepted, make([]byte, 700)))
				mu.Lock()
				defer mu.Unlock()
				order = append(order, i)
			})
			synctest.Wait() // it stands in the line before the next one comes
		}
		_, err := other.TryAppend(nil) // there would be room for that
		b := blocked(t, err, aof.BlockFlush)
		cancels[0]() // the head
		cancels[2]()
		synctest.Wait()
		if !isClosed(b.Ready()) {
			t.Error("the head has left, and who tried was not told")
		}
		hold.Release()
		all.Wait()
		for i, err := range errs {
			want := error(nil)
			if i == 0 || i == 2 {
				want = context.Canceled
			}
			expect(t, "append", err, want)
		}
		got := order[2:] // behind those that gave up
		if len(order) != 5 || got[0] != 1 || got[1] != 3 || got[2] != 4 {
			t.Errorf("served in the order %v", order)
		}
		if _, err := other.TryAppend(nil); err != nil {
			t.Errorf("nobody waits, and still: %v", err)
		}
	})
}

// A large append that has to wait until nothing else is under way gets in behind a
// bounded number of small ones, though there are always more of them.
func TestALargeAppendIsNotOvertakenForEver(t *testing.T) {
	const writers, most = 40, 400
	synctest.Test(t, func(t *testing.T) {
		_, s, st := active(t, &aof.Options{HotFileSize: 1 << 20, MaxUnflushed: 4000})
		large := create(t, s, "large")
		var accepted, at atomic.Int64
		var all sync.WaitGroup
		var done atomic.Bool
		at.Store(1 << 60)
		for range writers {
			all.Go(func() {
				for !done.Load() {
					if _, err := st.Append(ctx, make([]byte, 200)); err != nil {
						t.Error(err)
						return
					}
					if n := accepted.Add(1); n > at.Load()+most {
						done.Store(true)
					}
				}
			})
			all.Go(func() {
				for !done.Load() { // who does not wait does not overtake either
					if _, err := st.TryAppend(nil); err == nil {
						accepted.Add(1)
					}
					if n := accepted.Load(); n > at.Load()+most {
						done.Store(true)
					}
				}
			})
		}
		for range 5 {
			for n := accepted.Load(); accepted.Load() < n+100 && !done.Load(); {
				fill(t, create(t, s, "pause"), 1, 0)
				expect(t, "delete", s.DeleteStream(ctx, "pause"), nil)
			}
			at.Store(accepted.Load())
			if _, err := large.AppendBatch(ctx, batch(aof.AckAccepted, make([]byte, 100_000))); err != nil {
				t.Error(err)
			}
			at.Store(1 << 60)
			if done.Load() {
				t.Errorf("more than %d appends overtook it", most)
			}
		}
		done.Store(true)
		all.Wait()
	})
}

// Who stands at the head of the line when its stream is deleted leaves it, though that gives no room back.
func TestADeletedStreamLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := within(leastBudget)
		o.WhenFull = aof.WaitWhenFull
		_, s, st := active(t, o)
		other := create(t, s, "other")
		for {
			_, err := st.TryAppend(make([]byte, 3000))
			var b *aof.WouldBlockError
			if errors.As(err, &b) && b.Kind == aof.BlockAdmission {
				break
			} else if b != nil {
				<-b.Ready()
			}
		}
		synctest.Wait()
		gone := make(chan error, 1)
		go func() {
			_, err := other.Append(ctx, make([]byte, 8000))
			gone <- err
		}()
		synctest.Wait()
		expect(t, "delete", s.DeleteStream(ctx, "other"), nil)
		synctest.Wait()
		select {
		case err := <-gone:
			expect(t, "append", err, aof.ErrNotFound)
		default:
			t.Error("it waits for ever")
		}
		expect(t, "trim", st.TrimBefore(ctx, st.Bounds().Next), nil)
		synctest.Wait()
	})
}
