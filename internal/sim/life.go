package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/aof2/aof/internal/fsys/memfs"
)

const (
	maxSteps   = 200_000       // of one life; more means that something goes round in circles
	idlePause  = time.Second   // virtual: what the root waits when nobody can go on
	maxIdle    = 3 * time.Hour // virtual: nobody may wait longer
	pointOneIn = 5             // moments between two at which crash points are taken
	idleOneIn  = 12            // of those with nothing at stake, how many are taken nevertheless
	harmOneIn  = 8             // moments with crash points between two disks that are damaged
	sweepOneIn = 16            // and between two that are swept
)

// life is one life of the store, from Open to its end.
type life struct {
	*Run
	plan  *Life
	sched schedule
	store Store

	order, chaos, points *rand.Rand // of what goes on next, of the system, of crash points
	wait                 sync.WaitGroup
	excused              atomic.Bool // something was done for which calls may fail
	closing              atomic.Bool // calls fail because the store is being closed
	syncFailed           bool        // a sync has just failed
	locked               bool        // the store has locked its disk
	opened               int64       // bytes that were taken when it was opened
	counts               [failKinds]int
	steps                int
	idle                 time.Duration

	mu      sync.Mutex
	handles map[*stream]Stream
}

func (r *Run) life(plan *Life) *Violation {
	l := &life{Run: r, plan: plan, handles: make(map[*stream]Stream)}
	l.order = rand.New(rand.NewPCG(plan.Seed, 1))
	l.chaos = rand.New(rand.NewPCG(plan.Seed, 2))
	l.points = rand.New(rand.NewPCG(plan.Seed, 3))
	r.owed += plan.Points
	r.disk.SetHook(l.sched.hook)
	r.Report.Lives++
	r.note(fmt.Sprintf("life %d", r.count))
	v := l.live()
	if l.store != nil {
		found := l.store.Found()
		r.Report.found(&found)
	}
	r.Report.branch(l.ending())
	next := l.image()
	if l.extra.IntN(3) == 0 {
		r.past = next.Clone()
	}
	l.teardown()
	if v == nil {
		v = r.oracle.Broken()
	}
	next.SetFree(-1)
	r.disk = next
	return v
}

// live opens the store, lets the clients work and comes to the planned end.
func (l *life) live() *Violation {
	opened, v := l.open()
	if v != nil || !opened {
		return v
	}
	for i, ops := range l.plan.Clients {
		l.sched.start()
		l.wait.Go(func() { l.client(i, ops) })
	}
	if v := l.run(l.clientsDone); v != nil {
		return v
	}
	switch l.plan.End.Kind {
	case EndClose, EndCloseKill, EndCrashInClose:
		return l.close()
	}
	return nil
}

// open opens the store, operation by operation, and makes what it shows the
// truth. A fault may keep it from opening.
func (l *life) open() (bool, *Violation) {
	var err error
	if l.disk.Owing() {
		l.excuse()
	}
	l.opened = l.disk.Used()
	done := l.call(func() { l.store, err = l.System.Open(context.Background(), l.disk, l.setting()) })
	if v := l.run(done); v != nil {
		return false, v
	}
	if !l.finished(done) {
		return false, nil // the end came first
	}
	if err != nil {
		if l.excused.Load() {
			l.Report.branch("refused by fault")
			return false, nil
		}
		return false, violation("open-failed", "%v", err)
	}
	synctest.Wait()
	l.sched.pass(true)
	var damage *Damaged
	if l.excused.Load() {
		damage = &Damaged{What: "an operation of Open failed", Failed: true}
	}
	verdict, v := l.oracle.Check(context.Background(), l.store, damage)
	readOnly := l.store.Found().ReadOnly
	synctest.Wait()
	l.sched.pass(false)
	if v != nil {
		return false, v
	}
	if readOnly {
		// What it shows is not settled: the next life decides.
		l.Report.branch("read-only by fault")
		return false, nil
	}
	l.oracle.Adopt(verdict)
	for _, rec := range verdict.streams {
		h, err := l.store.Stream(context.Background(), rec.stream.name)
		if err != nil {
			return false, violation("unreadable", "%v", err)
		}
		l.setHandle(rec.stream, h)
	}
	return true, l.oracle.Broken()
}

// close closes the store while clients may still be at work.
func (l *life) close() *Violation {
	l.closing.Store(true)
	var err error
	done := l.call(func() { err = l.store.Close() })
	if l.plan.End.Kind == EndCrashInClose {
		left := 1 + l.chaos.IntN(20)
		return l.run(func() bool { left--; return left < 0 || done() })
	}
	if v := l.run(func() bool { return done() && l.clientsDone() }); v != nil {
		return v
	}
	switch {
	case !done():
	case err == nil:
		l.oracle.Closed()
	case !l.excused.Load():
		return violation("close-failed", "%v", err)
	}
	return nil
}

// call runs do on a goroutine of its own, and returns what says whether it is
// done.
func (l *life) call(do func()) func() bool {
	var done atomic.Bool
	l.wait.Go(func() {
		defer done.Store(true)
		do()
	})
	return done.Load
}

func (l *life) finished(done func() bool) bool {
	synctest.Wait()
	return done()
}

func (l *life) clientsDone() bool {
	_, _, clients := l.sched.state()
	return clients == 0
}

