package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/aof2/aof"
)

func (a *app) segmentsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "segments [STREAM]",
		Short: "Show where the bytes are: the files, or those of one stream",
		Long: `Show the files of the journal with their state: prepared (empty, ready to be
taken), open (receives records), rolled (complete), sealed (immutable). With a
stream, show only the files that hold records of it, and which. It takes no lock
and shows the state at the moment it starts.`,
		Example: "  aof segments\n  aof segments orders\n  aof segments --json | jq '.files[].runs'",
		Args:    arguments(0, 1, "[STREAM]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.withView(cmd.Context(), func(v *aof.View) error { return a.segments(v, "") })
			}
			if err := checkName(args[0]); err != nil {
				return err
			}
			return a.withView(cmd.Context(), func(v *aof.View) error { return a.segments(v, args[0]) })
		},
	}
	return a.jsonFlag(cmd)
}

type segmentsReport struct {
	viewReport
	Stream string       `json:"stream,omitempty"`
	Files  []fileReport `json:"files"`
}

func (a *app) segments(v *aof.View, stream string) error {
	if stream != "" {
		if _, err := v.Stream(stream); err != nil {
			return streamError(a.dir, stream, err)
		}
	}
	report := segmentsReport{a.reportView(v), stream, reportFiles(v.Files(), stream)}
	return a.report(report, func(w io.Writer) {
		if stream == "" {
			filesTable(w, report.Files)
			return
		}
		streamFilesTable(w, report.Files)
	})
}

// filesTable lists files with what they hold, and their sum.
func filesTable(w io.Writer, files []fileReport) {
	rows := []string{"FILE\tSTATE\tSIZE\tDATA\tSTREAMS\tRECORDS"}
	var size, data int64
	for _, f := range files {
		var records uint64
		streams := map[uint32]bool{}
		for _, run := range f.Runs {
			records += uint64(run.Last - run.First + 1)
			streams[run.ID] = true
		}
		size += f.Bytes
		data += f.DataBytes
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%d", f.Path, f.State, sizeText(f.Bytes), sizeText(f.DataBytes), len(streams), records))
	}
	table(w, rows...)
	fmt.Fprintf(w, "%s, %s, %s of it data\n", plural(len(files), "file"), sizeText(size), sizeText(data))
}

// streamFilesTable lists the runs of one stream.
func streamFilesTable(w io.Writer, files []fileReport) {
	rows := []string{"FILE\tSTATE\tFIRST\tLAST\tBYTES"}
	for _, f := range files {
		for _, run := range f.Runs {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%d\t%d\t%s", f.Path, f.State, run.First, run.Last, sizeText(run.Bytes)))
		}
	}
	if len(rows) == 1 {
		fmt.Fprintln(w, "no file holds records of it")
		return
	}
	table(w, rows...)
}
