package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/aof2/aof"
)

// The child of a demo speaks to its parent in lines on stdout. A line leaves in
// one write, after what it reports has happened, so the parent can count on every
// whole line it got, whenever the child was killed.
const (
	childReady    = "ready"            // the streams exist, appending begins
	childAcked    = "acked %d %d"      // stream number, last seq that an append returned as durable
	childFollowed = "followed %d"      // seq that the follower has read
	childDone     = "done"             // nothing is left to append
	demoBatch     = 64                 // records at most in one append of the child
	childEvery    = 4 << 10            // the follower reports every so many records
	demoWriterUse = "demo-writer TEXT" // TEXT is the directory of the parts
)

// demoWriterCommand is the hidden verb that the demo runs as its child.
func (a *app) demoWriterCommand() *cobra.Command {
	return &cobra.Command{
		Use:    demoWriterUse,
		Hidden: true,
		Args:   arguments(1, 1, "TEXT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.demoWriter(cmd.Context(), args[0])
		},
	}
}

// child is the writing process of a demo.
type child struct {
	store *aof.Store
	text  string
	mu    struct {
		sync.Mutex
		out io.Writer
	}
}

// demoWriter appends every part to its stream at once, follows the first, and
// then waits to be killed. It ends when stdin does: that is the parent's end. It
// leaves Ctrl-C to the parent.
func (a *app) demoWriter(ctx context.Context, text string) error {
	signal.Ignore(syscall.SIGINT)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, a.in)
		cancel()
	}()
	s, err := aof.Open(ctx, a.dir, &aof.Options{HotFileSize: demoHotFileSize})
	if err != nil {
		return err
	}
	c := &child{store: s, text: text}
	c.mu.out = a.out
	return errors.Join(c.work(ctx, cancel), s.Close())
}

func (c *child) work(ctx context.Context, cancel context.CancelFunc) error {
	streams := make([]*aof.Stream, demoStreams)
	for i := range streams {
		var err error
		if streams[i], err = c.store.CreateStream(ctx, demoStreamName(i), nil); err != nil {
			return err
		}
	}
	if err := c.tell(childReady); err != nil {
		return err
	}
	var followed error
	var follower sync.WaitGroup
	follower.Go(func() { followed = c.follow(ctx, streams[0]) })
	errs := make([]error, len(streams))
	var writers sync.WaitGroup
	for i, stream := range streams {
		writers.Go(func() { errs[i] = c.write(ctx, i, stream) })
	}
	writers.Wait()
	err := errors.Join(errs...)
	if err == nil {
		err = c.tell(childDone)
	}
	if err == nil {
		<-ctx.Done()
	}
	cancel()
	follower.Wait()
	return errors.Join(err, followed)
}

func (c *child) tell(format string, args ...any) error {
	line := fmt.Appendf(nil, format+"\n", args...)
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.mu.out.Write(line)
	return err
}

// write appends the lines of part i in batches of chance size and reports each
// acknowledgement.
func (c *child) write(ctx context.Context, i int, stream *aof.Stream) error {
	lines, err := demoPart{path: demoPartPath(c.text, i)}.open()
	if err != nil {
		return err
	}
	defer lines.close()
	for {
		batch, err := nextLines(lines, 1+rand.IntN(demoBatch))
		if err != nil || len(batch) == 0 {
			return err
		}
		first, err := stream.Append(ctx, batch...)
		if err != nil {
			return ignoreCanceled(err)
		}
		if err := c.tell(childAcked, i, first+aof.Seq(len(batch))-1); err != nil {
			return err
		}
	}
}

// nextLines returns up to n lines; none at the end.
func nextLines(lines *lineReader, n int) ([][]byte, error) {
	batch := make([][]byte, 0, n)
	for len(batch) < n {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			return batch, nil
		}
		if err != nil {
			return nil, err
		}
		batch = append(batch, line)
	}
	return batch, nil
}

// follow reads the stream as it grows and reports now and then how far it is.
func (c *child) follow(ctx context.Context, stream *aof.Stream) error {
	r, err := stream.Reader(aof.ReaderOptions{From: 1})
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	for record, err := range r.All(ctx) {
		if err != nil {
			return ignoreCanceled(err)
		}
		if record.Seq%childEvery == 1 {
			if err := c.tell(childFollowed, record.Seq); err != nil {
				return err
			}
		}
	}
	return nil
}

func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
