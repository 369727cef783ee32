package aof_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

func TestStreamNames(t *testing.T) {
	cases := []struct {
		name, what string
		want       error
	}{
		{"", "empty", aof.ErrInvalid},
		{strings.Repeat("a", 256), "256 bytes", aof.ErrInvalid},
		{strings.Repeat("é", 128), "256 bytes in 128 letters", aof.ErrInvalid},
		{"a\x00b", "NUL", aof.ErrInvalid},
		{"\x00", "only NUL", aof.ErrInvalid},
		{"a\xff", "no UTF-8", aof.ErrInvalid},
		{"\xed\xa0\x80", "half a surrogate pair", aof.ErrInvalid},
		{"..", "two dots", nil},
		{".", "a dot", nil},
		{"/", "a slash", nil},
		{"../../etc/passwd", "a path", nil},
		{"journal/current", "the name of a file of the store", nil},
		{"LOCK", "the name of the lock", nil},
		{"🦆", "emoji", nil},
		{" ", "a blank", nil},
		{"\n\x1b[31m", "control characters", nil},
		{strings.Repeat("a", 255), "255 bytes", nil},
		{strings.Repeat("🦆", 63) + "abc", "255 bytes of emoji", nil},
	}
	d := aoftest.NewDir(t)
	s := d.Open(aoftest.Small())
	var valid []string
	for _, c := range cases {
		st, err := s.CreateStream(ctx, c.name, nil)
		expect(t, c.what, err, c.want)
		if err != nil {
			_, err = s.Stream(ctx, c.name)
			expect(t, c.what+": look for it", err, aof.ErrNotFound)
			continue
		}
		valid = append(valid, c.name)
		fill(t, st, 1, 0)
		if st.Name() != c.name {
			t.Errorf("%s: the stream is called %q", c.what, st.Name())
		}
	}
	for name := range d.Contents() {
		if name != "journal/current" && !strings.HasSuffix(name, ".aof") && !strings.HasPrefix(name, "snapshot/") {
			t.Errorf("a stream's name became a file: %q", name)
		}
	}
	expect(t, "close", s.Close(), nil)
	s = d.Open(aoftest.Small())
	slices.Sort(valid)
	var listed []string
	for name, info := range s.Streams() {
		listed = append(listed, name)
		if info.Name != name || info.Records() != 1 {
			t.Errorf("%q: %+v", name, info)
		}
	}
	if !slices.Equal(listed, valid) {
		t.Errorf("listed %q, want %q", listed, valid)
	}
}

func TestStreamMetadata(t *testing.T) {
	d := aoftest.NewDisk(t)
	s := d.Open(aoftest.Small())
	most := bytes.Repeat([]byte{0xff}, aof.MaxMetadataBytes)
	_, err := s.CreateStream(ctx, "too much", &aof.StreamOptions{Metadata: append(most, 0)})
	expect(t, "metadata over the limit", err, aof.ErrInvalid)
	given := slices.Clone(most)
	st, err := s.CreateStream(ctx, "most", &aof.StreamOptions{Metadata: given})
	expect(t, "metadata at the limit", err, nil)
	clear(given)
	st.Info().Metadata[0] = 0
	if !bytes.Equal(st.Info().Metadata, most) {
		t.Error("metadata can be changed from outside")
	}
	expect(t, "close", s.Close(), nil)
	if !bytes.Equal(stream(t, d.Open(aoftest.Small()), "most").Info().Metadata, most) {
		t.Error("metadata did not come back")
	}
}

func TestAStreamsLife(t *testing.T) {
	d, s, old := active(t, aoftest.Small())
	_, err := s.CreateStream(ctx, "s", nil)
	expect(t, "create again", err, aof.ErrExists)
	if stream(t, s, "s") != old {
		t.Error("another handle for the same stream")
	}
	fill(t, old, 5, 0)
	reader, err := old.Reader(aof.ReaderOptions{})
	expect(t, "reader", err, nil)
	expect(t, "delete", s.DeleteStream(ctx, "s"), nil)
	expect(t, "delete again", s.DeleteStream(ctx, "s"), aof.ErrNotFound)
	_, err = s.Stream(ctx, "s")
	expect(t, "look for it", err, aof.ErrNotFound)

	made := create(t, s, "s")
	if made == old || made.Info().ID == old.Info().ID || made.Bounds().Next != 1 {
		t.Errorf("created again: %+v, before %+v", made.Info(), old.Info())
	}
	_, err = old.Append(ctx, []byte("x"))
	expect(t, "append to the old one", err, aof.ErrNotFound)
	expect(t, "trim the old one", old.TrimBefore(ctx, 2), aof.ErrNotFound)
	_, err = reader.Next(ctx)
	expect(t, "go on reading the old one", err, aof.ErrNotFound)
	_, err = tryNext(reader)
	expect(t, "go on reading the old one without waiting", err, aof.ErrNotFound)
	expect(t, "close the reader", reader.Close(), nil)
	r, err := old.Reader(aof.ReaderOptions{})
	expect(t, "new reader of the old one", err, nil)
	_, err = r.Next(ctx)
	expect(t, "read the old one", err, aof.ErrNotFound)
	expect(t, "close the reader", r.Close(), nil)

	fill(t, made, 3, 0)
	expect(t, "close", s.Close(), nil)
	s = d.Open(aoftest.Small())
	expectSeqs(t, read(t, stream(t, s, "s"), aof.ReaderOptions{}), 1, 3)
	if id := stream(t, s, "s").Info().ID; id != made.Info().ID {
		t.Errorf("id %d became %d", made.Info().ID, id)
	}
}

