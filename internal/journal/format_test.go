package journal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew: a change of format")

// golden compares b with a file of hex digits, 32 bytes a line, and returns what
// the file holds.
func golden(t *testing.T, name string, b []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", name+".hex")
	if *update {
		var text strings.Builder
		for at := 0; at < len(b); at += 32 {
			text.WriteString(hex.EncodeToString(b[at:min(at+32, len(b))]) + "\n")
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

// sample is a current with a value of its own in every field.
func sample() *current {
	return &current{
		Store:      [16]byte{0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf},
		Generation: 0x0102030405060708, Epoch: 0x1112131415161718, NextID: 0x2122232425262728,
		CleanFile: 0x3132333435363738, CleanEnd: 0x4142434445464748,
		Files: []named{{0x5152535455565758, 0x6162636465666768}, {0x7172737475767778, 0x8182838485868788}},
	}
}

func TestGoldenCurrent(t *testing.T) {
	full := &current{Generation: 1, Epoch: 2, NextID: 3}
	for i := range maxNamed {
		full.Files = append(full.Files, named{uint64(i + 1), uint64(i + 101)})
	}
	for name, want := range map[string]*current{
		"current":       sample(),
		"current-first": {Store: [16]byte{1}, Generation: 1, Epoch: 1, NextID: 1},
		"current-full":  full,
	} {
		got, err := decodeCurrent(golden(t, name, want.encode()))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, %v", name, got, err)
		}
	}
}

func TestGoldenCurrentOfANewerProgramIsNotDamage(t *testing.T) {
	for _, c := range []struct {
		name string
		at   int
		err  error
	}{
		{"current-version", 8, ErrVersion},
		{"current-required", 15, ErrVersion},
		{"current-optional", 19, nil},
	} {
		b := sample().encode()
		b[c.at] |= 0x80
		fixSum(b)
		got, err := decodeCurrent(golden(t, c.name, b))
		if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		}
		if err == nil && !reflect.DeepEqual(got, sample()) {
			t.Errorf("%s is %+v", c.name, got)
		}
	}
}

// A slot that decodes is the encoding of what it says, but for what is not looked
// at: two reserved bytes, the optional features, and what is behind the files.
func FuzzDecodeCurrent(f *testing.F) {
	full := sample()
	for len(full.Files) < maxNamed {
		full.Files = append(full.Files, named{7, 8})
	}
	tooMany := full.encode()
	tooMany[76] = maxNamed + 1
	optional := sample().encode()
	optional[19] = 1
	for _, b := range [][]byte{sample().encode(), full.encode(), (&current{Generation: 1}).encode(), (&current{}).encode(), tooMany, optional} {
		f.Add(b[:400]) // the rest is zeros
	}
	f.Add([]byte{})
	f.Add(sample().encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := decodeCurrent(b); err == nil && (c == nil || len(b) < slotBytes) {
			t.Error("a short slot")
		}
		whole := make([]byte, slotBytes)
		copy(whole, b)
		fixSum(whole)
		c, err := decodeCurrent(whole)
		if err != nil {
			if c != nil {
				t.Errorf("%+v with %v", c, err)
			}
			return
		}
		if len(c.Files) > maxNamed || c.Generation == 0 {
			t.Errorf("decoded is %+v", c)
		}
		again := c.encode()
		rest := 80 + 16*len(c.Files)
		copy(again[10:12], whole[10:12])
		copy(again[16:20], whole[16:20])
		copy(again[rest:], whole[rest:])
		fixSum(again)
		if !bytes.Equal(again, whole) {
			t.Errorf("%x\nbecame\n%x", whole, again)
		}
	})
}
