package aof_test

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
	"github.com/aof2/aof/internal/fsys"
)

// readCounter counts the bytes that are read from hot files.
type readCounter struct {
	fsys.FS
	bytes atomic.Int64
	reads atomic.Int64
}

func (c *readCounter) Open(name string) (fsys.File, error) {
	f, err := c.FS.Open(name)
	return &countedFile{f, c}, err
}

func (c *readCounter) OpenWrite(name string) (fsys.File, error) {
	f, err := c.FS.OpenWrite(name)
	return &countedFile{f, c}, err
}

func (c *readCounter) Create(name string) (fsys.File, error) {
	f, err := c.FS.Create(name)
	return &countedFile{f, c}, err
}

type countedFile struct {
	fsys.File
	counter *readCounter
}

func (f *countedFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	f.counter.bytes.Add(int64(n))
	f.counter.reads.Add(1)
	return n, err
}

// Records are found by their seqs in any order, in sealed files, in the open one, in batches, and where one stretch has been
// read before, a seek fetches the few frames around the wanted one.
func TestRandomReadsFetchFewFrames(t *testing.T) {
	o := aoftest.NewDisk(t).Options(&aof.Options{HotFileSize: 256 << 10})
	counter := &readCounter{FS: o.FS}
	o.FS = counter
	s, err := aof.Open(ctx, "", o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { expect(t, "close", s.Close(), nil) }()
	st, other := create(t, s, "s"), create(t, s, "other")
	for i := range 1500 {
		fill(t, st, 1, 200+i%300)
		if i%200 == 0 {
			fill(t, other, 1, 100)
		}
		if i%100 == 0 {
			if _, err := st.Append(ctx, []byte(text(st.Bounds().Next)), []byte(text(st.Bounds().Next+1))); err != nil {
				t.Fatal(err)
			}
		}
	}
	r, err := st.Reader(aof.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { expect(t, "close", r.Close(), nil) }()
	rng := rand.New(rand.NewPCG(1, 1))
	last := uint64(st.Bounds().Durable)
	get := func(seq aof.Seq) {
		t.Helper()
		expect(t, "seek", r.Seek(seq), nil)
		rec, err := r.Next(ctx)
		if err != nil || rec.Seq != seq || string(rec.Data[:len(text(seq))]) != text(seq) {
			t.Fatalf("record %d is %d, %v", seq, rec.Seq, err)
		}
	}
	for range 5000 { // until every stretch has been read
		get(aof.Seq(1 + rng.Uint64N(last)))
	}
	const reads = 1000
	before := counter.bytes.Load()
	for range reads {
		get(aof.Seq(1 + rng.Uint64N(last)))
	}
	if each := (counter.bytes.Load() - before) / reads; each > 3000 {
		t.Errorf("a random read of a record of at most 500 bytes fetched %d bytes", each)
	}
	get(1)
	for seq := aof.Seq(2); seq <= aof.Seq(last); seq++ { // and goes on in order from there
		if rec, err := r.Next(ctx); err != nil || rec.Seq != seq || string(rec.Data[:len(text(seq))]) != text(seq) {
			t.Fatalf("record %d is %d, %v", seq, rec.Seq, err)
		}
	}
}

// A random read takes no memory once the stretch it goes to is known.
func TestRandomReadsAllocateNothing(t *testing.T) {
	s, err := aof.Open(ctx, t.TempDir(), &aof.Options{HotFileSize: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { expect(t, "close", s.Close(), nil) }()
	st := create(t, s, "s")
	fill(t, st, 1000, 500)
	expect(t, "seal", s.Seal(ctx), nil)
	r, err := st.Reader(aof.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { expect(t, "close", r.Close(), nil) }()
	seq := aof.Seq(0)
	get := func() {
		seq = 1 + (seq+389)%1000
		if err := r.Seek(seq); err != nil {
			t.Fatal(err)
		}
		if rec, err := r.Next(ctx); err != nil || rec.Seq != seq {
			t.Fatal(rec.Seq, err)
		}
	}
	for range 3000 {
		get()
	}
	if n := testing.AllocsPerRun(1000, get); n != 0 {
		t.Errorf("%v allocations for each random read", n)
	}
}

// What a lone writer appends record by record, each made durable before the next, is read in large windows all the same.
func TestTheRecordsOfALoneWriterAreReadTogether(t *testing.T) {
	o := aoftest.NewDisk(t).Options(&aof.Options{HotFileSize: 1 << 20})
	counter := &readCounter{FS: o.FS}
	o.FS = counter
	s, err := aof.Open(ctx, "", o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { expect(t, "close", s.Close(), nil) }()
	st := create(t, s, "s")
	fill(t, st, 600, 1000)
	for _, what := range []string{"the open file", "a sealed file"} {
		before := counter.reads.Load()
		expectSeqs(t, read(t, st, aof.ReaderOptions{}), 1, 600)
		if n := counter.reads.Load() - before; n > 10 {
			t.Errorf("%s: 600 records of 1,000 bytes took %d reads", what, n)
		}
		expect(t, "seal", s.Seal(ctx), nil)
		aoftest.Check(t, s)
	}
}
