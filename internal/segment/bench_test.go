package segment

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"
)

var benchSizes = []int{128, 1 << 10, 16 << 10}

// BenchmarkAppend is the accepted append: a frame of one record into a buffer.
func BenchmarkAppend(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("%d", size), func(b *testing.B) {
			buf, recs := benchBuffer(), [][]byte{fill(size, 1)}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if cap(buf)-len(buf) < size+128 {
					buf = buf[:0]
				}
				buf = AppendFrame(buf, KindData, 1, 7, 1_700_000_000_000, recs)
			}
		})
	}
}

// BenchmarkAppendFinish adds what the writer does before it writes.
func BenchmarkAppendFinish(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("%d", size), func(b *testing.B) {
			buf, recs := benchBuffer(), [][]byte{fill(size, 1)}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if cap(buf)-len(buf) < size+128 {
					buf = buf[:0]
				}
				start := len(buf)
				buf = AppendFrame(buf, KindData, 1, 7, 1_700_000_000_000, recs)
				FinishFrame(buf[start:], testNonce, HeaderBytes+int64(start), HeaderBytes, 3)
			}
		})
	}
}

// BenchmarkCopySum is the bare loop to compare with: a header of 16 bytes, the
// record copied and summed once.
func BenchmarkCopySum(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("%d", size), func(b *testing.B) {
			buf, rec := benchBuffer(), fill(size, 1)
			b.SetBytes(int64(size))
			for b.Loop() {
				if cap(buf)-len(buf) < size+16 {
					buf = buf[:0]
				}
				start := len(buf)
				buf = buf[:start+16+size]
				binary.LittleEndian.PutUint64(buf[start:], uint64(size))
				copy(buf[start+16:], rec)
				binary.LittleEndian.PutUint64(buf[start+8:], uint64(crc32.Checksum(buf[start+16:], castagnoli)))
			}
		})
	}
}

// benchWalk is 8 MiB of frames of batch records each.
func benchWalk(size, batch int) []byte {
	recs := make([][]byte, batch)
	for i := range recs {
		recs[i] = fill(size, i)
	}
	f := newFile()
	for seq := uint64(1); len(f.b) < 8<<20; seq += uint64(batch) {
		f.frame(KindData, 1, seq, recs...)
	}
	return f.b
}

// BenchmarkWalk goes over 8 MiB and verifies everything, the three ways there
// are: as verification does, as a reader does, and in a reader's own memory.
func BenchmarkWalk(b *testing.B) {
	for _, size := range benchSizes {
		for _, batch := range []int{1, 32} {
			file := benchWalk(size, batch)
			name := fmt.Sprintf("%dx%d", size, batch)
			perRecord := func(b *testing.B, records int) {
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(records), "ns/record")
			}
			b.Run("check/"+name, func(b *testing.B) {
				w, r, n := NewWalker(nil, testNonce, 0, 0, WalkerOptions{}), bytes.NewReader(file), 0
				b.SetBytes(int64(len(file)))
				b.ReportAllocs()
				for b.Loop() {
					w.Reset(r, testNonce, HeaderBytes, int64(len(file)))
					for w.Next() {
						if err := w.Check(); err != nil {
							b.Fatal(err)
						}
						n += int(w.Frame().Count)
					}
				}
				perRecord(b, n)
			})
			b.Run("records/"+name, func(b *testing.B) {
				w, r, n := NewWalker(nil, testNonce, 0, 0, WalkerOptions{}), bytes.NewReader(file), 0
				b.SetBytes(int64(len(file)))
				b.ReportAllocs()
				for b.Loop() {
					w.Reset(r, testNonce, HeaderBytes, int64(len(file)))
					n += countRecords(b, w)
				}
				perRecord(b, n)
			})
			b.Run("bytes/"+name, func(b *testing.B) {
				w, n := new(Walker), 0
				b.SetBytes(int64(len(file)))
				b.ReportAllocs()
				for b.Loop() {
					w.ResetBytes(file[HeaderBytes:], HeaderBytes, testNonce)
					n += countRecords(b, w)
				}
				perRecord(b, n)
			})
		}
	}
}

func countRecords(tb testing.TB, w *Walker) (n int) {
	for w.Next() {
		for w.NextRecord() {
			n += min(len(w.Record().Payload), 1)
		}
		if err := w.RecordErr(); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Err(); err != nil {
		tb.Fatal(err)
	}
	return n
}

// BenchmarkSum is the bare walk to compare with: each record summed in place.
func BenchmarkSum(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("%d", size), func(b *testing.B) {
			file := fill(8<<20, 1)
			b.SetBytes(int64(len(file)))
			for b.Loop() {
				for at := 0; at+size <= len(file); at += size {
					benchSink += crc32.Checksum(file[at:at+size], castagnoli)
				}
			}
		})
	}
}

// BenchmarkResync looks for a frame in 8 MiB without one.
func BenchmarkResync(b *testing.B) {
	file := fill(8<<20, 1)
	b.SetBytes(int64(len(file)))
	w := new(Walker)
	for b.Loop() {
		w.ResetBytes(file, HeaderBytes, testNonce)
		if w.Resync() {
			b.Fatal("found a frame in noise")
		}
	}
}

// BenchmarkFindRun looks for a stream among 1,000, verified once.
func BenchmarkFindRun(b *testing.B) {
	x, err := OpenIndex(EncodeIndex(nil, manyRuns(1000)))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok, err := x.Find(500); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

var benchSink uint32

// benchBuffer is 1 MiB that was touched before.
func benchBuffer() []byte { return fill(1<<20, 1)[:0] }
