package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aof2/aof"
)

func streamName(i int) string { return fmt.Sprintf("stream-%05d", i) }

// creators is how many goroutines create streams, to share the syncs.
const creators = 64

func createStreams(store *aof.Store, n int) ([]*aof.Stream, error) {
	streams := make([]*aof.Stream, n)
	_, err := drive(work{writers: min(creators, max(1, n)), batch: 1, size: 1}, 0, func(writer int) appender {
		return func([][]byte) error {
			for i := writer; i < n; i += creators {
				st, err := store.CreateStream(context.Background(), streamName(i), nil)
				if err != nil {
					return err
				}
				streams[i] = st
			}
			return nil
		}
	})
	return streams, err
}

// makeStreams makes a store with so many streams, whose snapshot knows them, and closes it.
func makeStreams(dir string, streams int) (err error) {
	saved := make(chan struct{}, 1)
	store, err := aof.Open(context.Background(), dir, &aof.Options{OnEvent: func(e aof.Event) {
		if e.Kind == aof.EventSnapshot {
			tell(saved)
		}
	}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if _, err := createStreams(store, streams); err != nil {
		return err
	}
	// The first file that is sealed asks for a snapshot.
	ctx, cancel := context.WithTimeout(context.Background(), restLimit)
	defer cancel()
	if err := store.Seal(ctx); err != nil {
		return err
	}
	select {
	case <-saved:
		return nil
	case <-ctx.Done():
		return errors.New("the store writes no snapshot")
	}
}
