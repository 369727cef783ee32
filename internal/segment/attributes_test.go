package segment

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"time"
)

// Every instant comes back, also those far out.
func TestACallersTimeComesBackExactly(t *testing.T) {
	for _, want := range []time.Time{
		time.Unix(0, 0), time.Unix(-1, 999_999_999), time.Unix(1<<40, 1), time.Unix(math.MaxInt64, 999_999_999),
		time.Unix(math.MinInt64, 0), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.FixedZone("east", 3600)),
		time.Date(-290_000_000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Now(),
	} {
		b := AppendTime(nil, want)
		if len(b) != TimeAttributeBytes {
			t.Fatalf("%d bytes", len(b))
		}
		if got, err := DecodeTime(b); err != nil || !got.Equal(want) || got.Unix() != want.Unix() || got.Nanosecond() != want.Nanosecond() {
			t.Errorf("%v came back as %v, %v", want, got, err)
		}
	}
}

func TestAttributesThatAreNot(t *testing.T) {
	whole := AppendTime(nil, time.Unix(7, 8))
	for name, row := range map[string]struct {
		attrs []byte
		err   error
	}{
		"nothing":                  {nil, nil},
		"one that may be ignored":  {[]byte{0x81, 1, 9}, nil},
		"one that must be known":   {[]byte{2, 1, 9}, ErrVersion},
		"half a header":            {[]byte{1}, ErrDamaged},
		"a value cut off":          {whole[:len(whole)-1], ErrDamaged},
		"a time of 11 bytes":       {append([]byte{1, 11}, make([]byte, 11)...), ErrDamaged},
		"more than a second of ns": {append([]byte{1, 12, 0, 0, 0, 0, 0, 0, 0, 0}, 0, 0xca, 0x9a, 0x3b), ErrDamaged},
		"two times":                {append(bytes.Clone(whole), whole...), ErrDamaged},
	} {
		if _, err := DecodeTime(row.attrs); !errors.Is(err, row.err) || (err == nil) != (row.err == nil) {
			t.Errorf("%s: %v, want %v", name, err, row.err)
		}
	}
}

func FuzzDecodeTime(f *testing.F) {
	f.Add([]byte{})
	f.Add(AppendTime(nil, time.Unix(1, 2)))
	f.Add([]byte{0x81, 1, 9})
	f.Fuzz(func(t *testing.T, attrs []byte) {
		got, err := DecodeTime(attrs)
		if err != nil || got.IsZero() {
			return
		}
		if again, err := DecodeTime(AppendTime(nil, got)); err != nil || !again.Equal(got) {
			t.Errorf("%v came back as %v, %v", got, again, err)
		}
	})
}
