package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"reflect"
	"testing"
	"time"
)

func FuzzDecodeHeader(f *testing.F) {
	b := make([]byte, HeaderBytes)
	EncodeHeader(b, newFile().header())
	f.Add(b[:100])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := DecodeHeader(b); err == nil && len(b) < HeaderBytes {
			t.Error("a short header")
		}
		whole := make([]byte, HeaderBytes)
		copy(whole, b)
		binary.LittleEndian.PutUint32(whole[headerSumAt:], crc32.Checksum(whole[:headerSumAt], castagnoli))
		h, err := DecodeHeader(whole)
		if err != nil {
			return
		}
		again := make([]byte, HeaderBytes)
		EncodeHeader(again, h)
		if back, err := DecodeHeader(again); err != nil || back != h {
			t.Errorf("%+v became %+v, %v", h, back, err)
		}
	})
}

func FuzzDecodeFooter(f *testing.F) {
	b := make([]byte, FooterBytes)
	EncodeFooter(b, testFooter())
	f.Add(b)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := DecodeFooter(b, testNonce); err == nil && len(b) < FooterBytes {
			t.Error("a short footer")
		}
		whole := make([]byte, FooterBytes)
		copy(whole, b)
		binary.LittleEndian.PutUint32(whole[footerSumAt:], footerSum(whole, testNonce))
		footer, err := DecodeFooter(whole, testNonce)
		if err != nil {
			return
		}
		again := make([]byte, FooterBytes)
		EncodeFooter(again, footer)
		if back, err := DecodeFooter(again, testNonce); err != nil || back != footer || footer.Size() < 0 {
			t.Errorf("%+v became %+v, %v", footer, back, err)
		}
	})
}

// An index that decodes is the encoding of its runs, byte for byte.
func FuzzDecodeIndex(f *testing.F) {
	f.Add(EncodeIndex(nil, nil), uint32(0))
	f.Add(EncodeIndex(nil, manyRuns(3)), uint32(2))
	f.Fuzz(func(t *testing.T, b []byte, ordinal uint32) {
		repaired := bytes.Clone(b)
		resum(repaired)
		for _, b := range [][]byte{b, repaired} {
			runs, err := DecodeIndex(b)
			run, ok, findErr := FindRun(b, ordinal)
			if err != nil {
				continue
			}
			for i := range runs {
				if runs[i].Ordinal == ordinal && (!ok || findErr != nil || !equalRuns([]Run{run}, runs[i:i+1])) {
					t.Errorf("run of %d not found: %v, %v", ordinal, ok, findErr)
				}
			}
			again := EncodeIndex(nil, runs)
			copy(again[optionalAt:], b[optionalAt:optionalAt+4])
			resum(again)
			if !bytes.Equal(again, b) {
				t.Errorf("%x\nbecame\n%x", b, again)
			}
		}
	})
}

func FuzzDecodeRoll(f *testing.F) {
	f.Add(make([]byte, rollBytes))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, end, err := DecodeRoll(b)
		if err != nil {
			return
		}
		w := walkOne(finishedAt(AppendRoll(nil, p, end, 0)))
		if !w.Next() || !w.NextRecord() || !bytes.Equal(w.Record().Payload, b) {
			t.Errorf("%x became %x", b, w.Record().Payload)
		}
	})
}

func FuzzDigest(f *testing.F) {
	f.Add([]byte{}, []byte("payload"))
	f.Fuzz(func(t *testing.T, state, payload []byte) {
		d, err := NewDigester(state)
		if err != nil {
			return
		}
		d.Add(Record{TimeMs: 1, Payload: payload})
		if _, err := Digest(d.State()); err != nil {
			t.Error(err)
		}
	})
}

// step is what a walk shows at one place.
type step struct {
	frame   Frame
	check   string
	records []Record
	bad     []string
}

// steps walks to the end, across everything invalid.
func steps(t *testing.T, w *Walker) (all []step, ends []int64) {
	for {
		for w.Next() {
			s := step{frame: w.Frame()}
			s.frame.Ext = bytes.Clone(s.frame.Ext)
			if err := w.Check(); err != nil {
				s.check = err.Error()
			}
			for w.NextRecord() || w.RecordErr() != nil {
				if err := w.RecordErr(); err != nil {
					s.bad = append(s.bad, err.Error())
					continue
				}
				rec := w.Record()
				rec.Attrs, rec.Payload = append([]byte(nil), rec.Attrs...), append([]byte(nil), rec.Payload...)
				s.records = append(s.records, rec)
			}
			if len(s.records)+len(s.bad) != int(s.frame.Count) {
				t.Fatalf("%d good and %d bad records of %d", len(s.records), len(s.bad), s.frame.Count)
			}
			if (s.check == "") && len(s.bad) > 0 {
				t.Fatalf("check found nothing, reading %v", s.bad)
			}
			all = append(all, s)
		}
		ends = append(ends, w.Offset())
		if errors.Is(w.Err(), ErrVersion) {
			w.SeekTo(w.Offset() + FrameAlign)
		}
		if w.Err() == nil && w.Offset() >= w.to || !w.Resync() {
			return all, ends
		}
	}
}

