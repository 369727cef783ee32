package main

import (
	"fmt"

	"github.com/aof2/aof/bench/peer"
)

// The cells of the rows in which other logs stand beside ours. A bar against the best of them is a bar
// against each.

// eachPeer makes cells for those that can do it.
func eachPeer(can func(peer.Kind) bool, cellsFor func(peer.Kind) []cell) []cell {
	var out []cell
	for _, k := range peer.Kinds() {
		if can(k) {
			out = append(out, cellsFor(k)...)
		}
	}
	return out
}

func anyPeer(peer.Kind) bool { return true }

// slowly takes cells out of the short run.
func slowly(cells []cell) []cell {
	for i := range cells {
		cells[i].quick = false
	}
	return cells
}

func acceptedBesidePeers() []cell {
	return eachPeer(func(k peer.Kind) bool { return k.Accepts }, func(k peer.Kind) []cell {
		return bySize(cell{
			name: "accepted, 1 writer, bursts of 16 MiB", work: work{writers: 1, batch: 1},
			reference: k.Name, ours: newOursAccepted, other: besidePeerAccepting(k),
		}, 8, 8, 4)
	})
}

func oneWriterBesidePeers() []cell {
	return eachPeer(anyPeer, func(k peer.Kind) []cell {
		return bySize(cell{
			name: "durable, 1 writer", work: work{writers: 1, batch: 1},
			reference: k.Name, ours: newOurs, other: besidePeer(k),
		}, 0.95, 1.1, 1.4)
	})
}

func manyWritersBesidePeers() []cell {
	return eachPeer(anyPeer, func(k peer.Kind) []cell {
		var out []cell
		for i, c := range crowds {
			c.reference, c.ours, c.other = titleFor(k, c.work), newOurs, besidePeer(k)
			made := bySize(c, 1.4, 1.5, 1.8)
			if i > 0 {
				made = slowly(made)
			}
			out = append(out, made...)
		}
		return out
	})
}

// titleFor names the group commit of ours where there is one.
func titleFor(k peer.Kind, w work) string {
	if w.writers > 1 {
		return k.Title()
	}
	return k.Name
}

// mostLogs is how many logs of a kind a cell opens: they preallocate their files.
const mostLogs = 64

func manyStreamsBesidePeers() []cell {
	return eachPeer(anyPeer, func(k peer.Kind) []cell {
		var out []cell
		for _, writers := range []int{64, 1000} {
			c := cell{
				name:      fmt.Sprintf("durable, %d writers on as many streams", writers),
				work:      work{writers: writers, batch: 1, streams: writers},
				reference: k.Title() + ", one log", ours: newOurs, other: besidePeer(k),
			}
			out = append(out, slowly(bySize(c, 1))...)
			if k.Grouped && writers <= mostLogs {
				c.reference, c.other = k.Name+", a log each", besideManyPeers(k)
				out = append(out, slowly(bySize(c, 1))...)
			}
		}
		return out
	})
}

func pipelinedBesidePeers() []cell {
	return eachPeer(anyPeer, func(k peer.Kind) []cell {
		return bySize(cell{
			name: "durable, pipelined, 1 writer", work: work{writers: 1, batch: 1},
			reference: k.Name + ", batches of 100", ours: newOursPipelined, other: besidePeerInBatches(k),
		}, 10, 4, 1.5)
	})
}

// scannedBesidePeers asks to be ahead of those that verify what they read, and for half of those that do
// not.
func scannedBesidePeers() []cell {
	return eachPeer(func(k peer.Kind) bool { return k.Scans }, func(k peer.Kind) []cell {
		bar, reference := 1.0, k.Name
		if !k.Verifies {
			bar, reference = 0.5, k.Name+", verifies nothing"
		}
		var out []cell
		for _, size := range scanSizes {
			c := cell{
				name: "scan, verifying", work: work{size: size, streams: 1}, quick: size == quickSize,
				reference: reference, ours: newOursScan, other: besidePeerReading(k, true), checks: []check{rate(bar)},
			}
			if size != scanBarSize {
				c.checks = []check{rate(0)}
			}
			out = append(out, c)
		}
		return out
	})
}

func lookedBesidePeers() []cell {
	return eachPeer(func(k peer.Kind) bool { return k.Random }, func(k peer.Kind) []cell {
		out := bySize(cell{
			name: "random read, resident", work: work{writers: 1, streams: 1},
			reference: k.Name, ours: newOursLookup, other: besidePeerReading(k, false),
		}, 0.9)
		return append(out, cell{
			name: "random read, not in the cache, 8 readers", work: work{size: 1 << 10, writers: 8, streams: 1},
			reference: k.Name, ours: newOursColdLookup, other: besidePeerReadingCold(k), checks: []check{rate(1)},
		})
	})
}

func openedBesidePeers() []cell {
	return eachPeer(func(k peer.Kind) bool { return k.Loads }, func(k peer.Kind) []cell {
		var out []cell
		for _, end := range []struct {
			name  string
			clean bool
		}{{"clean", true}, {"kill -9", false}} {
			out = append(out, cell{
				name: "open + append, 1 GiB, " + end.name, work: work{size: 1 << 10, streams: 1},
				reference: k.Name, ours: newOpening("", end.clean), other: newOpening(k.Name, end.clean),
				checks: []check{times("open + append", 1, func(s sample) float64 { return s.elapsed.Seconds() })},
			})
		}
		return out
	})
}
