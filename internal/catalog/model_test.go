package catalog

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// model is the catalog done naively: it keeps plain lists, derives everything from them at each
// question, and copies all of itself for a clone.
type model struct {
	given   uint32 // ordinals given so far
	streams map[uint32]*modelStream
	files   []Sealed
	carried map[uint32]State
}

type modelStream struct {
	created Created
	first   uint64
	next    uint64
	deleted bool
}

func newModel() *model {
	return &model{streams: map[uint32]*modelStream{}, carried: map[uint32]State{}}
}

func (m *model) clone() *model {
	c := &model{given: m.given, streams: map[uint32]*modelStream{}, files: slices.Clone(m.files)}
	for o, s := range m.streams {
		twin := *s
		c.streams[o] = &twin
	}
	c.carried = maps.Clone(m.carried)
	return c
}

func (m *model) runs(ordinal uint32) (runs []FileRun) {
	for _, f := range m.files {
		for _, r := range f.Runs {
			if r.Ordinal == ordinal {
				runs = append(runs, FileRun{f.File, r.First, r.Last, r.Newest})
			}
		}
	}
	return runs
}

func (m *model) liveRuns(f Sealed) (live int) {
	for _, r := range f.Runs {
		if s := m.streams[r.Ordinal]; s != nil && !s.deleted && r.Last >= s.first {
			live++
		}
	}
	return live
}

func (m *model) index(file uint64) int {
	return slices.IndexFunc(m.files, func(f Sealed) bool { return f.File == file })
}

func (m *model) forget() {
	for o, s := range m.streams {
		if s.deleted && len(m.runs(o)) == 0 {
			delete(m.streams, o)
		}
	}
}

// legal judges by the rules alone. Names and options are always well formed here.
func (m *model) legal(d Decision) bool {
	live := func(o uint32) bool { return m.streams[o] != nil && !m.streams[o].deleted }
	switch d := d.(type) {
	case Created:
		for _, s := range m.streams {
			if s.created.Name == d.Name && !s.deleted {
				return false
			}
		}
		return d.Ordinal == m.given+1
	case Deleted:
		return live(d.Ordinal)
	case Trimmed:
		return live(d.Ordinal) && d.First > m.streams[d.Ordinal].first
	case Sealed:
		for i, r := range d.Runs {
			if r.Ordinal == 0 || r.Ordinal > m.given || i > 0 && r.Ordinal <= d.Runs[i-1].Ordinal {
				return false
			}
			s := m.streams[r.Ordinal]
			if s != nil && (r.First < s.next || r.First > s.next && !s.deleted && !r.Gap) {
				return false
			}
		}
		return m.index(d.File) < 0
	case Recycled:
		at := m.index(d.File)
		if at < 0 || m.liveRuns(m.files[at]) > 0 {
			return false
		}
		for i, st := range d.States {
			if st.Ordinal == 0 || st.Ordinal > m.given || i > 0 && st.Ordinal <= d.States[i-1].Ordinal {
				return false
			}
			if !live(st.Ordinal) {
				continue
			}
			runs := m.runs(st.Ordinal)
			if len(runs) == 0 || runs[len(runs)-1].File != d.File || st.Last != m.streams[st.Ordinal].next-1 {
				return false
			}
		}
	}
	return true
}

func (m *model) apply(d Decision) {
	switch d := d.(type) {
	case Created:
		m.given++
		m.streams[d.Ordinal] = &modelStream{created: d, first: 1, next: 1}
	case Deleted:
		m.streams[d.Ordinal].deleted = true
		delete(m.carried, d.Ordinal)
	case Trimmed:
		m.streams[d.Ordinal].first = d.First
	case Sealed:
		m.files = append(m.files, d)
		for _, r := range d.Runs {
			delete(m.carried, r.Ordinal)
			if s := m.streams[r.Ordinal]; s != nil {
				s.next = r.Last + 1
			}
		}
	case Recycled:
		for _, st := range d.States {
			if s := m.streams[st.Ordinal]; s != nil && !s.deleted {
				m.carried[st.Ordinal] = st
			}
		}
		m.files = slices.Delete(slices.Clone(m.files), m.index(d.File), m.index(d.File)+1)
	}
	m.forget()
}

