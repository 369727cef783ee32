package aof_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/aof2/aof"
)

// exampleDir is a directory for one example.
func exampleDir() (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "aof-example-")
	if err != nil {
		log.Fatal(err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }
}

// exampleStore is an open store with one stream, for the examples of its verbs.
func exampleStore() (store *aof.Store, orders *aof.Stream, done func()) {
	dir, remove := exampleDir()
	store, err := aof.Open(context.Background(), dir, &aof.Options{HotFileSize: 1 << 20})
	if err != nil {
		log.Fatal(err)
	}
	orders, err = store.CreateStream(context.Background(), "orders", nil)
	if err != nil {
		log.Fatal(err)
	}
	return store, orders, func() {
		if err := store.Close(); err != nil {
			log.Fatal(err)
		}
		remove()
	}
}

func Example() {
	dir, remove := exampleDir()
	defer remove()
	ctx := context.Background()

	store, err := aof.Open(ctx, dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	orders, err := store.CreateStream(ctx, "orders", nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, text := range []string{"first", "second"} {
		seq, err := orders.Append(ctx, []byte(text)) // durable when it returns
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("appended", seq)
	}
	r, err := orders.Reader(aof.ReaderOptions{To: orders.Bounds().Durable})
	if err != nil {
		log.Fatal(err)
	}
	for rec, err := range r.All(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("read %d: %s\n", rec.Seq, rec.Data)
	}
	if err := errors.Join(r.Close(), store.Close()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// appended 1
	// appended 2
	// read 1: first
	// read 2: second
}

// TryAppend never waits for the disk. Where it cannot go on it says why, and when
// trying again is worthwhile.
func ExampleStream_TryAppend() {
	_, orders, done := exampleStore()
	defer done()

	var seq aof.Seq
	for {
		var err error
		seq, err = orders.TryAppend([]byte("an order"))
		var block *aof.WouldBlockError
		if errors.As(err, &block) {
			<-block.Ready() // or do something else meanwhile
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		break
	}
	if err := orders.WaitDurable(context.Background(), seq); err != nil {
		log.Fatal(err)
	}
	fmt.Println("durable:", seq)
	// Output: durable: 1
}

// A batch is there whole after a crash, or not at all. AckAccepted does not wait
// for the disk.
func ExampleStream_AppendBatch() {
	_, orders, done := exampleStore()
	defer done()
	ctx := context.Background()

	first, err := orders.AppendBatch(ctx, &aof.Batch{
		Records: []aof.Entry{{Data: []byte("debit 5")}, {Data: []byte("credit 5")}},
		Ack:     aof.AckAccepted,
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := orders.WaitDurable(ctx, first+1); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", orders.Bounds())
	// Output: {First:1 Durable:2 Next:3}
}

// A reader without an end follows the stream: Next waits for the next record.
func ExampleReader_Next() {
	_, orders, done := exampleStore()
	defer done()
	ctx := context.Background()

	r, err := orders.Reader(aof.ReaderOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	go func() {
		for i := range 3 {
			if _, err := orders.Append(ctx, fmt.Appendf(nil, "order %d", i)); err != nil {
				log.Fatal(err)
			}
		}
	}()
	for range 3 {
		rec, err := r.Next(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d: %s\n", rec.Seq, rec.Data)
	}
	// Output:
	// 1: order 0
	// 2: order 1
	// 3: order 2
}

// Inspect reads a directory without its lock, also beside the program that runs
// on it.
func ExampleInspect() {
	dir, remove := exampleDir()
	defer remove()
	ctx := context.Background()

	store, err := aof.Open(ctx, dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	orders, err := store.CreateStream(ctx, "orders", nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := orders.Append(ctx, []byte("first"), []byte("second")); err != nil {
		log.Fatal(err)
	}
	if err := store.Close(); err != nil {
		log.Fatal(err)
	}

	view, err := aof.Inspect(ctx, dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer view.Close()
	for name, info := range view.Streams() {
		fmt.Println(name, "has", info.Records(), "records")
	}
	report, err := view.Verify(ctx, aof.VerifyOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("damage:", len(report.Damage))
	// Output:
	// orders has 2 records
	// damage: 0
}

// Trimming gives room back; the seqs of what follows go on.
func ExampleStream_TrimBefore() {
	_, orders, done := exampleStore()
	defer done()
	ctx := context.Background()

	if _, err := orders.Append(ctx, []byte("a"), []byte("b"), []byte("c")); err != nil {
		log.Fatal(err)
	}
	if err := orders.TrimBefore(ctx, 3); err != nil {
		log.Fatal(err)
	}
	fmt.Println("first is now", orders.Bounds().First)
	_, err := orders.Reader(aof.ReaderOptions{From: 1})
	var trimmed *aof.TrimmedError
	fmt.Println(errors.As(err, &trimmed), errors.Is(err, aof.ErrTrimmed))
	// Output:
	// first is now 3
	// true true
}
