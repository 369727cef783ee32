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
journal. It takes no lock and shows the state at the moment it starts.`,
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
	rows := []string{"STREAM\tRECORDS\tFIRST\tLAST\tBYTES\tCREATED"}
	for name, info := range v.Streams() {
		report.Streams = append(report.Streams, reportStream(info))
		rows = append(rows, fmt.Sprintf("%s\t%d\t%s\t%s\t%s", quoteName(name), info.Records(),
			firstLast(info.Bounds), sizeText(info.Bytes), timeText(info.Created)))
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
