package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/aof2/aof"
)

func (a *app) infoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "info STREAM",
		Short: "Show one stream: its records, its bytes and the files it holds",
		Long: `Show one stream: which records there are, how many bytes of the journal they
take, when the first and the last of them were accepted, how fast they came, and
which files cannot be recycled because of them. It takes no lock and shows the state
at the moment it starts.

The rates are over the life of the stream, from its creation to its last record, with
the records that are trimmed by now; a record counts with the bytes that one of those
still on disk takes on average. What a running program has accepted and not yet made
durable only that program knows.

With --json it is what ls prints of the stream, and the files as segments prints
them. The times are absent when there is no record, or with times_problem when they
cannot be read; the rates when no time lies between; lag_records beside a running
program:
  {"dir":"d","snapshot":false,"name":"s","id":1,"created":"TIME","records":2,
   "first":1,"durable":2,"next":3,"bytes":96,"files":1,
   "metadata_base64":"absent when there is none","first_time":"TIME",
   "last_time":"TIME","times_problem":"why","records_per_second":0.5,
   "bytes_per_second":24,"lag_records":0,"in_files":[...],"pinned_by":[...]}

"pins" (pinned_by) says who holds on to the oldest file: of a full store, those are
the streams to trim first.`,
		Example: "  aof info orders\n  aof info orders --json",
		Args:    arguments(1, 1, "STREAM"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkName(args[0]); err != nil {
				return err
			}
			return a.withView(cmd.Context(), func(v *aof.View) error { return a.info(cmd.Context(), v, args[0]) })
		},
	}
	return a.jsonFlag(cmd)
}

type infoReport struct {
	viewReport
	streamReport
	paceReport
	Runs   []fileReport `json:"in_files"`
	Pinned []string     `json:"pinned_by"` // streams with records in the oldest sealed file that is needed, eight at most
}

// paceReport is when the records of a stream came and how fast.
type paceReport struct {
	FirstTime  *time.Time `json:"first_time,omitempty"`
	LastTime   *time.Time `json:"last_time,omitempty"`
	Problem    string     `json:"times_problem,omitempty"` // why the times are not known
	RecordRate *float64   `json:"records_per_second,omitempty"`
	ByteRate   *float64   `json:"bytes_per_second,omitempty"`
	Lag        *uint64    `json:"lag_records,omitempty"` // accepted and not durable; absent when only a program knows
}

func (a *app) info(ctx context.Context, v *aof.View, name string) error {
	info, err := v.Stream(name)
	if err != nil {
		return streamError(a.dir, name, v.Recovery(), err)
	}
	pace, err := measurePace(ctx, v, info)
	if err != nil {
		return err
	}
	files := reportFiles(v.Files(), name)
	report := infoReport{a.reportView(v), reportStream(info), pace, files, v.Pinned()}
	return a.report(report, func(w io.Writer) {
		rows := []string{
			"stream\t" + quoteName(name),
			fmt.Sprintf("id\t%d", info.ID),
			"created\t" + timeText(info.Created) + " UTC",
			fmt.Sprintf("records\t%d (%s)", info.Records(), seqRange(info.Bounds.First, info.Bounds.Durable)),
			fmt.Sprintf("next\tseq %d", info.Bounds.Next),
			"bytes\t" + sizeText(info.Bytes) + " in the journal",
		}
		rows = append(rows, pace.rows()...)
		rows = append(rows, "metadata\t"+metadataText(info.Metadata), "held\t"+heldText(files))
		if slices.Contains(report.Pinned, name) {
			rows = append(rows, "pins\tthe oldest hot file that is needed")
		}
		if info.Bounds.First > 1 {
			rows = append(rows, fmt.Sprintf("trimmed\tbefore seq %d", info.Bounds.First))
		}
		table(w, rows...)
	})
}

// measurePace reads the first and the last record for their times. Damage there
// makes them unknown; it is no reason to say nothing of the stream.
func measurePace(ctx context.Context, v *aof.View, info aof.StreamInfo) (paceReport, error) {
	var p paceReport
	if _, running := v.Running(); !running {
		lag := uint64(info.Bounds.Next - 1 - info.Bounds.Durable)
		p.Lag = &lag
	}
	if info.Records() == 0 {
		return p, nil
	}
	first, err := timeOf(ctx, v, info.Name, info.Bounds.First)
	if err == nil {
		p.FirstTime = &first
		var last time.Time
		if last, err = timeOf(ctx, v, info.Name, info.Bounds.Durable); err == nil {
			p.LastTime = &last
			p.rate(info, v.Files())
		}
	}
	if ctx.Err() != nil {
		return p, ctx.Err()
	}
	if err != nil {
		p.Problem = plain(err)
	}
	return p, nil
}

// timeOf reads one record for its time.
func timeOf(ctx context.Context, v *aof.View, name string, seq aof.Seq) (time.Time, error) {
	r, err := v.Reader(name, aof.ReaderOptions{From: seq, To: seq})
	if err != nil {
		return time.Time{}, err
	}
	defer func() { _ = r.Close() }()
	record, err := r.Next(ctx)
	return record.Time.UTC(), err
}

// rate divides what came by the time it took, where time went by.
func (p *paceReport) rate(info aof.StreamInfo, files []aof.FileInfo) {
	seconds := p.LastTime.Sub(info.Created).Seconds()
	var there uint64 // records that the bytes belong to: trimmed ones too until their file goes
	for _, f := range files {
		for _, run := range f.Runs {
			if run.ID == info.ID {
				there += uint64(run.Last - run.First + 1)
			}
		}
	}
	if seconds <= 0 || there == 0 {
		return
	}
	records := float64(info.Bounds.Durable) / seconds
	bytes := records * float64(info.Bytes) / float64(there)
	p.RecordRate, p.ByteRate = &records, &bytes
}

// rows is the pace as lines of a table.
func (p *paceReport) rows() (rows []string) {
	if p.FirstTime != nil {
		rows = append(rows, "first\t"+timeText(*p.FirstTime)+" UTC")
	}
	if p.LastTime != nil {
		rows = append(rows, "last\t"+timeText(*p.LastTime)+" UTC")
	}
	if p.Problem != "" {
		rows = append(rows, "times\tnot all known: "+p.Problem)
	}
	if p.RecordRate != nil {
		rows = append(rows, fmt.Sprintf("rate\t%s records/s, %s/s since it was created", rateText(*p.RecordRate), sizeText(int64(*p.ByteRate))))
	}
	if p.Lag == nil {
		return append(rows, "lag\tknown only to the program that uses the store: what it accepted and has not synced")
	}
	return append(rows, "lag\tnone: no program uses the store")
}

// rateText writes how often something happens, with three digits that count.
func rateText(perSecond float64) string {
	if perSecond >= 100 {
		return strconv.FormatFloat(perSecond, 'f', 0, 64)
	}
	return strconv.FormatFloat(perSecond, 'g', 3, 64)
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
