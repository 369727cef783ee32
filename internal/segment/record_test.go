package segment

import (
	"bytes"
	"errors"
	"reflect"
	"runtime"
	"testing"
)

// longFile has a frame that no small window holds, between two that it does.
func longFile() *file {
	f := newFile()
	f.frame(KindData, 1, 1, []byte("first"))
	var recs [][]byte
	for i := range 2000 {
		recs = append(recs, fill(i%40, i))
	}
	f.frame(KindData, 2, 10, append(recs, fill(30<<10, 1), nil, fill(5, 2))...)
	f.frame(KindData, 1, 2, []byte("last"))
	return f
}

// walkers are the ways to walk f.
func (f *file) walkers() map[string]*Walker {
	inPlace := new(Walker)
	inPlace.ResetBytes(f.b[HeaderBytes:], HeaderBytes, f.nonce)
	return map[string]*Walker{"small window": f.walk(minWindow), "default window": f.walk(0), "in place": inPlace}
}

func TestADamagedRecordIsNamedAndPassedOver(t *testing.T) {
	f := longFile()
	fr, recs := f.frames[1], f.recs[1]
	for _, bad := range []int{0, 1, 39, 1000, 1999, 2000, 2002} {
		if len(recs[bad]) == 0 {
			bad++
		}
		at := fr.Offset + FrameHeaderBytes + int64(len(recs))*RecordHeaderBytes
		for _, r := range recs[:bad] {
			at += int64(len(r))
		}
		f.b[at] ^= 4
		seq := fr.First + uint64(bad)
		wantRecord := RecordError{Seq: seq, Offset: at, Length: int64(len(recs[bad]))}
		want := &RecordsError{Offset: fr.Offset, Bad: 1, Faults: []RecordFault{
			{Index: bad, Count: 1, Seq: seq, Offset: at, Length: int64(len(recs[bad]))},
		}}
		for name, w := range f.walkers() {
			if first, second := w.Next(), w.Next(); !first || !second {
				t.Fatal(w.Err())
			}
			if err := w.Check(); !reflect.DeepEqual(err, want) || !errors.Is(err, ErrDamaged) {
				t.Errorf("%s, record %d: check says %v", name, bad, err)
			}
			for i := range recs {
				ok := w.NextRecord()
				var record *RecordError
				switch {
				case i == bad && (ok || !errors.As(w.RecordErr(), &record) || *record != wantRecord || !errors.Is(record, ErrDamaged)):
					t.Errorf("%s, record %d: %v", name, i, w.RecordErr())
				case i != bad && (!ok || w.Record().Seq != fr.First+uint64(i) || !bytes.Equal(w.Record().Payload, recs[i])):
					t.Fatalf("%s, record %d behind bad %d: %v", name, i, bad, w.RecordErr())
				}
			}
			if w.NextRecord() || w.RecordErr() != nil || !w.Next() || w.Frame().First != 2 {
				t.Errorf("%s: behind the records: %v, %v", name, w.RecordErr(), w.Err())
			}
		}
		f.b[at] ^= 4
	}
}

func TestCheckListsRangesAndNoMoreThanItsLimit(t *testing.T) {
	f := newFile()
	var recs [][]byte
	for range 1000 {
		recs = append(recs, []byte{1, 2, 3})
	}
	fr := f.frame(KindData, 1, 1, recs...)
	payloads := f.b[fr.Offset+FrameHeaderBytes+1000*RecordHeaderBytes:]
	for i := 10; i < 20; i++ {
		payloads[i*3] ^= 1
	}
	w := f.walk(0)
	var bad *RecordsError
	if !w.Next() || !errors.As(w.Check(), &bad) || bad.Bad != 10 || len(bad.Faults) != 1 ||
		bad.Faults[0].Seq != 11 || bad.Faults[0].Count != 10 || bad.Faults[0].Length != 30 {
		t.Errorf("%+v", bad)
	}
	for i := 20; i < 1000; i += 2 {
		payloads[i*3] ^= 1
	}
	w = f.walk(minWindow)
	if !w.Next() || !errors.As(w.Check(), &bad) || bad.Bad != 10+490 || len(bad.Faults) != maxFaults {
		t.Fatalf("%+v", bad)
	}
	last := bad.Faults[maxFaults-1]
	if last.Index+last.Count != 999 || last.Offset+last.Length != fr.Offset+FrameHeaderBytes+1000*RecordHeaderBytes+999*3 {
		t.Errorf("the last range is %+v", last)
	}
	if bad.Error() != "segment: frame at 4096: 500 records of 11 to 999 do not verify" {
		t.Error(bad)
	}
}

func TestPaddingThatIsNotZeroIsFound(t *testing.T) {
	f := newFile()
	f.frame(KindData, 1, 1, []byte("first"))
	f.frame(KindData, 1, 2, fill(20<<10+1, 1))
	for i, fr := range f.frames {
		for bit := range 3 * 8 {
			flip(f.b, int(fr.End()-3)*8+bit)
			for name, w := range f.walkers() {
				for range i + 1 {
					w.Next()
				}
				var bad *RecordsError
				if !errors.As(w.Check(), &bad) || !bad.Padding || bad.Bad != 0 {
					t.Errorf("%s, frame %d, bit %d: %v", name, i, bit, bad)
				}
			}
			flip(f.b, int(fr.End()-3)*8+bit)
		}
	}
}

