package aof_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

// seen reads a stream up to record seq and returns the cursor behind it, in its text form.
func seen(t *testing.T, st *aof.Stream, seq aof.Seq) string {
	t.Helper()
	r, err := st.Reader(aof.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for r.Cursor().Seq < seq {
		if _, err := r.Next(ctx); err != nil {
			t.Fatal(err)
		}
	}
	c := r.Cursor()
	expect(t, "close", r.Close(), nil)
	if again, err := st.Cursor(seq); seq != 0 && (err != nil || again != c) {
		t.Errorf("the reader's cursor is %v, the stream's %v, %v", c, again, err)
	}
	return c.String()
}

// resumed opens a reader at a cursor and returns what it reads first.
func resumed(t *testing.T, st *aof.Stream, text string, next func(*aof.Reader) (aof.Record, error)) (aof.Seq, error) {
	t.Helper()
	c, err := aof.ParseCursor(text)
	if err != nil {
		t.Fatal(err)
	}
	r, err := st.Reader(aof.ReaderOptions{FromCursor: c})
	if err != nil {
		return 0, err
	}
	defer func() { expect(t, "close", r.Close(), nil) }()
	rec, err := next(r)
	if err == nil && r.Cursor().Seq != rec.Seq {
		t.Errorf("behind record %d the cursor is %v", rec.Seq, r.Cursor())
	}
	return rec.Seq, err
}

func nexts() map[string]func(*aof.Reader) (aof.Record, error) {
	return map[string]func(*aof.Reader) (aof.Record, error){
		"Next":    func(r *aof.Reader) (aof.Record, error) { return r.Next(ctx) },
		"TryNext": tryNext,
	}
}

// A cursor goes on where its reader stood, in the same life, in another one, from sealed files and the open one.
func TestACursorResumes(t *testing.T) {
	d, s, st := active(t, aoftest.Small())
	fillRounds(t, s, st, 3)
	fill(t, st, 5, 10)
	last := st.Bounds().Durable
	at := map[aof.Seq]string{}
	for _, seq := range []aof.Seq{1, 2, last / 2, last - 1} {
		at[seq] = seen(t, st, seq)
	}
	for life, s := range []*aof.Store{s, d.Kill(1).Open(aoftest.Small()), d.Crash(2).Open(aoftest.Small())} {
		for seq, c := range at {
			for name, next := range nexts() {
				if got, err := resumed(t, stream(t, s, "s"), c, next); got != seq+1 || err != nil {
					t.Errorf("life %d, %s behind %d: record %d, %v", life, name, seq, got, err)
				}
			}
		}
	}
	before := seen(t, st, 0) // of a reader that has read nothing
	if got, err := resumed(t, st, before, tryNext); got != 1 || err != nil {
		t.Errorf("before the first record: record %d, %v", got, err)
	}
}

// Records that were accepted and not durable go with a crash, and their numbers are given again: a cursor tells.
func TestACursorOfADeadLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, aoftest.Small())
		fill(t, st, 3, 0)
		hold := d.HoldSyncs()
		seq, err := st.TryAppend([]byte("lost"), []byte("lost too"))
		if seq != 4 || err != nil {
			t.Fatalf("seq %d, %v", seq, err)
		}
		lost, err := st.Cursor(4)
		if err != nil {
			t.Fatal(err)
		}
		kept := seen(t, st, 3)
		var after *aof.Store
		for seed := range uint64(100) { // power loss keeps what was written and not synced, or does not
			if after = d.Crash(seed).Open(aoftest.Small()); stream(t, after, "s").Bounds().Next == 4 {
				break
			}
		}
		hold.Release()
		expect(t, "close", s.Close(), nil)
		st = stream(t, after, "s")
		_, err = resumed(t, st, lost.String(), tryNext)
		expect(t, "while there is no such record", err, aof.ErrDiverged)
		for st.Bounds().Next <= 6 {
			fill(t, st, 1, 0)
		}
		for name, next := range nexts() {
			_, err := resumed(t, st, lost.String(), next)
			var diverged *aof.DivergedError
			if !errors.As(err, &diverged) || diverged.Seq != 4 || diverged.Stream != "s" || !strings.Contains(diverged.Why, "life") {
				t.Errorf("%s behind the lost record: %v", name, err)
			}
			if got, err := resumed(t, st, kept, next); got != 4 || err != nil {
				t.Errorf("%s behind the kept record: record %d, %v", name, got, err)
			}
		}
	})
}

// A reader that has diverged says so again and again, and reads no record.
func TestADivergedReaderStaysDiverged(t *testing.T) {
	_, _, st := active(t, aoftest.Small())
	fill(t, st, 5, 0)
	c, err := st.Cursor(3)
	if err != nil {
		t.Fatal(err)
	}
	c.Epoch += 7
	r, err := st.Reader(aof.ReaderOptions{FromCursor: c})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err := r.Next(ctx)
		expect(t, "next", err, aof.ErrDiverged)
		_, err = tryNext(r)
		expect(t, "try", err, aof.ErrDiverged)
	}
	expect(t, "seek", r.Seek(2), nil) // who has thought it over goes on
	if rec, err := r.Next(ctx); rec.Seq != 2 || err != nil {
		t.Errorf("record %d, %v", rec.Seq, err)
	}
	expect(t, "close", r.Close(), nil)
}

