package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/aof2/aof"
)

const (
	hotFile   = aof.DefaultHotFileSize
	fillShare = 64 // a fill record's share of a hot file
	rotations = 10 // files filled, trimmed and recycled before the first run
	restLimit = time.Minute
)

// ours is this package's store under the work of a cell. Before it is measured it has filled, trimmed
// and recycled its files; while it runs it trims what has been sealed, as a log with a retention does,
// so that it goes on in files that were written before. That work is part of what is timed.
type ours struct {
	dir     string
	hotFile int64
	store   *aof.Store
	streams []*aof.Stream
	work    work
	append  func(*aof.Stream) appender
	changed chan struct{} // something happened in the background since it was last looked at
	sealed  chan struct{} // a file was sealed
}

func newOurs(dir string, w work) (side, error) {
	return openOurs(dir, w, hotFile, waitDurable)
}

// waitDurable appends as the default is: it returns when the records are durable.
func waitDurable(st *aof.Stream) appender {
	return func(recs [][]byte) error {
		_, err := st.Append(context.Background(), recs...)
		return err
	}
}

func newOursPipelined(dir string, w work) (side, error) {
	o, err := openOurs(dir, w, hotFile, goOn)
	if err != nil {
		return nil, err
	}
	return &oursPipelined{o}, nil
}

func openOurs(dir string, w work, hotFile int64, newAppender func(*aof.Stream) appender) (*ours, error) {
	o := &ours{dir: dir, hotFile: hotFile, work: w, append: newAppender, changed: make(chan struct{}, 1), sealed: make(chan struct{}, 1)}
	ctx := context.Background()
	store, err := aof.Open(ctx, dir, &aof.Options{HotFileSize: hotFile, OnEvent: func(e aof.Event) {
		tell(o.changed)
		if e.Kind == aof.EventSealed {
			tell(o.sealed)
		}
	}})
	if err != nil {
		return nil, err
	}
	o.store = store
	if o.streams, err = createStreams(store, max(1, w.streams)); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return o, nil
}

// prepare makes the store one that has been in use: files have been written, trimmed and recycled more
// often than it keeps files.
func (o *ours) prepare(d time.Duration) error {
	if _, err := o.run(d); err != nil {
		return err
	}
	for range rotations {
		if err := o.fill(o.hotFile); err != nil {
			return err
		}
		if err := o.rest(); err != nil {
			return err
		}
	}
	return nil
}

func (o *ours) fill(bytes int64) error {
	rec := noise(int(o.hotFile / fillShare))
	for range bytes / int64(len(rec)) {
		if _, err := o.streams[0].Append(context.Background(), rec); err != nil {
			return err
		}
	}
	return nil
}

func (o *ours) run(d time.Duration) (sample, error) {
	before := o.store.Stats()
	stop := o.retain()
	out, err := drive(o.work, d, o.appender)
	err = errors.Join(err, stop())
	o.count(&out, before)
	return out, err
}

// retain trims whenever a file has been sealed, until stop is called.
func (o *ours) retain() (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		for {
			select {
			case <-o.sealed:
				if err := o.trim(ctx); err != nil && ctx.Err() == nil {
					done <- err
					return
				}
			case <-ctx.Done():
				done <- nil
				return
			}
		}
	}()
	return func() error {
		cancel()
		return <-done
	}
}

func tell(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (o *ours) appender(writer int) appender { return o.append(o.streams[writer%len(o.streams)]) }

func (o *ours) count(out *sample, before aof.Stats) {
	after := o.store.Stats()
	out.syncs = int64(after.Syncs - before.Syncs)
	out.fresh = int((after.Prepared - before.Prepared) - (after.Reused - before.Reused))
}

// rest trims everything, so that the next run finds files to recycle, and lets sealing come to its end.
func (o *ours) rest() error {
	ctx, cancel := context.WithTimeout(context.Background(), restLimit)
	defer cancel()
	if err := o.settled(ctx); err != nil {
		return err
	}
	if err := o.trim(ctx); err != nil {
		return err
	}
	return o.settled(ctx)
}

func (o *ours) trim(ctx context.Context) error {
	errs := make([]error, len(o.streams))
	var wait sync.WaitGroup
	for i, st := range o.streams {
		if b := st.Bounds(); b.First < b.Next {
			wait.Go(func() { errs[i] = st.TrimBefore(ctx, b.Next) })
		}
	}
	wait.Wait()
	return errors.Join(errs...)
}

// settled returns when no complete file waits to be sealed and one is prepared.
func (o *ours) settled(ctx context.Context) error {
	for {
		rolled, prepared := 0, 0
		for _, f := range o.store.Files() {
			switch f.State {
			case aof.FileRolled:
				rolled++
			case aof.FilePrepared:
				prepared++
			}
		}
		if rolled == 0 && prepared > 0 {
			return nil
		}
		select {
		case <-o.changed:
		case <-ctx.Done():
			return fmt.Errorf("the store does not come to rest: %d files to seal, %d prepared", rolled, prepared)
		}
	}
}

func (o *ours) ahead() []string {
	var paths []string
	for _, f := range o.store.Files() {
		if f.State == aof.FileOpen || f.State == aof.FilePrepared {
			paths = append(paths, filepath.Join(o.dir, filepath.FromSlash(f.Path)))
		}
	}
	return paths
}

func (o *ours) close() error { return o.store.Close() }

// oursPipelined lets the writers go on without waiting; the time ends when all is durable.
type oursPipelined struct{ *ours }

func (o *oursPipelined) run(d time.Duration) (sample, error) {
	before := o.store.Stats()
	start := time.Now()
	stop := o.retain()
	out, err := drive(o.work, d, o.appender)
	err = errors.Join(err, stop())
	for _, st := range o.streams {
		if next := st.Bounds().Next; err == nil && next > 1 {
			err = st.WaitDurable(context.Background(), next-1)
		}
	}
	out.elapsed = time.Since(start)
	o.count(&out, before)
	return out, err
}

// goOn appends without waiting for durability, only for room.
func goOn(st *aof.Stream) appender {
	return func(recs [][]byte) error {
		for {
			_, err := st.TryAppend(recs...)
			if err == nil {
				return nil
			}
			var blocked *aof.WouldBlockError
			if !errors.As(err, &blocked) {
				return err
			}
			<-blocked.Ready()
		}
	}
}
