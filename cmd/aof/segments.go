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
and shows the state at the moment it starts.

With --json, where runs says which records of which stream lie in the file, and
the stream at the top is the one that was asked for, if one was:
  {"dir":"d","snapshot":false,"stream":"s","files":[{"id":1,
   "path":"journal/0000000000000001.aof","state":"open","bytes":67108864,
   "data_bytes":4280,"runs":[{"stream":"s","id":1,"first":1,"last":2,"bytes":96}]}]}`,
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
			return streamError(a.dir, stream, v.Recovery(), err)
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
	rows := []string{"FILE\tSTATE\t>SIZE\t>DATA\t>STREAMS\t>RECORDS"}
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
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%d", f.Path, f.State, sizeCell(f.Bytes), sizeCell(f.DataBytes), len(streams), records))
	}
	table(w, rows...)
	fmt.Fprintf(w, "%s, %s, %s of it data\n", plural(len(files), "file"), sizeText(size), sizeText(data))
}

// streamFilesTable lists the runs of one stream.
func streamFilesTable(w io.Writer, files []fileReport) {
	rows := []string{"FILE\tSTATE\t>FIRST\t>LAST\t>BYTES"}
	for _, f := range files {
		for _, run := range f.Runs {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%d\t%d\t%s", f.Path, f.State, run.First, run.Last, sizeCell(run.Bytes)))
		}
	}
	if len(rows) == 1 {
		fmt.Fprintln(w, "no file holds records of it")
		return
	}
	table(w, rows...)
}