// run releases one after the other until done, or the end of the life.
func (l *life) run(done func() bool) *Violation {
	for {
		synctest.Wait()
		if v := l.oracle.Broken(); v != nil {
			return v
		}
		if done() || l.atEnd() || l.Diverged {
			return nil
		}
		if v := l.overBudget(); v != nil {
			return v
		}
		if v := l.takePoints(); v != nil {
			return v
		}
		if l.chaos.IntN(1000) < l.plan.Noise {
			l.disk.Background(l.chaos)
		}
		if v := l.release(); v != nil {
			return v
		}
	}
}

// overBudget reports a store that takes more than it may. What a loss of power
// brought back may be above that: then it is not held to it.
func (l *life) overBudget() *Violation {
	budget := l.Plan.Setting.Budget
	if used := l.disk.Used(); budget > 0 && l.opened <= budget && used > budget {
		return violation("over-budget", "%d bytes are taken, %d may be", used, budget)
	}
	return nil
}

// atEnd reports whether the life ends before its clients are done.
func (l *life) atEnd() bool {
	if l.plan.End.Kind == EndKillAfterFault && l.syncFailed {
		return true
	}
	switch l.plan.End.Kind {
	case EndCrash, EndKill:
		return l.plan.End.After > 0 && l.steps >= l.plan.End.After || l.tears()
	}
	return false
}

// release lets one operation or client call go on, or time pass if none can.
func (l *life) release() *Violation {
	if l.steps++; l.steps > maxSteps {
		return violation("livelock", "%d steps without an end", l.steps)
	}
	l.clock.step()
	var t *turn
	if l.Replay == nil {
		t = l.sched.choose(l.order, l.Plan.Step)
	} else if t = l.follows(); l.Diverged {
		return nil
	}
	if t == nil {
		l.Order = append(l.Order, "")
		time.Sleep(idlePause)
		if l.idle += idlePause; l.idle > maxIdle {
			waiting, active, clients := l.sched.state()
			return violation("stuck", "%d waiting, %d calls under way, %d clients left", waiting, active, clients)
		}
		return nil
	}
	l.idle = 0
	l.Report.Steps++
	l.Order = append(l.Order, t.key)
	l.note(t.key)
	var err error
	if t.op != nil {
		if v := l.unlocked(t.key); v != nil && t.op.Kind.Changes() {
			t.answer <- memfs.ErrDead
			return v
		}
		err = l.fault(t.op)
	}
	t.answer <- err
	return nil
}

// follows takes the turn that the recorded order has next.
func (l *life) follows() *turn {
	at := len(l.Order)
	if at >= len(l.Replay) {
		l.Diverged = true
		return nil
	}
	if l.Replay[at] == "" {
		return nil
	}
	t := l.sched.find(l.Replay[at])
	l.Diverged = t == nil
	return t
}

// fault returns the error an operation is to fail with.
func (l *life) fault(op *memfs.Op) error {
	data := l.System.IsData(op.Name)
	var err error
	for kind, of := range fails {
		k := FaultKind(kind)
		if k == FailWriteBack || of != op.Kind || op.Kind == memfs.OpSync && !data {
			continue
		}
		l.counts[k]++
		if l.planned(k) {
			err = memfs.ErrIO
			if k == FailShortWrite {
				op.Partial = l.chaos.IntN(int(op.Len) + 1)
			}
		}
	}
	if l.counts[FailWriteBack]++; l.planned(FailWriteBack) && op.Kind.Changes() && l.disk.FailWriteBack(op.Name) {
		l.excuse()
	}
	if err != nil {
		l.excuse()
		l.syncFailed = op.Kind == memfs.OpSync
	} else if op.Kind == memfs.OpSync && data {
		l.oracle.Synced()
	}
	return err
}

func (l *life) planned(kind FaultKind) bool {
	for _, f := range l.plan.Faults {
		if f.Kind == kind && f.N == l.counts[kind] {
			return true
		}
	}
	return false
}

// excuse notes that calls of this life may fail from now on.
func (l *life) excuse() { l.excused.Store(true) }

// ending names how this life really ended.
func (l *life) ending() string {
	end := l.plan.End.Kind
	if end == EndKillAfterFault && !l.syncFailed {
		end = EndKill
	}
	if end == EndCrash || end == EndKill {
		if _, _, clients := l.sched.state(); clients > 0 {
			return "end: " + end.String() + " under load"
		}
	}
	return "end: " + end.String()
}

// image is the disk the next life starts from.
func (l *life) image() *memfs.Mem {
	switch l.plan.End.Kind {
	case EndKill, EndKillAfterFault, EndCloseKill:
		return l.disk.Kill(l.chaos)
	}
	return l.tear(l.disk.Crash(l.chaos, memfs.RandomLoss(l.chaos)))
}

// teardown ends this life: what still runs meets a dead disk, Close ends every
// wait, and everybody is waited for.
func (l *life) teardown() {
	l.disk.Stop()
	l.sched.end()
	synctest.Wait()
	if l.store != nil {
		_ = l.store.Close() // its disk is stopped
	}
	l.wait.Wait()
	synctest.Wait()
}

func (l *life) handle(s *stream) Stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s == nil {
		return nil
	}
	return l.handles[s]
}

func (l *life) setHandle(s *stream, h Stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handles[s] = h
}
