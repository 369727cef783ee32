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
	fillLead  = 4  // files filled beyond what one run needs, so that recycled ones are always at hand
	restLimit = time.Minute
)

// ours is this package's store under the work of a cell. Before it is measured it has filled, trimmed
// and recycled its files; before each run it trims what the last one wrote.
type ours struct {
	dir     string
	hotFile int64
	store   *aof.Store
	streams []*aof.Stream
	work    work
	append  func(*aof.Stream) appender
	changed chan struct{} // something happened in the background since it was last looked at
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
	o := &ours{dir: dir, hotFile: hotFile, work: w, append: newAppender, changed: make(chan struct{}, 1)}
	ctx := context.Background()
	store, err := aof.Open(ctx, dir, &aof.Options{HotFileSize: hotFile, OnEvent: func(aof.Event) {
		select {
		case o.changed <- struct{}{}:
		default:
		}
	}})
	if err != nil {
		return nil, err
	}
	o.store = store
	for i := range max(1, w.streams) {
		st, err := store.CreateStream(ctx, fmt.Sprintf("stream-%04d", i), nil)
		if err != nil {
			return nil, errors.Join(err, store.Close())
		}
		o.streams = append(o.streams, st)
	}
	return o, nil
}

// prepare makes the store one that has been in use: enough files for runs of length d have been
// written, trimmed and recycled, and those that come next too.
func (o *ours) prepare(d time.Duration) error {
	first, err := o.run(d)
	if err != nil {
		return err
	}
	frame := int64(o.work.batch*(o.work.size+16) + 64)
	files := first.appends*frame/o.hotFile + fillLead
	for range 2 {
		if err := o.fill(files * o.hotFile); err != nil {
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
	out, err := drive(o.work, d, o.appender)
	o.count(&out, before)
	return out, err
}

func (o *ours) appender(writer int) appender { return o.append(o.streams[writer%len(o.streams)]) }

func (o *ours) count(out *sample, before aof.Stats) {
	after := o.store.Stats()
	out.syncs = int64(after.Syncs - before.Syncs)
	out.fresh = max(0, after.Files-before.Files)
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
	out, err := drive(o.work, d, o.appender)
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
