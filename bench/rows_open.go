package main

import (
	"io/fs"
	"path/filepath"
	"time"
)

// What a log holds that is opened, and how much a run appends before the process ends, so that there is
// an end to be found; tests take less.
var (
	openBytes = 1 << 30
	tailBytes = 16 << 20
)

// slack is what opening may take in any case.
const slack = 10 * time.Millisecond

// opened is row P7: from opening to the first record that is durable, by a process of its own.
func opened() []cell {
	// The tail may be walked at half the speed of a scan.
	tail := check{
		measure: "open + append / allowed", unit: seconds, atMost: true, bar: 1,
		ours: func(s sample) float64 { return s.elapsed.Seconds() },
		other: func(ours, other sample) float64 {
			speed := float64(other.read) / other.elapsed.Seconds()
			return slack.Seconds() + 2*float64(ours.scanned)/speed
		},
	}
	snapshot := tail
	snapshot.other = func(_, other sample) float64 { return slack.Seconds() + 5*other.each() }
	return []cell{
		{
			name: "open + append, 1 GiB, clean", work: work{size: 1 << 10, streams: 1}, quick: true,
			reference: "f: tail twice + 10 ms", ours: newOpening("", true), other: newExtentLoop, checks: []check{tail},
		},
		{
			name: "open + append, 1 GiB, kill -9", work: work{size: 1 << 10, streams: 1}, quick: true,
			reference: "f: tail twice + 10 ms", ours: newOpening("", false), other: newExtentLoop, checks: []check{tail},
		},
		{
			name: "open + append, 10,000 streams", work: work{size: 1 << 10, streams: 10_000}, quick: true,
			reference: "h: snapshot five times + 10 ms", ours: newOpeningMany, other: newSnapshotLoop, checks: []check{snapshot},
		},
	}
}

// opening is a log that a process opens, appends to and leaves, again and again.
type opening struct {
	job   job
	first func(job) error // lays down what is there before the first run
	tail  int             // bytes appended by each run
}

func newOpening(log string, clean bool) contestant {
	return func(dir string, w work) (side, error) {
		return &opening{
			job: job{Log: log, Dir: filepath.Join(dir, "log"), Size: w.size, Clean: clean}, tail: tailBytes,
			first: func(j job) error {
				j.Load = openBytes
				_, err := j.start()
				return err
			},
		}, nil
	}
}

// newOpeningMany has streams and hardly a record.
func newOpeningMany(dir string, w work) (side, error) {
	return &opening{
		job:   job{Dir: filepath.Join(dir, "log"), Size: w.size, Clean: true},
		first: func(j job) error { return makeStreams(j.Dir, w.streams) },
	}, nil
}

func (o *opening) prepare(time.Duration) error { return o.first(o.job) }

func (o *opening) run(time.Duration) (sample, error) {
	j := o.job
	j.Load = o.tail
	a, err := j.start()
	return sample{records: 1, appends: 1, syncs: -1, elapsed: a.Elapsed, scanned: a.Scanned}, err
}

func (o *opening) rest() error  { return nil }
func (o *opening) close() error { return nil }

func (o *opening) ahead() []string {
	paths, err := filesBelow(o.job.Dir)
	if err != nil {
		return []string{o.job.Dir} // reading it will say what is wrong
	}
	return paths
}

// filesBelow returns the regular files in dir and below it.
func filesBelow(dir string) (paths []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			paths = append(paths, path)
		}
		return err
	})
	return paths, err
}
