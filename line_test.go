package aof_test

import (
	"context"
	"sync"
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

// A large append that has to wait until nothing else is under way is overtaken by none that comes later, however small they
// are and however many: neither by those that wait nor by those that try.
func TestALargeAppendIsNotOvertakenForEver(t *testing.T) {
	const writers = 40
	synctest.Test(t, func(t *testing.T) {
		d, _, st := active(t, &aof.Options{HotFileSize: 1 << 20, MaxUnflushed: 4000})
		for range 5 {
			hold := d.HoldSyncs()
			if _, err := st.TryAppend(make([]byte, 200)); err != nil {
				t.Fatal(err)
			}
			result := make(chan aof.Seq, 1)
			go func() {
				seq, err := st.AppendBatch(ctx, batch(aof.AckAccepted, make([]byte, 100_000)))
				expect(t, "the large one", err, nil)
				result <- seq
			}()
			synctest.Wait() // until it is in the line
			small := make(chan aof.Seq, writers)
			for range writers {
				go func() {
					seq, err := st.Append(ctx, make([]byte, 200))
					expect(t, "a small one", err, nil)
					small <- seq
				}()
			}
			_, err := st.TryAppend(nil)
			_ = blocked(t, err, aof.BlockFlush)
			synctest.Wait()
			hold.Release()
			large := <-result
			for range writers {
				if seq := <-small; seq < large {
					t.Errorf("record %d overtook the large one, which is record %d", seq, large)
				}
			}
		}
	})
}
