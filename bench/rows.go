package main

import (
	"fmt"
	"strings"
)

// family is a row of the table of bars.
type family struct {
	row   string
	cells func() []cell
}

// families are the rows in the order of the table of bars.
var families = []family{
	{"P1", accepted},
	{"P2", oneWriter},
	{"P3", manyWriters},
	{"P3b", manyStreams},
	{"P4", pipelined},
	{"P5", scanned},
	{"P5b", interleaved},
	{"P6", looked},
	{"P7", opened},
	{"P11", idle},
}

// sizes are the records that most rows are measured with.
var sizes = []int{128, 1 << 10, 16 << 10}

// quickSize is the one of them that the short run takes.
const quickSize = 1 << 10

func rowNames() string {
	var names []string
	for _, f := range families {
		names = append(names, f.row)
	}
	return strings.Join(names, ",")
}

// cells returns the cells of the rows with these names, in the order of the table of bars; of a quick
// run, those that belong to it.
func cells(rows string, quick bool) ([]cell, error) {
	wanted := map[string]bool{}
	for row := range strings.SplitSeq(rows, ",") {
		if row = strings.TrimSpace(row); row != "" {
			wanted[row] = true
		}
	}
	var all []cell
	for _, f := range families {
		if !wanted[f.row] {
			continue
		}
		delete(wanted, f.row)
		for _, c := range f.cells() {
			c.row = f.row
			if !quick || c.quick {
				all = append(all, c)
			}
		}
	}
	for row := range wanted {
		return nil, fmt.Errorf("there is no row %q; the rows are %s", row, rowNames())
	}
	return all, nil
}

// bySize makes a cell for each size of record out of one, judged by its rate; the last bar holds for the
// sizes that have none of their own. The short run takes the middle size.
func bySize(c cell, bars ...float64) []cell {
	out := make([]cell, len(sizes))
	for i, size := range sizes {
		out[i] = c
		out[i].work.size = size
		out[i].quick = size == quickSize
		out[i].checks = []check{rate(bars[min(i, len(bars)-1)])}
	}
	return out
}
