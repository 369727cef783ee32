package aof

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"time"

	"github.com/aof2/aof/internal/journal"
	"github.com/aof2/aof/internal/mark"
	"github.com/aof2/aof/internal/segment"
)

// ReaderOptions say where a Reader begins and ends. The zero value reads all
// there is and then follows the stream.
type ReaderOptions struct {
	// Where to begin: at most one of these; none is the oldest record.
	From       Seq       // with this record. A stream's Next waits for the record to come
	Last       uint64    // with the last so many durable records
	FromTime   time.Time // with the first record that the store accepted at that time or later: see SeekTime
	FromCursor Cursor    // behind this place, if the record there is still the one that was seen

	To Seq // the last record, behind which is io.EOF; 0 is no end
}

// check refuses more than one beginning.
func (o *ReaderOptions) check() error {
	var set []string
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"From", o.From != 0},
		{"Last", o.Last != 0},
		{"FromTime", !o.FromTime.IsZero()},
		{"FromCursor", o.FromCursor != Cursor{}},
	} {
		if f.set {
			set = append(set, f.name)
		}
	}
	if len(set) > 1 {
		return invalidf("ReaderOptions has %s; use one of them", strings.Join(set, " and "))
	}
	return nil
}

// Reader reads the durable records of one stream in order. It belongs to one
// goroutine at a time and holds neither a file nor memory beyond one window of
// 256 KiB, or one larger batch; a Reader that is not used and not closed keeps at
// most that, and one that waits for the next record nothing of it. At most 128
// Readers of a process hold more than 64 KiB: the others read smaller pieces.
//
// Damage is a *CorruptError that names the records which cannot be read; the next
// call goes on behind them.
type Reader struct {
	j       *journal.Journal
	lane    *journal.Lane
	name    string
	to      Seq
	end     bool // the stream ends for this reader where it stands: a view
	cursor  *journal.Cursor
	at      Cursor // behind the record that was returned last
	resumes bool   // the record at that place has to be looked at first
	fetches *fetchPool
	fetch   *fetch // the last one TryNext has begun
	closed  bool
}

// fetch is a read on behalf of TryNext.
type fetch struct {
	done mark.Mark
	err  error // valid once done has reached 1
}

func newReader(j *journal.Journal, l *journal.Lane, name string, o ReaderOptions, p *fetchPool) (*Reader, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	b := bounds(j, l)
	r := &Reader{j: j, lane: l, name: name, to: o.To, fetches: p, at: Cursor{Stream: j.Identity(l)}}
	if o.FromCursor != (Cursor{}) {
		if err := r.resume(o.FromCursor, b); err != nil {
			return nil, err
		}
		return r, nil
	}
	from := o.From
	switch {
	case o.Last != 0:
		from = b.Durable + 1 - Seq(min(o.Last, uint64(b.Durable+1-b.First)))
	case !o.FromTime.IsZero():
		seq, err := j.FindTime(l, ceilMilli(o.FromTime))
		if err != nil {
			return nil, r.translate(err)
		}
		b = bounds(j, l)
		from = max(Seq(seq), b.First) // of what was trimmed meanwhile nothing is missed
	case from == 0:
		from = b.First
	}
	if err := r.check(from, b); err != nil {
		return nil, err
	}
	r.cursor = j.Cursor(l, uint64(from))
	r.at.Seq = from - 1
	return r, nil
}

// ceilMilli is t in milliseconds, the precision of the store's times, rounded up: no record before t is meant.
func ceilMilli(t time.Time) int64 {
	ms := t.UnixMilli()
	if t.Nanosecond()%int(time.Millisecond) != 0 {
		ms++
	}
	return ms
}

// check says why a reader cannot stand before record seq.
func (r *Reader) check(seq Seq, b Bounds) error {
	switch {
	case seq < b.First:
		return &TrimmedError{First: b.First}
	case seq > b.Next:
		return invalidf("stream %q has no record %d yet: the next one will be %d", r.name, seq, b.Next)
	}
	return nil
}

// Seek makes seq the record that is read next. The errors are those of
// Stream.Reader; the reader then stays where it was.
func (r *Reader) Seek(seq Seq) error {
	if r.closed || r.j.Closed() {
		return ErrClosed
	}
	if seq == 0 {
		return invalidf("cannot seek to record 0: the first record is 1")
	}
	if err := r.check(seq, bounds(r.j, r.lane)); err != nil {
		return err
	}
	r.stand(seq)
	return nil
}

// stand makes seq the record that is read next.
func (r *Reader) stand(seq Seq) {
	r.awaitFetch()
	r.fetch, r.resumes = nil, false
	r.cursor.Seek(uint64(seq))
	r.at.Seq, r.at.Epoch = seq-1, 0
}

// SeekTime makes the first record that the store accepted at t or later the one that is read next. Times are those of the
// store's wall clock, in milliseconds. Where that went back in between, it is the first record at which the newest time
// so far reaches t. Behind the newest record nothing has been accepted at t yet: the next record to come is read next,
// whatever its time. It reads at most one stretch of the stream, in the calling goroutine.
func (r *Reader) SeekTime(t time.Time) error {
	if r.closed || r.j.Closed() {
		return ErrClosed
	}
	r.awaitFetch()
	seq, err := r.j.FindTime(r.lane, ceilMilli(t))
	if err != nil {
		return r.translate(err)
	}
	r.stand(Seq(seq))
	return nil
}

// Close lets go of the window. Records that were returned are no longer valid.
func (r *Reader) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	r.awaitFetch()
	r.cursor.Release()
	return nil
}