// dump writes everything that can be asked of the model, in the form in which dump writes a catalog's.
func (m *model) dump(lastSeq uint64) string {
	var b strings.Builder
	fmt.Fprintln(&b, lastSeq, m.given+1)
	byName := map[string]StreamState{}
	for o := uint32(0); o <= m.given+1; o++ {
		s := m.streams[o]
		if s == nil {
			continue
		}
		state := StreamState{
			Ordinal: o, Deleted: s.deleted, Name: s.created.Name, CreatedMs: s.created.TimeMs,
			Options: s.created.Options, First: s.first, SealedNext: s.next, Runs: m.runs(o),
			Carried: m.carried[o].State, CarriedLast: m.carried[o].Last,
		}
		fmt.Fprintf(&b, "%+v\n", state)
		if !s.deleted {
			byName[state.Name] = state
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		fmt.Fprintf(&b, "%+v\n", byName[name])
	}
	for _, f := range m.files {
		fmt.Fprintf(&b, "%+v %v\n", FileState{f, m.liveRuns(f)}, m.liveRuns(f) == 0)
	}
	return b.String()
}

func dump(c *Catalog) string {
	var b strings.Builder
	fmt.Fprintln(&b, c.LastSeq(), c.NextOrdinal())
	for o := uint32(0); o <= c.NextOrdinal(); o++ {
		if s, ok := c.ByOrdinal(o); ok {
			fmt.Fprintf(&b, "%+v\n", s)
		}
	}
	for s := range c.Streams() {
		if twin, ok := c.ByName(s.Name); !ok || !reflect.DeepEqual(twin, s) {
			fmt.Fprintf(&b, "by its name %+v %v\n", twin, ok)
		}
		fmt.Fprintf(&b, "%+v\n", s)
	}
	for f := range c.Files() {
		if twin, ok := c.File(f.File); !ok || !reflect.DeepEqual(twin, f) {
			fmt.Fprintf(&b, "by its id %+v %v\n", twin, ok)
		}
		fmt.Fprintf(&b, "%+v %v\n", f, c.Dead(f.File))
	}
	return b.String()
}

// randomDecision mostly looks at the model for what could be legal, and then often spoils it.
func randomDecision(rng *rand.Rand, m *model) Decision {
	off := func(v uint64) uint64 { // v, or one of its neighbours
		if rng.IntN(8) == 0 {
			return v + 1 - uint64(rng.IntN(3))
		}
		return v
	}
	ordinal := uint32(rng.IntN(int(m.given)+1) + rng.IntN(2))
	switch k := rng.IntN(16); {
	case k < 3:
		name := string(rune('a' + rng.IntN(12)))
		return Created{uint32(off(uint64(m.given + 1))), name, rng.Int64() - rng.Int64(), []byte(strings.Repeat("o", 1+rng.IntN(3)))}
	case k < 4:
		return Deleted{ordinal, rng.Int64()}
	case k < 8:
		first := uint64(rng.IntN(50))
		if s := m.streams[ordinal]; s != nil {
			first = s.first + uint64(rng.IntN(6))
		}
		return Trimmed{ordinal, first, rng.Int64()}
	case k < 12:
		return randomSealed(rng, m, off)
	default:
		return randomRecycled(rng, m, off)
	}
}

func randomSealed(rng *rand.Rand, m *model, off func(uint64) uint64) Sealed {
	d := Sealed{File: rng.Uint64()%40 + 1, DataEnd: 1 + rng.Int64N(100), Size: 100, Checksum: rng.Uint64()}
	d.IndexHash[rng.IntN(32)] = byte(rng.Uint32())
	for o := uint32(1); o <= m.given; o++ {
		if rng.IntN(3) > 0 {
			continue
		}
		r := Run{Ordinal: o, Gap: rng.IntN(8) == 0, First: 1 + rng.Uint64N(9), Newest: rng.Int64() - rng.Int64()}
		if s := m.streams[o]; s != nil {
			r.First = max(1, off(s.next))
		}
		r.Last = r.First + uint64(rng.IntN(4))
		d.Runs = append(d.Runs, r)
	}
	if len(d.Runs) > 1 && rng.IntN(10) == 0 {
		d.Runs[0], d.Runs[1] = d.Runs[1], d.Runs[0]
	}
	return d
}

func randomRecycled(rng *rand.Rand, m *model, off func(uint64) uint64) Recycled {
	if len(m.files) == 0 {
		return Recycled{File: 1}
	}
	f := m.files[rng.IntN(len(m.files))]
	for _, dead := range m.files {
		if m.liveRuns(dead) == 0 && rng.IntN(3) > 0 {
			f = dead
		}
	}
	d := Recycled{File: off(f.File)}
	for _, r := range f.Runs {
		if s := m.streams[r.Ordinal]; s != nil && s.next == r.Last+1 && rng.IntN(4) > 0 || rng.IntN(20) == 0 {
			d.States = append(d.States, State{r.Ordinal, off(r.Last), []byte(fmt.Sprint("at ", r.Last))})
		}
	}
	return d
}

// history folds random decisions into a catalog and a model, and compares the two after each.
func history(t *testing.T, seed uint64, steps int) (legal, illegal int) {
	rng := rand.New(rand.NewPCG(seed, 7))
	c, m := New(), newModel()
	type kept struct {
		c    *Catalog
		want string
	}
	var clones []kept
	for step := range steps {
		d := randomDecision(rng, m)
		ok := m.legal(d)
		if err := c.Apply(c.LastSeq()+1, d); (err == nil) != ok {
			t.Fatalf("seed %d step %d: %+v: legal %v, got %v", seed, step, d, ok, err)
		}
		if ok {
			legal++
			m.apply(d)
			roundTripDecision(t, d)
		} else {
			illegal++
		}
		want := m.dump(c.LastSeq())
		if got := dump(c); got != want {
			t.Fatalf("seed %d step %d: after %+v\ngot  %s\nwant %s", seed, step, d, got, want)
		}
		c = roundTripSnapshot(t, c, want, rng.IntN(10) == 0)
		if rng.IntN(20) == 0 {
			clones = append(clones, kept{c.Clone(), want})
			divergeClone(t, rng, c.Clone(), m.clone())
		}
	}
	for _, k := range clones {
		if dump(k.c) != k.want {
			t.Fatalf("seed %d: a clone saw a later decision", seed)
		}
	}
	return legal, illegal
}

// divergeClone takes a clone another way than its original; the original is compared afterwards.
func divergeClone(t *testing.T, rng *rand.Rand, c *Catalog, m *model) {
	for range 20 {
		d := randomDecision(rng, m)
		if err := c.Apply(c.LastSeq()+1, d); err == nil {
			m.apply(d)
		}
	}
	if got, want := dump(c), m.dump(c.LastSeq()); got != want {
		t.Fatalf("the clone went wrong:\ngot  %s\nwant %s", got, want)
	}
}

func roundTripDecision(t *testing.T, d Decision) {
	b := Encode([]byte("before"), d)[len("before"):]
	got, err := Decode(b)
	if err != nil || !reflect.DeepEqual(got, d) {
		t.Fatalf("%+v came back as %+v, %v", d, got, err)
	}
}

// roundTripSnapshot returns c itself, or at times the decoded one to go on with.
func roundTripSnapshot(t *testing.T, c *Catalog, want string, swap bool) *Catalog {
	p := Position{Seq: c.LastSeq(), File: 3 + c.LastSeq()/5, Epoch: 2}
	b := EncodeSnapshot([]byte("before"), c, p, [16]byte{1, 15: 16})[len("before"):]
	if len(b) > c.SnapshotBound() {
		t.Fatalf("%d bytes of snapshot, the bound is %d", len(b), c.SnapshotBound())
	}
	again, position, store, err := DecodeSnapshot(b)
	if err != nil || position != p || store != [16]byte{1, 15: 16} || dump(again) != want {
		t.Fatalf("snapshot of\n%scame back as %+v %x %v", want, position, store, err)
	}
	if !bytes.Equal(EncodeSnapshot(nil, again, p, store), b) {
		t.Fatal("one catalog has two snapshots")
	}
	if again.SnapshotBound() != c.SnapshotBound() {
		t.Fatalf("the bound is %d after a snapshot, %d before", again.SnapshotBound(), c.SnapshotBound())
	}
	if swap {
		return again
	}
	return c
}

func TestRandomHistoriesAgreeWithTheModelAtEveryPrefix(t *testing.T) {
	seeds, steps := 20, 250
	if testing.Short() {
		seeds = 5
	}
	legal, illegal := 0, 0
	for seed := range uint64(seeds) {
		l, i := history(t, seed, steps)
		legal, illegal = legal+l, illegal+i
	}
	t.Logf("%d legal and %d illegal decisions", legal, illegal)
	if legal < 20*seeds || illegal < 20*seeds {
		t.Error("the histories are too one-sided to prove anything")
	}
}
