package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aof2/aof"
)

// benchRun is a benchmark under way.
type benchRun struct {
	dir      string
	options  aof.Options
	size     int
	each     time.Duration // for one row in one round
	progress *progress
	rows     []*measured
}

// place is where one round happens.
type place struct {
	dir   string
	store *aof.Store
}

// measured is what one row has gathered over the rounds.
type measured struct {
	name    string
	writers int
	run     func(context.Context, *measured, place) error

	ops, bytes, syncs, records uint64
	elapsed                    time.Duration
	times                      latencies
}

func (b *benchRun) makeRows() {
	row := func(name string, writers int, run func(context.Context, *measured, place) error) {
		b.rows = append(b.rows, &measured{name: name, writers: writers, run: run})
	}
	row("raw", 1, b.raw(b.size))
	row("large", 1, b.raw(benchLarge))
	for _, n := range benchWriters {
		row("append", n, b.append)
	}
	row("scan", 1, b.scan)
}

// round measures every row once, with a store of its own.
func (b *benchRun) round(ctx context.Context) error {
	dir := filepath.Join(b.dir, "round")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make a directory to measure in: %w", err)
	}
	s, err := aof.Open(ctx, filepath.Join(dir, "store"), &b.options)
	if err != nil {
		return err
	}
	for _, m := range b.rows {
		b.progress.show("measuring %s with %s", m.name, plural(m.writers, "writer"))
		if err = m.run(ctx, m, place{dir, s}); err != nil {
			break
		}
	}
	return errors.Join(err, s.Close(), os.RemoveAll(dir))
}

// raw writes and syncs, one after the other, going round in room that was written
// before, so that no sync has to record where the bytes are.
func (b *benchRun) raw(size int) func(context.Context, *measured, place) error {
	return func(ctx context.Context, m *measured, p place) (err error) {
		f, err := os.Create(filepath.Join(p.dir, "raw"))
		if err != nil {
			return fmt.Errorf("make the file of the raw loop: %w", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		data := noise(size)
		places := max(2, benchRawBytes/size)
		for i := range places {
			if _, err := f.WriteAt(data, int64(i)*int64(size)); err != nil || ctx.Err() != nil {
				return errors.Join(ctx.Err(), err)
			}
		}
		if err := f.Sync(); err != nil {
			return err
		}
		start := time.Now()
		for i := 0; time.Since(start) < b.each; i++ {
			began := time.Now()
			if _, err = f.WriteAt(data, int64(i%places)*int64(size)); err == nil {
				err = syncData(f)
			}
			if err != nil || ctx.Err() != nil {
				return errors.Join(ctx.Err(), err)
			}
			m.times.add(time.Since(began))
		}
		m.elapsed += time.Since(start)
		m.ops = m.times.count
		m.bytes = m.ops * uint64(size)
		return nil
	}
}

// append has all writers append at once, each to its own stream, and wait for each
// record to be durable.
func (b *benchRun) append(ctx context.Context, m *measured, p place) error {
	s := p.store
	streams := make([]*aof.Stream, m.writers)
	for i := range streams {
		var err error
		if streams[i], err = s.CreateStream(ctx, fmt.Sprintf("%d writers, number %d", m.writers, i+1), nil); err != nil {
			return err
		}
	}
	var bytes atomic.Uint64
	times, errs := make([]latencies, m.writers), make([]error, m.writers)
	before, start := s.Stats(), time.Now()
	var writers sync.WaitGroup
	for i, stream := range streams {
		writers.Go(func() {
			data := noise(b.size)
			for errs[i] == nil && time.Since(start) < b.each && bytes.Add(uint64(b.size)) <= max(benchAppendBytes, 4*uint64(b.size)) {
				began := time.Now()
				if _, errs[i] = stream.Append(ctx, data); errs[i] == nil {
					times[i].add(time.Since(began))
				}
			}
		})
	}
	writers.Wait()
	m.elapsed += time.Since(start)
	after := s.Stats()
	m.syncs += after.Syncs - before.Syncs
	m.records += after.Records - before.Records
	for i := range times {
		m.times.join(&times[i])
		m.ops += times[i].count
		m.bytes += times[i].count * uint64(b.size)
	}
	return errors.Join(errs...)
}

// scan reads all streams from their beginning, over and over until the time is up.
func (b *benchRun) scan(ctx context.Context, m *measured, p place) error {
	start := time.Now()
	defer func() { m.elapsed += time.Since(start) }()
	for {
		for name := range p.store.Streams() {
			stream, err := p.store.Stream(ctx, name)
			if err != nil {
				return err
			}
			if err := b.scanStream(ctx, m, stream, start); err != nil {
				return err
			}
			if time.Since(start) >= b.each {
				return nil
			}
		}
	}
}

// scanStream reads a stream to its end or until the time is up. An operation is
// one record; looking at the clock for each would cost more than reading it.
func (b *benchRun) scanStream(ctx context.Context, m *measured, stream *aof.Stream, start time.Time) (err error) {
	const look = 256
	end := stream.Bounds().Durable
	if end == 0 {
		return ctx.Err()
	}
	r, err := stream.Reader(aof.ReaderOptions{To: end})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	began := time.Now()
	n := 0
	for record, err := range r.All(ctx) {
		if err != nil {
			return err
		}
		m.ops++
		m.bytes += uint64(len(record.Data))
		if n++; n == look || record.Seq == end {
			now := time.Now()
			m.times.addMany(now.Sub(began)/time.Duration(n), uint64(n))
			if now.Sub(start) >= b.each {
				return nil
			}
			began, n = now, 0
		}
	}
	return nil
}

func (m *measured) report() benchRow {
	r := benchRow{Name: m.name, Writers: m.writers, Ops: m.ops, Seconds: m.elapsed.Seconds(), P50: m.times.quantile(0.5), P99: m.times.quantile(0.99)}
	if r.Seconds > 0 {
		r.Rate, r.ByteRate = float64(m.ops)/r.Seconds, float64(m.bytes)/r.Seconds
	}
	if m.syncs > 0 {
		r.PerSync = float64(m.records) / float64(m.syncs)
	}
	return r
}

// noise is bytes that no disk can make smaller.
func noise(size int) []byte {
	random := rand.NewChaCha8([32]byte{1})
	b := make([]byte, size)
	_, _ = random.Read(b) // it never fails
	return b
}

// latencies counts durations in buckets that are 1/16 apart: in the memory of a few
// pages, whatever their number.
type latencies struct {
	count   uint64
	buckets [60 * 16]uint64
}

func (l *latencies) add(d time.Duration) { l.addMany(d, 1) }

func (l *latencies) addMany(d time.Duration, n uint64) {
	l.count += n
	l.buckets[bucketOf(d)] += n
}

// bucketOf keeps the five highest bits of a duration in nanoseconds.
func bucketOf(d time.Duration) int {
	n := uint64(max(d, 1)) << 4 // so that the shortest has five bits too
	shift := bits.Len64(n) - 5
	return min(shift*16+int(n>>shift&15), 60*16-1)
}

func (l *latencies) join(other *latencies) {
	l.count += other.count
	for i, n := range other.buckets {
		l.buckets[i] += n
	}
}

// quantile is the duration in milliseconds that this share did not exceed, to 1/16;
// 0 when there is none.
func (l *latencies) quantile(share float64) float64 {
	want := uint64(math.Ceil(share * float64(l.count)))
	for i, n := range l.buckets {
		if n >= want && want > 0 {
			return math.Ldexp(float64(16+i%16)+0.5, i/16-4) / 1e6
		}
		want -= min(n, want)
	}
	return 0
}
