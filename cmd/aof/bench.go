package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

const benchLong = `Measure what this disk and these settings give, in a minute, and say in plain words
what limits and whether the disk can be believed:

  raw     one write and one sync after the other, into room that is already there:
          the least that durable can cost here
  large   the same with 1 MiB each: how much the disk takes
  append  durable appends of one record each by 1, 8 and 64 writers, each with a
          stream of its own
  scan    reading all of it, as a rule from memory, because it was just written

Everything is measured twice, in turn, so that a disk that has a bad moment does not
decide. It happens in a directory made for it, in the one of --dir when that exists,
else in the nearest above it that does, so on the same file system; it takes up to 2
GiB and is removed at the end, also after Ctrl-C. A store in --dir is not touched.

With --json, where a row has p50_ms and p99_ms for one operation, and per_sync says
how many records shared a sync; sync is believable, protected (only a disk whose cache
survives a loss of power is so fast) or impossible (no disk is so fast):
  {"dir":"d","size":1024,"cpus":2,"rows":[{"name":"append","writers":8,"ops":9000,
   "seconds":8,"per_second":1125,"bytes_per_second":1152000,"p50_ms":7.1,
   "p99_ms":9.5,"per_sync":7.9}],"sync":"believable","verdict":["a sentence"]}`

const benchExample = `  aof bench
  aof bench --dir /var/lib/app/log --size 4KiB --seconds 3
  aof bench --hot-file-size 256MiB --json`

// What the benchmark works with.
const (
	benchRounds      = 2
	benchLarge       = 1 << 20
	benchRawBytes    = 32 << 20  // room that the raw loops go round in
	benchAppendBytes = 256 << 20 // the most that one row appends in one round
)

var benchWriters = []int{1, 8, 64}

// benchOptions is what a benchmark was asked for.
type benchOptions struct {
	seconds seconds // of each row, over all rounds
	size    sizeFlag
}

func (a *app) benchCommand() *cobra.Command {
	o := benchOptions{seconds: 8, size: 1 << 10}
	cmd := &cobra.Command{
		Use:     "bench",
		Short:   "Measure this disk and these settings, with a verdict in plain words",
		Long:    benchLong,
		Example: benchExample,
		Args:    arguments(0, 0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.bench(cmd.Context(), o)
		},
	}
	cmd.Flags().Var(&o.seconds, "seconds", "how long each row is measured")
	cmd.Flags().Var(&o.size, "size", "the size of a record")
	return a.jsonFlag(a.storeFlags(cmd))
}

// seconds is the value of a flag that says how long; fractions are fine.
type seconds float64

func (s *seconds) String() string { return strconv.FormatFloat(float64(*s), 'g', -1, 64) }

// Type is the word that help shows behind the flag.
func (s *seconds) Type() string { return "N" }

// Set parses a value from the command line.
func (s *seconds) Set(text string) error {
	const most = 24 * 3600
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v > 0 && v <= most) { // NaN is neither
		return fmt.Errorf("wants a number of seconds above 0, %d at most", most)
	}
	*s = seconds(v)
	return nil
}

// sizeFlag is the value of a flag that is a size of at least a byte.
type sizeFlag int64

func (s *sizeFlag) String() string { return exactSize(int64(*s)) }

// Type is the word that help shows behind the flag.
func (s *sizeFlag) Type() string { return "SIZE" }

// Set parses a value from the command line.
func (s *sizeFlag) Set(text string) error {
	n, err := parseSize(text)
	if err == nil && n < 1 {
		err = errors.New("wants a size of at least a byte")
	}
	*s = sizeFlag(n)
	return err
}

type benchReport struct {
	Dir     string     `json:"dir"`
	Size    int64      `json:"size"`
	CPUs    int        `json:"cpus"`
	Rows    []benchRow `json:"rows"`
	Sync    syncSpeed  `json:"sync"`
	Verdict []string   `json:"verdict"`
}

// benchRow is one thing that was measured.
type benchRow struct {
	Name     string  `json:"name"`
	Writers  int     `json:"writers"`
	Ops      uint64  `json:"ops"`
	Seconds  float64 `json:"seconds"`
	Rate     float64 `json:"per_second"`
	ByteRate float64 `json:"bytes_per_second"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	PerSync  float64 `json:"per_sync,omitempty"` // records; of appends
}

func (a *app) bench(ctx context.Context, o benchOptions) (err error) {
	e, err := a.resolve()
	if err != nil {
		return err
	}
	if int64(o.size) > e.options.MaxRecord {
		return usagef("shorten it, or allow larger ones with --max-record", "--size %s is over the limit of a record, %s", exactSize(int64(o.size)), exactSize(e.options.MaxRecord))
	}
	dir, err := benchDir(a.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &benchRun{
		dir: dir, options: e.given, size: int(o.size), progress: a.newProgress(),
		each: time.Duration(float64(o.seconds) / benchRounds * float64(time.Second)),
	}
	b.makeRows()
	for range benchRounds {
		if err := b.round(ctx); err != nil {
			b.progress.done()
			return &stoppedError{far: "the measuring is given up and its directory removed", do: "run the same command again", err: err}
		}
	}
	b.progress.done()
	report := benchReport{Dir: filepath.Dir(dir), Size: int64(o.size), CPUs: runtime.NumCPU()}
	for _, r := range b.rows {
		report.Rows = append(report.Rows, r.report())
	}
	report.judge()
	return a.report(report, report.text)
}

// benchDir makes a directory in the store's own, or as near above it as there is
// one.
func benchDir(dir string) (string, error) {
	if dir == "" {
		return "", usagef("name a directory: --dir DIR", "--dir %q is not a directory name", dir)
	}
	parent, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the directory to measure in: %w", err)
	}
	for {
		info, err := os.Stat(parent)
		above := filepath.Dir(parent)
		switch {
		case err == nil && !info.IsDir():
			return "", usagef("name a directory: --dir DIR", "%s is not a directory", parent)
		case errors.Is(err, fs.ErrNotExist) && above != parent:
			parent = above
			continue
		case err != nil:
			return "", fmt.Errorf("find the directory to measure in: %w", err)
		}
		made, err := os.MkdirTemp(parent, "aof-bench-")
		if err != nil {
			return "", fmt.Errorf("make a directory to measure in: %w", err)
		}
		return made, nil
	}
}

func (r *benchReport) text(w io.Writer) {
	rows := []string{"WHAT\t>WRITERS\t>PER SECOND\t>BYTES/S\t>MEDIAN\t>99 %\t>RECORDS PER SYNC"}
	for _, row := range r.Rows {
		perSync := "-"
		if row.PerSync > 0 {
			perSync = rateText(row.PerSync)
		}
		rows = append(rows, fmt.Sprintf("%s\t%d\t%s\t%s\t%s\t%s\t%s", row.Name, row.Writers, rateText(row.Rate),
			sizeCell(int64(row.ByteRate)), millisText(row.P50), millisText(row.P99), perSync))
	}
	fmt.Fprintf(w, "records of %s in %s, %s\n\n", exactSize(r.Size), r.Dir, plural(r.CPUs, "processor"))
	table(w, rows...)
	fmt.Fprintln(w)
	for _, sentence := range r.Verdict {
		fmt.Fprintln(w, sentence)
	}
}

// millisText writes how long something takes.
func millisText(ms float64) string {
	if ms < 0.1 {
		return rateText(ms*1000) + " us"
	}
	return rateText(ms) + " ms"
}
