package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/aof2/aof"
)

func (a *app) verifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify [STREAM]",
		Short: "Check every checksum and show exactly what is damaged",
		Long: `Read the whole store, or one stream, and check every checksum. When something
does not verify, it prints the exact range of each damage and exits with 1. As a
rule all other records can still be read; where damage hides records of which nobody
knows whose and how many they were, it says so. It takes no lock, changes nothing and
checks the state at the moment it starts.

With --json, where length 0 is a place or a whole file, stream, first and last are
absent when it cannot be known whose bytes they were, read_only is why the store takes
no appends and absent when it does, hidden says that damage may hide records, and
torn_bytes were written behind the end and never acknowledged, which is no damage:
  {"dir":"d","snapshot":false,"streams":["s"],"ok":false,"files":1,"frames":2,
   "records":3,"bytes":4280,"damage":[{"file":"journal/0000000000000001.aof",
   "offset":4200,"length":80,"stream":"s","first":1,"last":2,"problem":"why"}],
   "read_only":"why","hidden":true,"torn_bytes":0}`,
		Example: "  aof verify\n  aof verify orders --json | jq .damage",
		Args:    arguments(0, 1, "[STREAM]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, name := range args {
				if err := checkName(name); err != nil {
					return err
				}
			}
			a.checks = true
			return a.withView(cmd.Context(), func(v *aof.View) error { return a.verify(cmd.Context(), v, args) })
		},
	}
	return a.jsonFlag(cmd)
}

type verifyReport struct {
	viewReport
	Streams  []string       `json:"streams,omitempty"` // empty: everything
	OK       bool           `json:"ok"`
	Files    int            `json:"files"`
	Frames   uint64         `json:"frames"`
	Records  uint64         `json:"records"`
	Bytes    int64          `json:"bytes"`
	Damage   []damageReport `json:"damage"`
	ReadOnly string         `json:"read_only,omitempty"` // why the store takes no appends
	Hidden   bool           `json:"hidden,omitempty"`    // there may be records nobody knows of
	Torn     int64          `json:"torn_bytes"`          // written and never acknowledged: no damage
}

type damageReport struct {
	File    string  `json:"file"`
	Offset  int64   `json:"offset"`
	Length  int64   `json:"length"`
	Stream  string  `json:"stream,omitempty"` // absent when it cannot be attributed
	First   aof.Seq `json:"first,omitempty"`
	Last    aof.Seq `json:"last,omitempty"`
	Problem string  `json:"problem"`
}

func (a *app) verify(ctx context.Context, v *aof.View, streams []string) error {
	for _, name := range streams {
		if _, err := v.Stream(name); err != nil {
			return streamError(a.dir, name, v.Recovery(), err)
		}
	}
	p := a.newProgress()
	checked, whole := int64(0), int64(0)
	found, err := v.Verify(ctx, aof.VerifyOptions{Streams: streams, Progress: func(done, total int64) {
		checked, whole = done, total
		p.show("verify: %s of %s", sizeText(done), sizeText(total))
	}})
	p.done()
	if err != nil {
		far := fmt.Sprintf("%s of %s checked", sizeText(checked), sizeText(whole))
		return &stoppedError{err: err, far: far, do: "run `aof verify` again"}
	}
	report := reportVerify(found, v.Recovery(), streams)
	report.viewReport = a.reportView(v)
	if err := a.report(report, report.text); err != nil {
		return err
	}
	return report.verdict()
}

// verdict is the failure that damage is, with what can be done about this damage.
func (r *verifyReport) verdict() error {
	f := &failure{code: exitDamage, what: isDamaged(len(r.Damage))}
	behind := ""
	for _, d := range r.Damage {
		if d.First > 0 && d.Stream != "" {
			behind = fmt.Sprintf("`aof cat %s --from %d` begins behind the first damage", quoteName(d.Stream), d.Last+1)
			break
		}
	}
	switch {
	case r.Hidden && len(r.Damage) == 0:
		f.what = "nothing that is known of stream " + quoteName(r.Streams[0]) + " is damaged, but damage elsewhere may hide records of it"
		f.do = "`aof verify` shows what is damaged; restore the store from a copy"
	case r.Hidden:
		f.what += ", and records may be hidden there: whose and how many is not known"
		f.do = "restore the store from a copy; what `aof ls` still shows can be read, to compare with the copy"
	case r.OK:
		return nil
	case behind != "":
		f.do = "all other records can be read: " + behind + "; restore the rest from a copy"
	default:
		f.do = "no record is harmed, all can be read: copy them to a new store with cat and append --length-prefixed, or restore the file from a copy"
	}
	return f
}

func reportVerify(found *aof.Report, recovery aof.Recovery, streams []string) verifyReport {
	report := verifyReport{
		Streams: streams, Files: found.Files, Frames: found.Frames, Records: found.Records,
		Bytes: found.Bytes, Damage: []damageReport{}, Torn: recovery.Torn,
	}
	for _, d := range found.Damage {
		report.Damage = append(report.Damage, damageReport(d))
	}
	if recovery.ReadOnly != nil {
		report.ReadOnly = withoutReadOnly(recovery.ReadOnly)
	}
	report.Hidden = hides(recovery)
	report.OK = len(report.Damage) == 0 && !report.Hidden
	return report
}

func (r verifyReport) text(w io.Writer) {
	for _, d := range r.Damage {
		fmt.Fprintf(w, "damage: %s\n", d.text())
	}
	fmt.Fprintf(w, "checked %s, %s, %s, %s: ", plural(r.Files, "file"), plural(r.Frames, "frame"), plural(r.Records, "record"), sizeText(r.Bytes))
	if len(r.Damage) == 0 {
		fmt.Fprintln(w, "no damage")
	} else {
		fmt.Fprintln(w, isDamaged(len(r.Damage)))
	}
	if r.ReadOnly != "" {
		fmt.Fprintf(w, "the store takes no appends: %s\n", r.ReadOnly)
	}
	if r.Torn > 0 {
		fmt.Fprintf(w, "behind the end lie %s that were written and never acknowledged: no damage\n", plural(r.Torn, "byte"))
	}
}

func (d damageReport) text() string {
	s := d.File
	switch {
	case d.Length > 0:
		s += fmt.Sprintf(", bytes %d to %d", d.Offset, d.Offset+d.Length-1)
	case d.Offset > 0:
		s += fmt.Sprintf(", at byte %d", d.Offset)
	}
	switch {
	case d.Stream != "":
		s += ", stream " + quoteName(d.Stream)
	case d.First > 0:
		s += ", a stream that is not known"
	}
	if d.First > 0 {
		s += ", " + seqRange(d.First, d.Last)
	}
	return s + ": " + d.Problem
}

func isDamaged(n int) string { return plural(n, "range is damaged", "ranges are damaged") }
