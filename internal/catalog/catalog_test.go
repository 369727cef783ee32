package catalog

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// fold applies the decisions one after another to an empty catalog.
func fold(t *testing.T, decisions ...Decision) *Catalog {
	t.Helper()
	c := New()
	for _, d := range decisions {
		if err := c.Apply(c.LastSeq()+1, d); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func created(ordinal uint32, name string) Created {
	return Created{Ordinal: ordinal, Name: name, TimeMs: 1000 + int64(ordinal)}
}

func sealed(file uint64, runs ...Run) Sealed {
	return Sealed{File: file, DataEnd: 8192, Size: 12288, Checksum: file * 3, Runs: runs}
}

func run(ordinal uint32, first, last uint64) Run {
	return Run{Ordinal: ordinal, First: first, Last: last}
}

// twoStreams has stream 1 "a", trimmed to 5, with runs in files 1 and 2; stream 2 "b" with a run in
// file 2; stream 3 "c", deleted, with a run in file 2 that keeps its state; stream 4, deleted and gone.
func twoStreams(t *testing.T) *Catalog {
	return fold(t,
		created(1, "a"), created(2, "b"), created(3, "c"), created(4, "d"),
		Deleted{Ordinal: 4},
		sealed(1, run(1, 1, 4)),
		sealed(2, run(1, 5, 9), run(2, 1, 3), run(3, 1, 1)),
		Trimmed{Ordinal: 1, First: 5},
		Deleted{Ordinal: 3},
	)
}

func state(ordinal uint32, last uint64) State {
	return State{Ordinal: ordinal, Last: last, State: []byte("state")}
}

// checks are decisions after twoStreams.
var checks = []struct {
	name string
	d    Decision
	why  string // empty: legal
}{
	{"a stream with the next ordinal and a new name", created(5, "e"), ""},
	{"a name of 255 bytes", created(5, strings.Repeat("é", 127)+"x"), ""},
	{"the name of a deleted stream", created(5, "c"), ""},
	{"an ordinal that was given", created(4, "e"), "next ordinal is 5"},
	{"an ordinal beyond the next", created(6, "e"), "next ordinal is 5"},
	{"ordinal 0", created(0, "e"), "next ordinal is 5"},
	{"the name of a live stream", created(5, "b"), "stream 2 has this name"},
	{"an empty name", created(5, ""), "empty"},
	{"a name of 256 bytes", created(5, strings.Repeat("x", 256)), "256 bytes"},
	{"a name that is not UTF-8", created(5, "\xff"), "UTF-8"},
	{"a name with a NUL", created(5, "a\x00b"), "NUL"},
	{"options of 4 KiB", Created{Ordinal: 5, Name: "e", Options: make([]byte, 4096)}, ""},
	{"options beyond 4 KiB", Created{Ordinal: 5, Name: "e", Options: make([]byte, 4097)}, "4097 bytes"},

	{"deleting a live stream", Deleted{Ordinal: 1}, ""},
	{"deleting a deleted stream", Deleted{Ordinal: 3}, "is deleted"},
	{"deleting a stream that is gone", Deleted{Ordinal: 4}, "is deleted"},
	{"deleting a stream that never was", Deleted{Ordinal: 5}, "never was"},
	{"deleting stream 0", Deleted{Ordinal: 0}, "never was"},

	{"trimming forward", Trimmed{Ordinal: 1, First: 6}, ""},
	{"trimming beyond what is sealed", Trimmed{Ordinal: 1, First: 1000}, ""},
	{"trimming to where the stream begins", Trimmed{Ordinal: 1, First: 5}, "already begins at 5"},
	{"trimming to 0", Trimmed{Ordinal: 2, First: 0}, "already begins at 1"},
	{"trimming a deleted stream", Trimmed{Ordinal: 3, First: 9}, "is deleted"},

	{"a file without runs", sealed(3), ""},
	{"runs that follow on", sealed(3, run(1, 10, 10), run(2, 4, 90)), ""},
	{"a gap that is said to be one", sealed(3, Run{Ordinal: 1, Gap: true, First: 12, Last: 13}), ""},
	{"a gap of a deleted stream", sealed(3, run(3, 7, 8)), ""},
	{"any run of a stream that is gone", sealed(3, run(4, 7, 8)), ""},
	{"a gap that is not said to be one", sealed(3, run(1, 12, 13)), "begin at 10"},
	{"a run that overlaps", sealed(3, run(1, 9, 13)), "below 10 are already sealed"},
	{"a gap backwards", sealed(3, Run{Ordinal: 1, Gap: true, First: 9, Last: 13}), "already sealed"},
	{"a deleted stream's run that overlaps", sealed(3, run(3, 1, 8)), "already sealed"},
	{"a run of a stream that never was", sealed(3, run(5, 1, 2)), "never was"},
	{"a run without records", sealed(3, run(1, 10, 9)), "no records"},
	{"a run from seq 0", sealed(3, run(4, 0, 9)), "no records"},
	{"a run to the last of all seqs", sealed(3, run(1, 10, math.MaxUint64)), "last of all seqs"},
	{"runs out of order", sealed(3, run(2, 4, 4), run(1, 10, 10)), "stream 1 after that of stream 2"},
	{"two runs of a stream", sealed(3, run(1, 10, 10), run(1, 11, 11)), "stream 1 after that of stream 1"},
	{"a run of ordinal 0", sealed(3, run(0, 1, 1)), "stream 0"},
	{"sealing a file twice", sealed(2, run(1, 10, 10)), "already sealed"},
	{"sealing file 0", sealed(0), "not a file's id"},
	{"data beyond the file's end", Sealed{File: 3, DataEnd: 9, Size: 8}, "data up to 9"},

	{"recycling a dead file", Recycled{File: 1}, ""},
	{"recycling a file that is read", Recycled{File: 2}, "2 of its runs can still be read"},
	{"recycling a file that is not sealed", Recycled{File: 3}, "not sealed"},
	{"a state of a run that is not the last", Recycled{File: 1, States: []State{state(1, 4)}}, "not in the file"},
	{"a state of a stream that never was", Recycled{File: 1, States: []State{state(5, 4)}}, "never was"},
	{"a state of a stream that is gone", Recycled{File: 1, States: []State{state(4, 4)}}, ""},
	{"states out of order", Recycled{File: 1, States: []State{state(4, 4), state(3, 1)}}, "after that of stream 4"},
	{"a state without bytes", Recycled{File: 1, States: []State{{Ordinal: 4, Last: 1}}}, "0 bytes"},
}

func TestCheckRefusesWithTheReason(t *testing.T) {
	for _, tt := range checks {
		t.Run(tt.name, func(t *testing.T) {
			c := twoStreams(t)
			before := dump(c)
			err := c.Check(tt.d)
			var illegal *IllegalError
			switch {
			case tt.why == "" && err != nil:
				t.Fatalf("refused: %v", err)
			case tt.why != "" && (!errors.As(err, &illegal) || !strings.Contains(illegal.Why, tt.why)):
				t.Fatalf("got %v, want a reason with %q", err, tt.why)
			}
			if applied := c.Apply(c.LastSeq()+1, tt.d); (applied == nil) != (err == nil) {
				t.Fatalf("Apply says %v, Check %v", applied, err)
			}
			if err != nil && dump(c) != before {
				t.Fatal("a refused decision changed the catalog")
			}
		})
	}
}

func TestApplyRefusesAnotherNumberThanTheNext(t *testing.T) {
	c := twoStreams(t)
	for _, seq := range []uint64{0, c.LastSeq(), c.LastSeq() + 2} {
		var illegal *IllegalError
		if err := c.Apply(seq, created(5, "e")); !errors.As(err, &illegal) {
			t.Errorf("decision %d: got %v", seq, err)
		}
	}
}

func TestAFileDiesWithItsLastRun(t *testing.T) {
	c := twoStreams(t)
	steps := []struct {
		d     Decision
		live  int
		alive bool
	}{
		{Trimmed{Ordinal: 1, First: 9}, 2, true},
		{Trimmed{Ordinal: 1, First: 10}, 1, true},
		{Trimmed{Ordinal: 1, First: 20}, 1, true},
		{Deleted{Ordinal: 2}, 0, false},
	}
	for _, step := range steps {
		if err := c.Apply(c.LastSeq()+1, step.d); err != nil {
			t.Fatal(err)
		}
		if f, _ := c.File(2); f.LiveRuns != step.live || c.Dead(2) == step.alive {
			t.Errorf("after %s: %d live runs, dead %v", step.d.what(), f.LiveRuns, c.Dead(2))
		}
	}
	if c.Dead(77) {
		t.Error("a file nobody sealed is dead")
	}
}

func TestADeletedStreamStaysAsLongAsASealedFileHoldsIt(t *testing.T) {
	c := twoStreams(t)
	if s, ok := c.ByOrdinal(3); !ok || !s.Deleted || len(s.Runs) != 1 {
		t.Fatalf("got %+v, %v", s, ok)
	}
	for _, d := range []Decision{Deleted{Ordinal: 1}, Deleted{Ordinal: 2}, Recycled{File: 2}} {
		if err := c.Apply(c.LastSeq()+1, d); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := c.ByOrdinal(3); ok {
		t.Error("the state outlived its last run")
	}
	if _, ok := c.ByOrdinal(1); !ok {
		t.Error("the state went although file 1 holds a run of it")
	}
}

func TestRecycledCarriesDigestStatesUntilTheNextRun(t *testing.T) {
	c := twoStreams(t)
	apply := func(d Decision) {
		t.Helper()
		if err := c.Apply(c.LastSeq()+1, d); err != nil {
			t.Fatal(err)
		}
	}
	apply(Trimmed{Ordinal: 1, First: 10})
	apply(Trimmed{Ordinal: 2, First: 4})
	if got, want := c.LastRuns(2), []Run{run(1, 5, 9), run(2, 1, 3)}; !slices.Equal(got, want) {
		t.Fatalf("last runs: got %v, want %v", got, want)
	}
	wrong := Recycled{File: 2, States: []State{{Ordinal: 1, Last: 8, State: []byte("x")}}}
	if err := c.Check(wrong); err == nil {
		t.Error("a state at another record than the last was taken")
	}
	apply(Recycled{File: 2, States: []State{{1, 9, []byte("one")}, {2, 3, []byte("two")}}})
	s, _ := c.ByOrdinal(1)
	if string(s.Carried) != "one" || s.CarriedLast != 9 || s.SealedNext != 10 {
		t.Errorf("got %+v", s)
	}
	apply(sealed(3, run(1, 10, 11)))
	if s, _ := c.ByOrdinal(1); s.Carried != nil || s.CarriedLast != 0 {
		t.Errorf("carried beside a sealed run: %+v", s)
	}
	if s, _ := c.ByOrdinal(2); string(s.Carried) != "two" {
		t.Errorf("got %+v", s)
	}
}

func TestStreamsAreSortedByName(t *testing.T) {
	c := fold(t, created(1, "b"), created(2, "a"), created(3, "c"), Deleted{Ordinal: 3}, created(4, "c"))
	var got []string
	for s := range c.Streams() {
		got = append(got, s.Name)
	}
	if want := []string{"a", "b", "c"}; !slices.Equal(got, want) || c.Len() != 3 {
		t.Errorf("got %q, %d streams", got, c.Len())
	}
	if s, ok := c.ByName("c"); !ok || s.Ordinal != 4 {
		t.Errorf("got %+v, %v", s, ok)
	}
}

func TestWhatWasReadDoesNotChangeLater(t *testing.T) {
	c := twoStreams(t)
	s, _ := c.ByOrdinal(1)
	want := slices.Clone(s.Runs)
	_ = append(s.Runs, FileRun{File: 99}) // must not land where the catalog writes its next run
	for _, d := range []Decision{sealed(3, run(1, 10, 11)), Recycled{File: 1}, sealed(4, run(1, 12, 12))} {
		if err := c.Apply(c.LastSeq()+1, d); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(s.Runs, want) {
		t.Errorf("got %v, want %v", s.Runs, want)
	}
	now, _ := c.ByOrdinal(1)
	if want := []FileRun{{2, 5, 9, 0}, {3, 10, 11, 0}, {4, 12, 12, 0}}; !slices.Equal(now.Runs, want) {
		t.Errorf("got %v, want %v", now.Runs, want)
	}
}

func TestAClonesNextRunIsItsOwn(t *testing.T) {
	c := fold(t, created(1, "a"))
	seq := uint64(0)
	for range 3 { // three runs leave room for a fourth behind them
		seq++
		if err := c.Apply(c.LastSeq()+1, sealed(seq, run(1, seq, seq))); err != nil {
			t.Fatal(err)
		}
	}
	clone := c.Clone()
	if err := c.Apply(c.LastSeq()+1, sealed(4, run(1, 4, 4))); err != nil {
		t.Fatal(err)
	}
	if err := clone.Apply(clone.LastSeq()+1, sealed(5, run(1, 4, 9))); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		c    *Catalog
		want FileRun
	}{{c, FileRun{4, 4, 4, 0}}, {clone, FileRun{5, 4, 9, 0}}} {
		if s, _ := tt.c.ByOrdinal(1); len(s.Runs) != 4 || s.Runs[3] != tt.want {
			t.Errorf("got %v, want %v at the end", s.Runs, tt.want)
		}
	}
}