// repair makes what looks like a frame's header verify, so that the rules behind
// the checksum are reached. The bits of records say whose checksums to repair.
func repair(b []byte, places uint8, records uint64) {
	for at := 0; at+FrameHeaderBytes <= len(b) && places > 0; places >>= 1 {
		frame := b[at:]
		binary.LittleEndian.PutUint32(frame[syncAt:], syncWord(testNonce))
		length := int(binary.LittleEndian.Uint32(frame[lengthAt:]))
		if places&1 != 0 {
			w := walkOne(nil)
			fixed := decodeFixed(frame, int64(HeaderBytes+at))
			w.frame = fixed
			table := FrameHeaderBytes + int(binary.LittleEndian.Uint16(frame[extLenAt:]))
			payloads := table + int(min(fixed.Count, 1<<20))*RecordHeaderBytes
			for i := 0; i < int(fixed.Count) && payloads < len(frame); i++ {
				rec := frame[table+i*RecordHeaderBytes:][:RecordHeaderBytes]
				n := int(min(int64(binary.LittleEndian.Uint32(rec)), int64(len(frame)-payloads)))
				if records>>(i%64)&1 != 0 {
					binary.LittleEndian.PutUint32(rec[recSumAt:], w.recordSum(rec, fixed.First+uint64(i), frame[payloads:payloads+n]))
				}
				payloads += n
			}
			resumFrame(frame, int64(HeaderBytes+at))
		}
		if length < FrameHeaderBytes || length%FrameAlign != 0 || length > len(frame) {
			return
		}
		at += length
	}
}

// Any bytes: the Walker does not panic, reads nothing beyond its end, takes no
// more memory than there are bytes, and shows the same through any window.
// withAttributes is a frame longer than the smallest window, half of whose records have attributes.
func withAttributes() []byte {
	recs, attrs := make([][]byte, 300), make([][]byte, 300)
	for i := range recs {
		recs[i] = fill(i%40, i)
		if i%2 == 0 {
			attrs[i] = AppendTime(nil, time.Unix(int64(i), 5))
		}
	}
	return AppendFrameAttrs(nil, KindData, 3, 1, testTime, recs, attrs)
}

func FuzzWalker(f *testing.F) {
	small, long := smallFile(), longFile()
	f.Add(small.b[HeaderBytes:], uint8(0), uint64(0))
	f.Add(small.b[HeaderBytes:], uint8(5), ^uint64(0))
	f.Add(long.b[HeaderBytes:], uint8(7), ^uint64(1))
	f.Add(extend(AppendFrame(nil, KindData, 1, 1, testTime, [][]byte{{1}}), []byte{1, 0x80, 0, 0}), uint8(1), uint64(1))
	f.Add(withAttributes(), uint8(1), ^uint64(0))
	f.Add(append(AppendMark(nil), AppendRoll(nil, 1, 8192, testTime)...), uint8(3), uint64(1))
	f.Fuzz(func(t *testing.T, b []byte, places uint8, records uint64) {
		if len(b) > 1<<20 {
			return
		}
		b = bytes.Clone(b)
		repair(b, places, records)
		w := new(Walker)
		w.ResetBytes(b, HeaderBytes, testNonce)
		want, wantEnds := steps(t, w)
		end := int64(HeaderBytes + len(b))
		r := &boundedReader{b: append(make([]byte, HeaderBytes), b...), to: end}
		w = NewWalker(r, testNonce, HeaderBytes, end, WalkerOptions{Window: minWindow})
		got, gotEnds := steps(t, w)
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(gotEnds, wantEnds) {
			t.Errorf("through a small window %+v, %v\nin place %+v, %v", got, gotEnds, want, wantEnds)
		}
		if used := cap(w.win.mem) + cap(w.cursor.table) + cap(w.cursor.large) + cap(w.ext); used > 4*len(b) {
			t.Errorf("%d bytes of memory for %d bytes", used, len(b))
		}
	})
}
