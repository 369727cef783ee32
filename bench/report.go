package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// report is everything a run of the program found.
type report struct {
	Date    string        `json:"date"`
	Machine machine       `json:"machine"`
	Pairs   int           `json:"pairs"`
	Results []result      `json:"results"`
	Curves  []curveResult `json:"curves,omitempty"`
}

// result is what one check of a cell came to.
type result struct {
	Row              string    `json:"row"`
	Name             string    `json:"name"`
	Bytes            int       `json:"record_bytes"`
	Writers          int       `json:"writers"`
	Batch            int       `json:"batch"`
	Streams          int       `json:"streams"`
	Measure          string    `json:"measure"`
	Unit             unit      `json:"unit"`
	Reference        string    `json:"reference"`
	Ours             float64   `json:"ours"`
	Other            float64   `json:"reference_value"`
	Absolute         bool      `json:"absolute"` // the ratio is our own value, for there is no other
	Ratio            interval  `json:"ratio"`
	Bar              float64   `json:"bar"`
	AtMost           bool      `json:"at_most"`
	Holds            bool      `json:"holds"`
	OursSyncs        float64   `json:"ours_syncs_per_append"` // -1: not counted
	OtherSyncs       float64   `json:"reference_syncs_per_append"`
	FreshFiles       int       `json:"fresh_files"`
	Ratios           []float64 `json:"ratios"`
	SecondsPerSample float64   `json:"seconds_per_sample"`
	Error            string    `json:"error,omitempty"` // the cell did not run
}

// result returns a result that says what was done and nothing of what came of it.
func (c cell) result() result {
	return result{
		Row: c.row, Name: c.name, Bytes: c.work.size, Writers: c.work.writers, Batch: c.work.batch,
		Streams: max(1, c.work.streams), Reference: c.reference, OursSyncs: -1, OtherSyncs: -1,
	}
}

// failed returns the result of a cell that did not run.
func (c cell) failed(err error) result {
	r := c.result()
	r.Error = strings.Join(strings.Fields(err.Error()), " ")
	return r
}

var columns = []string{
	"row", "work", "record", "measure", "ours", "beside us", "theirs", "ratio", "bound", "bar", "verdict", "syncs/append",
}

// fields returns a result's row of the table.
func (r result) fields() []string {
	head := []string{r.Row, r.Name, "-"}
	if r.Bytes > 0 {
		head[2] = byteSize(r.Bytes)
	}
	if r.Error != "" {
		return append(head, "", "", r.Reference, "", "", "", "", "FAILED: "+strings.ReplaceAll(r.Error, "|", "/"), "")
	}
	other, ratio, bound, bar := r.Unit.write(r.Other), fixed(r.Ratio.Median), fixed(r.Ratio.Lower), fixed(r.Bar)
	if r.AtMost {
		bound = fixed(r.Ratio.Upper)
	}
	if r.Absolute {
		other, ratio, bar = "", "", r.Unit.write(r.Bar)
		bound = r.Unit.write(r.Ratio.Upper)
	}
	return append(head, r.Measure, r.Unit.write(r.Ours), r.Reference, other, ratio, bound, r.limit(bar), r.verdict(),
		syncs(r.OursSyncs)+" / "+syncs(r.OtherSyncs))
}

func (r result) barless() bool { return r.Bar == 0 && !r.AtMost }

func (r result) limit(bar string) string {
	switch {
	case r.barless():
		return "-"
	case r.AtMost:
		return "≤ " + bar
	}
	return "≥ " + bar
}

func (r result) verdict() string {
	verdict := "holds"
	switch {
	case r.barless():
		verdict = "no bar"
	case !r.Holds:
		verdict = "MISSED"
	}
	if r.FreshFiles > 0 {
		verdict += "*"
	}
	return verdict
}

func (r report) failures() (n int) {
	for _, one := range r.Results {
		if one.Error != "" {
			n++
		}
	}
	for _, c := range r.Curves {
		n += len(c.Errors)
	}
	return n
}

// notes returns what a reader of the table has to know.
func (r report) notes() []string {
	notes := []string{
		r.Machine.String(),
		fmt.Sprintf("%s. Medians of %d interleaved pairs. Ratio is the median of the pairs' ratios of ours to theirs, "+
			"bound the end of its 95 %% bootstrap interval that must reach the bar: the lower end for a bar with ≥, the "+
			"upper end for one with ≤.", r.Date, r.Pairs),
	}
	if r.Pairs < 20 {
		notes = append(notes, "Fewer than 20 pairs are a look, not a verdict.")
	}
	for _, c := range r.Results {
		if c.FreshFiles > 0 {
			notes = append(notes, fmt.Sprintf("* %s, %s: our store took %d files that were not recycled ones.",
				c.Row, byteSize(c.Bytes), c.FreshFiles))
		}
	}
	for _, c := range r.Curves {
		for _, problem := range c.Errors {
			notes = append(notes, "FAILED: "+c.Name+": "+problem)
		}
	}
	return notes
}

func (r report) writeText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(columns, "\t"))
	for _, c := range r.Results {
		fmt.Fprintln(t, strings.Join(c.fields(), "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", strings.Join(r.notes(), "\n"))
	return err
}

func (r report) writeMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, c := range r.Results {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(c.fields(), " | "))
	}
	fmt.Fprintf(&b, "\n%s\n", strings.Join(r.notes(), "\n\n"))
	for _, c := range r.Curves {
		fmt.Fprintf(&b, "\n![%s](%s.svg)\n", c.Title, c.Name)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// write writes a value with the three digits that mean something.
func (u unit) write(v float64) string {
	switch u {
	case perSecond:
		return count(v)
	case seconds:
		return time.Duration(v * 1e9).Round(roundTo(v)).String()
	case byteCount:
		return byteSize(int(v))
	}
	return fixed(v)
}

// roundTo returns the third digit of so many seconds.
func roundTo(v float64) time.Duration {
	step := time.Duration(1)
	for rest := v * 1e9; rest >= 1000; rest /= 10 {
		step *= 10
	}
	return step
}

func fixed(v float64) string { return fmt.Sprintf("%.2f", v) }

func syncs(v float64) string {
	if v < 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f", v)
}

func byteSize(n int) string {
	if n >= 1<<10 && n%(1<<10) == 0 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}

// count writes a rate with three digits that mean something.
func count(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.2fM", v/1e6)
	case v >= 1e5:
		return fmt.Sprintf("%.0fk", v/1e3)
	case v >= 1e3:
		return fmt.Sprintf("%.1fk", v/1e3)
	}
	return fmt.Sprintf("%.0f", v)
}
