package aof_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

// A clean end: the next life goes on in the same file, and until its first append
// not a byte of the directory changes.
func TestACleanReopenWritesNothingBeforeTheFirstAppend(t *testing.T) {
	for _, d := range []*aoftest.Disk{aoftest.NewDisk(t), aoftest.NewDir(t)} {
		s := d.Open(aoftest.Small())
		st := create(t, s, "s")
		fill(t, st, 60, 1000)
		expect(t, "trim", st.TrimBefore(ctx, 10), nil)
		expect(t, "close", s.Close(), nil)
		before := d.Contents()
		for range 3 {
			s = d.Open(aoftest.Small())
			r := s.Recovery()
			if !r.Clean || r.Fresh || r.Torn != 0 || r.Damage != nil || r.ReadOnly != nil {
				t.Errorf("recovery %+v", r)
			}
			st = stream(t, s, "s")
			expectSeqs(t, read(t, st, aof.ReaderOptions{}), 10, 60)
			aoftest.Check(t, s)
			expect(t, "close", s.Close(), nil)
			if after := d.Contents(); !maps.Equal(before, after) {
				t.Fatalf("a life without an append changed the directory: %v, before %v", names(after), names(before))
			}
		}
		s = d.Open(aoftest.Small())
		tail, end := s.Recovery().TailFile, s.Recovery().TailEnd
		fill(t, stream(t, s, "s"), 1, 0)
		for _, f := range s.Files() {
			if f.State == aof.FileOpen && (f.Path != tail || f.DataBytes <= end) {
				t.Errorf("appended to %s up to %d; the last life ended in %s at %d", f.Path, f.DataBytes, tail, end)
			}
		}
		fill(t, stream(t, s, "s"), 70, 1000) // also into the file that was prepared before
		if n := s.Stats().Poisoned; n != 0 {
			t.Errorf("%d files were given up", n)
		}
	}
}

func names(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// An unclean end, of the process or of the power, at any moment: everything that
// was acknowledged is there.
func TestAnUncleanReopenRecovers(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			d, s, st := active(t, aoftest.Small())
			acknowledged := aof.Seq(20 + seed*7)
			fill(t, st, int(acknowledged), 700)
			synctest.Wait() // until the next file is prepared
			hold := d.HoldSyncs()
			for range 3 {
				if _, err := st.TryAppend([]byte(text(st.Bounds().Next))); err != nil {
					t.Fatal(err)
				}
			}
			<-hold.Reached()
			for _, after := range []*aoftest.Disk{d.Kill(seed), d.Crash(seed)} {
				again := after.Open(aoftest.Small())
				if r := again.Recovery(); r.Clean || r.Damage != nil || r.ReadOnly != nil {
					t.Errorf("recovery %+v", r)
				}
				st := stream(t, again, "s")
				b := st.Bounds()
				if b.Durable < acknowledged || b.Durable > acknowledged+3 || b.Next != b.Durable+1 {
					t.Errorf("seed %d: bounds %+v, %d were acknowledged", seed, b, acknowledged)
				}
				expectSeqs(t, read(t, st, aof.ReaderOptions{}), 1, b.Durable)
				fill(t, st, 60, 700)
				synctest.Wait() // until nothing goes on in the background
				aoftest.Check(t, again)
				after.CheckFiles(again)
			}
			hold.Release()
			expect(t, "close", s.Close(), nil)
		})
	}
}

func TestASecondOpenerIsToldWhoHoldsTheStore(t *testing.T) {
	for _, d := range []*aoftest.Disk{aoftest.NewDisk(t), aoftest.NewDir(t)} {
		since := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
		s := d.Open(&aof.Options{Now: func() time.Time { return since }})
		before := d.Contents()
		_, err := d.TryOpen(nil)
		var locked *aof.LockedError
		if !errors.As(err, &locked) || !errors.Is(err, aof.ErrLocked) || locked.Dir != d.Path() {
			t.Fatalf("second opener: %v", err)
		}
		host, _ := os.Hostname()
		for _, part := range []string{fmt.Sprintf("pid %d", os.Getpid()), host, since.Format(time.RFC3339)} {
			if !strings.Contains(locked.Holder, part) || !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not tell %q", err, part)
			}
		}
		if !maps.Equal(before, d.Contents()) {
			t.Error("a second opener changed the directory")
		}
		expect(t, "close", s.Close(), nil)
		expect(t, "close", d.Open(nil).Close(), nil)
	}
}

