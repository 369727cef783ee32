package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/aof2/aof"
)

func (a *app) sealCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "seal",
		Short: "Seal every file that holds records",
		Long: `Take a new file for what comes and seal every file before it: sealed files have
their index and their checksums and never change again. Files seal themselves when
they are full; this is for a moment of your choosing, such as before a copy.

With --json, where a file is what segments prints:
  {"sealed":[{"id":1,"path":"...","state":"sealed",...}],"seconds":0.01}`,
		Example: "  aof seal\n  aof seal --json",
		Args:    arguments(0, 0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.writes = true
			return a.withStore(cmd.Context(), false, func(s *aof.Store) error { return a.seal(cmd.Context(), s) })
		},
	}
	return a.jsonFlag(a.storeFlags(cmd))
}

type sealReport struct {
	Sealed  []fileReport `json:"sealed"` // by this command
	Seconds float64      `json:"seconds"`
}

func (a *app) seal(ctx context.Context, s *aof.Store) error {
	start := time.Now()
	before := map[uint64]bool{}
	for _, f := range s.Files() {
		before[f.ID] = f.State == aof.FileSealed
	}
	if err := s.Seal(ctx); err != nil {
		return err
	}
	var sealed []aof.FileInfo
	for _, f := range s.Files() {
		if f.State == aof.FileSealed && !before[f.ID] {
			sealed = append(sealed, f)
		}
	}
	report := sealReport{Sealed: reportFiles(sealed, ""), Seconds: time.Since(start).Seconds()}
	return a.report(report, func(w io.Writer) {
		if len(sealed) == 0 {
			fmt.Fprintln(w, "nothing to seal")
			return
		}
		filesTable(w, report.Sealed)
	})
}
