package main

import (
	"fmt"
	"strings"
)

// cell is one comparison: the same work by two sides, and the ratio that must be reached.
type cell struct {
	row       string
	name      string
	work      work
	bar       float64
	reference string // what stands beside us
	ours      contestant
	other     contestant
}

// contestant opens a side in an empty directory.
type contestant func(dir string, w work) (side, error)

var sizes = []int{128, 1 << 10, 16 << 10}

// cells returns the cells of the rows with these names, in the order of the table of bars.
func cells(rows string) ([]cell, error) {
	makers := []struct {
		row  string
		make func() []cell
	}{{"P2", oneWriter}, {"P3", manyWriters}, {"P3b", manyStreams}, {"P4", pipelined}}
	wanted := map[string]bool{}
	for _, row := range strings.Split(rows, ",") {
		wanted[strings.TrimSpace(row)] = true
	}
	var all []cell
	for _, m := range makers {
		if wanted[m.row] {
			all = append(all, m.make()...)
			delete(wanted, m.row)
		}
	}
	for row := range wanted {
		return nil, fmt.Errorf("there is no row %q; the rows are P2, P3, P3b and P4", row)
	}
	return all, nil
}

func oneWriter() []cell {
	var out []cell
	for _, size := range sizes {
		out = append(out, cell{
			row: "P2", name: "durable, 1 writer", bar: 0.9,
			work:      work{size: size, writers: 1, batch: 1},
			reference: "a: write + sync", ours: newOurs, other: newSyncLoop,
		})
	}
	return out
}

func manyWriters() []cell {
	var out []cell
	for _, of := range []struct {
		name           string
		writers, batch int
	}{
		{"durable, 64 writers, one stream", 64, 1},
		{"durable, 1 writer, batches of 100", 1, 100},
		{"durable, 64 writers, one stream, batches of 100", 64, 100},
	} {
		for _, size := range sizes {
			out = append(out, cell{
				row: "P3", name: of.name, bar: 0.85,
				work:      work{size: size, writers: of.writers, batch: of.batch},
				reference: "b: group buffer", ours: newOurs, other: newGroupLoop,
			})
		}
	}
	return out
}

// manyStreams has ourselves on both sides: what does it cost that each writer has its own stream?
func manyStreams() []cell {
	var out []cell
	for _, writers := range []int{64, 1000} {
		for _, size := range sizes {
			out = append(out, cell{
				row: "P3b", name: fmt.Sprintf("durable, %d writers on as many streams", writers), bar: 0.8,
				work:      work{size: size, writers: writers, batch: 1, streams: writers},
				reference: "ours on one stream", ours: newOurs, other: oursOnOneStream,
			})
		}
	}
	return out
}

func oursOnOneStream(dir string, w work) (side, error) {
	w.streams = 1
	return newOurs(dir, w)
}

func pipelined() []cell {
	var out []cell
	for _, size := range sizes {
		out = append(out, cell{
			row: "P4", name: "durable, pipelined, 1 writer", bar: 0.6,
			work:      work{size: size, writers: 1, batch: 1},
			reference: "c: group buffer, pipelined", ours: newOursPipelined, other: newPipelinedLoop,
		})
	}
	return out
}