func TestOneOfManyCreatorsOfANameWins(t *testing.T) {
	s := aoftest.Memory(t, aoftest.Small())
	var wg sync.WaitGroup
	var made atomic.Int32
	for range 16 {
		wg.Go(func() {
			st, err := s.CreateStream(ctx, "s", nil)
			switch {
			case err == nil:
				made.Add(1)
				fill(t, st, 1, 0)
			case !errors.Is(err, aof.ErrExists):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 {
		t.Errorf("%d creators were told that they made it", made.Load())
	}
	expectSeqs(t, read(t, stream(t, s, "s"), aof.ReaderOptions{}), 1, 1)
}

// Appends and a delete of the same stream are in one order: what was accepted
// before is settled, what comes later is refused.
func TestAppendsRaceAgainstTheirStreamsEnd(t *testing.T) {
	s := aoftest.Memory(t, aoftest.Small())
	for round := range 20 {
		st := create(t, s, "s")
		id := st.Info().ID
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					before := st.Bounds().Next
					seq, err := st.Append(ctx, []byte("x"))
					if err != nil {
						if !errors.Is(err, aof.ErrNotFound) || seq != 0 {
							t.Errorf("round %d: seq %d (at least %d), %v", round, seq, before, err)
						}
						return
					}
				}
			})
			wg.Go(func() { followToTheEnd(t, st) })
		}
		expect(t, "delete", s.DeleteStream(ctx, "s"), nil)
		wg.Wait()
		if st.Info().ID != id {
			t.Error("the id changed")
		}
	}
}

// followToTheEnd reads until the stream has been deleted, which is the only error
// that may come.
func followToTheEnd(t *testing.T, st *aof.Stream) {
	r, err := st.Reader(aof.ReaderOptions{})
	if err != nil {
		t.Error(err)
		return
	}
	defer r.Close()
	want := aof.Seq(1)
	for rec, err := range r.All(ctx) {
		if err != nil {
			if !errors.Is(err, aof.ErrNotFound) {
				t.Errorf("behind record %d: %v", want-1, err)
			}
			return
		}
		if rec.Seq != want {
			t.Errorf("record %d stands where %d should", rec.Seq, want)
		}
		want++
	}
}

// A creation whose caller stopped waiting is there all the same.
func TestACreationThatNobodyWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, _ := active(t, aoftest.Small())
		hold := d.HoldSyncs()
		c, cancel := context.WithCancelCause(ctx)
		done := make(chan error)
		go func() {
			_, err := s.CreateStream(c, "late", nil)
			done <- err
		}()
		<-hold.Reached()
		for name := range s.Streams() {
			if name == "late" {
				t.Error("it is listed before it is durable")
			}
		}
		cancel(errStop)
		err := <-done
		var unsettled *aof.UnsettledError
		if !errors.As(err, &unsettled) || !errors.Is(err, errStop) || unsettled.First != 0 {
			t.Errorf("got %v", err)
		}
		if strings.Contains(err.Error(), "0..0") {
			t.Errorf("no record was accepted, and the message is: %v", err)
		}
		go func() {
			_, err := s.Stream(ctx, "late")
			done <- err
		}()
		synctest.Wait()
		hold.Release()
		expect(t, "look for it", <-done, nil)
	})
}

func TestAThousandStreams(t *testing.T) {
	const n = 1000
	d := aoftest.NewDisk(t)
	s := d.Open(&aof.Options{HotFileSize: 256 << 10})
	var wg sync.WaitGroup
	for w := range 10 {
		wg.Go(func() {
			for i := w; i < n; i += 10 {
				fill(t, create(t, s, fmt.Sprintf("stream %04d", i)), 2, 200)
			}
		})
	}
	wg.Wait()
	for i := 0; i < n; i += 2 {
		expect(t, "delete", s.DeleteStream(ctx, fmt.Sprintf("stream %04d", i)), nil)
	}
	for life := range 2 {
		names := slices.Collect(maps.Keys(maps.Collect(s.Streams())))
		if len(names) != n/2 || s.Stats().Streams != n/2 {
			t.Errorf("life %d: %d streams are listed, and stats tell of %d", life, len(names), s.Stats().Streams)
		}
		for i := 1; i < n; i += 100 {
			st := stream(t, s, fmt.Sprintf("stream %04d", i))
			expectSeqs(t, read(t, st, aof.ReaderOptions{}), 1, 2)
		}
		aoftest.Check(t, s)
		if life == 0 {
			expect(t, "close", s.Close(), nil)
			s = d.Open(&aof.Options{HotFileSize: 256 << 10})
		}
	}
}
