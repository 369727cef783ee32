package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aof2/aof"
)

// checkName says what is wrong with a stream name, before a store is touched.
func checkName(name string) error {
	const rule = "a stream name is 1 to 255 bytes of UTF-8 without NUL"
	switch {
	case name == "":
		return usagef(rule, "the stream name is empty")
	case len(name) > aof.MaxStreamName:
		return usagef(rule, "the stream name has %d bytes, more than %d", len(name), aof.MaxStreamName)
	case !utf8.ValidString(name):
		return usagef(rule, "the stream name %s is not valid UTF-8", strconv.Quote(name))
	case strings.ContainsRune(name, 0):
		return usagef(rule, "the stream name %s contains NUL", strconv.Quote(name))
	}
	return nil
}

// quoteName writes a name so that it cannot be mistaken for anything else on a
// line: letters, digits and harmless signs as they are, all else quoted.
func quoteName(name string) string {
	if name == "" || !utf8.ValidString(name) || name[0] == '-' {
		return strconv.Quote(name)
	}
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-/:@+", r) {
			return strconv.Quote(name)
		}
	}
	return name
}

// sizeText writes a number of bytes for people.
func sizeText(n int64) string { return strings.Replace(sizeCell(n), ".0 ", " ", 1) }

// sizeCell writes it for a column, where all have the same number of decimals.
func sizeCell(n int64) string {
	if n < 1<<10 {
		return strconv.FormatInt(n, 10) + " B"
	}
	v, unit := float64(n)/(1<<10), "KiB"
	for _, next := range []string{"MiB", "GiB", "TiB", "PiB", "EiB"} {
		if v < 1<<10 {
			break
		}
		v, unit = v/(1<<10), next
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " " + unit
}

// plural writes a count with its noun: "1 record", "2 records". Without the
// second form an s makes it.
func plural[N int | int64 | uint64](n N, one string, many ...string) string {
	switch {
	case n == 1:
		return "1 " + one
	case len(many) > 0:
		return fmt.Sprintf("%d %s", n, many[0])
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// seqRange writes which records there are: "none", "seq 7" or "seq 7 to 9".
func seqRange(first, last aof.Seq) string {
	switch {
	case last < first || last == 0:
		return "none"
	case first == last:
		return fmt.Sprintf("seq %d", first)
	}
	return fmt.Sprintf("seq %d to %d", first, last)
}

// timeText writes a time for people; JSON has it with nanoseconds.
func timeText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// secondsText writes a duration for people.
func secondsText(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) + " s"
}

// table lines up columns; the rows hold tab separated cells. A column whose first
// cell begins with ">" is set to the right.
func table(w io.Writer, rows ...string) {
	var widths []int
	right := map[int]bool{}
	cells := make([][]string, len(rows))
	for i, row := range rows {
		cells[i] = strings.Split(row, "\t")
		for k, cell := range cells[i] {
			if i == 0 && strings.HasPrefix(cell, ">") {
				right[k], cells[i][k] = true, cell[1:]
			}
			if k == len(widths) {
				widths = append(widths, 0)
			}
			widths[k] = max(widths[k], utf8.RuneCountInString(cells[i][k]))
		}
	}
	for _, row := range cells {
		var line strings.Builder
		for k, cell := range row {
			pad := strings.Repeat(" ", widths[k]-utf8.RuneCountInString(cell))
			if right[k] {
				line.WriteString(pad + cell + "  ")
			} else {
				line.WriteString(cell + pad + "  ")
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}
