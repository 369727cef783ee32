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
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	rows := flags.String("rows", "P2,P3,P3b", "rows of the table of bars, separated by commas; P4 is there too")
	pairs := flags.Int("pairs", 20, "interleaved pairs of a cell; a verdict needs 20")
	seconds := flags.Float64("seconds", 0.5, "seconds of one run of one side")
	dir := flags.String("dir", os.TempDir(), "directory for the files, on the disk to measure; some 5 GB")
	markdown := flags.String("markdown", "", "also write the table to this file, as Markdown")
	asJSON := flags.String("json", "", "also write everything to this file, as JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *pairs < 1 || *seconds <= 0 {
		return errors.New("-pairs and -seconds must be above 0")
	}
	chosen, err := cells(*rows)
	if err != nil {
		return err
	}
	r := report{Date: time.Now().Format(time.DateOnly), Machine: describe(*dir), Pairs: *pairs}
	for i, c := range chosen {
		fmt.Fprintf(os.Stderr, "%d/%d %s %s, %s\n", i+1, len(chosen), c.row, c.name, byteSize(c.work.size))
		prime(primeBytes)
		one, err := measure(ctx, c, *dir, *pairs, time.Duration(*seconds*float64(time.Second)))
		if err != nil {
			return fmt.Errorf("%s %s, %s: %w", c.row, c.name, byteSize(c.work.size), err)
		}
		r.Results = append(r.Results, one)
	}
	if err := r.writeText(os.Stdout); err != nil {
		return err
	}
	return errors.Join(writeFile(*markdown, r.writeMarkdown), writeFile(*asJSON, r.writeJSON))
}

// writeFile writes to path what write writes; no path, no file.
func writeFile(path string, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
