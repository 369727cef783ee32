package segment

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew: a change of format")

// golden compares b with a file of hex digits, 32 bytes a line, and returns what
// the file holds.
func golden(t *testing.T, name string, b []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", name+".hex")
	if *update {
		var text strings.Builder
		for line := range chunks(b, 32) {
			text.WriteString(hex.EncodeToString(line) + "\n")
		}
		if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, want) {
		t.Errorf("%s: the bytes are not the golden ones:\n%s", name, hex.Dump(b))
	}
	return want
}

func chunks(b []byte, n int) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 && yield(b[:min(n, len(b))]) {
			b = b[min(n, len(b)):]
		}
	}
}

// finishedAt is a finished frame for offset HeaderBytes.
func finishedAt(frame []byte) []byte {
	FinishFrame(frame, testNonce, HeaderBytes, HeaderBytes, 9)
	return frame
}

// walkOne is a Walker over one frame at offset HeaderBytes.
func walkOne(b []byte) *Walker {
	w := new(Walker)
	w.ResetBytes(b, HeaderBytes, testNonce)
	return w
}

func TestGoldenHeader(t *testing.T) {
	b := make([]byte, HeaderBytes)
	want := newFile().header()
	EncodeHeader(b, want)
	b = golden(t, "header", b)
	if h, err := DecodeHeader(b); err != nil || h != want {
		t.Errorf("golden header is %+v, %v", h, err)
	}
}

func TestGoldenHeaderOfANewerProgramIsNotDamage(t *testing.T) {
	for _, c := range []struct {
		name string
		at   int
		err  error
	}{
		{"header-required", requiredAt, ErrVersion},
		{"header-optional", optionalAt, nil},
		{"header-version", versionAt, ErrVersion},
		{"header-reserved", versionPadAt, ErrDamaged},
	} {
		b := make([]byte, HeaderBytes)
		EncodeHeader(b, newFile().header())
		b[c.at] |= 0x80
		binary.LittleEndian.PutUint32(b[headerSumAt:], crc32.Checksum(b[:headerSumAt], castagnoli))
		b = golden(t, c.name, b)
		if _, err := DecodeHeader(b); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		}
	}
}

