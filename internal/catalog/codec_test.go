package catalog

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden bytes anew")

// golden is one decision of each kind, with values at the ends of their ranges.
var golden = []struct {
	name string
	d    Decision
}{
	{"created", Created{Ordinal: 1, Name: "orders/é", TimeMs: 1764000000000, Options: []byte{0, 1, 2}}},
	{"created bare", Created{Ordinal: math.MaxUint32, Name: "x", TimeMs: -1}},
	{"deleted", Deleted{Ordinal: 300, TimeMs: 1764000000001}},
	{"trimmed", Trimmed{Ordinal: 2, TimeMs: 1764000000002, First: math.MaxUint64}},
	{"sealed", Sealed{
		File: 7, DataEnd: 67108000, Size: 67108864, Checksum: 0x1122334455667788,
		IndexHash: [32]byte{0: 0xaa, 31: 0xbb},
		Runs: []Run{
			{1, false, 1, 1, 1764000000003},
			{2, true, 1000, 1999, 1764000000001},
			{math.MaxUint32, false, 1, math.MaxUint64, math.MinInt64},
		},
	}},
	{"sealed bare", Sealed{File: math.MaxUint64, DataEnd: math.MaxInt64, Size: math.MaxInt64}},
	{"recycled", Recycled{File: 7, States: []State{{1, 1, []byte("state one")}, {9, 1999, []byte("two")}}}},
	{"recycled bare", Recycled{File: 8}},
}

func goldenSnapshot(t *testing.T) []byte {
	c := twoStreams(t)
	for _, d := range []Decision{
		Trimmed{Ordinal: 1, First: 10},
		Deleted{Ordinal: 2},
		sealed(3, Run{Ordinal: 1, Gap: true, First: 11, Last: 12}),
		Recycled{File: 2},
		Trimmed{Ordinal: 1, First: 13},
		Recycled{File: 3, States: []State{{1, 12, []byte("carried")}}},
		Created{Ordinal: 5, Name: "e", Options: []byte("options")},
	} {
		if err := c.Apply(c.LastSeq()+1, d); err != nil {
			t.Fatal(err)
		}
	}
	return EncodeSnapshot(nil, c, Position{File: 4, Epoch: 2}, [16]byte([]byte("the store's id..")))
}

func TestGoldenBytes(t *testing.T) {
	var b strings.Builder
	for _, g := range golden {
		fmt.Fprintf(&b, "%s\n%s\n", g.name, hex.Dump(Encode(nil, g.d)))
	}
	fmt.Fprintf(&b, "snapshot\n%s", hex.Dump(goldenSnapshot(t)))
	const path = "testdata/golden.txt"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the layout has changed:\n%s", b.String())
	}
	for _, g := range golden {
		got, err := Decode(Encode(nil, g.d))
		if err != nil || !reflect.DeepEqual(got, g.d) {
			t.Errorf("%s: came back as %+v, %v", g.name, got, err)
		}
	}
}

