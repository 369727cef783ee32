package peer

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
)

func record(n int) []byte { return fmt.Appendf(nil, "record %d", n) }

// TestALogsLife appends, reads, trims and opens again.
func TestALogsLife(t *testing.T) {
	for _, k := range Kinds() {
		for _, accepted := range []bool{false, true} {
			if accepted && !k.Accepts {
				continue
			}
			t.Run(fmt.Sprintf("%s accepted %v", k.Name, accepted), func(t *testing.T) { life(t, k, Options{Accepted: accepted, Writers: 1}) })
		}
	}
}

func life(t *testing.T, k Kind, o Options) {
	dir := t.TempDir()
	l := open(t, k, dir, o)
	if err := l.Append([][]byte{record(1)}); err != nil {
		t.Fatal(err)
	}
	if err := l.Append([][]byte{record(2), record(3)}); err != nil {
		t.Fatal(err)
	}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	if n := l.Syncs(); !o.Accepted && (n == 0 || n < -1) {
		t.Errorf("%d syncs counted", n)
	}
	want(t, k, l, 3)
	closeLog(t, l)

	l = open(t, k, dir, o)
	want(t, k, l, 3)
	if err := l.Append([][]byte{record(4)}); err != nil {
		t.Fatal(err)
	}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	want(t, k, l, 4)
	if err := l.TrimBefore(4); err != nil {
		t.Fatal(err)
	}
	if err := l.Append([][]byte{record(5)}); err != nil {
		t.Fatal(err)
	}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	if last, err := l.Last(); err != nil || last != 5 {
		t.Errorf("the last record is %d, %v", last, err)
	}
	closeLog(t, l)
}

func open(t *testing.T, k Kind, dir string, o Options) Log {
	t.Helper()
	l, err := k.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// want checks that records 1 to n are there.
func want(t *testing.T, k Kind, l Log, n int) {
	t.Helper()
	if last, err := l.Last(); err != nil || last != uint64(n) {
		t.Errorf("the last record is %d, %v", last, err)
	}
	found := 0
	err := l.Scan(func(rec []byte) error {
		if found++; !bytes.Equal(rec, record(found)) {
			t.Errorf("record %d is %q", found, rec)
		}
		return nil
	})
	if err != nil || found != n {
		t.Errorf("the scan found %d records, %v", found, err)
	}
	broken := errors.New("enough")
	if err := l.Scan(func([]byte) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("a scan that is ended says %v", err)
	}
	for seq := 1; k.Random && seq <= n; seq++ {
		if err := l.Get(uint64(seq), func(rec []byte) error {
			if !bytes.Equal(rec, record(seq)) {
				t.Errorf("record %d is %q", seq, rec)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	if k.Random && l.Get(uint64(n+1), func([]byte) error { return nil }) == nil {
		t.Error("there is a record that was never appended")
	}
}

// slow is a log whose appends are counted and can be held up.
type slow struct {
	Log
	gate chan struct{}
	mu   sync.Mutex
	sets [][][]byte
	err  error
}

func (s *slow) Append(recs [][]byte) error {
	<-s.gate
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sets = append(s.sets, recs)
	return s.err
}

func TestTheGroupCommitHandsOverTogetherWhoWaits(t *testing.T) {
	s := &slow{gate: make(chan struct{}), err: errors.New("full")}
	g := &grouped{Log: s}
	const writers = 20
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := g.Append([][]byte{record(0)}); !errors.Is(err, s.err) {
			t.Errorf("the first: %v", err)
		}
	})
	// While the first is held up, the others gather.
	g.await(func() bool { return g.leading && g.next == nil })
	for i := range writers {
		wait.Go(func() {
			if err := g.Append([][]byte{record(i), record(i)}); !errors.Is(err, s.err) {
				t.Errorf("an error is everybody's: %v", err)
			}
		})
	}
	g.await(func() bool { return g.next != nil && len(g.next.recs) == 2*writers })
	close(s.gate)
	wait.Wait()
	if len(s.sets) != 2 || len(s.sets[0]) != 1 || len(s.sets[1]) != 2*writers {
		t.Errorf("%d appends", len(s.sets))
	}
	for i := 0; i < len(s.sets[1]); i += 2 {
		if !bytes.Equal(s.sets[1][i], s.sets[1][i+1]) {
			t.Error("an append was torn apart")
		}
	}
}