func TestGoldenFrames(t *testing.T) {
	recs := [][]byte{[]byte("one"), {}, []byte("three is longer")}
	later := AppendFrame(nil, KindData, 7, 100, testTime, recs)
	binary.LittleEndian.PutUint32(later[FrameHeaderBytes+RecordHeaderBytes+recDeltaAt:], 0xffffffff) // one millisecond earlier
	binary.LittleEndian.PutUint32(later[FrameHeaderBytes+2*RecordHeaderBytes+recDeltaAt:], 0xffffff06)
	for _, c := range []struct {
		name  string
		frame []byte
		want  Frame
		times []int64
	}{
		{
			"frame-data", later,
			Frame{Kind: KindData, Ordinal: 7, Count: 3, First: 100, TimeMs: testTime},
			[]int64{testTime, testTime - 1, testTime - 250},
		},
		{
			"frame-control", AppendFrame(nil, KindControl, 0, 1, testTime, recs),
			Frame{Kind: KindControl, Count: 3, First: 1, TimeMs: testTime},
			[]int64{testTime, testTime, testTime},
		},
		{"frame-mark", AppendMark(nil), Frame{Kind: KindMark}, nil},
		{"frame-roll", AppendRoll(nil, 41, 8192, testTime), Frame{Kind: KindRoll, Count: 1, TimeMs: testTime}, []int64{testTime}},
	} {
		c.want.Offset, c.want.Length = HeaderBytes, int64(len(c.frame))
		c.want.Epoch, c.want.Watermark = 9, HeaderBytes
		w := walkOne(golden(t, c.name, finishedAt(c.frame)))
		if !w.Next() || !reflect.DeepEqual(w.Frame(), c.want) {
			t.Errorf("%s is %+v, %v", c.name, w.Frame(), w.Err())
		}
		if err := w.Check(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		var times []int64
		for w.NextRecord() {
			times = append(times, w.Record().TimeMs)
		}
		if !reflect.DeepEqual(times, c.times) {
			t.Errorf("%s has times %v, want %v", c.name, times, c.times)
		}
	}
}

func TestGoldenFrameWithAnUnknownOptionalExtensionIsRead(t *testing.T) {
	ext := []byte{5, 0x80, 3, 0, 'a', 'b', 'c', 6, 0x80, 0, 0}
	plain := AppendFrame(nil, KindData, 7, 100, testTime, [][]byte{[]byte("record")})
	w := walkOne(golden(t, "frame-optional", finishedAt(extend(plain, ext))))
	if !w.Next() || !bytes.Equal(w.Frame().Ext, ext) {
		t.Fatalf("frame %+v, %v", w.Frame(), w.Err())
	}
	if err := w.Check(); err != nil {
		t.Error(err)
	}
	if !w.NextRecord() || string(w.Record().Payload) != "record" {
		t.Errorf("record %+v, %v", w.Record(), w.RecordErr())
	}
}

func TestGoldenFrameOfANewerProgramIsRefused(t *testing.T) {
	plain := func() []byte { return AppendFrame(nil, KindData, 7, 100, testTime, [][]byte{[]byte("record")}) }
	kind, flags, record := plain(), plain(), plain()
	kind[kindAt] = 5
	flags[flagsAt] = 1
	record[FrameHeaderBytes+recAttrsAt+2] = 1
	for name, frame := range map[string][]byte{
		"frame-required": extend(plain(), []byte{5, 0, 1, 0, 'a'}),
		"frame-kind":     kind,
		"frame-flags":    flags,
		"frame-record":   record,
	} {
		w := walkOne(golden(t, name, finishedAt(frame)))
		if w.Next() || !errors.Is(w.Err(), ErrVersion) {
			t.Errorf("%s: %+v, %v", name, w.Frame(), w.Err())
		}
		if w.Offset() != HeaderBytes || w.Frame().Length != 0 {
			t.Errorf("%s: the walk went on to %d", name, w.Offset())
		}
	}
}

// The second record has no time of its caller's; the third has an attribute of the future that may be ignored.
func TestGoldenFrameWithAttributes(t *testing.T) {
	given := time.Date(2026, 11, 23, 4, 5, 6, 789_012_345, time.UTC)
	attrs := [][]byte{AppendTime(nil, given), nil, append([]byte{0x85, 2, 'a', 'b'}, AppendTime(nil, time.Unix(-5, 1))...)}
	recs := [][]byte{[]byte("one"), []byte("two"), {}}
	frame := finishedAt(AppendFrameAttrs(nil, KindData, 7, 100, testTime, recs, attrs))
	for _, window := range []int{0, minWindow} {
		w := NewWalker(bytes.NewReader(append(make([]byte, HeaderBytes), golden(t, "frame-attributes", frame)...)), testNonce,
			HeaderBytes, HeaderBytes+int64(len(frame)), WalkerOptions{Window: window})
		if !w.Next() || w.Check() != nil {
			t.Fatalf("frame %+v, %v", w.Frame(), w.Err())
		}
		for i, want := range []time.Time{given, {}, time.Unix(-5, 1)} {
			if !w.NextRecord() || !bytes.Equal(w.Record().Payload, recs[i]) || !bytes.Equal(w.Record().Attrs, attrs[i]) {
				t.Fatalf("record %d: %+v, %v", i, w.Record(), w.RecordErr())
			}
			if got, err := DecodeTime(w.Record().Attrs); err != nil || !got.Equal(want) {
				t.Errorf("record %d has the time %v, %v; want %v", i, got, err, want)
			}
		}
	}
}

func TestGoldenIndex(t *testing.T) {
	runs := manyRuns(3)
	runs[1].Restarted = true
	b := golden(t, "index", EncodeIndex(nil, runs))
	if got, err := DecodeIndex(b); err != nil || !equalRuns(got, runs) {
		t.Errorf("golden index is %+v, %v", got, err)
	}
}

func TestGoldenFooter(t *testing.T) {
	b := make([]byte, FooterBytes)
	want := testFooter()
	EncodeFooter(b, want)
	b = golden(t, "footer", b)
	if f, err := DecodeFooter(b, testNonce); err != nil || f != want {
		t.Errorf("golden footer is %+v, %v", f, err)
	}
}

// The states kept in files outlive the program that wrote them: if a Go release
// encodes them otherwise, this is where it shows.
func TestGoldenDigestState(t *testing.T) {
	d, err := NewDigester(nil)
	if err != nil {
		t.Fatal(err)
	}
	d.Add(Record{TimeMs: testTime, Payload: []byte("one")})
	d.Add(Record{TimeMs: testTime + 1, Attrs: AppendTime(nil, time.Unix(1, 2)), Payload: fill(100, 1)})
	state := golden(t, "digest-state", d.State())
	sum, err := Digest(state)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "digest", sum[:])
}
