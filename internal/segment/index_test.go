package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// equalRuns takes an absent state and an empty one for the same.
func equalRuns(a, b []Run) bool {
	return slices.EqualFunc(a, b, func(x, y Run) bool {
		same := bytes.Equal(x.Before, y.Before) && bytes.Equal(x.After, y.After)
		x.Before, x.After, y.Before, y.After = nil, nil, nil, nil
		return same && reflect.DeepEqual(x, y)
	})
}

// randomRuns is what a file of random frames would have; frames is how many.
func randomRuns(rng *rand.Rand) (runs []Run, frames int) {
	ordinal := uint32(0)
	for range rng.IntN(20) {
		ordinal += 1 + rng.Uint32N(1<<20)
		r := Run{Ordinal: ordinal, First: 1 + rng.Uint64N(math.MaxUint64/2), Restarted: rng.IntN(2) == 0}
		r.Last = r.First + rng.Uint64N(maxRunSpan)
		r.Before, r.After = fill(rng.IntN(MaxStateBytes+1), 1), fill(rng.IntN(MaxStateBytes+1), 2)
		off, first := int64(HeaderBytes), r.First
		for first <= r.Last && off < MaxFileBytes-1<<20 && len(r.Extents) < 50 {
			e := Extent{Off: off + rng.Int64N(1<<16)*FrameAlign, Len: (1 + rng.Int64N(1<<14)) * FrameAlign, First: first, Newest: rng.Int64() - rng.Int64()}
			r.Extents = append(r.Extents, e)
			off, first = e.Off+e.Len, first+1+rng.Uint64N(1<<uint(rng.IntN(28)))
			frames++
		}
		runs = append(runs, r)
	}
	return runs, frames
}

func TestRandomIndexesDecodeToWhatWasEncoded(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2))
		runs, frames := randomRuns(rng)
		b := EncodeIndex([]byte("before"), runs)[len("before"):]
		if int64(len(b)) > IndexBound(frames, len(runs)) || len(b)%FrameAlign != 0 {
			t.Fatalf("seed %d: %d bytes, bound %d", seed, len(b), IndexBound(frames, len(runs)))
		}
		got, err := DecodeIndex(b)
		if err != nil || !equalRuns(got, runs) {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if x, err := OpenIndex(b); err != nil || x.Len() != len(runs) {
			t.Fatalf("seed %d: %d runs, %v", seed, x.Len(), err)
		}
		present := map[uint32]bool{}
		for _, want := range runs {
			present[want.Ordinal] = true
			r, ok, err := FindRun(b, want.Ordinal)
			if err != nil || !ok || !equalRuns([]Run{r}, []Run{want}) {
				t.Fatalf("seed %d: stream %d: %v, %v", seed, want.Ordinal, ok, err)
			}
		}
		for _, ordinal := range []uint32{0, 1, rng.Uint32N(1 << 24), math.MaxUint32} {
			if _, ok, err := FindRun(b, ordinal); ok != present[ordinal] || err != nil {
				t.Fatalf("seed %d: stream %d: %v, %v", seed, ordinal, ok, err)
			}
		}
	}
}

func TestEveryFlippedBitOfAnIndexIsFound(t *testing.T) {
	b := EncodeIndex(nil, manyRuns(3))
	for bit := range len(b) * 8 {
		flip(b, bit)
		if _, err := DecodeIndex(b); err == nil {
			t.Errorf("bit %d flipped and not found", bit)
		}
		if _, _, err := FindRun(b, 2); err == nil {
			t.Errorf("bit %d flipped and not found when looking for one run", bit)
		}
		flip(b, bit)
	}
	for cut := range b {
		if _, err := DecodeIndex(b[:cut]); err == nil {
			t.Errorf("cut to %d bytes and not found", cut)
		}
	}
}

func flip(b []byte, bit int) { b[bit/8] ^= 1 << (bit % 8) }

func TestIndexOfANewerProgramIsNotDamage(t *testing.T) {
	for _, c := range []struct {
		at  int
		err error
	}{{versionAt, ErrVersion}, {requiredAt, ErrVersion}, {optionalAt, nil}, {versionPadAt, ErrDamaged}, {0, ErrNotSegment}} {
		b := EncodeIndex(nil, manyRuns(3))
		b[c.at] ^= 0x40
		resum(b)
		if _, err := DecodeIndex(b); !errors.Is(err, c.err) {
			t.Errorf("byte %d: %v, want %v", c.at, err, c.err)
		}
	}
}

// resum makes the checksum of a changed index hold.
func resum(b []byte) {
	if len(b) >= sumBytes {
		end := len(b) - sumBytes
		binary.LittleEndian.PutUint32(b[end:], crc32.Checksum(b[:end], castagnoli))
	}
}

