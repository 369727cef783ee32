package segment

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
)

// randomFile is a file of frames of all kinds and lengths.
func randomFile(seed uint64, frames int) *file {
	rng := rand.New(rand.NewPCG(seed, 3))
	f := newFile()
	f.nonce = rng.Uint64() | 1
	EncodeHeader(f.b, f.header())
	next := map[uint32]uint64{}
	size := func() int { // mostly short, sometimes longer than a small window
		return rng.IntN(1 << rng.IntN(15))
	}
	for range frames {
		recs := make([][]byte, 1+rng.IntN(1<<rng.IntN(10)))
		for i := range recs {
			recs[i] = fill(size()/len(recs), rng.Int())
		}
		ordinal, kind := rng.Uint32N(5), KindData
		if ordinal == 0 {
			kind = KindControl
		}
		f.frame(kind, ordinal, next[ordinal]+1, recs...)
		next[ordinal] += uint64(len(recs))
		if rng.IntN(5) == 0 {
			start := len(f.b)
			f.b = AppendMark(f.b)
			FinishFrame(f.b[start:], f.nonce, int64(start), int64(start), 1)
			f.frames, f.recs = append(f.frames, decodeFixed(f.b[start:], int64(start))), append(f.recs, nil)
		}
	}
	return f
}

func TestRandomFilesAreReadAsTheyWereWritten(t *testing.T) {
	for seed := range uint64(40) {
		f := randomFile(seed, 30)
		for name, w := range f.walkers() {
			for i, want := range f.frames {
				if !w.Next() || !reflect.DeepEqual(w.Frame(), want) || w.Offset() != want.End() {
					t.Fatalf("seed %d, %s: frame %d is %+v, %v", seed, name, i, w.Frame(), w.Err())
				}
				if err := w.Check(); err != nil {
					t.Fatalf("seed %d, %s: %v", seed, name, err)
				}
				for j, rec := range f.recs[i] {
					if !w.NextRecord() || !bytes.Equal(w.Record().Payload, rec) ||
						w.Record().Seq != want.First+uint64(j) || w.Record().TimeMs != want.TimeMs {
						t.Fatalf("seed %d, %s: frame %d, record %d: %v", seed, name, i, j, w.RecordErr())
					}
				}
			}
			if w.Next() || w.Err() != nil {
				t.Fatalf("seed %d, %s: %v", seed, name, w.Err())
			}
		}
	}
}

// A cut file and a file whose end was never written give the whole frames
// before the cut, and nothing else.
func TestEveryCutLeavesTheWholeFramesBeforeIt(t *testing.T) {
	f := randomFile(4, 4)
	w := new(Walker)
	zeroed := make([]byte, len(f.b))
	for cut := int64(HeaderBytes); cut <= f.end(); cut++ {
		whole := 0
		for whole < len(f.frames) && f.frames[whole].End() <= cut {
			whole++
		}
		walk := func(what string, boundary bool) {
			n := 0
			for w.Next() && w.Check() == nil {
				n++
			}
			if n != whole && !(n == whole+1 && what == "zeros" && bytes.Equal(zeroed[:f.frames[whole].End()], f.b[:f.frames[whole].End()])) {
				t.Fatalf("%s from %d: %d frames, want %d", what, cut, n, whole)
			}
			var invalid *InvalidError
			if what == "cut" && (w.Err() == nil) != boundary || w.Err() != nil && !errors.As(w.Err(), &invalid) {
				t.Fatalf("%s from %d: %v", what, cut, w.Err())
			}
		}
		w.ResetBytes(f.b[HeaderBytes:cut], HeaderBytes, f.nonce)
		walk("cut", cut == endOf(f, whole))
		w.Reset(bytes.NewReader(f.b[:cut]), f.nonce, HeaderBytes, f.end())
		walk("missing", false)
		clear(zeroed[copy(zeroed, f.b[:cut]):])
		w.ResetBytes(zeroed[HeaderBytes:], HeaderBytes, f.nonce)
		walk("zeros", false)
	}
}