func TestSkipToGoesToAnyRecordOfTheFrame(t *testing.T) {
	f := longFile()
	fr, recs := f.frames[1], f.recs[1]
	for name, w := range f.walkers() {
		w.Next()
		w.Next()
		for _, i := range []int{5, 2002, 0, 2000, 2001, 1999, 1, 1, 700} {
			if !w.SkipTo(fr.First+uint64(i)) || !w.NextRecord() || !bytes.Equal(w.Record().Payload, recs[i]) {
				t.Errorf("%s, record %d: %v", name, i, w.RecordErr())
			}
		}
		for _, seq := range []uint64{0, fr.First - 1, fr.Last() + 1, 1<<64 - 1} {
			if w.SkipTo(seq) {
				t.Errorf("%s: skipped to seq %d", name, seq)
			}
		}
		if !w.NextRecord() || w.Record().Seq != fr.First+701 {
			t.Errorf("%s: a skip to nowhere moved the cursor", name)
		}
	}
}

func TestCheckDoesNotMoveTheRecords(t *testing.T) {
	f := longFile()
	for name, w := range f.walkers() {
		w.Next()
		w.Next()
		for i := range f.recs[1] {
			if i%100 == 0 {
				if err := w.Check(); err != nil {
					t.Fatal(err)
				}
			}
			if !w.NextRecord() || !bytes.Equal(w.Record().Payload, f.recs[1][i]) {
				t.Fatalf("%s, record %d: %v", name, i, w.RecordErr())
			}
			if at := w.Record().Offset; !bytes.Equal(f.b[at:at+int64(len(f.recs[1][i]))], f.recs[1][i]) {
				t.Errorf("%s, record %d is not at %d", name, i, at)
			}
		}
	}
}

func TestAMillionRecordsAreCheckedInBoundedMemory(t *testing.T) {
	const count = 1_000_000
	rec := fill(16, 1)
	recs := make([][]byte, count)
	for i := range recs {
		recs[i] = rec
	}
	f := newFile()
	fr := f.frame(KindData, 1, 1, recs...)
	fr2 := f.frame(KindData, 1, fr.Last()+1, fill(16<<20, 1))
	f.b[fr.End()-16] ^= 1
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w := f.walk(maxWindow)
	var bad *RecordsError
	if !w.Next() || !errors.As(w.Check(), &bad) || bad.Faults[0].Seq != count || bad.Bad != 1 {
		t.Errorf("%v, %v", w.Err(), bad)
	}
	n := 0
	for w.NextRecord() {
		n++
	}
	if n != count-1 || w.RecordErr() == nil {
		t.Errorf("%d records", n)
	}
	if !w.Next() || w.Check() != nil || w.Frame().Offset != fr2.Offset || w.Next() || w.Err() != nil {
		t.Errorf("the frame behind: %v", w.Err())
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20+64<<10 {
		t.Errorf("%d bytes were allocated", used)
	}
}

func TestWalkingAgainAllocatesNothing(t *testing.T) {
	f := longFile()
	r := bytes.NewReader(f.b)
	w := NewWalker(r, f.nonce, HeaderBytes, f.end(), WalkerOptions{Window: minWindow})
	pass := func() {
		for w.Next() {
			if err := w.Check(); err != nil {
				t.Fatal(err)
			}
			for w.NextRecord() {
			}
			if w.RecordErr() != nil {
				t.Fatal(w.RecordErr())
			}
		}
		if w.Err() != nil {
			t.Fatal(w.Err())
		}
	}
	pass()
	if n := testing.AllocsPerRun(5, func() { w.Reset(r, f.nonce, HeaderBytes, f.end()); pass() }); n != 0 {
		t.Errorf("%v allocations a walk", n)
	}
	if n := testing.AllocsPerRun(5, func() { w.ResetBytes(f.b[HeaderBytes:], HeaderBytes, f.nonce); pass() }); n != 0 {
		t.Errorf("%v allocations a walk in place", n)
	}
	w.Release()
	if w.Next() || w.win.mem != nil || w.cursor.large != nil {
		t.Error("a released Walker walks, or keeps memory")
	}
	w.Reset(r, f.nonce, HeaderBytes, f.end())
	pass()
}

func TestAWalkReadsEachByteOnce(t *testing.T) {
	f := newFile()
	for i := range 200 {
		f.frame(KindData, 1, uint64(i+1), fill(i*20, i))
	}
	r := &boundedReader{b: f.b, to: f.end()}
	w := NewWalker(r, testNonce, HeaderBytes, f.end(), WalkerOptions{Window: minWindow})
	if n := countRecords(t, w); n != 199 { // the first record is empty
		t.Errorf("%d records", n)
	}
	if r.read != f.end()-HeaderBytes {
		t.Errorf("read %d bytes of %d", r.read, f.end()-HeaderBytes)
	}
}
