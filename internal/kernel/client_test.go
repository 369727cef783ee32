package kernel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aof2/aof"
)

// shared are the streams that every client appends to. Besides them each client has one of its own, which it deletes
// and makes again.
var shared = []string{"orders", "clicks", "audit"}

// writer drives a store with several clients at once and tells everything it does.
type writer struct {
	store *aof.Store
	life  uint64
	tell  func(event)

	maxFailures int           // calls of one client that may fail before it gives up
	patience    time.Duration // how long an append may wait; 0 is for ever
}

const clients = 4

// run returns when every client has ended: because the store has failed, or because ctx has ended. Followers read what
// the clients write.
func (w *writer) run(ctx context.Context) error {
	first := w.client(0)
	for _, name := range shared {
		if err := first.ensure(name); err != nil {
			return err
		}
	}
	follow, stop := context.WithCancel(context.Background())
	var followers, writers sync.WaitGroup
	for _, name := range shared {
		followers.Go(func() { w.follow(follow, name) })
	}
	errs := make([]error, clients)
	for i := range clients {
		c := first
		if i > 0 {
			c = w.client(i)
		}
		writers.Go(func() { errs[i] = c.run(ctx) })
	}
	writers.Wait()
	stop()
	followers.Wait()
	return errors.Join(errs...)
}

// readAll reads every stream from end to end. Where a read fails it tries again at the same record, a few times.
func (w *writer) readAll() {
	for name, info := range w.store.Streams() {
		var f follower
		next := info.Bounds.First
		for fails := 0; next <= info.Bounds.Durable && fails < 5; {
			r, err := storeReader(w.store)(name, aof.ReaderOptions{From: next, To: info.Bounds.Durable})
			if err == nil {
				next, err = w.readOn(r, &f, name, next)
				r.Close()
			}
			if err != nil {
				fails++
				w.tell(event{kind: failed, stream: name, text: err.Error()})
			}
		}
	}
}

// readOn reads from record next to the end of r, and returns how far it came.
func (w *writer) readOn(r *aof.Reader, f *follower, name string, next aof.Seq) (aof.Seq, error) {
	for rec, err := range r.All(context.Background()) {
		if err != nil {
			return next, err
		}
		if why := f.see(rec.Data); why != nil || rec.Seq != next {
			w.tell(event{kind: wrong, stream: name, seq: uint64(next), text: fmt.Sprintf("record %d: %v", rec.Seq, why)})
		}
		next++
	}
	return next, nil
}

func (w *writer) client(n int) *client {
	return &client{w: w, n: n, own: fmt.Sprintf("own-%d", n), rand: random(w.life<<8 | uint64(n)), last: map[string]acknowledged{}}
}

// follow reads a stream from its beginning, as long as it is written to.
func (w *writer) follow(ctx context.Context, name string) {
	st, err := w.store.Stream(ctx, name)
	if err != nil {
		return
	}
	inc := incarnation(st.Info().Metadata)
	var f follower
	r, err := st.Reader(aof.ReaderOptions{})
	for err == nil {
		var rec aof.Record
		rec, err = r.Next(ctx)
		var t *aof.TrimmedError
		if errors.As(err, &t) {
			f = follower{}
			err = r.Seek(t.First)
			if errors.As(err, &t) {
				err = nil // trimmed again; Next says so
			}
			continue
		}
		if err != nil {
			break
		}
		if why := f.see(rec.Data); why != nil {
			w.tell(event{kind: wrong, stream: name, inc: inc, seq: uint64(rec.Seq), text: why.Error()})
			break
		}
		w.tell(event{kind: shown, stream: name, inc: inc, seq: uint64(rec.Seq)})
	}
	if r != nil {
		r.Close()
	}
}

// client does one thing after the other.
type client struct {
	w     *writer
	n     int
	own   string
	rand  random
	count uint64
	last  map[string]acknowledged // the last batch of it that each stream has
	fails int
}

// acknowledged is a batch of this client that is durable.
type acknowledged struct {
	inc   batchID
	first uint64
	count int
}

func (c *client) nextID() batchID {
	c.count++
	return newBatchID(c.w.life, c.n, c.count)
}

// run ends when the store has failed or ctx has ended.
func (c *client) run(ctx context.Context) error {
	if err := c.ensure(c.own); err != nil {
		return err
	}
	for ctx.Err() == nil {
		err := c.step()
		var u *aof.UnsettledError
		switch {
		case err == nil:
			continue
		case errors.Is(err, context.DeadlineExceeded): // its patience has ended
		case errors.As(err, &u), errors.Is(err, aof.ErrReadOnly), errors.Is(err, aof.ErrClosed):
			return err
		}
		c.w.tell(event{kind: failed, text: err.Error()})
		if c.fails++; c.fails >= c.w.maxFailures {
			return err
		}
	}
	return nil
}

// waiting is a context for calls: one that can end makes the store's own goroutine write, one that cannot makes the
// caller write.
func (c *client) waiting() (context.Context, context.CancelFunc) {
	if c.n%2 == 0 {
		return context.Background(), func() {}
	}
	return context.WithCancel(context.Background())
}

// patient is a context for appends, which may have to wait for room.
func (c *client) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.w.patience == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.w.patience)
}

