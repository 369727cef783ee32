package journal

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aof2/aof/internal/fsys/memfs"
)

// account is what is known of a stream's records.
type account struct {
	tried  []string // all that were given to append, from record 1 on
	acked  int      // how many of them are known to be durable
	first  uint64   // the first one, as far as it is known
	trim   uint64   // a trim to it has been decided, and may be durable
	delete bool     // so has a delete
}

// moment is what a disk may be like when the machine or the process ends, and what
// had been acknowledged by then.
type moment struct {
	op       string
	disk     *memfs.Mem
	accounts map[uint32]account
	snaps    []life // that are kept, the newest last
}

// recorder takes moments at every operation that changes the disk.
type recorder struct {
	w  *world
	mu struct {
		sync.Mutex
		seed     uint64
		accounts map[uint32]account
		snaps    []life
		moments  []moment
	}
}

func newRecorder(seed uint64) *recorder {
	r := &recorder{}
	r.mu.seed = seed
	r.mu.accounts = map[uint32]account{}
	r.mu.snaps = []life{{}}
	return r
}

func (r *recorder) watch(w *world) *world {
	r.w = w
	mem := w.mem
	mem.SetHook(func(op *memfs.Op) error {
		if op.Kind.Changes() && op.Kind != memfs.OpLock {
			r.take(mem, op.String())
		}
		return nil
	})
	return w
}

func (r *recorder) take(mem *memfs.Mem, op string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.seed++
	for _, disk := range []*memfs.Mem{mem.Crash(newRand(r.mu.seed), memfs.Loss{}), mem.Kill(newRand(r.mu.seed))} {
		r.mu.moments = append(r.mu.moments, moment{op, disk, maps.Clone(r.mu.accounts), slices.Clone(r.mu.snaps)})
	}
}

// note changes the account of a stream.
func (r *recorder) note(o uint32, change func(a *account)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.mu.accounts[o]
	a.first, a.tried = max(a.first, 1), slices.Clone(a.tried)
	change(&a)
	r.mu.accounts[o] = a
}

func (r *recorder) append(l *Lane, recs ...string) {
	r.w.t.Helper()
	r.note(l.Ordinal, func(a *account) { a.tried = append(a.tried, recs...) })
	r.w.append(l, recs...)
	r.note(l.Ordinal, func(a *account) { a.acked = len(a.tried) })
}

func (r *recorder) trim(l *Lane, first uint64) {
	r.note(l.Ordinal, func(a *account) { a.trim = first })
	r.w.decide(decision{Kind: "trim", Ordinal: l.Ordinal, First: first})
	l.Trim(first)
	r.note(l.Ordinal, func(a *account) { a.first = first })
}

func (r *recorder) delete(l *Lane) {
	r.note(l.Ordinal, func(a *account) { a.delete = true })
	r.w.decide(decision{Kind: "delete", Ordinal: l.Ordinal})
	r.w.j.DropLane(l)
}

func (r *recorder) snapshot() {
	s := r.w.snapshot()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.snaps = append(r.mu.snaps, s)
	r.mu.snaps = r.mu.snaps[max(0, len(r.mu.snaps)-2):]
}

// verify opens what a moment left, and then what that life leaves, and holds it
// against the account.
func (m moment) verify(t *testing.T, from life) {
	t.Helper()
	w := open(t, m.disk, from)
	if w.found.ReadOnly != nil || len(w.found.Damage) > 0 {
		t.Errorf("%s: read-only %v, damage %+v", m.op, w.found.ReadOnly, w.found.Damage)
	}
	now := map[uint32][]string{}
	for o, a := range m.accounts {
		l := w.j.Lane(o)
		if l == nil {
			if !a.delete && a.acked > 0 {
				t.Errorf("%s: stream %d is gone", m.op, o)
			}
			continue
		}
		if first := l.First(); first != a.first && first != a.trim {
			t.Errorf("%s: stream %d begins at %d, not at %d", m.op, o, first, a.first)
			continue
		}
		got, skip := w.read(l), int(l.First()-1)
		if end := skip + len(got); end < a.acked || end > len(a.tried) || !slices.Equal(got, a.tried[skip:end]) {
			t.Errorf("%s: stream %d has %q from %d on, %d of %q were acknowledged", m.op, o, short(got), skip+1, a.acked, short(a.tried))
		}
		now[o] = got
	}
	if t.Failed() {
		w.end()
		return
	}
	for o := range now {
		w.append(w.j.Lane(o), "z")
	}
	w = open(t, w.kill(), from)
	for o, want := range now {
		if got := w.read(w.j.Lane(o)); !slices.Equal(got, append(want, "z")) {
			t.Errorf("%s: the life after, stream %d has %q, want %q", m.op, o, short(got), short(want))
		}
	}
	w.end()
}

