package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"

	"github.com/aof2/aof"
)

// contents is what can be compared with a ledger: an open store, or a view of one.
type contents interface {
	Streams() iter.Seq2[string, aof.StreamInfo]
}

// readerOf opens a reader of the records From..Durable of a stream.
type readerOf func(name string, o aof.ReaderOptions) (*aof.Reader, error)

func storeReader(s *aof.Store) readerOf {
	return func(name string, o aof.ReaderOptions) (*aof.Reader, error) {
		st, err := s.Stream(context.Background(), name)
		if err != nil {
			return nil, err
		}
		return st.Reader(o)
	}
}

// finding is the outcome of one comparison.
type finding struct {
	compared int // records that must be there and were compared
	lost     int // of those, how many are not there or not right
	beyond   int // records that nobody had acknowledged, and that are there
	problems []string

	streams map[string]*account // what is there
}

func (f *finding) problem(format string, args ...any) {
	f.problems = append(f.problems, fmt.Sprintf(format, args...))
}

// compare checks what a store holds after the end of a life against the ledger.
func (l *ledger) compare(c contents, reader readerOf) *finding {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &finding{streams: map[string]*account{}}
	f.problems = append(f.problems, l.problems...)
	seen := map[batchID]bool{}
	for name, info := range c.Streams() {
		a := l.match(f, name, info)
		if a == nil {
			continue
		}
		f.streams[name] = a
		if err := l.compareStream(f, a, info, seen, reader); err != nil {
			due := a.mustHave(uint64(info.Bounds.First))
			f.lost += due
			f.problem("%s: %v", name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.streams)) {
		if a := l.streams[name]; f.streams[name] == nil && a.inc != 0 && !a.doomed {
			f.lost += a.mustHave(a.first)
			f.problem("%s: the stream is gone", name)
		}
	}
	return f
}

// match finds the account of a stream that is there, and returns a copy of it that begins where the stream does.
func (l *ledger) match(f *finding, name string, info aof.StreamInfo) *account {
	inc := incarnation(info.Metadata)
	a := l.streams[name]
	switch {
	case a == nil || inc == 0 || inc != a.inc && inc != a.wanted:
		f.problem("%s: a stream that nobody made (%v)", name, inc)
		return nil
	case inc != a.inc && a.inc != 0 && !a.doomed:
		f.problem("%s: it was made again, and the one before was never deleted", name)
		return nil
	case inc != a.inc:
		a = &account{first: 1, trims: a.trims} // trims of the one that was being made when the power went
	}
	first := uint64(info.Bounds.First)
	if first != a.first && !slices.Contains(a.trims, first) {
		f.problem("%s: it begins at %d; trimmed to %d, asked for %v", name, first, a.first, a.trims)
	}
	found := &account{inc: inc, first: a.first, shown: a.shown, placed: slices.Clone(a.placed)}
	found.beginAt(first)
	return found
}

// compareStream reads a stream from end to end. What is found joins the account.
func (l *ledger) compareStream(f *finding, a *account, info aof.StreamInfo, seen map[batchID]bool, reader readerOf) error {
	b := info.Bounds
	if b.Next != b.Durable+1 {
		return fmt.Errorf("after opening, Next is %d and Durable is %d", b.Next, b.Durable)
	}
	if d := a.durable(); uint64(b.Durable) < d {
		return fmt.Errorf("it ends at %d; acknowledged or shown up to %d", b.Durable, d)
	}
	if b.Durable < b.First {
		return nil
	}
	r, err := reader(info.Name, aof.ReaderOptions{To: b.Durable})
	if err != nil {
		return err
	}
	defer r.Close()
	next := b.First
	read := func() ([]byte, error) {
		rec, err := r.Next(context.Background())
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", next, err)
		}
		if rec.Seq != next {
			return nil, fmt.Errorf("record %d where %d is due", rec.Seq, next)
		}
		next++
		return rec.Data, nil
	}
	for next <= b.Durable {
		if err := l.compareBatch(f, a, info, uint64(next), seen, read); err != nil {
			return err
		}
	}
	if _, err := r.Next(context.Background()); !errors.Is(err, io.EOF) {
		return fmt.Errorf("behind its end at %d: %w", b.Durable, err)
	}
	return nil
}

// compareBatch reads the rest of the batch that record seq belongs to.
func (l *ledger) compareBatch(f *finding, a *account, info aof.StreamInfo, seq uint64, seen map[batchID]bool, read func() ([]byte, error)) error {
	data, err := read()
	if err != nil {
		return err
	}
	p, known := a.at(seq)
	if !known {
		if p, known = l.inFlight(info.Name, a.inc, seq, data); !known {
			id, index, _ := named(data)
			return fmt.Errorf("record %d: a stranger: %v, record %d, %d bytes", seq, id, index, len(data))
		}
		if known = false; !a.insert(p) {
			return fmt.Errorf("record %d: %v does not fit between its neighbours", seq, p.id)
		}
	}
	if seen[p.id] {
		return fmt.Errorf("record %d: %v is there twice", seq, p.id)
	}
	seen[p.id] = true
	if last := uint64(info.Bounds.Durable); p.end()-1 > last {
		return fmt.Errorf("record %d: %v is torn: %d records from %d on, and the stream ends at %d", seq, p.id, p.count, p.first, last)
	}
	for i, want := range p.id.records()[seq-p.first:] {
		if i > 0 {
			if data, err = read(); err != nil {
				return err
			}
		}
		if !bytes.Equal(data, want) {
			return fmt.Errorf("record %d: %d bytes, not the %d of %v", seq+uint64(i), len(data), len(want), p.id)
		}
	}
	n := int(p.end() - seq)
	if known {
		f.compared += n
	} else {
		f.beyond += n
	}
	return nil
}

// inFlight finds the batch on its way that record seq can belong to: one whose place is known, or one that begins
// with this record.
func (l *ledger) inFlight(stream string, inc batchID, seq uint64, data []byte) (placement, bool) {
	for id, fl := range l.flying {
		p := placement{id, fl.at, len(id.lengths())}
		if fl.at != 0 && fl.stream == stream && fl.inc == inc && p.first <= seq && seq < p.end() {
			return p, true
		}
	}
	id, index, ok := named(data)
	fl := l.flying[id]
	if !ok || index != 0 || fl == nil || fl.at != 0 || fl.stream != stream || fl.inc != inc {
		return placement{}, false
	}
	return placement{id, seq, len(id.lengths())}, true
}

// adopt makes what was found what must be there from now on; what was on its way and did not arrive never will.
func (l *ledger) adopt(f *finding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.streams = f.streams
	clear(l.flying)
	l.cut, l.gaveUp = false, false
}
