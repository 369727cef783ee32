package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/aof2/aof"
)

func (a *app) trimCommand() *cobra.Command {
	before := number{least: 1}
	cmd := &cobra.Command{
		Use:   "trim STREAM --before SEQ",
		Short: "Remove the oldest records of a stream",
		Long: `Remove all records of a stream with a seq below SEQ, for good. SEQ may be the
seq of the next record: then the stream is empty and goes on counting. The room
comes back once no file is needed for other records in it.

With --json, where first is the oldest record that is left, or next when none is:
  {"stream":"s","removed":999,"first":1000,"next":2001}`,
		Example: "  aof trim orders --before 1000\n  aof trim orders --before 1000 --json",
		Args:    arguments(1, 1, "STREAM --before SEQ"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkName(args[0]); err != nil {
				return err
			}
			if !before.set {
				return usagef("for example: aof trim STREAM --before 1000", "aof trim wants --before SEQ")
			}
			a.writes = true
			return a.withStore(cmd.Context(), false, func(s *aof.Store) error {
				return a.trim(cmd.Context(), s, args[0], aof.Seq(before.value))
			})
		},
	}
	cmd.Flags().Var(&before, "before", "the seq of the oldest record to keep")
	return a.jsonFlag(a.storeFlags(cmd))
}

type trimReport struct {
	Stream  string  `json:"stream"`
	Removed uint64  `json:"removed"`
	First   aof.Seq `json:"first"`
	Next    aof.Seq `json:"next"`
}

func (a *app) trim(ctx context.Context, s *aof.Store, name string, before aof.Seq) error {
	stream, err := s.Stream(ctx, name)
	if err != nil {
		return streamError(a.dir, name, s.Recovery(), err)
	}
	old := stream.Bounds()
	if before > old.Next {
		return usagef(fmt.Sprintf("--before %d removes everything", old.Next),
			"--before %d lies in the future of stream %s: its next record will be seq %d", before, quoteName(name), old.Next)
	}
	if before > old.First {
		if err := stream.TrimBefore(ctx, before); err != nil {
			return err
		}
	}
	now := stream.Bounds()
	report := trimReport{name, uint64(now.First - old.First), now.First, now.Next}
	return a.report(report, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %s removed, what is left: %s\n", quoteName(name), plural(report.Removed, "record"), seqRange(now.First, now.Durable))
	})
}
