package kernel

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aof2/aof"
)

// patience is how long an append of a soak waits. Who waits for room that only a trim gives back goes on to trim.
const patience = time.Second

// soakTask is what a child of a soak does besides writing.
type soakTask struct {
	Budget   int64
	WhenFull aof.WhenFull
	Every    time.Duration // between two samples
}

// begin samples what the process and the directory take, and trims the streams that no client trims, until the result
// is called.
func (k *soakTask) begin(w *writer, dir string) (end func()) {
	ended := make(chan struct{})
	var working sync.WaitGroup
	each := func(do func() error) {
		working.Go(func() {
			tick := time.NewTicker(k.Every)
			defer tick.Stop()
			for {
				select {
				case <-ended:
					return
				case <-tick.C:
				}
				if err := do(); err != nil {
					w.tell(event{kind: failed, text: err.Error()})
				}
			}
		})
	}
	each(func() error {
		s, err := takeSample(dir)
		if err == nil {
			w.tell(event{kind: sampled, text: s.String()})
		}
		return err
	})
	keeper := w.client(clients) // the one whose stream is appended to between the lives
	each(keeper.sweep)
	return func() {
		close(ended)
		working.Wait()
	}
}

// sweep empties the streams that stay: those that all clients share, and the client's own.
func (c *client) sweep() error {
	for _, name := range append([]string{c.own}, shared...) {
		st, err := c.w.store.Stream(context.Background(), name)
		if err != nil {
			continue // it is not made yet
		}
		b := st.Bounds()
		if b.Durable < b.First {
			continue
		}
		e := event{kind: trimming, stream: name, inc: incarnation(st.Info().Metadata), seq: uint64(b.Durable) + 1}
		c.w.tell(e)
		if err := c.answer(e, trimmed, st.TrimBefore(context.Background(), b.Durable+1)); err != nil {
			return err
		}
	}
	return nil
}

// measure is something that must not grow.
type measure struct {
	name  string
	unit  string
	slack int64 // what it may grow by, besides a quarter of what it was
}

// measures are in the order of the values of a sample. The slack of memory is what the collector of garbage may find
// worth keeping from one moment to another, and what a process takes in its first second; that of files and bytes, what
// a few streams in flight and one more set of prepared files take.
var measures = [...]measure{
	{"resident memory", "KiB", 16 << 10},
	{"live heap", "KiB", 2 << 10},
	{"descriptors", "", 4},
	{"goroutines", "", 4},
	{"files", "", 8},
	{"bytes on disk", "KiB", 512},
}

// sample is what a process and its directory take at one moment.
type sample struct {
	run    time.Duration // since the run began
	life   time.Duration // since the life began
	values [len(measures)]int64
}

func (s *sample) String() string { return strings.Trim(fmt.Sprint(s.values), "[]") }

func (s *sample) parse(text string) error {
	var into []any
	for i := range s.values {
		into = append(into, &s.values[i])
	}
	_, err := fmt.Sscan(text, into...)
	return err
}

// trend is how one measure came along, by the medians of the first and the last tenth of a time.
type trend struct {
	measure
	first, last, most int64
}

func (t trend) limit() int64 { return t.first + t.first/4 + t.slack }

func (t trend) grown() bool { return t.last > t.limit() }

// trends compares the samples of the first tenth of a time with those of the last. There is none without samples in
// both.
func trends(samples []sample, total time.Duration, at func(sample) time.Duration) []trend {
	var out []trend
	for i, m := range measures {
		var first, last []int64
		t := trend{measure: m}
		for _, s := range samples {
			v := s.values[i]
			t.most = max(t.most, v)
			switch {
			case at(s) <= total/10:
				first = append(first, v)
			case at(s) >= total-total/10:
				last = append(last, v)
			}
		}
		if len(first) == 0 || len(last) == 0 {
			return nil
		}
		t.first, t.last = median(first), median(last)
		out = append(out, t)
	}
	return out
}

func median(v []int64) int64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// table is how trends are printed.
func table(what string, ts []trend) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-32s %12s %12s %12s %12s\n", what, "first tenth", "last tenth", "at most", "tolerated")
	for _, t := range ts {
		fmt.Fprintf(&b, "  %-30s %12d %12d %12d %12d\n", strings.TrimSpace(t.name+" "+t.unit), t.first, t.last, t.most, t.limit())
	}
	return b.String()
}
