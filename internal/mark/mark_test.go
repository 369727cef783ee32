package mark

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestZeroValueStandsAtZeroAndHasNotEnded(t *testing.T) {
	var m Mark
	if m.At() != 0 || m.Ended() {
		t.Fatalf("at %d, ended %v; want 0, false", m.At(), m.Ended())
	}
	if !isClosed(m.Reached(0)) {
		t.Error("0 is reached from the start")
	}
	if isClosed(m.Reached(1)) {
		t.Error("1 is not reached yet")
	}
}

func TestReached(t *testing.T) {
	tests := []struct {
		name       string
		advance    []uint64
		end        bool
		target     uint64
		wantClosed bool
		wantAt     uint64
	}{
		{"a target below the mark is reached", []uint64{5}, false, 3, true, 5},
		{"a target at the mark is reached", []uint64{5}, false, 5, true, 5},
		{"a target above the mark waits", []uint64{5}, false, 6, false, 5},
		{"a smaller advance changes nothing", []uint64{5, 4, 0}, false, 5, true, 5},
		{"the end reaches every target", []uint64{5}, true, 1 << 63, true, 5},
		{"the largest number can be waited for", []uint64{1<<64 - 2}, false, 1<<64 - 1, false, 1<<64 - 2},
		{"the largest number can be reached", []uint64{1<<64 - 1}, false, 1<<64 - 1, true, 1<<64 - 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked, fresh Mark
			before := asked.Reached(tt.target) // asked for before anything happens, and afterwards
			for _, m := range []*Mark{&asked, &fresh} {
				for _, n := range tt.advance {
					m.Advance(n)
				}
				if tt.end {
					m.End()
				}
				if got := isClosed(m.Reached(tt.target)); got != tt.wantClosed {
					t.Errorf("closed is %v, want %v", got, tt.wantClosed)
				}
				if m.At() != tt.wantAt {
					t.Errorf("at %d, want %d", m.At(), tt.wantAt)
				}
			}
			if got := isClosed(before); got != tt.wantClosed {
				t.Errorf("the channel taken first: closed is %v, want %v", got, tt.wantClosed)
			}
		})
	}
}

func TestWaitersOfOneTargetShareAChannel(t *testing.T) {
	var m Mark
	c := m.Reached(7)
	for range 100 {
		if m.Reached(7) != c {
			t.Fatal("a second channel for the same target")
		}
	}
	if n := len(m.mu.targets); n != 1 {
		t.Errorf("%d targets are kept for one", n)
	}
	if m.Reached(8) == c {
		t.Error("another target shares the channel")
	}
}

func TestEndIsFinalAndKeepsTheValue(t *testing.T) {
	var m Mark
	m.Advance(3)
	channels := []<-chan struct{}{m.Reached(4), m.Reached(9), m.Reached(4)}
	m.End()
	m.End()
	for i, c := range channels {
		if !isClosed(c) {
			t.Errorf("channel %d is open after End", i)
		}
	}
	if !m.Ended() || m.At() != 3 {
		t.Errorf("ended %v at %d, want true at 3", m.Ended(), m.At())
	}
	m.Advance(8)
	if m.At() != 8 {
		t.Errorf("at %d after a late advance, want 8", m.At())
	}
	if m.mu.targets != nil || m.mu.channels != nil {
		t.Error("an ended mark keeps targets")
	}
}

func TestABurstOfTargetsIsGivenBack(t *testing.T) {
	var m Mark
	for n := range uint64(4 * keepTargets) {
		m.Reached(n + 1)
	}
	m.Advance(4 * keepTargets)
	if c := cap(m.mu.targets); c != 0 {
		t.Errorf("room for %d targets is kept when nobody waits", c)
	}
	if isClosed(m.Reached(4*keepTargets + 1)) {
		t.Error("the mark is of no use afterwards")
	}
}

// model is the mark without any cleverness: every channel ever handed out, and when it must be closed.
type model struct {
	at     uint64
	ended  bool
	handed []handed
}

type handed struct {
	target uint64
	c      <-chan struct{}
}

func (o *model) passed(n uint64) bool { return n <= o.at || o.ended }

// open lists the distinct targets that are still waited for, in order.
func (o *model) open() []uint64 {
	var ns []uint64
	for _, h := range o.handed {
		if !o.passed(h.target) {
			ns = append(ns, h.target)
		}
	}
	slices.Sort(ns)
	return slices.Compact(ns)
}

func (o *model) check(t *testing.T, m *Mark) {
	t.Helper()
	if m.At() != o.at || m.Ended() != o.ended {
		t.Fatalf("at %d, ended %v; want %d, %v", m.At(), m.Ended(), o.at, o.ended)
	}
	shared := map[uint64]<-chan struct{}{}
	for _, h := range o.handed {
		if got, want := isClosed(h.c), o.passed(h.target); got != want {
			t.Fatalf("target %d at %d: closed is %v, want %v", h.target, o.at, got, want)
		}
		if c, ok := shared[h.target]; ok && c != h.c && !o.passed(h.target) {
			t.Fatalf("target %d has two open channels", h.target)
		}
		shared[h.target] = h.c
	}
	kept := slices.Clone([]uint64(m.mu.targets))
	slices.Sort(kept)
	if want := o.open(); !slices.Equal(kept, want) || len(m.mu.channels) != len(want) {
		t.Fatalf("targets %v and %d channels are kept, want %v", kept, len(m.mu.channels), want)
	}
}