func TestIndexThatContradictsItselfIsDamage(t *testing.T) {
	whole := EncodeIndex(nil, manyRuns(3))
	for name, change := range map[string]func(b []byte) []byte{
		"count of runs beyond the end": func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[indexCountAt:], math.MaxUint32)
			return b
		},
		"another length": func(b []byte) []byte {
			binary.LittleEndian.PutUint64(b[indexSizeAt:], uint64(len(b)+8))
			return b
		},
		"body before the directory's end": func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[indexHeaderBytes+dirBodyAt:], 1)
			return b
		},
		"body behind the end": func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[indexHeaderBytes+dirBodyAt:], math.MaxUint32)
			return b
		},
		"ordinals not sorted": func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[indexHeaderBytes+dirEntryBytes+dirOrdinalAt:], 9)
			return b
		},
		"bytes behind the last run": func(b []byte) []byte {
			b = append(b, make([]byte, 8)...)
			binary.LittleEndian.PutUint64(b[indexSizeAt:], uint64(len(b)))
			return b
		},
	} {
		b := change(bytes.Clone(whole))
		resum(b)
		if _, err := DecodeIndex(b); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNumbersHaveOneEncoding(t *testing.T) {
	for _, c := range []struct {
		b   []byte
		bad bool
	}{{[]byte{0}, false}, {[]byte{0x80, 0}, true}, {[]byte{0x81, 0x80, 0}, true}, {[]byte{100}, false}, {[]byte{101}, true}, {[]byte{0x80}, true}, {nil, true}} {
		d := fields{b: c.b}
		if d.uvarint(100); d.bad != c.bad {
			t.Errorf("%x: bad is %v", c.b, d.bad)
		}
	}
}

func TestImpossibleRunsAreNotEncoded(t *testing.T) {
	for name, change := range map[string]func(runs []Run){
		"not sorted":              func(runs []Run) { runs[0].Ordinal = 2 },
		"no extent":               func(runs []Run) { runs[0].Extents = nil },
		"seq 0":                   func(runs []Run) { runs[0].First, runs[0].Extents[0].First = 0, 0 },
		"last before first":       func(runs []Run) { runs[1].Last = 1 },
		"offset not aligned":      func(runs []Run) { runs[0].Extents[0].Off++ },
		"extent in the header":    func(runs []Run) { runs[0].Extents[0].Off = 8 },
		"extent behind any file":  func(runs []Run) { runs[0].Extents[1].Off = MaxFileBytes },
		"empty extent":            func(runs []Run) { runs[0].Extents[0].Len = 0 },
		"extents that overlap":    func(runs []Run) { runs[0].Extents[0].Len = 4096 },
		"first seq of an extent":  func(runs []Run) { runs[0].Extents[0].First++ },
		"seq behind the last":     func(runs []Run) { runs[0].Extents[1].First = 1000 },
		"a state that is too big": func(runs []Run) { runs[0].After = make([]byte, MaxStateBytes+1) },
	} {
		mustPanic(t, name, func() {
			runs := manyRuns(2)
			change(runs)
			EncodeIndex(nil, runs)
		})
	}
}

func testFooter() Footer {
	return Footer{
		ID: 42, Nonce: testNonce, DataEnd: 8192, IndexOff: 8192, IndexLen: 512,
		IndexHash: [32]byte{9, 8, 7}, Checksum: 0x1122334455667788, Frames: 3, Records: 12,
	}
}

func TestEveryFlippedBitOfAFooterIsFound(t *testing.T) {
	b := make([]byte, FooterBytes)
	EncodeFooter(b, testFooter())
	for bit := range len(b) * 8 {
		flip(b, bit)
		if _, err := DecodeFooter(b, testNonce); err == nil {
			t.Errorf("bit %d flipped and not found", bit)
		}
		flip(b, bit)
	}
	if _, err := DecodeFooter(b, testNonce+1); !errors.Is(err, ErrDamaged) {
		t.Errorf("footer of another file: %v", err)
	}
	other := bytes.Clone(b)
	binary.LittleEndian.PutUint32(other[footerSumAt:], footerSum(other, testNonce+1))
	if _, err := DecodeFooter(other, testNonce+1); !errors.Is(err, ErrDamaged) {
		t.Errorf("footer that names another file: %v", err)
	}
	if _, err := DecodeFooter(b[:FooterBytes-1], testNonce); !errors.Is(err, ErrNotSegment) {
		t.Errorf("short footer: %v", err)
	}
	if _, err := DecodeFooter(make([]byte, FooterBytes), testNonce); !errors.Is(err, ErrNotSegment) {
		t.Errorf("zeros: %v", err)
	}
}

func TestFooterOfANewerProgramIsNotDamage(t *testing.T) {
	for at, want := range map[int]error{versionAt: ErrVersion, requiredAt: ErrVersion, optionalAt: nil, footerSizeAt: ErrDamaged} {
		b := make([]byte, FooterBytes)
		EncodeFooter(b, testFooter())
		b[at] ^= 0x40
		binary.LittleEndian.PutUint32(b[footerSumAt:], footerSum(b, testNonce))
		if _, err := DecodeFooter(b, testNonce); !errors.Is(err, want) {
			t.Errorf("byte %d: %v, want %v", at, err, want)
		}
	}
}

func TestImpossibleFootersAndHeadersAreNotEncoded(t *testing.T) {
	for name, change := range map[string]func(f *Footer){
		"no id":                      func(f *Footer) { f.ID = 0 },
		"no nonce":                   func(f *Footer) { f.Nonce = 0 },
		"data end in the header":     func(f *Footer) { f.DataEnd, f.IndexOff = 0, 0 },
		"data end not aligned":       func(f *Footer) { f.DataEnd, f.IndexOff = 8193, 8193 },
		"a gap before the index":     func(f *Footer) { f.IndexOff += 8 },
		"no index":                   func(f *Footer) { f.IndexLen = 0 },
		"an index larger than files": func(f *Footer) { f.IndexLen = MaxFileBytes },
	} {
		mustPanic(t, name, func() {
			f := testFooter()
			change(&f)
			EncodeFooter(make([]byte, FooterBytes), f)
		})
	}
	for name, change := range map[string]func(h *Header){
		"no id":             func(h *Header) { h.ID = 0 },
		"no nonce":          func(h *Header) { h.Nonce = 0 },
		"no capacity":       func(h *Header) { h.Capacity = 0 },
		"too much capacity": func(h *Header) { h.Capacity = MaxFileBytes + 1 },
	} {
		mustPanic(t, name, func() {
			h := newFile().header()
			change(&h)
			EncodeHeader(make([]byte, HeaderBytes), h)
		})
	}
}
