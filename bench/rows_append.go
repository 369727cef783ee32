package main

import "fmt"

// oneWriter is row P2: a durable append after the other.
func oneWriter() []cell {
	return bySize(cell{
		name: "durable, 1 writer", work: work{writers: 1, batch: 1},
		reference: "a: write + sync", ours: newOurs, other: newSyncLoop,
	}, 0.9)
}

// crowds are the ways in which row P3 appends.
var crowds = []cell{
	{name: "durable, 64 writers, one stream", work: work{writers: 64, batch: 1}},
	{name: "durable, 1 writer, batches of 100", work: work{writers: 1, batch: 100}},
	{name: "durable, 64 writers, one stream, batches of 100", work: work{writers: 64, batch: 100}},
}

// manyWriters is row P3: durable appends that can share a sync.
func manyWriters() []cell {
	var out []cell
	for _, c := range crowds {
		c.reference, c.ours, c.other = "b: group buffer", newOurs, newGroupLoop
		out = append(out, bySize(c, 0.85)...)
	}
	return out
}

// manyStreams is row P3b. It has ourselves on both sides: what does it cost that each writer has its own
// stream?
func manyStreams() []cell {
	var out []cell
	for _, writers := range []int{64, 1000} {
		out = append(out, bySize(cell{
			name:      fmt.Sprintf("durable, %d writers on as many streams", writers),
			work:      work{writers: writers, batch: 1, streams: writers},
			reference: "ours on one stream", ours: newOurs, other: oursOnOneStream,
		}, 0.8)...)
	}
	return out
}

func oursOnOneStream(dir string, w work) (side, error) {
	w.streams = 1
	return newOurs(dir, w)
}

// pipelined is row P4: nobody waits for a sync, and the time ends when all is durable.
func pipelined() []cell {
	return bySize(cell{
		name: "durable, pipelined, 1 writer", work: work{writers: 1, batch: 1},
		reference: "c: group buffer, pipelined", ours: newOursPipelined, other: newPipelinedLoop,
	}, 0.6)
}
