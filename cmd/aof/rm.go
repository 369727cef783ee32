package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/aof2/aof"
)

func (a *app) rmCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rm STREAM",
		Short: "Delete a stream with all its records",
		Long: `Delete a stream with all its records, for good. A stream made again under the
name is a new one and begins with seq 1. The room comes back once no file is needed
for the records of other streams in it.

With --json: {"stream":"s","removed":10}`,
		Example: "  aof rm orders\n  aof rm -- '-odd name'",
		Args:    arguments(1, 1, "STREAM"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkName(args[0]); err != nil {
				return err
			}
			a.writes = true
			return a.withStore(cmd.Context(), false, func(s *aof.Store) error { return a.rm(cmd.Context(), s, args[0]) })
		},
	}
	return a.jsonFlag(a.storeFlags(cmd))
}

type rmReport struct {
	Stream  string `json:"stream"`
	Removed uint64 `json:"removed"`
}

func (a *app) rm(ctx context.Context, s *aof.Store, name string) error {
	stream, err := s.Stream(ctx, name)
	if err != nil {
		return streamError(a.dir, name, s.Recovery(), err)
	}
	info := stream.Info()
	if err := s.DeleteStream(ctx, name); err != nil {
		return streamError(a.dir, name, s.Recovery(), err)
	}
	return a.report(rmReport{name, info.Records()}, func(w io.Writer) {
		fmt.Fprintf(w, "%s: deleted with %s\n", quoteName(name), plural(info.Records(), "record"))
	})
}
