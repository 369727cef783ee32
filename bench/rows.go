package main

import (
	"fmt"
	"slices"
	"strings"
)

// family is a row of the table of bars.
type family struct {
	row   string
	cells func() []cell
}

// families are the rows in the order of the table of bars, the reference loops before the other logs.
var families = []family{
	{"P1", accepted},
	{"P1", acceptedBesidePeers},
	{"P2", oneWriter},
	{"P2", oneWriterBesidePeers},
	{"P3", manyWriters},
	{"P3", manyWritersBesidePeers},
	{"P3b", manyStreams},
	{"P3b", manyStreamsBesidePeers},
	{"P4", pipelined},
	{"P4", pipelinedBesidePeers},
	{"P5", scanned},
	{"P5", scannedBesidePeers},
	{"P5b", interleaved},
	{"P6", looked},
	{"P6", lookedBesidePeers},
	{"P7", opened},
	{"P7", openedBesidePeers},
	{"P11", idle},
}

// sizes are the records that most rows are measured with.
var sizes = []int{128, 1 << 10, 16 << 10}

// quickSize is the one of them that the short run takes.
const quickSize = 1 << 10

func rowNames() string {
	var names []string
	for _, f := range families {
		if !slices.Contains(names, f.row) {
			names = append(names, f.row)
		}
	}
	return strings.Join(names, ",")
}

// cells returns the cells of the rows with these names, in the order of the table of bars; of a quick
// run, those that belong to it, and only those whose reference has beside in its name.
func cells(rows, beside string, quick bool) ([]cell, error) {
	wanted := map[string]bool{}
	for row := range strings.SplitSeq(rows, ",") {
		if row = strings.TrimSpace(row); row != "" {
			wanted[row] = true
		}
	}
	known := map[string]bool{}
	var all []cell
	for _, f := range families {
		if !wanted[f.row] {
			continue
		}
		known[f.row] = true
		for _, c := range f.cells() {
			c.row = f.row
			if (!quick || c.quick) && strings.Contains(c.reference, beside) {
				all = append(all, c)
			}
		}
	}
	for row := range wanted {
		if known[row] {
			continue
		}
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
