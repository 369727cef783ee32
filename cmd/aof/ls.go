package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/aof2/aof"
)

func (a *app) lsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the streams",
		Long: `List the streams by name with their records and the bytes they take in the
journal. It takes no lock and shows the state at the moment it starts.

With --json, where durable is the last record that can be read, next what the next
one will be, files how many hold records of the stream, and snapshot is true beside
a running program:
  {"dir":"d","snapshot":false,"streams":[{"name":"s","id":1,"created":"TIME",
   "records":2,"first":1,"durable":2,"next":3,"bytes":96,"files":1,
   "metadata_base64":"absent when there is none"}]}`,
		Example: "  aof ls\n  aof ls --json | jq -r '.streams[].name'",
		Args:    arguments(0, 0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withView(cmd.Context(), a.ls)
		},
	}
	return a.jsonFlag(cmd)
}

type lsReport struct {
	viewReport
	Streams []streamReport `json:"streams"`
}

func (a *app) ls(v *aof.View) error {
	report := lsReport{viewReport: a.reportView(v), Streams: []streamReport{}}
	rows := []string{"STREAM\t>RECORDS\t>FIRST\t>LAST\t>BYTES\tCREATED (UTC)"}
	for name, info := range v.Streams() {
		report.Streams = append(report.Streams, reportStream(info))
		rows = append(rows, fmt.Sprintf("%s\t%d\t%s\t%s\t%s", quoteName(name), info.Records(),
			firstLast(info.Bounds), sizeCell(info.Bytes), timeText(info.Created)))
	}
	return a.report(report, func(w io.Writer) {
		if len(rows) == 1 {
			fmt.Fprintln(w, "no streams yet")
			return
		}
		table(w, rows...)
	})
}

// firstLast is two cells: the oldest and the newest readable record.
func firstLast(b aof.Bounds) string {
	if b.Durable < b.First {
		return "-\t-"
	}
	return fmt.Sprintf("%d\t%d", b.First, b.Durable)
}
