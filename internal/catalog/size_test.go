package catalog

import (
	"fmt"
	"runtime"
	"testing"
)

const manyStreams = 100_000

// many returns a catalog of n streams, each with a sealed run.
func many(tb testing.TB, n int) *Catalog {
	c := New()
	runs := make([]Run, n)
	for i := range n {
		d := Created{Ordinal: uint32(i + 1), Name: fmt.Sprintf("tenant-%06d", i), TimeMs: 1764000000000}
		if err := c.Apply(c.LastSeq()+1, d); err != nil {
			tb.Fatal(err)
		}
		runs[i] = run(d.Ordinal, 1, 10)
	}
	if err := c.Apply(c.LastSeq()+1, sealed(1, runs...)); err != nil {
		tb.Fatal(err)
	}
	return c
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestAStreamTakesLittleMemory(t *testing.T) {
	before := heap()
	c := many(t, manyStreams)
	each := (heap() - before) / manyStreams
	snapshot := EncodeSnapshot(nil, c, Position{}, [16]byte{})
	t.Logf("%d streams with a run each: %d bytes of heap a stream, %d bytes of snapshot",
		manyStreams, each, len(snapshot)/manyStreams)
	if each > 512 {
		t.Errorf("%d bytes a stream, more than 512", each)
	}
	runtime.KeepAlive(c)
}

func BenchmarkClone(b *testing.B) {
	c := many(b, manyStreams)
	b.ReportAllocs()
	for b.Loop() {
		c.Clone()
	}
}

// BenchmarkCloneThenTrim includes what the first change of a stream after a clone has to copy.
func BenchmarkCloneThenTrim(b *testing.B) {
	c := many(b, manyStreams)
	b.ReportAllocs()
	first := uint64(1)
	for b.Loop() {
		c.Clone()
		first++
		if err := c.Apply(c.LastSeq()+1, Trimmed{Ordinal: 77, First: first}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApplySealed(b *testing.B) {
	c := many(b, manyStreams)
	runs := make([]Run, 1000)
	file, first := uint64(1), uint64(11)
	b.ReportAllocs()
	for b.Loop() {
		for i := range runs {
			runs[i] = run(uint32(i+1), first, first)
		}
		file, first = file+1, first+1
		if err := c.Apply(c.LastSeq()+1, sealed(file, runs...)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeSnapshot(b *testing.B) {
	c := many(b, manyStreams)
	var buf []byte
	for b.Loop() {
		buf = EncodeSnapshot(buf[:0], c, Position{}, [16]byte{})
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecodeSnapshot(b *testing.B) {
	snapshot := EncodeSnapshot(nil, many(b, manyStreams), Position{}, [16]byte{})
	b.SetBytes(int64(len(snapshot)))
	for b.Loop() {
		if _, _, _, err := DecodeSnapshot(snapshot); err != nil {
			b.Fatal(err)
		}
	}
}