func TestInspectBesideARunningStore(t *testing.T) {
	for _, d := range []*aoftest.Disk{aoftest.NewDisk(t), aoftest.NewDir(t)} {
		s := d.Open(aoftest.Small())
		st := create(t, s, "s")
		fill(t, st, 100, 500)
		expect(t, "trim", st.TrimBefore(ctx, 5), nil)
		expect(t, "seal", s.Seal(ctx), nil)
		fill(t, st, 1, 0) // its sync tells of all before
		v := d.Inspect(aoftest.Small())
		holder, running := v.Running()
		if !running || !strings.Contains(holder, "pid") {
			t.Errorf("running %v, %q", running, holder)
		}
		info, err := v.Stream("s")
		if err != nil || info.Bounds.First != 5 || info.Bounds.Durable < 100 {
			t.Errorf("the view shows %+v, %v", info, err)
		}
		fill(t, st, 30, 500) // the view stands still
		for _, o := range []aof.ReaderOptions{{}, {From: 50}, {Last: 7}, {To: 60}} {
			viewReads(t, v, info, o)
		}
		rep, err := v.Verify(ctx, aof.VerifyOptions{})
		if err != nil || len(rep.Damage) > 0 {
			t.Errorf("verify: %+v, %v", rep, err)
		}
		if _, err := v.Stream("none"); !errors.Is(err, aof.ErrNotFound) {
			t.Errorf("a stream that is not there: %v", err)
		}
		if _, err := v.Reader("none", aof.ReaderOptions{}); !errors.Is(err, aof.ErrNotFound) {
			t.Errorf("a reader of a stream that is not there: %v", err)
		}
		r, err := v.Reader("s", aof.ReaderOptions{})
		expect(t, "reader", err, nil)
		expect(t, "close", v.Close(), nil)
		expect(t, "close again", v.Close(), nil)
		_, err = r.Next(ctx)
		expect(t, "read a closed view", err, aof.ErrClosed)
	}
}

// viewReads reads in both ways, up to the end of the view.
func viewReads(t *testing.T, v *aof.View, info aof.StreamInfo, o aof.ReaderOptions) {
	t.Helper()
	first, last := info.Bounds.First, info.Bounds.Durable
	if o.From != 0 {
		first = o.From
	}
	if o.Last != 0 {
		first = last + 1 - aof.Seq(o.Last)
	}
	if o.To != 0 {
		last = o.To
	}
	r, err := v.Reader("s", o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	expectSeqs(t, drain(t, r), first, last)
	expect(t, "seek", r.Seek(first), nil)
	for want := first; ; want++ {
		rec, err := tryNext(r)
		if errors.Is(err, io.EOF) {
			if want != last+1 {
				t.Errorf("the end came before record %d", want)
			}
			return
		}
		if err != nil || rec.Seq != want {
			t.Fatalf("record %d, %v; want %d", rec.Seq, err, want)
		}
	}
}

func TestInspectWithoutAStore(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "none"), dir} {
		_, err := aof.Inspect(ctx, path, nil)
		expect(t, path, err, aof.ErrNotFound)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("Inspect made %v", entries)
	}
	_, err := aof.Inspect(ctx, "memory", aoftest.NewDisk(t).Options(nil))
	expect(t, "an empty disk", err, aof.ErrNotFound)
}

func TestADirectoryOfOtherFilesIsRefused(t *testing.T) {
	for _, d := range []*aoftest.Disk{aoftest.NewDisk(t), aoftest.NewDir(t)} {
		d.Write("thesis.txt", []byte("x"), 0)
		_, err := d.TryOpen(nil)
		expect(t, "open", err, aof.ErrInvalid)
		if err != nil && !strings.Contains(err.Error(), "thesis.txt") {
			t.Errorf("the message does not name the file: %v", err)
		}
		if n := names(d.Contents()); len(n) != 1 {
			t.Errorf("a refused Open made %v", n)
		}
		d.Remove("thesis.txt")
		d.Write("lost+found/x", nil, 0) // every ext4 file system has one
		create(t, d.Open(nil), "s")
	}
}

// Files that are none of ours are left alone, whatever their names, and noted.
func TestForeignFilesAreLeftAloneAndNoted(t *testing.T) {
	foreign := []string{
		"journal/notes.txt", "journal/mine.tmp", "journal/1.aof", "journal/000000000000000G.aof",
		"journal/0000000000000000.aof", "journal/00000000000000FF.aof", "snapshot/notes.txt", "snapshot/mine.tmp",
	}
	d := aoftest.NewDisk(t)
	s := d.Open(aoftest.Small())
	fill(t, create(t, s, "s"), 100, 1000)
	expect(t, "close", s.Close(), nil)
	for _, name := range foreign {
		d.Write(name, []byte("mine"), 0)
	}
	d.Write("journal/00000000000000ee.aof.tmp", []byte("left over"), 0)
	for range 2 {
		s = d.Open(aoftest.Small())
		notes := strings.Join(s.Recovery().Notes, "\n")
		for _, name := range foreign {
			if !strings.Contains(notes, name) {
				t.Errorf("%s is not noted in %q", name, notes)
			}
			if string(d.Contents()[name]) != "mine" {
				t.Errorf("%s was touched", name)
			}
		}
		if r := s.Recovery(); !r.Clean || r.ReadOnly != nil || r.Damage != nil {
			t.Errorf("recovery %+v", r)
		}
		fill(t, stream(t, s, "s"), 100, 1000)
		expect(t, "close", s.Close(), nil)
	}
	if _, ok := d.Contents()["journal/00000000000000ee.aof.tmp"]; ok {
		t.Error("what an attempt of our own left over is still there")
	}
	for _, name := range foreign {
		d.Remove(name)
	}
}

