package aof_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

// timed is a store of small files with one stream, whose record i was accepted at times[i-1], as its clock said.
func timed(t *testing.T, times []int64) (*aoftest.Disk, *aof.Options, *aof.Store, *aof.Stream) {
	t.Helper()
	c := &wall{at: time.UnixMilli(times[0])}
	o := aoftest.Small()
	o.Now = c.now
	d, s, st := active(t, o)
	for i, at := range times {
		if i == len(times)*7/8 { // most of them in sealed files, for certain
			expect(t, "seal", s.Seal(ctx), nil)
		}
		c.step(time.UnixMilli(at).Sub(c.now()))
		fill(t, st, 1, 300)
	}
	return d, o, s, st
}

// stamps are the times that the store gave the records.
func stamps(t *testing.T, st *aof.Stream) (out []int64) {
	t.Helper()
	r, err := st.Reader(aof.ReaderOptions{To: st.Bounds().Durable})
	if err != nil {
		t.Fatal(err)
	}
	for rec, err := range r.All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rec.Time.UnixMilli())
	}
	expect(t, "close", r.Close(), nil)
	return out
}

// jumping is a clock that mostly goes on, stands still, and jumps for years both ways.
func jumping(n int) []int64 {
	const year = 365 * 24 * 3600 * 1000
	times, at := make([]int64, n), int64(1_700_000_000_000)
	for i := range times {
		switch {
		case i%97 == 50:
			at += 3 * year
		case i%97 == 80:
			at -= 5 * year
		case i%7 == 3:
			at -= 5 // too little to be believed
		case i%3 != 0:
			at += 1000
		}
		times[i] = at
	}
	return times
}

// A reader from a time begins with the first record at which the newest time so far reaches it, wherever that lies: in
// sealed files, in the open one, behind a trim, in a life after a crash.
func TestReadingFromATime(t *testing.T) {
	d, o, s, st := timed(t, jumping(400))
	if s.Stats().Sealed < 3 {
		t.Fatalf("only %d files are sealed", s.Stats().Sealed)
	}
	check := func(what string, st *aof.Stream) {
		t.Helper()
		b := st.Bounds()
		all := stamps(t, st)
		r, err := st.Reader(aof.ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { expect(t, "close", r.Close(), nil) }()
		for i, at := range append(append([]int64{0, 1 << 60}, all...), all[0]-1, all[len(all)-1]+1) {
			want := b.Durable + 1
			for k, ms := range all {
				if ms >= at {
					want = b.First + aof.Seq(k)
					break
				}
			}
			from := time.UnixMilli(at).Add(-time.Duration(i%2) * time.Microsecond) // between two milliseconds, the later counts
			expect(t, "seek", r.SeekTime(from), nil)
			if got := r.Cursor().Seq + 1; got != want {
				t.Fatalf("%s: from %d the reader begins with %d, want %d", what, at, got, want)
			}
		}
		from := time.UnixMilli(all[len(all)/2])
		fresh, err := st.Reader(aof.ReaderOptions{FromTime: from})
		if err != nil {
			t.Fatal(err)
		}
		rec, err := fresh.Next(ctx)
		if err != nil || rec.Time.Before(from) {
			t.Errorf("%s: record %d of %v, %v", what, rec.Seq, rec.Time, err)
		}
		expect(t, "close", fresh.Close(), nil)
	}
	check("at first", st)
	expect(t, "trim", st.TrimBefore(ctx, 137), nil)
	check("behind a trim", st)
	crashed := d.Crash(3).Open(o)
	check("after a crash", stream(t, crashed, "s"))
	expect(t, "trim to empty", st.TrimBefore(ctx, st.Bounds().Next), nil)
	r, err := st.Reader(aof.ReaderOptions{FromTime: time.UnixMilli(1)})
	if err != nil || r.Cursor().Seq+1 != st.Bounds().Next {
		t.Errorf("an empty stream: %v, %v", r, err)
	}
	expect(t, "close", r.Close(), nil)
}

// From a time that is yet to come, the next record is read, whatever its time.
func TestReadingFromAFutureTime(t *testing.T) {
	_, _, _, st := timed(t, []int64{1000, 2000})
	r, err := st.Reader(aof.ReaderOptions{FromTime: time.UnixMilli(1 << 50)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = tryNext(r)
	_ = blocked(t, err, aof.BlockTail)
	fill(t, st, 1, 0)
	if rec, err := r.Next(ctx); rec.Seq != 3 || err != nil {
		t.Errorf("record %d, %v", rec.Seq, err)
	}
	expect(t, "close", r.Close(), nil)
	expect(t, "seek behind the end", r.SeekTime(time.UnixMilli(1)), aof.ErrClosed)
}

// Damage where the search has to look is where the reader begins: it then says so.
func TestReadingFromATimeIntoDamage(t *testing.T) {
	times := make([]int64, 100)
	for i := range times {
		times[i] = int64(i+1) * 1000
	}
	d, o, s, _ := timed(t, times)
	var file aof.FileInfo
	for _, f := range s.Files() {
		if f.State == aof.FileSealed {
			file = f
			break
		}
	}
	expect(t, "close", s.Close(), nil)
	b := d.Read(file.Path)
	for i := 5000; i < len(b)-5000; i++ { // between the first records and the run index
		b[i] ^= 0xff
	}
	d.Write(file.Path, b, 0)
	d.ExpectDamage()
	st := stream(t, d.Open(o), "s")
	last := (file.Runs[0].First + file.Runs[0].Last) / 2
	r, err := st.Reader(aof.ReaderOptions{FromTime: time.UnixMilli(times[last-1])})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = r.Next(ctx); err == nil {
		t.Error("the reader found a record where there is damage")
	}
	expect(t, "read", err, aof.ErrCorrupt)
	expect(t, "close", r.Close(), nil)
}

// A clock that the program supplies is read for each append, also while a round is under way: what shares a reading of the
// system's clock would be given an old time here.
func TestASuppliedClockIsReadForEachAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &wall{at: time.UnixMilli(1_700_000_000_000)}
		o := aoftest.Small()
		o.Now = c.now
		d, _, st := active(t, o)
		hold := d.HoldSyncs()
		var want []int64
		for i := range 40 {
			if i == 30 {
				c.step(time.Hour)
			}
			if _, err := st.TryAppend([]byte("a")); err != nil {
				t.Fatal(err)
			}
			want = append(want, c.now().UnixMilli())
		}
		hold.Release()
		expect(t, "wait", st.WaitDurable(ctx, 40), nil)
		if got := stamps(t, st); !slices.Equal(got, want) {
			t.Errorf("the times are %v, want %v", got, want)
		}
	})
}
