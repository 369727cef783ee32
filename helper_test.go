package aof_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

// ctx never ends: an Append with it leads its round itself.
var ctx = context.Background()

// create makes a stream.
func create(t testing.TB, s *aof.Store, name string) *aof.Stream {
	t.Helper()
	st, err := s.CreateStream(ctx, name, nil)
	if err != nil {
		t.Fatalf("create %q: %v", name, err)
	}
	return st
}

// stream returns a stream that is there.
func stream(t testing.TB, s *aof.Store, name string) *aof.Stream {
	t.Helper()
	st, err := s.Stream(ctx, name)
	if err != nil {
		t.Fatalf("stream %q: %v", name, err)
	}
	return st
}

// text is the content of record seq in these tests.
func text(seq aof.Seq) string { return fmt.Sprintf("record %d", seq) }

// fill appends n records, one by one, each with the text of its seq, padded to
// size bytes when that is longer.
func fill(t testing.TB, st *aof.Stream, n, size int) {
	t.Helper()
	for range n {
		want := st.Bounds().Next
		b := text(want)
		if len(b) < size {
			b += strings.Repeat(".", size-len(b))
		}
		seq, err := st.Append(ctx, []byte(b))
		if err != nil || seq != want {
			t.Fatalf("append: seq %d, %v; want %d", seq, err, want)
		}
	}
}

// fillRounds appends until n more files have been rolled.
func fillRounds(t testing.TB, s *aof.Store, st *aof.Stream, rolls int) {
	t.Helper()
	newest := func() (id uint64) {
		for _, f := range s.Files() {
			if f.State != aof.FilePrepared {
				id = max(id, f.ID)
			}
		}
		return id
	}
	for ; rolls > 0; rolls-- {
		for at := newest(); newest() == at; {
			fill(t, st, 1, 1000)
		}
	}
}

// read returns what a reader finds up to the present end.
func read(t testing.TB, st *aof.Stream, o aof.ReaderOptions) []aof.Seq {
	t.Helper()
	b := st.Bounds()
	if o.To == 0 {
		if o.To = b.Durable; b.Durable+1 == b.First {
			return nil
		}
	}
	r, err := st.Reader(o)
	if err != nil {
		t.Fatalf("reader %+v: %v", o, err)
	}
	defer r.Close()
	return drain(t, r)
}

// drain reads up to io.EOF and checks each record's content.
func drain(t testing.TB, r *aof.Reader) []aof.Seq {
	t.Helper()
	var seqs []aof.Seq
	for {
		rec, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return seqs
		}
		if err != nil {
			t.Fatalf("next: %v", err)
		}
		if got := strings.TrimRight(string(rec.Data), "."); got != text(rec.Seq) {
			t.Fatalf("record %d holds %q", rec.Seq, got)
		}
		seqs = append(seqs, rec.Seq)
	}
}

// expectSeqs fails unless seqs are first..last without a gap; last below first
// means none.
func expectSeqs(t testing.TB, seqs []aof.Seq, first, last aof.Seq) {
	t.Helper()
	if len(seqs) != int(last+1-first) {
		t.Fatalf("got %d records %v, want %d..%d", len(seqs), ends(seqs), first, last)
	}
	for i, s := range seqs {
		if s != first+aof.Seq(i) {
			t.Fatalf("record %d stands where %d should", s, first+aof.Seq(i))
		}
	}
}

func ends(seqs []aof.Seq) string {
	if len(seqs) == 0 {
		return "none"
	}
	return fmt.Sprintf("%d..%d", seqs[0], seqs[len(seqs)-1])
}

// expect fails unless err is want; a nil want is no error.
func expect(t testing.TB, what string, err, want error) {
	t.Helper()
	if want == nil && err != nil || want != nil && !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

// blocked returns the WouldBlockError that err is, of the kind.
func blocked(t testing.TB, err error, kind aof.BlockKind) *aof.WouldBlockError {
	t.Helper()
	var b *aof.WouldBlockError
	if !errors.As(err, &b) || b.Kind != kind || !errors.Is(err, aof.ErrWouldBlock) {
		t.Fatalf("got %v, want WouldBlock(%v)", err, kind)
	}
	return b
}

// isClosed reports whether a channel is closed, without waiting.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// active returns a store in memory that has been appended to, and its stream: the
// first append of a life, which has to prepare a file, is behind it.
func active(t testing.TB, o *aof.Options) (*aoftest.Disk, *aof.Store, *aof.Stream) {
	t.Helper()
	d := aoftest.NewDisk(t)
	s := d.Open(o)
	return d, s, create(t, s, "s")
}

// tryNext calls TryNext until it says something else than that it fetches.
func tryNext(r *aof.Reader) (aof.Record, error) {
	for {
		rec, err := r.TryNext()
		var b *aof.WouldBlockError
		if !errors.As(err, &b) || b.Kind != aof.BlockHydration {
			return rec, err
		}
		<-b.Ready()
	}
}
