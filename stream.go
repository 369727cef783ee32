package aof

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aof2/aof/internal/catalog"
	"github.com/aof2/aof/internal/coordinator"
	"github.com/aof2/aof/internal/journal"
	"github.com/aof2/aof/internal/segment"
)

// Ack is when an append is acknowledged.
type Ack uint8

// The levels of acknowledgement. The zero value is the durable one.
const (
	// AckDurable returns when the records have been synced.
	AckDurable Ack = iota
	// AckAccepted returns when the records have their seqs and are in memory: a
	// crash of the process can lose them. WaitDurable waits for more.
	AckAccepted
)

// Entry is one record to be appended.
type Entry struct {
	Data []byte // copied by the append; may be empty

	// EventTime is the caller's own time of the record, kept to the nanosecond
	// beside the time that the store gives it. It orders nothing, and readers do
	// not search by it. Its location is not kept; the zero Time means none.
	EventTime time.Time
}

// Batch is records that are appended together: after a crash either all of them
// are there or none.
type Batch struct {
	Records []Entry

	// ExpectNext makes the append conditional: unless it is 0 the batch is accepted
	// only as record ExpectNext and those behind it, and else refused without effect
	// with a *MismatchError. 1 expects a stream nothing was ever appended to.
	ExpectNext Seq

	Ack Ack // of AppendBatch
}

// batchRoom is the largest MaxBatch for hot files of size bytes.
func batchRoom(size int64) int64 { return journal.BatchRoom(size) }

// recordRoom is the largest MaxRecord for batches of at most size bytes.
func recordRoom(size int64) int64 {
	return size - segment.FrameLength(1, 0) - segment.FrameAlign
}

// Stream is a named sequence of records. Its methods may be called by any number
// of goroutines.
type Stream struct {
	store    *Store
	lane     *journal.Lane
	ticket   journal.Ticket // of the decision that made it
	name     string
	created  time.Time
	metadata []byte
}

// Name is the stream's name.
func (st *Stream) Name() string { return st.name }

// Info describes the stream.
func (st *Stream) Info() StreamInfo {
	return describe(st.store.journal, st.lane, catalog.StreamState{
		Ordinal: st.lane.Ordinal, Name: st.name, CreatedMs: st.created.UnixMilli(), Options: st.metadata,
	})
}

// Bounds is one consistent reading of where the stream begins and ends.
func (st *Stream) Bounds() Bounds { return bounds(st.store.journal, st.lane) }

func bounds(j *journal.Journal, l *journal.Lane) Bounds {
	first, durable, next := j.Bounds(l)
	if durable+1 < first {
		durable = first - 1
	}
	return Bounds{First: Seq(first), Durable: Seq(durable), Next: Seq(next)}
}

// TryAppend accepts the records as one batch, or refuses them without effect. It
// returns the seq of the first; the others follow. It never waits for the disk:
// accepted is not yet durable, and WaitDurable tells. The records are copied.
//
// ErrWouldBlock: try again when the error's Ready says so. ErrTooLarge: the batch
// never fits. ErrFull: the disk has no room. ErrReadOnly: the store takes no
// appends any more. ErrNotFound: the stream has been deleted. ErrClosed,
// ErrInvalid (no record at all).
func (st *Stream) TryAppend(recs ...[]byte) (Seq, error) {
	t, err := st.try(journal.Batch{Records: recs}, false, nil)
	return Seq(t.First), err
}

// Append appends the records as one batch and returns when they are durable, with
// the seq of the first. It waits for room when there is none, in order with all
// others that wait.
//
// A seq of 0 with an error says that nothing happened. A seq with an error, always
// an *UnsettledError, says that the records were accepted and that the wait for
// their durability ended early: do not append them again. The other errors are
// those of TryAppend without ErrWouldBlock, and the context's.
func (st *Stream) Append(ctx context.Context, recs ...[]byte) (Seq, error) {
	return st.append(ctx, journal.Batch{Records: recs}, AckDurable)
}

// TryAppendBatch is TryAppend for a Batch; its Ack says nothing here. A
// *MismatchError refuses it when its ExpectNext is not the stream's Next.
func (st *Stream) TryAppendBatch(b *Batch) (Seq, error) {
	t, err := st.try(b.journal(), false, nil)
	return Seq(t.First), err
}

// AppendBatch is Append for a Batch, acknowledged as its Ack says. A
// *MismatchError refuses it when its ExpectNext is not the stream's Next, also
// when it became wrong while the call waited for room.
func (st *Stream) AppendBatch(ctx context.Context, b *Batch) (Seq, error) {
	if b == nil {
		b = &Batch{}
	}
	if b.Ack > AckAccepted {
		return 0, invalidf("acknowledgement level %d", b.Ack)
	}
	return st.append(ctx, b.journal(), b.Ack)
}

// append waits for room, and for durability if that is asked for. Where nobody
// waits for durability, nobody may lead.
func (st *Stream) append(ctx context.Context, b journal.Batch, ack Ack) (Seq, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	mayLead := ack == AckDurable && ctx.Done() == nil
	begin := time.Now()
	t, err := st.try(b, mayLead, nil)
	if err != nil {
		t, err = st.retry(ctx, b, mayLead, err)
	}
	if err != nil || ack != AckDurable {
		return Seq(t.First), err
	}
	if err := st.store.journal.Wait(ctx, t); err != nil {
		return Seq(t.First), unsettled(t, len(b.Records), err)
	}
	st.store.appendTime.Since(begin)
	return Seq(t.First), nil
}

