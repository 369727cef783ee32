package aof_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/aof2/aof"
)

// payment is an event: what happened to an account.
type payment struct {
	Command string // the id of what was asked for
	Amount  int    // below 0 when money was taken
}

// account is what the events of one account add up to.
type account struct {
	Version aof.Seq // the last event that is in it
	Balance int
	Done    map[string]bool // the commands that have been carried out
}

func newAccount() *account { return &account{Done: map[string]bool{}} }

var errNotEnough = errors.New("not enough money")

// decide says what happens when a command meets the account, or why nothing does.
func (a *account) decide(command string, amount int) (payment, error) {
	if a.Balance+amount < 0 {
		return payment{}, errNotEnough
	}
	return payment{Command: command, Amount: amount}, nil
}

// replay adds the durable events that are not in the account yet.
func (a *account) replay(ctx context.Context, st *aof.Stream) error {
	newest := st.Bounds().Durable
	if newest <= a.Version {
		return nil
	}
	r, err := st.Reader(aof.ReaderOptions{From: a.Version + 1, To: newest})
	if err != nil {
		return err
	}
	defer r.Close()
	for rec, err := range r.All(ctx) {
		if err != nil {
			return err
		}
		var p payment
		if err := json.Unmarshal(rec.Data, &p); err != nil {
			return fmt.Errorf("event %d of %s: %w", rec.Seq, st.Name(), err)
		}
		a.Version, a.Balance, a.Done[p.Command] = rec.Seq, a.Balance+p.Amount, true
	}
	return nil
}

// bank keeps the events of each account in a stream of its own.
type bank struct{ store *aof.Store }

func (b bank) stream(ctx context.Context, id string) (*aof.Stream, error) {
	st, err := b.store.CreateStream(ctx, "account-"+id, nil)
	if errors.Is(err, aof.ErrExists) {
		return b.store.Stream(ctx, "account-"+id)
	}
	return st, err
}

// do carries out a command once, however often it is given. When it returns nil that is durable. After an error that
// leaves it open whether it was carried out, give it again with the same id.
func (b bank) do(ctx context.Context, id, command string, amount int, at time.Time) error {
	st, err := b.stream(ctx, id)
	if err != nil {
		return err
	}
	for a := newAccount(); ; {
		if err := a.replay(ctx, st); err != nil {
			return err
		}
		if a.Done[command] {
			return nil // by an earlier call whose answer was lost
		}
		p, err := a.decide(command, amount)
		if err != nil {
			return err
		}
		data, err := json.Marshal(p)
		if err != nil {
			return err
		}
		_, err = st.AppendBatch(ctx, &aof.Batch{
			Records:    []aof.Entry{{Data: data, EventTime: at}},
			ExpectNext: a.Version + 1, // the decision holds for this version only
		})
		var other *aof.MismatchError
		if !errors.As(err, &other) {
			return err
		}
		// Somebody decided at the same time and was first. That event may not be durable yet, and only durable ones can
		// be read: wait for it, and decide again.
		if err := st.WaitDurable(ctx, other.Next-1); err != nil {
			return err
		}
	}
}

// An event store: a stream for each aggregate, commands that are decided from its events and appended only if nothing
// has happened meanwhile, the time at which an event happened beside that at which it was stored.
func Example_eventStore() {
	dir, err := os.MkdirTemp("", "aof-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()
	store, err := aof.Open(ctx, dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	b := bank{store}
	monday := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	fmt.Println(b.do(ctx, "ann", "c1", 100, monday))
	fmt.Println(b.do(ctx, "ann", "c2", -30, monday.Add(time.Hour)))
	fmt.Println(b.do(ctx, "ann", "c2", -30, monday.Add(time.Hour))) // given again: nothing more happens
	fmt.Println(b.do(ctx, "ann", "c3", -90, monday.Add(2*time.Hour)))

	st, err := store.Stream(ctx, "account-ann")
	if err != nil {
		log.Fatal(err)
	}
	r, err := st.Reader(aof.ReaderOptions{To: st.Bounds().Durable})
	if err != nil {
		log.Fatal(err)
	}
	for rec, err := range r.All(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(rec.Seq, rec.EventTime.UTC().Format("15:04"), string(rec.Data))
	}
	if err := errors.Join(r.Close(), store.Close()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// <nil>
	// <nil>
	// <nil>
	// not enough money
	// 1 09:00 {"Command":"c1","Amount":100}
	// 2 10:00 {"Command":"c2","Amount":-30}
}