// sealedFile is a whole sealed file.
func sealedFile(t *testing.T) []byte {
	f := newFile()
	f.b = AppendRoll(f.b, 41, 8192, testTime)
	FinishFrame(f.b[HeaderBytes:], testNonce, HeaderBytes, 0, 9)
	f.frame(KindData, 1, 1, []byte("first"), []byte("second record"))
	f.frame(KindControl, 0, 1, []byte("decision"), nil)
	d, err := NewDigester(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range f.recs[0] {
		d.Add(Record{TimeMs: testTime, Payload: rec})
	}
	end, fr := f.end(), f.frames[0]
	sum := Checksum(0, f.b)
	f.b = EncodeIndex(f.b, []Run{{Ordinal: 1, First: 1, Last: 2, After: d.State(), Extents: []Extent{{fr.Offset, fr.Length, 1, testTime}}}})
	footer := Footer{
		ID: 42, Nonce: testNonce, DataEnd: end, IndexOff: end, IndexLen: f.end() - end,
		IndexHash: sha256.Sum256(f.b[end:]), Checksum: sum, Frames: 3, Records: 5,
	}
	f.b = append(f.b, make([]byte, FooterBytes)...)
	EncodeFooter(f.b[len(f.b)-FooterBytes:], footer)
	return f.b
}

// verify finds damage by the small checksums alone, those that say where it is;
// the file's own checksum is left out.
func verify(w *Walker, b []byte) error {
	h, err := DecodeHeader(b)
	if err != nil {
		return err
	}
	f, err := DecodeFooter(b[len(b)-FooterBytes:], h.Nonce)
	if err != nil {
		return err
	}
	if f.ID != h.ID || f.Size() != int64(len(b)) {
		return ErrDamaged
	}
	if _, err := DecodeIndex(b[f.IndexOff : f.IndexOff+f.IndexLen]); err != nil {
		return err
	}
	w.ResetBytes(b[HeaderBytes:f.DataEnd], HeaderBytes, h.Nonce)
	for w.Next() {
		if err := w.Check(); err != nil {
			return err
		}
		for w.NextRecord() {
		}
		if err := w.RecordErr(); err != nil {
			return err
		}
	}
	return w.Err()
}

func TestEveryFlippedBitOfASealedFileIsFound(t *testing.T) {
	b := sealedFile(t)
	w := new(Walker)
	if err := verify(w, b); err != nil {
		t.Fatal(err)
	}
	for bit := range len(b) * 8 {
		flip(b, bit)
		if err := verify(w, b); err == nil {
			t.Errorf("bit %d of byte %d flipped and not found", bit%8, bit/8)
		}
		flip(b, bit)
	}
}

// Bytes that are damaged in any way never come out of a Walker: what comes out
// is what was written.
func TestNoDamageYieldsAnotherRecord(t *testing.T) {
	f := randomFile(7, 12)
	written := map[uint64]map[string]bool{}
	for i, fr := range f.frames {
		for j, rec := range f.recs[i] {
			key := uint64(fr.Ordinal)<<32 | fr.First + uint64(j)
			written[key] = map[string]bool{string(rec): true}
		}
	}
	b := make([]byte, len(f.b))
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 5))
		copy(b, f.b)
		for range 1 + rng.IntN(20) {
			from, n := HeaderBytes+rng.IntN(len(b)-HeaderBytes), rng.IntN(1<<rng.IntN(12))
			to := min(len(b), from+n)
			switch rng.IntN(4) {
			case 0:
				clear(b[from:to])
			case 1:
				copy(b[from:to], b[HeaderBytes+rng.IntN(len(b)-HeaderBytes):])
			case 2:
				copy(b[from&^7:to], b[(HeaderBytes+rng.IntN(len(b)-HeaderBytes))&^7:])
			case 3:
				flip(b, from*8+rng.IntN(8))
			}
		}
		w := NewWalker(bytes.NewReader(b), f.nonce, HeaderBytes, f.end(), WalkerOptions{Window: minWindow})
		for {
			for w.Next() {
				for w.NextRecord() || w.RecordErr() != nil {
					rec, key := w.Record(), uint64(w.Frame().Ordinal)<<32|w.Record().Seq
					if w.RecordErr() == nil && !written[key][string(rec.Payload)] {
						t.Fatalf("seed %d: a record that was never written: stream %d, seq %d", seed, key>>32, rec.Seq)
					}
				}
			}
			if w.Err() == nil || !w.Resync() {
				break
			}
		}
	}
}