// story is a life with everything in it, and the next two.
func story(t *testing.T, seed uint64) []moment {
	r := newRecorder(seed)
	w := r.watch(begin(t))
	one := w.create()
	r.append(one, "1", "2")
	two := w.create()
	for i := range 5 {
		r.append(two, fmt.Sprint("two ", i))
	}
	w.roll()
	r.append(one, "3")
	r.snapshot()
	w.seal()
	large := strings.Repeat("large ", 1500)
	r.append(one, large)
	r.append(one, large) // does not fit the file
	w.seal()
	r.snapshot()
	r.snapshot()
	r.trim(one, 3)
	r.delete(two) // nothing in file 1 is needed any more
	r.snapshot()
	r.snapshot()
	w.decide(decision{Kind: "recycle", File: 1})
	if err := w.j.Recycle(1); err != nil {
		t.Fatal(err)
	}
	r.append(one, "after")
	w.roll() // a prepared file is taken, and the recycled one is prepared
	if err := w.pump(); err != nil {
		t.Fatal(err)
	}
	r.append(one, "recycled")
	r.snapshot()
	last := r.mu.snaps[len(r.mu.snaps)-1]
	mem := w.close()
	w = r.watch(open(t, mem, last))
	r.append(w.j.Lane(1), "another life")
	w.roll()
	r.append(w.j.Lane(1), "and its second file")
	mem = w.kill()
	w = r.watch(open(t, mem, last))
	r.append(w.j.Lane(1), "after an unclean end")
	w.end()
	return r.mu.moments
}

// Whatever operation the machine or the process ends at, and even when it does so
// again while the next life gets ready, what was acknowledged is there, and the
// journal goes on.
func TestACrashAtEveryOperation(t *testing.T) {
	for seed := range uint64(2) {
		moments := story(t, seed*1000)
		if len(moments) < 150 {
			t.Fatalf("only %d moments", len(moments))
		}
		for i, m := range moments {
			again := m
			again.disk = m.disk.Clone()
			for n, from := range m.snaps {
				if n+1 < len(m.snaps) && i%3 > 0 {
					continue // the older snapshot, now and then
				}
				k := m
				k.disk = m.disk.Clone()
				k.verify(t, from)
				if t.Failed() {
					t.Fatalf("seed %d, moment %d of %d, from decision %d", seed, i, len(moments), from.start.Seq)
				}
			}
			if i%12 == int(seed) {
				again.twice(t)
			}
			if t.Failed() {
				t.Fatalf("seed %d, moment %d of %d", seed, i, len(moments))
			}
		}
	}
}

// twice ends the next life, too, at each of its first operations.
func (m moment) twice(t *testing.T) {
	t.Helper()
	from := m.snaps[len(m.snaps)-1]
	r := newRecorder(77)
	mem := m.disk
	mem.SetHook(func(op *memfs.Op) error {
		if op.Kind.Changes() {
			r.take(mem, m.op+", then "+op.String())
		}
		return nil
	})
	w := open(t, mem, from)
	r.w = w
	early := len(r.mu.moments) // taken while it was not known yet what there is
	for o, a := range m.accounts {
		if l := w.j.Lane(o); l != nil {
			a.first = l.First()
			a.acked = int(a.first) - 1 + len(w.read(l))
			a.tried = slices.Clone(a.tried[:a.acked])
			r.note(o, func(k *account) { *k = a })
		}
	}
	for _, o := range slices.Sorted(maps.Keys(maps.Clone(r.mu.accounts))) {
		r.append(w.j.Lane(o), "next")
	}
	w.end()
	for i, k := range r.mu.moments {
		if k.snaps = m.snaps; i < early {
			k.accounts = m.accounts
		}
		k.verify(t, from)
	}
}
