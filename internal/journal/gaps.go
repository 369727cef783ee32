package journal

import "github.com/aof2/aof/internal/segment"

// gaps finds out which records the unreadable places of files held. Seqs are
// dense, so the frames around a hole tell exactly what is missing between them.
type gaps struct {
	next  map[uint32]uint64 // the record that each stream goes on with
	ends  map[uint32]int64  // where its last frame in this file ends
	holes []hole            // of this file, in their order
}

// hole is a place where no frame could be made out.
type hole struct {
	suspect
	known bool // whose records lay there, or some of them
}

func newGaps() *gaps { return &gaps{next: map[uint32]uint64{}} }

// begin turns to the next file.
func (g *gaps) begin() { g.ends, g.holes = map[uint32]int64{}, nil }

// frame looks at a data frame that verifies. It returns what is missing before.
func (g *gaps) frame(f *File, l *Lane, fr segment.Frame) []Damage {
	found := g.reach(f, l, fr.First, fr.Offset)
	g.next[l.Ordinal] = max(g.next[l.Ordinal], fr.Last()+1)
	g.ends[l.Ordinal] = fr.End()
	return found
}

// reach returns what is missing of a stream if its record seq lies at off.
func (g *gaps) reach(f *File, l *Lane, seq uint64, off int64) []Damage {
	next := max(g.next[l.Ordinal], l.First()) // what was trimmed meanwhile may be gone
	if seq <= next {
		return nil
	}
	g.next[l.Ordinal] = seq
	d := Damage{File: f.name, Offset: off, Ordinal: l.Ordinal, First: next, Last: seq - 1, Problem: "records are missing before this place"}
	first := true
	for i := range g.holes {
		h := &g.holes[i]
		if h.off < g.ends[l.Ordinal] || h.off >= off {
			continue
		}
		h.known = true
		if first {
			first = false
			d.Offset, d.Problem = h.off, h.reason
		}
		d.Length = h.end - d.Offset
	}
	return []Damage{d}
}

// end returns the holes of the file of which nobody knows what was in them.
func (g *gaps) end(f *File) (unknown []Damage) {
	for _, h := range g.holes {
		if !h.known {
			unknown = append(unknown, Damage{File: f.name, Offset: h.off, Length: h.end - h.off, Problem: h.reason})
		}
	}
	return unknown
}
