package aof_test

import (
	"math"
	"testing"
	"time"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

func TestOptionsAreRefusedOrUseful(t *testing.T) {
	const least, most = aof.MinHotFileSize, aof.MaxHotFileSize
	cases := []struct {
		name string
		o    aof.Options
		want error
	}{
		{"the zero value", aof.Options{}, nil},
		{"negative hot file size", aof.Options{HotFileSize: -1}, aof.ErrInvalid},
		{"the lowest number there is", aof.Options{HotFileSize: math.MinInt64}, aof.ErrInvalid},
		{"hot files of one byte", aof.Options{HotFileSize: 1}, aof.ErrInvalid},
		{"hot files just too small", aof.Options{HotFileSize: least - 1}, aof.ErrInvalid},
		{"the smallest hot files", aof.Options{HotFileSize: least}, nil},
		{"hot files of an odd size", aof.Options{HotFileSize: least + 4097}, nil},
		{"the largest hot files", aof.Options{HotFileSize: most}, nil},
		{"hot files just too large", aof.Options{HotFileSize: most + 1}, aof.ErrInvalid},
		{"the highest number there is", aof.Options{HotFileSize: math.MaxInt64}, aof.ErrInvalid},
		{"negative record limit", aof.Options{MaxRecord: -1}, aof.ErrInvalid},
		{"record limit above the batch limit", aof.Options{MaxRecord: 2 << 20, MaxBatch: 1 << 20}, aof.ErrInvalid},
		{"record limit above the default batch limit", aof.Options{MaxRecord: 33 << 20}, aof.ErrInvalid},
		{"record limit of one byte", aof.Options{MaxRecord: 1}, nil},
		{"the highest record limit", aof.Options{MaxRecord: math.MaxInt64}, aof.ErrInvalid},
		{"negative batch limit", aof.Options{MaxBatch: -5}, aof.ErrInvalid},
		{"batch limit above the hot file", aof.Options{HotFileSize: 1 << 20, MaxBatch: 1 << 20}, aof.ErrInvalid},
		{"batch limit too small for a record", aof.Options{MaxBatch: 10}, aof.ErrInvalid},
		{"batch limit with room for empty records only", aof.Options{MaxBatch: 80}, aof.ErrInvalid},
		{"the highest batch limit", aof.Options{MaxBatch: math.MaxInt64}, aof.ErrInvalid},
		{"negative unflushed limit", aof.Options{MaxUnflushed: -1}, aof.ErrInvalid},
		{"unflushed limit of one byte", aof.Options{MaxUnflushed: 1}, nil},
		{"the highest unflushed limit", aof.Options{MaxUnflushed: math.MaxInt64}, nil},
		{"an unknown way to be full", aof.Options{WhenFull: aof.WaitWhenFull + 1}, aof.ErrInvalid},
		{"negative close timeout", aof.Options{CloseTimeout: -time.Second}, aof.ErrInvalid},
		{"close timeout of a nanosecond", aof.Options{CloseTimeout: 1}, nil},
		{"the longest close timeout", aof.Options{CloseTimeout: math.MaxInt64}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := aoftest.NewDisk(t)
			s, err := d.TryOpen(&c.o)
			expect(t, "open", err, c.want)
			if err != nil {
				if n := len(d.Contents()); n != 0 || d.Handles() != 0 {
					t.Errorf("a refused Open left %d files, %d of them open", n, d.Handles())
				}
				_, err := aof.Inspect(ctx, d.Path(), d.Options(&c.o))
				expect(t, "inspect", err, c.want)
				return
			}
			st := create(t, s, "s")
			for _, n := range []int{0, 1} {
				if _, err := st.Append(ctx, make([]byte, n)); err != nil {
					t.Errorf("append of %d bytes: %v", n, err)
				}
			}
			_, err = st.Append(ctx, make([]byte, 17<<20))
			expect(t, "append of 17 MiB", err, aof.ErrTooLarge)
		})
	}
}

// An Options is copied: what becomes of it after Open is nobody's business.
func TestOptionsAreCopied(t *testing.T) {
	d := aoftest.NewDisk(t)
	o := d.Options(aoftest.Small())
	s, err := aof.Open(ctx, d.Path(), o)
	if err != nil {
		t.Fatal(err)
	}
	*o = aof.Options{HotFileSize: -1}
	fill(t, create(t, s, "s"), 10, 0)
	expect(t, "close", s.Close(), nil)
}

// The size of hot files holds for those made from now on.
func TestTheHotFileSizeMayChangeBetweenLives(t *testing.T) {
	d := aoftest.NewDisk(t)
	next := aof.Seq(1)
	for i, size := range []int64{32 << 10, 256 << 10, 20_000, 1 << 20, 32 << 10} {
		s := d.Open(&aof.Options{HotFileSize: size})
		if i == 0 {
			create(t, s, "s")
		}
		st := stream(t, s, "s")
		if b := st.Bounds(); b.Next != next {
			t.Fatalf("bounds %+v, want next %d", b, next)
		}
		fill(t, st, 100, 1000)
		next += 100
		expectSeqs(t, read(t, st, aof.ReaderOptions{}), 1, next-1)
		aoftest.Check(t, s)
		if n := s.Stats().Poisoned; n != 0 {
			t.Errorf("%d files were given up", n)
		}
		expect(t, "close", s.Close(), nil)
	}
}

func TestEffectiveIsWhatOpenUses(t *testing.T) {
	var none *aof.Options
	for _, o := range []*aof.Options{none, {}, {HotFileSize: 16 << 10}, {MaxBatch: 4 << 10, CloseTimeout: time.Second}} {
		e, err := o.Effective()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := e.Effective(); err != nil || again.HotFileSize != e.HotFileSize || again.MaxRecord != e.MaxRecord || again.MaxBatch != e.MaxBatch || again.MaxUnflushed != e.MaxUnflushed || again.CloseTimeout != e.CloseTimeout {
			t.Errorf("%+v became %+v, and then %+v, %v", o, e, again, err)
		}
		if e.HotFileSize == 0 || e.MaxRecord == 0 || e.MaxBatch == 0 || e.MaxUnflushed == 0 || e.CloseTimeout == 0 {
			t.Errorf("%+v became %+v", o, e)
		}
	}
	small, err := (&aof.Options{HotFileSize: 16 << 10}).Effective()
	if err != nil || small.MaxBatch >= 16<<10 || small.MaxRecord >= small.MaxBatch {
		t.Errorf("in small files: %+v, %v", small, err)
	}
	_, err = (&aof.Options{HotFileSize: 1}).Effective()
	expect(t, "a file of one byte", err, aof.ErrInvalid)
}