func (c *client) step() error {
	ctx, cancel := c.waiting()
	defer cancel()
	name := c.own
	if i := c.rand.below(len(shared) + 1); i < len(shared) {
		name = shared[i]
	}
	switch p := c.rand.below(100); {
	case p < 3:
		return c.seal(ctx)
	case p < 8:
		if c.n > 0 {
			name = c.own
		}
		return c.trim(ctx, name)
	case p < 11:
		return c.remake(ctx)
	case p < 20:
		return c.pipeline(ctx, name)
	default:
		return c.append(ctx, name)
	}
}

// ensure makes a stream that is not there.
func (c *client) ensure(name string) error {
	if _, err := c.w.store.Stream(context.Background(), name); !errors.Is(err, aof.ErrNotFound) {
		return err
	}
	for {
		err := c.create(context.Background(), name)
		if err == nil || c.fails >= c.w.maxFailures || errors.Is(err, aof.ErrReadOnly) {
			return err
		}
		c.fails++
	}
}

func (c *client) create(ctx context.Context, name string) error {
	e := event{kind: creating, id: c.nextID(), stream: name}
	c.w.tell(e)
	_, err := c.w.store.CreateStream(ctx, name, &aof.StreamOptions{Metadata: metadata(e.id)})
	return c.answer(e, created, err)
}

// answer tells the outcome of a decision.
func (c *client) answer(e event, done kind, err error) error {
	var u *aof.UnsettledError
	switch {
	case err == nil:
		e.kind = done
	case errors.As(err, &u):
		return err
	default:
		e.text = string(rune(e.kind)) + " " + err.Error()
		e.kind = undone
	}
	c.w.tell(e)
	return err
}

// remake deletes the client's own stream and makes it again.
func (c *client) remake(ctx context.Context) error {
	st, err := c.w.store.Stream(ctx, c.own)
	if errors.Is(err, aof.ErrNotFound) {
		return c.create(ctx, c.own)
	}
	if err != nil {
		return err
	}
	e := event{kind: deleting, stream: c.own, inc: incarnation(st.Info().Metadata)}
	c.w.tell(e)
	delete(c.last, c.own)
	if err := c.answer(e, deleted, c.w.store.DeleteStream(ctx, c.own)); err != nil {
		return err
	}
	return c.create(ctx, c.own)
}

func (c *client) seal(ctx context.Context) error {
	c.w.tell(event{kind: sealing})
	err := c.w.store.Seal(ctx)
	if err == nil {
		c.w.tell(event{kind: sealed})
	}
	return err
}

// trim gives up what lies before somewhere in the last batch of this client, often in the middle of it.
func (c *client) trim(ctx context.Context, name string) error {
	last, ok := c.last[name]
	if !ok {
		return nil
	}
	st, err := c.w.store.Stream(ctx, name)
	if err != nil {
		return err
	}
	before := last.first + uint64(c.rand.below(last.count))
	if aof.Seq(before) <= st.Bounds().First {
		return nil
	}
	e := event{kind: trimming, stream: name, inc: last.inc, seq: before}
	c.w.tell(e)
	return c.answer(e, trimmed, st.TrimBefore(ctx, aof.Seq(before)))
}

// append appends one batch durably.
func (c *client) append(ctx context.Context, name string) error {
	ctx, cancel := c.patient(ctx)
	defer cancel()
	st, err := c.w.store.Stream(ctx, name)
	if err != nil {
		return err
	}
	e := event{kind: sending, id: c.nextID(), stream: name, inc: incarnation(st.Info().Metadata)}
	c.w.tell(e)
	seq, err := st.Append(ctx, e.id.records()...)
	return c.appended(e, uint64(seq), err)
}

// appended tells the outcome of an append.
func (c *client) appended(e event, seq uint64, err error) error {
	e.seq = seq
	switch {
	case err == nil:
		e.kind = acked
		c.last[e.stream] = acknowledged{e.inc, seq, len(e.id.lengths())}
	case seq != 0:
		e.kind = unclear
	default:
		e.kind, e.text = refused, err.Error()
	}
	c.w.tell(e)
	return err
}

// pipeline has several batches on their way at once.
func (c *client) pipeline(ctx context.Context, name string) error {
	ctx, cancel := c.patient(ctx)
	defer cancel()
	st, err := c.w.store.Stream(ctx, name)
	if err != nil {
		return err
	}
	inc := incarnation(st.Info().Metadata)
	var sent []event
	for range 2 + c.rand.below(6) {
		e := event{kind: sending, id: c.nextID(), stream: name, inc: inc}
		c.w.tell(e)
		b := aof.Batch{Ack: aof.AckAccepted}
		for _, r := range e.id.records() {
			b.Records = append(b.Records, aof.Entry{Data: r})
		}
		seq, err := st.AppendBatch(ctx, &b)
		if seq == 0 {
			if err := c.appended(e, 0, err); !errors.Is(err, aof.ErrFull) && !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			break
		}
		e.seq = uint64(seq)
		sent = append(sent, e)
	}
	if len(sent) == 0 {
		return nil
	}
	last := sent[len(sent)-1]
	err = st.WaitDurable(ctx, aof.Seq(last.seq)+aof.Seq(len(last.id.lengths()))-1)
	for _, e := range sent {
		if failed := c.appended(e, e.seq, err); failed != nil {
			err = failed
		}
	}
	return err
}