// awaitFetch waits for a read that TryNext has begun; it works on the cursor.
func (r *Reader) awaitFetch() {
	if r.fetch != nil {
		<-r.fetch.done.Reached(1)
	}
}

// errFill says that the next record has to be fetched.
var errFill = errors.New("not in memory")

// step returns the next record if it is in memory. errFill: it is durable and has
// to be fetched. io.EOF: the reader is behind its end. A *WouldBlockError: there
// is no further record yet.
func (r *Reader) step() (Record, error) {
	if r.closed || r.j.Closed() {
		return Record{}, ErrClosed
	}
	seq := r.cursor.Seq()
	if r.to != 0 && seq > uint64(r.to) {
		return Record{}, io.EOF
	}
	if r.cursor.Holds() {
		if r.resumes {
			if err := r.confirm(); err != nil {
				return Record{}, err
			}
			return r.step()
		}
		rec, err := r.cursor.Next()
		if err != nil {
			return Record{}, r.failed(err)
		}
		r.at.Seq, r.at.Epoch = Seq(rec.Seq), r.cursor.Epoch()
		return r.record(rec)
	}
	if seq <= r.lane.Durable() {
		return Record{}, errFill
	}
	r.cursor.Release()
	if r.end {
		return Record{}, io.EOF
	}
	if r.lane.Tail().Ended() {
		return Record{}, r.gone()
	}
	return Record{}, &WouldBlockError{Kind: BlockTail, mark: r.lane.Tail(), target: seq}
}

// record is a record as it is returned.
func (r *Reader) record(rec segment.Record) (Record, error) {
	out := Record{Seq: Seq(rec.Seq), Time: time.UnixMilli(rec.TimeMs), Data: rec.Payload}
	if len(rec.Attrs) > 0 {
		t, err := segment.DecodeTime(rec.Attrs)
		if err != nil {
			return Record{}, fmt.Errorf("stream %q, record %d: %w", r.name, rec.Seq, translate(err))
		}
		out.EventTime = t
	}
	return out, nil
}

// gone says why there will be no further record.
func (r *Reader) gone() error {
	if r.j.Closed() {
		return ErrClosed
	}
	return fmt.Errorf("%w: stream %q has been deleted", ErrNotFound, r.name)
}

// TryNext returns the next record if it is in memory. Otherwise it begins to
// fetch it and answers WouldBlock(Hydration), or WouldBlock(Tail) where there is
// no further record yet. Behind ReaderOptions.To it is io.EOF.
func (r *Reader) TryNext() (Record, error) {
	if f := r.fetch; f != nil && !r.closed {
		if f.done.At() == 0 && !f.done.Ended() {
			return Record{}, &WouldBlockError{Kind: BlockHydration, mark: &f.done, target: 1}
		}
		r.fetch = nil
		if f.err != nil {
			if err := r.failed(f.err); err != nil {
				return Record{}, err
			}
		}
	}
	rec, err := r.step()
	if !errors.Is(err, errFill) {
		var b *WouldBlockError
		if errors.As(err, &b) {
			r.fetches.tails.Add(1)
		}
		return rec, err
	}
	f := &fetch{}
	cursor := r.cursor
	if !r.fetches.run(func() {
		f.err = cursor.Fill()
		f.done.Advance(1)
	}) {
		return Record{}, ErrClosed
	}
	r.fetch = f
	return Record{}, &WouldBlockError{Kind: BlockHydration, mark: &f.done, target: 1}
}

// Next returns the next record and waits for it: for the disk in the calling
// goroutine, at the tail until a record comes, ctx ends or the store closes.
// Behind ReaderOptions.To it is io.EOF.
func (r *Reader) Next(ctx context.Context) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, context.Cause(ctx)
	}
	r.awaitFetch()
	if r.fetch != nil && r.fetch.err != nil {
		err := r.fetch.err
		r.fetch = nil
		if err := r.failed(err); err != nil {
			return Record{}, err
		}
	}
	r.fetch = nil
	for {
		rec, err := r.step()
		if err == nil {
			return rec, nil
		}
		if errors.Is(err, errFill) {
			if err := r.cursor.Fill(); err != nil {
				if err := r.failed(err); err != nil {
					return Record{}, err
				}
			}
			continue
		}
		var b *WouldBlockError
		if !errors.As(err, &b) {
			return Record{}, err
		}
		select {
		case <-b.Ready():
		case <-ctx.Done():
			return Record{}, context.Cause(ctx)
		}
	}
}

// All yields the records that Next would return. It ends behind
// ReaderOptions.To, and after yielding an error.
func (r *Reader) All(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for {
			rec, err := r.Next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

// translate gives errors of the journal their public names.
func (r *Reader) translate(err error) error {
	var d *journal.DamageError
	var t *journal.TrimmedError
	switch {
	case errors.Is(err, journal.ErrClosed) || r.j.Closed() && errors.Is(err, fs.ErrClosed):
		return ErrClosed
	case errors.As(err, &d):
		return &CorruptError{File: d.File, Offset: d.Offset, Stream: r.name, First: Seq(d.First), Last: Seq(d.Last), Problem: d.Problem}
	case errors.As(err, &t):
		return &TrimmedError{First: Seq(t.First)}
	case errors.Is(err, journal.ErrStale):
		return fmt.Errorf("%w: %w", ErrStale, err)
	case errors.Is(err, journal.ErrGone):
		return r.gone()
	case errors.Is(err, segment.ErrVersion):
		return fmt.Errorf("%w: %w", ErrVersion, err)
	}
	return err
}