// journal is the batch as the journal takes it; a nil Batch has no record.
func (b *Batch) journal() journal.Batch {
	if b == nil {
		return journal.Batch{}
	}
	out := journal.Batch{Records: make([][]byte, len(b.Records)), Expect: uint64(b.ExpectNext)}
	for i := range b.Records {
		e := &b.Records[i]
		out.Records[i] = e.Data
		if !e.EventTime.IsZero() {
			if out.Attrs == nil {
				out.Attrs = make([][]byte, len(b.Records))
			}
			out.Attrs[i] = segment.AppendTime(make([]byte, 0, segment.TimeAttributeBytes), e.EventTime)
		}
	}
	return out
}

// try makes one attempt.
func (st *Stream) try(b journal.Batch, mayLead bool, w *journal.Waiter) (journal.Ticket, error) {
	o := &st.store.opts
	if len(b.Records) == 0 {
		return journal.Ticket{}, invalidf("an append needs at least one record")
	}
	for i, r := range b.Records {
		if int64(len(r)) > o.MaxRecord {
			return journal.Ticket{}, fmt.Errorf("%w: record %d of the batch has %d bytes, MaxRecord is %d", ErrTooLarge, i+1, len(r), o.MaxRecord)
		}
	}
	if n := b.Length(); n > o.MaxBatch {
		return journal.Ticket{}, fmt.Errorf("%w: %d records take %d bytes as one batch, MaxBatch is %d; split them", ErrTooLarge, len(b.Records), n, o.MaxBatch)
	}
	t, err := st.store.journal.TryAppend(st.lane, b, mayLead, w)
	if err != nil {
		return journal.Ticket{}, st.refused(b.Expect, err)
	}
	return t, nil
}

// refused translates why the journal did not accept a batch that expected a record.
func (st *Stream) refused(expected uint64, err error) error {
	var mismatch *journal.MismatchError
	if errors.As(err, &mismatch) {
		return &MismatchError{Stream: st.name, Expected: Seq(expected), Next: Seq(mismatch.Next)}
	}
	return st.store.refusal(err)
}

// retry waits behind those who wait already, and tries until the records are
// accepted.
func (st *Stream) retry(ctx context.Context, b journal.Batch, mayLead bool, refused error) (journal.Ticket, error) {
	block, waits := waitsFor(refused)
	if !waits {
		return journal.Ticket{}, refused
	}
	w := st.store.journal.Join(block)
	defer w.Leave()
	first := true
	select {
	case <-w.Turn():
	default:
		first = false
		select {
		case <-w.Turn():
		case <-ctx.Done():
			return journal.Ticket{}, context.Cause(ctx)
		}
	}
	return wait(ctx, func() (journal.Ticket, error) {
		if first {
			first = false
			return journal.Ticket{}, refused
		}
		return st.try(b, mayLead, w)
	})
}

func unsettled(t journal.Ticket, records int, err error) error {
	return &UnsettledError{First: Seq(t.First), Last: Seq(t.First) + Seq(records) - 1, Err: translate(err)}
}

// WaitDurable returns when record seq, and with it every one before, is durable.
// ErrInvalid: no such record has been accepted. ErrReadOnly and ErrClosed: it is
// not known to be durable and the store will not tell any more; what the next
// Open finds settles it.
func (st *Stream) WaitDurable(ctx context.Context, seq Seq) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if b := st.Bounds(); seq == 0 || seq >= b.Next {
		return invalidf("record %d has not been accepted: the next one will be %d", seq, b.Next)
	}
	return translate(st.store.journal.WaitDurable(ctx, st.lane, uint64(seq)))
}

// TrimBefore removes the records below seq and returns when that is durable. With
// the stream's Next it empties the stream; seqs go on where they were. A seq at or
// below First changes nothing; one above Next is ErrInvalid. Readers that stand
// before seq get a *TrimmedError, at the latest when they have read what they had
// fetched. Room comes back as whole hot files go.
func (st *Stream) TrimBefore(ctx context.Context, seq Seq) error {
	s := st.store
	if err := s.use(ctx); err != nil {
		return err
	}
	if seq == 0 {
		return invalidf("cannot trim before record 0: the first record is 1")
	}
	t, err := s.decide(ctx, func(c *catalog.Catalog) (catalog.Decision, error) {
		if _, _, next := s.journal.Bounds(st.lane); uint64(seq) > next {
			return nil, invalidf("cannot trim before record %d: the next record will be %d", seq, next)
		}
		state, ok := c.ByOrdinal(st.lane.Ordinal)
		if !ok || state.Deleted {
			return nil, fmt.Errorf("%w: stream %q has been deleted", ErrNotFound, st.name)
		}
		if state.First >= uint64(seq) {
			return nil, errTrimmedAlready
		}
		return catalog.Trimmed{Ordinal: st.lane.Ordinal, First: uint64(seq), TimeMs: s.opts.Now().UnixMilli()}, nil
	}, coordinator.Hooks{Durable: func() {
		st.lane.Trim(uint64(seq))
		s.journal.Nudge()
	}})
	if errors.Is(err, errTrimmedAlready) {
		return s.trimDurable(ctx)
	}
	if err != nil {
		return err
	}
	return s.settled(ctx, t)
}

var errTrimmedAlready = errors.New("trimmed already")

// trimDurable waits until what was decided so far is durable.
func (s *Store) trimDurable(ctx context.Context) error {
	var last uint64
	s.ledger.Read(func(c *catalog.Catalog) { last = c.LastSeq() })
	return translate(s.journal.WaitDurable(ctx, s.journal.Lane(0), last))
}

// Reader returns a reader of the stream's durable records.
func (st *Stream) Reader(o ReaderOptions) (*Reader, error) {
	if err := st.store.use(context.Background()); err != nil {
		return nil, err
	}
	return newReader(st.store.journal, st.lane, st.name, o, st.store.fetches)
}
