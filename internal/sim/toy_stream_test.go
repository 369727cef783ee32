package sim_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/aof2/aof/internal/sim"
)

// The toy as a store with one stream, which is itself.

const toyName = "orders"

func (t *toy) Create(ctx context.Context, name string, meta []byte) (sim.Stream, error) {
	t.gate <- struct{}{}
	defer func() { <-t.gate }()
	if len(t.recs) > 0 {
		return nil, sim.ErrExists
	}
	_, err := t.appendLocked(true, [][]byte{meta})
	return t, err
}

func (t *toy) Stream(context.Context, string) (sim.Stream, error) { return t, nil }

func (t *toy) Streams() []sim.StreamState {
	if s := t.State(); s.Meta != nil {
		return []sim.StreamState{s}
	}
	return nil
}

func (t *toy) State() sim.StreamState {
	t.mu.Lock()
	if t.durable == 0 {
		t.mu.Unlock()
		return sim.StreamState{}
	}
	s := sim.StreamState{Name: toyName, First: 1, Durable: uint64(t.durable - 1), Next: uint64(len(t.recs))}
	meta := t.recs[0]
	t.mu.Unlock() // never held while a file is read
	s.Meta, _ = meta.read()
	return s
}

func (p place) read() ([]byte, error) {
	fr, err := readFrame(p.file, p.frame, p.frame+p.length)
	if err != nil {
		return nil, err
	}
	if fr == nil {
		return nil, &sim.DamageError{}
	}
	return fr.recs[p.index], nil
}

func (t *toy) Append(ctx context.Context, mode sim.Mode, b sim.Batch) (uint64, error) {
	if mode == sim.ModeTry {
		return 0, sim.ErrRefused // every append of the toy waits for the disk
	}
	return t.append(mode == sim.ModeWait || mode == sim.ModeContext, b.Recs)
}

func (t *toy) append(wait bool, recs [][]byte) (uint64, error) {
	t.gate <- struct{}{}
	defer func() { <-t.gate }()
	return t.appendLocked(wait, recs)
}

func (t *toy) appendLocked(wait bool, recs [][]byte) (uint64, error) {
	seq, err := t.write(recs)
	if err == nil && wait {
		if err = t.sync(); err != nil {
			return seq, fmt.Errorf("%w: %w", sim.ErrUnsettled, err)
		}
	}
	return seq, err
}

func (t *toy) WaitDurable(_ context.Context, seq uint64) error {
	t.gate <- struct{}{}
	defer func() { <-t.gate }()
	return t.sync()
}

func (t *toy) Read(_ context.Context, from, to uint64, visit func(sim.Record) error) error {
	for seq := from; seq <= to; seq++ {
		t.mu.Lock()
		p := t.recs[seq]
		t.mu.Unlock()
		data, err := p.read()
		if err != nil {
			return err
		}
		if err := visit(sim.Record{Seq: seq, Data: data}); err != nil {
			return err
		}
	}
	return nil
}

func (t *toy) Close() error {
	t.gate <- struct{}{}
	defer func() { <-t.gate }()
	err := t.sync()
	if t.broken == nil {
		t.broken = errToyClosed
	} else if errors.Is(t.broken, errToyClosed) {
		return nil
	}
	return err
}

func (t *toy) Found() sim.Found                     { return sim.Found{} }
func (t *toy) Trim(context.Context, uint64) error   { return nil }
func (t *toy) Delete(context.Context, string) error { return nil }
func (t *toy) Seal(context.Context) error           { return nil }
func (t *toy) Verify(context.Context) error         { return nil }