func TestDecodeTellsNewerFromDamaged(t *testing.T) {
	good := Encode(nil, golden[0].d)
	with := func(at int, v byte) []byte {
		b := bytes.Clone(good)
		b[at] = v
		return b
	}
	tests := []struct {
		name string
		b    []byte
		want error
	}{
		{"nothing", nil, ErrMalformed},
		{"a kind alone", []byte{1}, ErrMalformed},
		{"zeros", make([]byte, 64), ErrMalformed},
		{"version 0", with(1, 0), ErrMalformed},
		{"a later version", with(1, 2), ErrVersion},
		{"a kind of a later version", with(0, 6), ErrUnknownKind},
		{"a byte behind the end", append(bytes.Clone(good), 0), ErrMalformed},
		{"a number longer than it need be", append([]byte{2, 1, 0x85, 0}, make([]byte, 8)...), ErrMalformed},
		{"an ordinal beyond 32 bits", append([]byte{2, 1, 0x80, 0x80, 0x80, 0x80, 0x10}, make([]byte, 8)...), ErrMalformed},
		{"a name longer than allowed", append([]byte{1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 2}, make([]byte, 300)...), ErrMalformed},
		{"a count beyond the input", []byte{5, 1, 7, 0xff, 0xff, 0xff, 0xff, 0xf}, ErrMalformed},
		{"two states of one stream", []byte{5, 1, 7, 2, 1, 1, 1, 9, 0, 1, 1, 9}, ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Decode(tt.b); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	if !errors.Is(ErrUnknownKind, ErrVersion) {
		t.Error("an unknown kind should be an ErrVersion")
	}
	for _, g := range golden {
		b := Encode(nil, g.d)
		for cut := range b {
			if _, err := Decode(b[:cut]); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s cut at %d: got %v", g.name, cut, err)
			}
		}
	}
}

// reseal puts a right CRC at the end of a snapshot that a test has changed.
func reseal(b []byte) []byte {
	if len(b) >= crcBytes {
		end := len(b) - crcBytes
		binary.LittleEndian.PutUint32(b[end:], crc32.Checksum(b[:end], castagnoli))
	}
	return b
}

func TestDecodeSnapshotTellsNewerFromDamaged(t *testing.T) {
	good := goldenSnapshot(t)
	for bit := range len(good) * 8 {
		b := bytes.Clone(good)
		b[bit/8] ^= 1 << (bit % 8)
		if _, _, _, err := DecodeSnapshot(b); !errors.Is(err, ErrMalformed) {
			t.Fatalf("bit %d flipped: got %v", bit, err)
		}
	}
	for cut := range good {
		if _, _, _, err := DecodeSnapshot(good[:cut]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut at %d: got %v", cut, err)
		}
	}
	tests := []struct {
		name string
		at   int
		want error
	}{
		{"a later version", versionAt, ErrVersion},
		{"an unknown required feature", requiredAt + 3, ErrVersion},
		{"an unknown optional feature", optionalAt + 3, nil},
		{"a reserved field in use", reservedAt, ErrMalformed},
		{"another body offset", offsetAt, ErrMalformed},
		{"another body length", lengthAt, ErrMalformed},
		{"another next ordinal", bodyAt, ErrMalformed}, // 6 becomes 4: stream 5 was never created
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := bytes.Clone(good)
			b[tt.at] ^= 2
			if _, _, _, err := DecodeSnapshot(reseal(b)); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// TestACountFromDiskTakesNoMemory gives each list a count that the input cannot hold.
func TestACountFromDiskTakesNoMemory(t *testing.T) {
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}
	empty := EncodeSnapshot(nil, New(), Position{}, [16]byte{})
	snapshot := append(bytes.Clone(empty[:bodyAt+1]), huge...)
	binary.LittleEndian.PutUint64(snapshot[lengthAt:], uint64(len(snapshot)-bodyAt))
	snapshot = reseal(append(snapshot, 0, 0, 0, 0))
	recycled := append([]byte{5, 1, 7}, huge...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, _, err := DecodeSnapshot(snapshot)
	_, err2 := Decode(recycled)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrMalformed) || !errors.Is(err2, ErrMalformed) {
		t.Errorf("got %v and %v", err, err2)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 64<<10 {
		t.Errorf("%d bytes allocated", got)
	}
}

func FuzzDecode(f *testing.F) {
	for _, g := range golden {
		f.Add(Encode(nil, g.d))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
				t.Fatalf("neither damaged nor newer: %v", err)
			}
			return
		}
		if again := Encode(nil, d); !bytes.Equal(again, b) {
			t.Fatalf("%x decodes to %+v, which encodes to %x", b, d, again)
		}
		c := New()
		_ = c.Apply(1, d) // whatever decodes may be judged
	})
}

func FuzzDecodeSnapshot(f *testing.F) {
	f.Add(EncodeSnapshot(nil, New(), Position{}, [16]byte{}))
	c := New()
	for _, d := range []Decision{created(1, "a"), created(2, "b"), sealed(1, run(1, 1, 4), run(2, 1, 1)), Deleted{Ordinal: 2}} {
		_ = c.Apply(c.LastSeq()+1, d)
	}
	f.Add(EncodeSnapshot(nil, c, Position{File: 2}, [16]byte{1}))
	_ = c.Apply(c.LastSeq()+1, Trimmed{Ordinal: 1, First: 5})
	_ = c.Apply(c.LastSeq()+1, Recycled{File: 1, States: []State{{1, 4, []byte("state")}}})
	f.Add(EncodeSnapshot(nil, c, Position{File: 2}, [16]byte{1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		if len(b) >= bodyAt+crcBytes { // else no input would ever come past length and CRC
			binary.LittleEndian.PutUint64(b[lengthAt:], uint64(len(b)-bodyAt-crcBytes))
		}
		c, p, store, err := DecodeSnapshot(reseal(b))
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
				t.Fatalf("neither damaged nor newer: %v", err)
			}
			return
		}
		clear(b[optionalAt : optionalAt+4]) // the one thing that is read over
		if again := EncodeSnapshot(nil, c, p, store); !bytes.Equal(again, reseal(b)) {
			t.Fatalf("%x\ncame back as\n%x", b, again)
		}
		recycleAll(t, c)
	})
}

// recycleAll ends every stream and file: accounts that do not add up show here.
func recycleAll(t *testing.T, c *Catalog) {
	for s := range c.Streams() {
		if err := c.Apply(c.LastSeq()+1, Deleted{Ordinal: s.Ordinal}); err != nil {
			t.Fatal(err)
		}
	}
	for f := range c.Files() {
		if err := c.Apply(c.LastSeq()+1, Recycled{File: f.File}); err != nil {
			t.Fatal(err)
		}
	}
	if c.streams.size != 0 || c.names.size != 0 || len(c.files) != 0 || len(c.order) != 0 {
		t.Fatalf("left over: %s", dump(c))
	}
}