func TestRandomHistoriesAgreeWithTheModel(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var m Mark
		var o model
		for range 120 {
			switch p := rng.IntN(100); {
			case p < 60:
				n := rng.Uint64N(o.at + 40)
				o.handed = append(o.handed, handed{n, m.Reached(n)})
			case p < 99:
				n := rng.Uint64N(o.at + 12)
				m.Advance(n)
				o.at = max(o.at, n)
			case seed%3 == 0:
				m.End()
				o.ended = true
			}
			o.check(t, &m)
		}
	}
}

func TestHeapGivesTargetsInOrder(t *testing.T) {
	for size := range 70 {
		want := rand.New(rand.NewPCG(uint64(size), 2)).Perm(size)
		var h targets
		for _, n := range want {
			h.push(uint64(n))
		}
		for n := range size {
			if got := h.pop(); got != uint64(n) {
				t.Fatalf("size %d: %d came out in place of %d", size, got, n)
			}
		}
	}
}

// A lost wake-up leaves a goroutine waiting for ever, and in a bubble that is a deadlock the test fails with.
func TestNoWakeUpIsLost(t *testing.T) {
	const goroutines, steps = 8, 400
	synctest.Test(t, func(t *testing.T) {
		var m Mark
		var wg sync.WaitGroup
		for g := range uint64(goroutines) {
			wg.Go(func() {
				for n := uint64(1); n <= steps; n++ {
					<-m.Reached(n)
					if m.At() < n {
						t.Errorf("woken for %d at %d", n, m.At())
					}
				}
			})
			wg.Go(func() {
				for n := uint64(1); n <= steps; n++ {
					m.Advance(n + g%2)
				}
			})
		}
		wg.Wait()
	})
}

// The advancing side watches the waiting one without a channel, so that both meet within nanoseconds: a Reached that
// did not look again under the lock would miss its target within a few thousand steps and wait for ever.
func TestAnAdvanceDuringReachedIsNotMissed(t *testing.T) {
	const steps = 100_000
	synctest.Test(t, func(t *testing.T) {
		var ping, pong Mark
		var wg sync.WaitGroup
		wg.Go(func() {
			for n := uint64(1); n <= steps; n++ {
				ping.Advance(n)
				<-pong.Reached(n)
			}
		})
		wg.Go(func() {
			for n := uint64(1); n <= steps; n++ {
				for ping.At() < n {
					runtime.Gosched()
				}
				for range n % 16 { // vary where in Reached the advance falls
					pong.At()
				}
				pong.Advance(n)
			}
		})
		wg.Wait()
	})
}

func TestWaitersSleepUntilTheirTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Mark
		woken := make([]bool, 10)
		for i := range woken {
			go func() {
				<-m.Reached(uint64(i))
				woken[i] = true
			}()
		}
		for at := range woken {
			m.Advance(uint64(at))
			synctest.Wait()
			for i, w := range woken {
				if w != (i <= at) {
					t.Fatalf("at %d: the waiter for %d is awake: %v", at, i, w)
				}
			}
		}
	})
}

func TestEndFreesEveryWaiter(t *testing.T) {
	const waiters = 100
	synctest.Test(t, func(t *testing.T) {
		var m Mark
		var wg sync.WaitGroup
		for i := range waiters {
			wg.Go(func() {
				for !m.Ended() { // comes back with a new target for as long as the mark lives
					<-m.Reached(m.At() + 1 + uint64(i%7))
				}
			})
		}
		wg.Go(func() {
			for n := range uint64(50) {
				m.Advance(n)
			}
			m.End()
		})
		wg.Wait()
	})
}

func TestAWaitAllocatesItsChannelAndNothingElse(t *testing.T) {
	var m Mark
	var n uint64
	allocated := testing.AllocsPerRun(1000, func() {
		n++
		m.Reached(n)
		m.Reached(n)
		m.Advance(n)
		m.Reached(n)
	})
	if allocated > 1 {
		t.Errorf("%.1f allocations for one target, want 1", allocated)
	}
}

func BenchmarkReachedAlready(b *testing.B) {
	var m Mark
	m.Advance(1 << 40)
	b.ReportAllocs()
	for b.Loop() {
		<-m.Reached(1)
	}
}

func BenchmarkAdvanceUnwatched(b *testing.B) {
	var m Mark
	var n uint64
	b.ReportAllocs()
	for b.Loop() {
		n++
		m.Advance(n)
	}
}

func BenchmarkWaitAndAdvance(b *testing.B) {
	for _, waiting := range []uint64{1, 64, 1024} {
		b.Run(fmt.Sprintf("targets=%d", waiting), func(b *testing.B) {
			var m Mark
			for n := range waiting {
				m.Reached(n + 1)
			}
			var n uint64
			b.ReportAllocs()
			for b.Loop() {
				n++
				m.Reached(n + waiting)
				m.Advance(n)
			}
		})
	}
}

func BenchmarkWakeSharedTarget(b *testing.B) {
	const waiters = 64
	var m Mark
	var wg sync.WaitGroup
	var arrived [waiters]Mark
	for i := range waiters {
		wg.Go(func() {
			for n := uint64(1); ; n++ {
				<-m.Reached(n)
				if m.Ended() {
					return
				}
				arrived[i].Advance(n)
			}
		})
	}
	var n uint64
	b.ReportAllocs()
	for b.Loop() {
		n++
		m.Advance(n)
		for i := range arrived {
			<-arrived[i].Reached(n)
		}
	}
	m.End()
	wg.Wait()
}
