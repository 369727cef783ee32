package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// report is everything a run of the program found.
type report struct {
	Date    string   `json:"date"`
	Machine machine  `json:"machine"`
	Pairs   int      `json:"pairs"`
	Results []result `json:"results"`
}

var columns = []string{
	"row", "work", "record", "ours/s", "beside us", "theirs/s", "ratio", "lower", "bar", "verdict", "syncs/append",
}

// fields returns a result's row of the table.
func (r result) fields() []string {
	verdict := "holds"
	if !r.Holds {
		verdict = "MISSED"
	}
	if r.FreshFiles > 0 {
		verdict += "*"
	}
	return []string{
		r.Row, r.Name, byteSize(r.Bytes), count(r.Ours), r.Reference, count(r.Other),
		fmt.Sprintf("%.2f", r.Ratio.Median), fmt.Sprintf("%.2f", r.Ratio.Lower), fmt.Sprintf("%.2f", r.Bar),
		verdict, fmt.Sprintf("%.3f / %.3f", r.OursSyncs, r.OtherSyncs),
	}
}

// notes returns what a reader of the table has to know.
func (r report) notes() []string {
	notes := []string{
		r.Machine.String(),
		fmt.Sprintf("%s. Medians of %d interleaved pairs; ratio is the median of the pairs' ratios of records per "+
			"second, lower the lower end of its 95 %% bootstrap interval, which must reach the bar.", r.Date, r.Pairs),
	}
	for _, c := range r.Results {
		if c.FreshFiles > 0 {
			notes = append(notes, fmt.Sprintf("* %s, %s: our store took %d files that were not recycled ones.",
				c.Row, byteSize(c.Bytes), c.FreshFiles))
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
	_, err := io.WriteString(w, b.String())
	return err
}

func (r report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
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