// Behind a trim a cursor resumes if nothing was missed; else it says what is left.
func TestACursorBehindATrim(t *testing.T) {
	_, _, st := active(t, aoftest.Small())
	fill(t, st, 10, 0)
	at4, at5, at7 := seen(t, st, 4), seen(t, st, 5), seen(t, st, 7)
	late, err := aof.ParseCursor(at5)
	if err != nil {
		t.Fatal(err)
	}
	during, err := st.Reader(aof.ReaderOptions{FromCursor: late})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "trim", st.TrimBefore(ctx, 6), nil)
	for name, next := range nexts() {
		_, err = resumed(t, st, at4, next)
		var trimmed *aof.TrimmedError
		if !errors.As(err, &trimmed) || trimmed.First != 6 {
			t.Errorf("%s: a record was missed: %v", name, err)
		}
		if got, err := resumed(t, st, at5, next); got != 6 || err != nil {
			t.Errorf("%s: record %d, %v", name, got, err)
		}
		if got, err := resumed(t, st, at7, next); got != 8 || err != nil {
			t.Errorf("%s: record %d, %v", name, got, err)
		}
	}
	if rec, err := during.Next(ctx); rec.Seq != 6 || err != nil {
		t.Errorf("trimmed before the first call: record %d, %v", rec.Seq, err)
	}
	expect(t, "close", during.Close(), nil)
}

// A cursor is of one stream of one store.
func TestACursorOfAnotherStream(t *testing.T) {
	_, s, st := active(t, aoftest.Small())
	fill(t, st, 3, 0)
	c := seen(t, st, 2)
	other := create(t, s, "other")
	fill(t, other, 3, 0)
	_, err := resumed(t, other, c, tryNext)
	expect(t, "another stream", err, aof.ErrDiverged)
	expect(t, "delete", s.DeleteStream(ctx, "s"), nil)
	again := create(t, s, "s")
	fill(t, again, 3, 0)
	_, err = resumed(t, again, c, tryNext)
	expect(t, "a new stream of the old name", err, aof.ErrDiverged)
	_, _, elsewhere := active(t, aoftest.Small())
	fill(t, elsewhere, 3, 0)
	_, err = resumed(t, elsewhere, c, tryNext)
	expect(t, "the same stream of another store", err, aof.ErrDiverged)
}

// Text that is not a whole cursor is refused; what is one comes back, in JSON too.
func TestTheTextOfACursor(t *testing.T) {
	_, _, st := active(t, aoftest.Small())
	fill(t, st, 3, 0)
	c, err := st.Cursor(2)
	if err != nil {
		t.Fatal(err)
	}
	whole := c.String()
	for _, bad := range []string{
		"", "2", whole[1:], whole[:len(whole)-1], whole + "0", " " + whole, strings.ToUpper(whole) + "X",
		strings.Replace(whole, "-2-", "-3-", 1), fmt.Sprintf("%016x-%d-%d-%08x", c.Stream, c.Epoch, 9, 0),
	} {
		_, err := aof.ParseCursor(bad)
		expect(t, fmt.Sprintf("%q", bad), err, aof.ErrInvalid)
	}
	b, err := json.Marshal(map[string]aof.Cursor{"at": c})
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]aof.Cursor
	if err := json.Unmarshal(b, &back); err != nil || back["at"] != c {
		t.Errorf("%s came back as %v, %v", b, back, err)
	}
	for _, seq := range []aof.Seq{0, 4, 1 << 60} {
		_, err := st.Cursor(seq)
		expect(t, fmt.Sprint("cursor of ", seq), err, aof.ErrInvalid)
	}
	_, err = st.Reader(aof.ReaderOptions{From: 1, FromCursor: c})
	expect(t, "two beginnings", err, aof.ErrInvalid)
}

// Where the record behind which a reader resumes lies in a file that is gone, that is damage, and every record behind it
// is read.
func TestACursorIntoAMissingFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, aoftest.Small())
		fillRounds(t, s, st, 4)
		synctest.Wait()
		c, err := aof.ParseCursor(seen(t, st, 2))
		expect(t, "parse", err, nil)
		last := st.Bounds().Durable
		after := d.Kill(1)
		after.ExpectDamage()
		after.Remove(s.Files()[0].Path)
		st = stream(t, after.Open(aoftest.Small()), "s")
		for what, next := range nexts() {
			r, err := st.Reader(aof.ReaderOptions{FromCursor: c, To: last})
			if err != nil {
				t.Fatal(err)
			}
			_, err = next(r)
			var corrupt *aof.CorruptError
			if !errors.As(err, &corrupt) || corrupt.First != 2 || corrupt.Last <= 2 {
				t.Fatalf("%s: %v", what, err)
			}
			if r.Cursor().Seq != corrupt.Last {
				t.Errorf("%s: behind damage up to %d the cursor is %v", what, corrupt.Last, r.Cursor())
			}
			if rec, err := next(r); rec.Seq != corrupt.Last+1 || err != nil {
				t.Errorf("%s: behind damage up to %d came record %d, %v", what, corrupt.Last, rec.Seq, err)
			}
			expectSeqs(t, drain(t, r), corrupt.Last+2, last)
			expect(t, "close", r.Close(), nil)
		}
	})
}
