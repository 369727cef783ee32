// Command bench prints how this package's speed compares with reference loops that do the least a log
// has to do, as ratios taken in one run on one machine.
//
// It hides how a fair pair is made: equally recycled files on both sides, warm caches, memory that was
// touched before, runs that alternate, and the arithmetic that turns them into a verdict. The reference
// loops, ref_*.go, are frozen: changing one is a commit of its own that says why.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

func main() {
	if text := os.Getenv(childVariable); text != "" {
		if err := runChild(text); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are what the command line asks for.
type settings struct {
	rows    string
	beside  string
	plots   bool
	quick   bool
	pairs   int
	seconds float64
	prime   int    // bytes of memory touched before each cell
	dir     string // for the files that are measured
	out     string // for the report
}

// The short run's numbers: five minutes on the project's machine.
const (
	quickPairs   = 5
	quickSeconds = 0.15
	quickPrime   = 256 << 20
)

func parse(args []string) (settings, error) {
	s := settings{prime: primeBytes}
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.StringVar(&s.rows, "rows", rowNames(), "rows of the table of bars, separated by commas")
	flags.StringVar(&s.beside, "beside", "", "only cells whose reference or other log has this in its name")
	flags.BoolVar(&s.plots, "plots", true, "also draw the rate against the number of writers and of streams")
	flags.BoolVar(&s.quick, "quick", false, "a look in five minutes: records of 1 KiB, few and short pairs")
	flags.IntVar(&s.pairs, "pairs", 20, "interleaved pairs of a cell; a verdict needs 20")
	flags.Float64Var(&s.seconds, "seconds", 0.5, "seconds of one run of one side")
	flags.StringVar(&s.dir, "dir", os.TempDir(), "directory for the files, on the disk to measure; some 10 GB")
	flags.StringVar(&s.out, "out", "results", "directory for the report: bench.md, bench.json and the plots; empty for none")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q: everything is said with flags", flags.Arg(0))
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if s.quick {
		s.prime = quickPrime
	}
	if s.quick && !given["pairs"] {
		s.pairs = quickPairs
	}
	if s.quick && !given["seconds"] {
		s.seconds = quickSeconds
	}
	if s.pairs < 1 || s.seconds <= 0 {
		return s, errors.New("-pairs and -seconds must be above 0")
	}
	return s, nil
}

func run(ctx context.Context, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	chosen, err := cells(s.rows, s.beside, s.quick)
	if err != nil {
		return err
	}
	r := report{Date: time.Now().Format(time.DateOnly), Machine: describe(s.dir), Pairs: s.pairs}
	stopped := errors.Join(r.fill(ctx, s, chosen), r.draw(ctx, s))
	if err := errors.Join(r.writeText(os.Stdout), r.save(s.out), stopped); err != nil {
		return err
	}
	if n := r.failures(); n > 0 {
		return fmt.Errorf("%d cells did not run; the table says why", n)
	}
	return nil
}

// fill measures the cells. One that fails is in the report as such, and the next ones go on; an error is
// that the user has stopped it.
func (r *report) fill(ctx context.Context, s settings, chosen []cell) error {
	for i, c := range chosen {
		fmt.Fprintf(os.Stderr, "%d/%d %s %s, %s, beside %s\n", i+1, len(chosen), c.row, c.name, byteSize(c.work.size), c.reference)
		prime(s.prime)
		results, err := measure(ctx, c, s.dir, s.pairs, s.run())
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			r.Results = append(r.Results, c.failed(err))
		default:
			r.Results = append(r.Results, results...)
		}
	}
	return nil
}

// draw measures the curves.
func (r *report) draw(ctx context.Context, s settings) error {
	if !s.plots {
		return nil
	}
	for _, c := range curves(s.quick) {
		if ctx.Err() != nil {
			return nil // the table's part says so
		}
		fmt.Fprintf(os.Stderr, "plot: rate against number of %s\n", c.axis)
		prime(s.prime)
		one, err := c.trace(ctx, s.dir, s.rounds(), s.run())
		if err != nil {
			return err
		}
		r.Curves = append(r.Curves, one)
	}
	return nil
}

// run is how long one run of one side takes.
func (s settings) run() time.Duration { return time.Duration(s.seconds * float64(time.Second)) }

// leastRounds are the runs that make a median.
const leastRounds = 3

// rounds is how often each point of a curve is measured; a picture needs less than a verdict.
func (s settings) rounds() int { return max(leastRounds, s.pairs/4) }

// save writes the report's files into dir; "" is nowhere.
func (r report) save(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	errs := []error{
		writeFile(filepath.Join(dir, "bench.md"), r.writeMarkdown),
		writeFile(filepath.Join(dir, "bench.json"), r.writeJSON),
	}
	for _, c := range r.Curves {
		errs = append(errs, writeFile(filepath.Join(dir, c.Name+".svg"), c.writeSVG))
	}
	return errors.Join(errs...)
}

// writeFile writes to path what write writes.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
