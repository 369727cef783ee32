package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"reflect"
	"slices"
	"testing"
)

// The sums are taken here over bytes put together as format.go draws them.
func TestChecksumsAreThoseThatAreDrawn(t *testing.T) {
	recs := [][]byte{[]byte("one"), {}, fill(1000, 1)}
	const off = 12 * 4096
	b := AppendFrame(nil, KindData, 7, 100, testTime, recs)
	FinishFrame(b, testNonce, off, 8192, 9)
	le := binary.LittleEndian

	sum := le.AppendUint64(nil, testNonce)
	sum = le.AppendUint64(sum, off)
	sum = append(sum, b[4:8]...)
	sum = append(sum, b[0:4]...)
	sum = append(sum, b[12:56+3*16]...)
	if got, want := le.Uint32(b[8:]), crc32.Checksum(sum, castagnoli); got != want {
		t.Errorf("frame's checksum %#x, want %#x", got, want)
	}
	if le.Uint32(b) != uint32(testNonce&math.MaxUint32) {
		t.Errorf("sync word %#x", le.Uint32(b))
	}
	for i, r := range recs {
		sum := le.AppendUint64(nil, testNonce)
		sum = le.AppendUint32(sum, 7)
		sum = le.AppendUint64(sum, 100+uint64(i))
		sum = le.AppendUint32(sum, uint32(len(r)))
		sum = le.AppendUint64(sum, testTime)
		sum = append(append(sum, 0, 0, 0, 0), r...)
		if got, want := le.Uint32(b[56+i*16+4:]), crc32.Checksum(sum, castagnoli); got != want {
			t.Errorf("checksum of record %d %#x, want %#x", i, got, want)
		}
	}
}

func TestFinishingAgainMovesAFrame(t *testing.T) {
	recs := [][]byte{[]byte("one"), fill(100, 1)}
	once := AppendFrame(nil, KindData, 7, 100, testTime, recs)
	twice := bytes.Clone(once)
	FinishFrame(twice, 77, 1<<20, 4096, 3)
	FinishFrame(once, testNonce, HeaderBytes, HeaderBytes, 9)
	FinishFrame(twice, testNonce, HeaderBytes, HeaderBytes, 9)
	if !bytes.Equal(once, twice) {
		t.Error("a frame finished twice is not the frame finished once")
	}
}

func TestAppendFrameWritesOverWhatTheBufferHeld(t *testing.T) {
	recs := [][]byte{[]byte("one"), {}, []byte("xyz")}
	fresh := AppendFrame(nil, KindData, 7, 100, testTime, recs)
	used := bytes.Repeat([]byte{0xff}, 2*len(fresh))
	used = AppendFrame(used[:5], KindData, 7, 100, testTime, recs)
	if !bytes.Equal(fresh, used[5:]) {
		t.Error("the frame depends on what its memory held before")
	}
	if int64(len(fresh)) != FrameLength(3, 6) {
		t.Errorf("%d bytes, FrameLength says %d", len(fresh), FrameLength(3, 6))
	}
}

func TestAppendAndFinishAllocateNothing(t *testing.T) {
	buf, recs := make([]byte, 0, 4096), [][]byte{fill(100, 1), fill(200, 2)}
	allocs := testing.AllocsPerRun(100, func() {
		buf = AppendFrame(buf[:0], KindData, 7, 100, testTime, recs)
		FinishFrame(buf, testNonce, HeaderBytes, HeaderBytes, 9)
		buf = AppendMark(buf[:0])
		FinishFrame(buf, testNonce, HeaderBytes, HeaderBytes, 9)
	})
	if allocs != 0 {
		t.Errorf("%v allocations a frame", allocs)
	}
}

func TestBrokenInvariantsOfFramesPanic(t *testing.T) {
	whole := AppendFrame(nil, KindData, 7, 100, testTime, [][]byte{[]byte("one")})
	finish := func(b []byte, off, watermark int64) func() {
		return func() { FinishFrame(bytes.Clone(b), testNonce, off, watermark, 9) }
	}
	mustPanic(t, "finishing half a frame", finish(whole[:len(whole)-8], HeaderBytes, 0))
	mustPanic(t, "finishing two frames", finish(append(bytes.Clone(whole), whole...), HeaderBytes, 0))
	mustPanic(t, "finishing at an odd place", finish(whole, HeaderBytes+1, 0))
	mustPanic(t, "a watermark beyond the frame", finish(whole, HeaderBytes, HeaderBytes+8))
	mustPanic(t, "a negative watermark", finish(whole, HeaderBytes, -1))
	mustPanic(t, "a frame as long as a file", func() {
		rec := make([]byte, 1<<20)
		AppendFrame(nil, KindData, 7, 100, testTime, slices.Repeat([][]byte{rec}, 2048))
	})
}

