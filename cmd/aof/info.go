package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/aof2/aof"
)

func (a *app) infoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "info STREAM",
		Short: "Show one stream: its records, its bytes and the files it holds",
		Long: `Show one stream: which records there are, how many bytes of the journal they
take, and which files cannot be recycled because of them. It takes no lock and
shows the state at the moment it starts.

With --json it is what ls prints of the stream, and the files as segments prints
them:
  {"dir":"d","snapshot":false,"name":"s","id":1,"created":"TIME","records":2,
   "first":1,"durable":2,"next":3,"bytes":96,"files":1,
   "metadata_base64":"absent when there is none","in_files":[...]}`,
		Example: "  aof info orders\n  aof info orders --json",
		Args:    arguments(1, 1, "STREAM"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkName(args[0]); err != nil {
				return err
			}
			return a.withView(cmd.Context(), func(v *aof.View) error { return a.info(v, args[0]) })
		},
	}
	return a.jsonFlag(cmd)
}

type infoReport struct {
	viewReport
	streamReport
	Runs []fileReport `json:"in_files"`
}

func (a *app) info(v *aof.View, name string) error {
	info, err := v.Stream(name)
	if err != nil {
		return streamError(a.dir, name, v.Recovery(), err)
	}
	files := reportFiles(v.Files(), name)
	report := infoReport{a.reportView(v), reportStream(info), files}
	return a.report(report, func(w io.Writer) {
		rows := []string{
			"stream\t" + quoteName(name),
			fmt.Sprintf("id\t%d", info.ID),
			"created\t" + timeText(info.Created) + " UTC",
			fmt.Sprintf("records\t%d (%s)", info.Records(), seqRange(info.Bounds.First, info.Bounds.Durable)),
			fmt.Sprintf("next\tseq %d", info.Bounds.Next),
			"bytes\t" + sizeText(info.Bytes) + " in the journal",
			fmt.Sprintf("metadata\t%s", metadataText(info.Metadata)),
			"held\t" + heldText(files),
		}
		if info.Bounds.First > 1 {
			rows = append(rows, fmt.Sprintf("trimmed\tbefore seq %d", info.Bounds.First))
		}
		table(w, rows...)
	})
}

func metadataText(m []byte) string {
	if len(m) == 0 {
		return "none"
	}
	return plural(len(m), "byte") + ": " + fmt.Sprintf("%.60q", m)
}

// heldText says which files the stream keeps from being recycled.
func heldText(files []fileReport) string {
	if len(files) == 0 {
		return "no files"
	}
	return fmt.Sprintf("%s, the oldest is %s", plural(len(files), "file"), files[0].Path)
}
