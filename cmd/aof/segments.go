package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/aof2/aof"
)

func (a *app) segmentsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "segments [STREAM]",
		Short: "Show where the bytes are: the files, or those of one stream",
		Long: `Show every file of the store with its state and what it takes, in bytes and on the
disk. Files of the journal are prepared (empty, ready to be taken), open (receives
records), rolled (complete), sealed (immutable) or missing. Other files are free
(recycled, waits to be prepared), snapshot, spare (room for the next snapshot),
current (where the journal begins), lock, settings, leftover (of an attempt to
prepare a file), directory, or foreign (not of the store). Their sum is what the
directory takes.

With a stream, show only the files that hold records of it, and which. It takes no
lock and shows the state at the moment it starts.

With --json, where runs says which records of which stream lie in the file, and
the stream at the top is the one that was asked for, if one was; then there are no
others and no sum:
  {"dir":"d","snapshot":false,"stream":"s","files":[{"id":1,
   "path":"journal/0000000000000001.aof","state":"open","bytes":67108864,
   "data_bytes":4280,"disk_bytes":67108864,
   "runs":[{"stream":"s","id":1,"first":1,"last":2,"bytes":96}]}],
   "others":[{"path":"journal/current","state":"current","bytes":8192,
   "disk_bytes":8192}],"total_bytes":67117056,"total_disk_bytes":67117056}`,
		Example: "  aof segments\n  aof segments orders\n  aof segments --json | jq '.files[].runs'",
		Args:    arguments(0, 1, "[STREAM]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.withView(cmd.Context(), func(v *aof.View) error { return a.allSegments(cmd.Context(), v) })
			}
			if err := checkName(args[0]); err != nil {
				return err
			}
			return a.withView(cmd.Context(), func(v *aof.View) error { return a.streamSegments(v, args[0]) })
		},
	}
	return a.jsonFlag(cmd)
}

type segmentsReport struct {
	viewReport
	Stream    string       `json:"stream,omitempty"`
	Files     []fileReport `json:"files"`
	Others    []diskReport `json:"others,omitempty"`
	Bytes     int64        `json:"total_bytes,omitempty"`
	DiskBytes int64        `json:"total_disk_bytes,omitempty"`
}

func (a *app) streamSegments(v *aof.View, stream string) error {
	if _, err := v.Stream(stream); err != nil {
		return streamError(a.dir, stream, v.Recovery(), err)
	}
	report := segmentsReport{viewReport: a.reportView(v), Stream: stream, Files: reportFiles(v.Files(), stream)}
	return a.report(report, func(w io.Writer) { streamFilesTable(w, report.Files) })
}

func (a *app) allSegments(ctx context.Context, v *aof.View) error {
	report := segmentsReport{viewReport: a.reportView(v), Files: reportFiles(v.Files(), "")}
	if err := report.addDisk(ctx, a.dir); err != nil {
		return err
	}
	return a.report(report, report.text)
}

// addDisk looks at the directory itself: what the files take on the disk, and what
// lies beside the files of the journal.
func (r *segmentsReport) addDisk(ctx context.Context, dir string) error {
	found, err := walkDisk(ctx, dir)
	if err != nil {
		return err
	}
	at := map[string]int{}
	for i, f := range r.Files {
		at[f.Path] = i
	}
	for _, d := range found {
		r.Bytes += d.Bytes
		r.DiskBytes += d.DiskBytes
		if i, ok := at[d.Path]; ok {
			r.Files[i].DiskBytes = d.DiskBytes
			continue
		}
		r.Others = append(r.Others, d)
	}
	return nil
}

func (r *segmentsReport) text(w io.Writer) {
	rows := []string{"FILE\tSTATE\t>SIZE\t>ON DISK\t>DATA\t>STREAMS\t>RECORDS"}
	var data int64
	for _, f := range r.Files {
		streams, records := f.holds()
		data += f.DataBytes
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%d\t%d", f.Path, f.State, sizeCell(f.Bytes), sizeCell(f.DiskBytes), sizeCell(f.DataBytes), streams, records))
	}
	for _, d := range r.Others {
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t-\t-\t-", quoteName(d.Path), d.State, sizeCell(d.Bytes), sizeCell(d.DiskBytes)))
	}
	table(w, rows...)
	fmt.Fprintf(w, "%s and %s, %s, %s of it data; on the disk they take %s\n",
		plural(len(r.Files), "file of the journal", "files of the journal"), plural(len(r.Others), "other"), sizeText(r.Bytes), sizeText(data), sizeText(r.DiskBytes))
}

// filesTable lists files with what they hold, and their sum.
func filesTable(w io.Writer, files []fileReport) {
	rows := []string{"FILE\tSTATE\t>SIZE\t>DATA\t>STREAMS\t>RECORDS"}
	var size, data int64
	for _, f := range files {
		streams, records := f.holds()
		size += f.Bytes
		data += f.DataBytes
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%d", f.Path, f.State, sizeCell(f.Bytes), sizeCell(f.DataBytes), streams, records))
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