func TestRollFrames(t *testing.T) {
	for _, c := range []struct {
		predecessor uint64
		end         int64
		err         error
	}{
		{0, 0, nil},
		{1, HeaderBytes, nil},
		{math.MaxUint64, MaxFileBytes, nil},
		{0, HeaderBytes, ErrDamaged},
		{1, 0, ErrDamaged},
		{1, HeaderBytes + 1, ErrDamaged},
		{1, MaxFileBytes + 8, ErrDamaged},
		{1, -8, ErrDamaged},
	} {
		w := walkOne(finishedAt(AppendRoll(nil, c.predecessor, c.end, testTime)))
		if !w.Next() || !w.NextRecord() {
			t.Fatal(w.Err(), w.RecordErr())
		}
		p, end, err := DecodeRoll(w.Record().Payload)
		if !errors.Is(err, c.err) || err == nil && (p != c.predecessor || end != c.end) {
			t.Errorf("roll frame of %d, %d is %d, %d, %v", c.predecessor, c.end, p, end, err)
		}
	}
	for _, n := range []int{0, 15, 17} {
		if _, _, err := DecodeRoll(make([]byte, n)); !errors.Is(err, ErrDamaged) {
			t.Errorf("roll frame of %d bytes: %v", n, err)
		}
	}
}

func TestLastSeqAndNames(t *testing.T) {
	for _, c := range []struct {
		f    Frame
		last uint64
	}{
		{Frame{}, 0},
		{Frame{First: 7, Count: 1}, 7},
		{Frame{First: 7, Count: 3}, 9},
		{Frame{Count: 1}, 0},
	} {
		if got := c.f.Last(); got != c.last {
			t.Errorf("last seq of %+v is %d", c.f, got)
		}
	}
	if s := KindData.String() + KindControl.String() + KindMark.String() + KindRoll.String() + Kind(9).String(); s != "datacontrolmarkrollkind 9" {
		t.Error(s)
	}
}

func TestPeekReadsAnUnfinishedFrame(t *testing.T) {
	b := AppendFrame(nil, KindData, 7, 100, testTime, [][]byte{[]byte("one"), []byte("two")})
	want := Frame{Length: int64(len(b)), Kind: KindData, Ordinal: 7, Count: 2, First: 100, TimeMs: testTime}
	if got := Peek(append(b, fill(100, 1)...)); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// The texts are what an operator sees: each names the place.
func TestErrorsNameThePlace(t *testing.T) {
	for _, c := range []struct {
		err  error
		text string
	}{
		{&InvalidError{Offset: 4096, Reason: ReasonZeros}, "segment: no frame at 4096: zeros"},
		{&RecordError{Seq: 7, Offset: 5000, Length: 20}, "segment: record 7, 20 bytes at 5000, does not verify"},
		{&RecordsError{Offset: 4096, Padding: true}, "segment: frame at 4096: the bytes behind its records are not zero"},
	} {
		if c.err.Error() != c.text {
			t.Errorf("%q, want %q", c.err, c.text)
		}
	}
}

func TestANonceWhoseLowHalfIsZeroHasASyncWord(t *testing.T) {
	const nonce = 0x12345678 << 32
	b := AppendFrame(nil, KindData, 7, 100, testTime, [][]byte{[]byte("one")})
	FinishFrame(b, nonce, HeaderBytes, 0, 9)
	w := new(Walker)
	w.ResetBytes(b, HeaderBytes, nonce)
	if binary.LittleEndian.Uint32(b) == 0 || !w.Next() {
		t.Error(w.Err())
	}
}

func TestHeadersOfNoFile(t *testing.T) {
	b := make([]byte, HeaderBytes)
	if _, err := DecodeHeader(b); !errors.Is(err, ErrNotSegment) {
		t.Errorf("zeros: %v", err)
	}
	EncodeHeader(b, newFile().header())
	if _, err := DecodeHeader(b[:HeaderBytes-1]); !errors.Is(err, ErrNotSegment) {
		t.Errorf("short: %v", err)
	}
	for bit := range len(b) * 8 {
		flip(b, bit)
		want := ErrDamaged
		if bit < magicBytes*8 {
			want = ErrNotSegment
		}
		if _, err := DecodeHeader(b); !errors.Is(err, want) {
			t.Fatalf("bit %d flipped: %v", bit, err)
		}
		flip(b, bit)
	}
}

func TestDigestDoesNotDependOnWhereItWasInterrupted(t *testing.T) {
	whole, err := NewDigester(nil)
	if err != nil {
		t.Fatal(err)
	}
	var state []byte
	for i := range 50 {
		rec := fill(i*7, i)
		whole.Add(Record{TimeMs: testTime + int64(i), Attrs: rec[:len(rec)/3], Payload: rec[len(rec)/3:]})
		part, err := NewDigester(state)
		if err != nil {
			t.Fatal(err)
		}
		part.Add(Record{TimeMs: testTime + int64(i), Attrs: rec[:len(rec)/3], Payload: rec[len(rec)/3:]})
		state = part.State()
		a, errA := Digest(whole.State())
		b, errB := Digest(state)
		if a != b || errA != nil || errB != nil {
			t.Fatalf("record %d: %x, %v and %x, %v", i, a, errA, b, errB)
		}
	}
	for _, bad := range [][]byte{{1}, state[:50], append(bytes.Clone(state), 1), make([]byte, len(state)), make([]byte, 500)} {
		if _, err := Digest(bad); !errors.Is(err, ErrDamaged) {
			t.Errorf("state of %d bytes: %v", len(bad), err)
		}
	}
}
