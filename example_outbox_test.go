package aof_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sync"

	"github.com/aof2/aof"
)

// order is a change, and message is what others have to hear of because of it. They are records of one batch: after a
// crash both are there, or neither.
type order struct {
	Customer string
	Amount   int
}

type message struct {
	To, Text string
}

// outboxRecord is one of them.
type outboxRecord struct {
	Order   *order   `json:",omitempty"`
	Message *message `json:",omitempty"`
}

// outbox is a stream of changes and messages, and how far its consumers are.
type outbox struct {
	stream *aof.Stream
	mu     struct {
		sync.Mutex
		saved map[string]aof.Seq // of each consumer, 0 when nothing is known of it
	}
}

// newOutbox needs the names of all consumers: one that it does not know would find records trimmed.
func newOutbox(st *aof.Stream, consumers ...string) *outbox {
	o := &outbox{stream: st}
	o.mu.saved = map[string]aof.Seq{}
	for _, name := range consumers {
		o.mu.saved[name] = 0
	}
	return o
}

// place makes a change and its message durable, both or none.
func (o *outbox) place(ctx context.Context, what order, m message) (aof.Seq, error) {
	change, err := json.Marshal(outboxRecord{Order: &what})
	if err != nil {
		return 0, err
	}
	tell, err := json.Marshal(outboxRecord{Message: &m})
	if err != nil {
		return 0, err
	}
	return o.stream.Append(ctx, change, tell)
}

// trim gives up what every consumer has behind it.
func (o *outbox) trim(ctx context.Context) error {
	o.mu.Lock()
	slowest := o.stream.Bounds().Durable
	for _, seq := range o.mu.saved {
		slowest = min(slowest, seq)
	}
	o.mu.Unlock()
	return o.stream.TrimBefore(ctx, slowest+1)
}

func (o *outbox) reached(name string, seq aof.Seq) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.saved[name] = seq
}

// keeper is where a consumer's state is kept: load returns nil when nothing was saved, and save replaces all of it or nothing.
type keeper interface {
	load() ([]byte, error)
	save(state []byte) error
}

// consumer derives something from the records, and keeps the cursor beside it.
type consumer struct {
	name  string
	keep  keeper
	apply func(derived map[string]int, rec aof.Record) error
}

// consumerState is saved as one thing, so that the cursor and what was derived never disagree.
type consumerState struct {
	Cursor  aof.Cursor // behind the last record that is in Derived
	Derived map[string]int
}

var errTooLate = errors.New("records are trimmed that this consumer has never seen: begin with a copy of another's state")

// run goes on where the saved state ends and follows the stream until ctx ends. Any error leaves the state as it was
// saved last. ErrDiverged: the stream is not the one that the state was derived from.
func (c *consumer) run(ctx context.Context, o *outbox) error {
	state := consumerState{Derived: map[string]int{}}
	saved, err := c.keep.load()
	if err != nil {
		return err
	}
	if saved != nil {
		if err := json.Unmarshal(saved, &state); err != nil {
			return err
		}
	} else if o.stream.Bounds().First > 1 {
		return errTooLate
	}
	r, err := o.stream.Reader(aof.ReaderOptions{FromCursor: state.Cursor}) // the zero Cursor is the beginning
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		rec, err := r.TryNext()
		var block *aof.WouldBlockError
		switch {
		case err == nil:
			if err := c.apply(state.Derived, rec); err != nil {
				return fmt.Errorf("record %d: %w", rec.Seq, err)
			}
			continue
		case !errors.As(err, &block):
			return err
		case state.Cursor != r.Cursor(): // while nothing can be read there is time to save
			state.Cursor = r.Cursor()
			if err := c.saveState(&state, o); err != nil {
				return err
			}
		case block.Kind == aof.BlockTail:
			o.reached(c.name, state.Cursor.Seq) // saved in an earlier life, and confirmed by now
		}
		select {
		case <-block.Ready():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (c *consumer) saveState(state *consumerState, o *outbox) error {
	b, err := json.Marshal(state)
	if err == nil {
		err = c.keep.save(b)
	}
	if err == nil {
		o.reached(c.name, state.Cursor.Seq) // only now it may be trimmed
	}
	return err
}

// stateFile keeps a state in a file. A database would keep it in the transaction that changes what was derived.
type stateFile string

func (f stateFile) load() ([]byte, error) {
	b, err := os.ReadFile(string(f))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

func (f stateFile) save(state []byte) error {
	tmp, err := os.Create(string(f) + ".tmp")
	if err != nil {
		return err
	}
	_, err = tmp.Write(state)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), string(f)); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(string(f)))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close()) // the new name is durable; Windows has no such call
}

// addAmounts derives what each customer has ordered.
func addAmounts(sums map[string]int, rec aof.Record) error {
	var r outboxRecord
	if err := json.Unmarshal(rec.Data, &r); err != nil || r.Order == nil {
		return err
	}
	sums[r.Order.Customer] += r.Order.Amount
	return nil
}

// A transactional outbox: a change and its message are one batch, consumers keep their cursor beside what they derive,
// and the stream is trimmed behind the slowest of them.
func Example_outbox() {
	dir, err := os.MkdirTemp("", "aof-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, stop := context.WithCancel(context.Background())
	store, err := aof.Open(ctx, filepath.Join(dir, "store"), nil)
	if err != nil {
		log.Fatal(err)
	}
	orders, err := store.CreateStream(ctx, "orders", nil)
	if err != nil {
		log.Fatal(err)
	}
	box := newOutbox(orders, "mail", "sums")
	for _, amount := range []int{5, 7} {
		if _, err := box.place(ctx, order{"ann", amount}, message{"ann", fmt.Sprintf("%d ordered", amount)}); err != nil {
			log.Fatal(err)
		}
	}
	mailed := make(chan string)
	mail := &consumer{name: "mail", keep: stateFile(filepath.Join(dir, "mail.json")), apply: func(_ map[string]int, rec aof.Record) error {
		var r outboxRecord
		if err := json.Unmarshal(rec.Data, &r); err != nil || r.Message == nil {
			return err
		}
		mailed <- fmt.Sprintf("to %s: %s (message %d)", r.Message.To, r.Message.Text, rec.Seq)
		return nil
	}}
	ended := make(chan error)
	go func() { ended <- mail.run(ctx, box) }()
	fmt.Println(<-mailed)
	fmt.Println(<-mailed)
	stop()
	fmt.Println(<-ended)
	if err := box.trim(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println("first:", orders.Bounds().First) // nothing is known of the consumer "sums"
	if err := store.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// to ann: 5 ordered (message 2)
	// to ann: 7 ordered (message 4)
	// context canceled
	// first: 1
}
