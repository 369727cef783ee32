package kernel

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/aof2/aof"
)

// moment is when a life ends: behind the count-th event of one of these kinds.
type moment struct {
	kinds string
	count int
}

func (m *moment) reached(e event) bool {
	for _, k := range []byte(m.kinds) {
		if kind(k) == e.kind {
			m.count--
			return m.count == 0
		}
	}
	return false
}

// someMoment picks one, so that lives end during recovery, at the first appends, in the middle of much traffic, and
// while something rare is under way.
func someMoment(r *random, most int) *moment {
	switch r.below(12) {
	case 0:
		return &moment{"h", 1}
	case 1:
		return &moment{"o", 1}
	case 2:
		return &moment{"i", 1 + r.below(8)}
	case 3:
		return &moment{"S", 1 + r.below(3)}
	case 4:
		return &moment{"T", 1 + r.below(3)}
	case 5:
		return &moment{"DC", 1 + r.below(8)}
	}
	return &moment{"a", 1 + r.below(1+r.below(most))}
}

// someSize is the size of the hot files in one life.
func someSize(r *random) int64 { return int64(32<<10) << r.below(3) }

// tally is what a test reports in the end.
type tally struct {
	begun    time.Time
	lives    int
	compared int
	lost     int
	beyond   int
}

func (y *tally) add(f *finding) {
	y.lives++
	y.compared += f.compared
	y.lost += f.lost
	y.beyond += f.beyond
}

func (y *tally) report(t *testing.T, what string, l *ledger, more string) {
	t.Helper()
	t.Logf("%s: %d lives, %d records in %d batches acknowledged, %d comparisons of a record, lost %d, %d came back beyond the acknowledged%s; %.1f s",
		what, y.lives, l.acked, l.batches, y.compared, y.lost, y.beyond, more, time.Since(y.begun).Seconds())
}

// settle opens the directory as it was left, compares it with the ledger, and makes what was found the new truth. In
// some lives a view is compared before, the store is verified, or a few records are appended before it is closed.
func settle(t *testing.T, dir string, l *ledger, life uint64, y *tally) *finding {
	t.Helper()
	r := random(life ^ 0x5e771e)
	opts := &aof.Options{HotFileSize: someSize(&r)}
	if r.oneIn(4) {
		lookAt(t, dir, l, life)
	}
	s, err := aof.Open(context.Background(), dir, opts)
	if err != nil {
		t.Fatalf("life %d: open: %v", life, err)
	}
	rec := s.Recovery()
	if len(rec.Damage) > 0 || rec.ReadOnly != nil {
		t.Errorf("life %d: recovery found damage where only torn writes can be: %+v", life, rec)
	}
	f := l.compare(s, storeReader(s))
	y.add(f)
	for _, p := range f.problems {
		t.Errorf("life %d: %s", life, p)
	}
	if t.Failed() {
		s.Close()
		t.Fatalf("life %d ends the test; recovery said %+v", life, rec)
	}
	l.adopt(f)
	if r.oneIn(4) {
		report, err := s.Verify(context.Background(), aof.VerifyOptions{})
		if err != nil || len(report.Damage) > 0 {
			t.Fatalf("life %d: verify: %v, %+v", life, err, report)
		}
	}
	if r.oneIn(3) {
		goOn(t, s, l, life)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("life %d: close: %v", life, err)
	}
	return f
}

// lookAt compares what a view sees, which must leave everything as it is.
func lookAt(t *testing.T, dir string, l *ledger, life uint64) {
	t.Helper()
	v, err := aof.Inspect(context.Background(), dir, nil)
	if errors.Is(err, aof.ErrNotFound) && l.counts[created] == 0 {
		return // the first life ended before there was a store
	}
	if err != nil {
		t.Fatalf("life %d: inspect: %v", life, err)
	}
	defer v.Close()
	for _, p := range l.compare(v, v.Reader).problems {
		t.Errorf("life %d, view: %s", life, p)
	}
}

// goOn appends a little to what was recovered, so that the next life begins behind a clean end.
func goOn(t *testing.T, s *aof.Store, l *ledger, life uint64) {
	t.Helper()
	w := &writer{store: s, life: life, tell: l.note, maxFailures: 1}
	c := w.client(clients)
	for _, name := range append([]string{c.own}, shared...) {
		err := c.ensure(name)
		if err == nil {
			err = c.append(context.Background(), name)
		}
		if err != nil {
			t.Fatalf("life %d: going on in %s: %v", life, name, err)
		}
	}
}

func TestAKilledProcessLosesNothing(t *testing.T) {
	cycles := sized(t, 20, 500, 20_000)
	dir := filepath.Join(t.TempDir(), "store")
	l, y := newLedger(), tally{begun: time.Now()}
	for life := uint64(1); life <= uint64(cycles); life++ {
		r := random(life)
		k := task{Dir: dir, Life: life, HotFileSize: someSize(&r), MaxFailures: 1}
		c := k.start(t)
		if err := c.listen(l.note, someMoment(&r, 200).reached); err != nil {
			t.Fatalf("life %d: %v", life, err)
		}
		if l.counts[ended] > 0 || l.failures > 0 {
			t.Fatalf("life %d: the store failed, and nothing but kill was done to it", life)
		}
		settle(t, dir, l, life, &y)
	}
	y.report(t, "kill -9", l, fmt.Sprintf("; %d trims, %d deletions, %d seals asked for", l.counts[trimming], l.counts[deleting], l.counts[sealing]))
}