// Damage to a frame's header in the unsealed tail: nobody knows whose records it
// held, so the store is read, says what is damaged, and takes no appends.
func TestADamagedFrameInTheTailMakesTheStoreReadOnly(t *testing.T) {
	d, s, st := active(t, aoftest.Small())
	fill(t, st, 5, 0)
	tail := s.Files()[0].Path
	expect(t, "close", s.Close(), nil)
	d.ExpectDamage()
	at := strings.Index(d.Contents()[tail], text(3))
	d.FlipBit(tail, int64(at-16-30)*8) // in the frame's header: a record header and part of it lie between

	var damaged []error
	var readOnly error
	s = d.Open(&aof.Options{HotFileSize: aoftest.SmallFile, OnEvent: func(e aof.Event) {
		switch e.Kind {
		case aof.EventDamage:
			damaged = append(damaged, e.Err)
		case aof.EventRecovered:
			readOnly = e.Err
		}
	}})
	r := s.Recovery()
	if !errors.Is(r.ReadOnly, aof.ErrReadOnly) || len(r.Damage) == 0 || r.Damage[0].File != tail {
		t.Fatalf("recovery %+v", r)
	}
	if len(damaged) != len(r.Damage) || !errors.Is(damaged[0], aof.ErrCorrupt) || !errors.Is(readOnly, aof.ErrReadOnly) {
		t.Errorf("events told of %v and %v", damaged, readOnly)
	}
	st = stream(t, s, "s")
	before := st.Bounds()
	for _, f := range forms {
		seq, err := f.append(ctx, st, []byte("x"))
		expect(t, f.name, err, aof.ErrReadOnly)
		lawful(t, st, before, 1, seq, err)
	}
	_, err := s.CreateStream(ctx, "other", nil)
	expect(t, "create", err, aof.ErrReadOnly)
	readAround(t, st, 3, 5)
	rep, err := s.Verify(ctx, aof.VerifyOptions{})
	if err != nil || len(rep.Damage) == 0 {
		t.Errorf("verify: %+v, %v", rep, err)
	}
	expect(t, "close", s.Close(), nil)
}

// Damage to a record alone: it cannot be read, everything else can, and appends go
// on.
func TestADamagedRecordIsReportedExactly(t *testing.T) {
	d, s, st := active(t, aoftest.Small())
	fill(t, st, 5, 0)
	tail := s.Files()[0].Path
	expect(t, "close", s.Close(), nil)
	d.ExpectDamage()
	d.FlipBit(tail, int64(strings.Index(d.Contents()[tail], text(3)))*8)
	s = d.Open(aoftest.Small())
	r := s.Recovery()
	if r.ReadOnly != nil || len(r.Damage) != 1 || r.Damage[0].Stream != "s" || r.Damage[0].First != 3 || r.Damage[0].Last != 3 {
		t.Fatalf("recovery %+v", r)
	}
	st = stream(t, s, "s")
	fill(t, st, 2, 0)
	readAround(t, st, 3, 7)
	rep, err := s.Verify(ctx, aof.VerifyOptions{Streams: []string{"s"}})
	if err != nil || len(rep.Damage) != 1 || rep.Damage[0].First != 3 {
		t.Errorf("verify: %+v, %v", rep, err)
	}
	_, err = s.Verify(ctx, aof.VerifyOptions{Streams: []string{"none"}})
	expect(t, "verify a stream that is not there", err, aof.ErrNotFound)
	expect(t, "close", s.Close(), nil)
}

// readAround reads records 1..last of which one is damaged.
func readAround(t *testing.T, st *aof.Stream, bad, last aof.Seq) {
	t.Helper()
	r, err := st.Reader(aof.ReaderOptions{To: last})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for want := aof.Seq(1); want <= last; want++ {
		rec, err := r.Next(ctx)
		if want != bad {
			if err != nil || rec.Seq != want {
				t.Errorf("record %d, %v; want %d", rec.Seq, err, want)
			}
			continue
		}
		var corrupt *aof.CorruptError
		if !errors.As(err, &corrupt) || corrupt.First != bad || corrupt.Last != bad || corrupt.Stream != "s" {
			t.Errorf("the damaged record: %v", err)
		}
	}
	_, err = r.Next(ctx)
	expect(t, "the end", err, io.EOF)
}
