package journal

import (
	"encoding/json"
	"fmt"
	"slices"
)

// decision is what the tests decide; the journal does not look into it.
type decision struct {
	Kind    string
	Ordinal uint32      `json:",omitempty"`
	First   uint64      `json:",omitempty"`
	File    uint64      `json:",omitempty"`
	Sealed  *SealedFile `json:",omitempty"`
	Runs    []SealedRun `json:",omitempty"`
	Pad     string      `json:",omitempty"`
}

// book is a small catalog: what the decisions add up to.
type book struct {
	last    uint64
	streams map[uint32]*StreamState
	made    uint32
	files   []SealedFile
}

func newBook() *book { return &book{streams: map[uint32]*StreamState{}} }

func (b *book) clone() *book {
	c := &book{last: b.last, made: b.made, files: slices.Clone(b.files), streams: map[uint32]*StreamState{}}
	for o, s := range b.streams {
		k := *s
		k.Runs = slices.Clone(s.Runs)
		c.streams[o] = &k
	}
	return c
}

func (b *book) Decision(seq uint64, payload []byte) error {
	if seq != b.last+1 {
		return fmt.Errorf("decision %d after %d", seq, b.last)
	}
	b.last = seq
	var d decision
	if err := json.Unmarshal(payload, &d); err != nil {
		return err
	}
	switch d.Kind {
	case "create":
		b.made = d.Ordinal
		b.streams[d.Ordinal] = &StreamState{Ordinal: d.Ordinal, First: 1, Next: 1}
	case "delete":
		delete(b.streams, d.Ordinal)
	case "trim":
		b.streams[d.Ordinal].First = d.First
	case "seal":
		b.files = append(b.files, *d.Sealed)
		for _, r := range d.Runs {
			if s := b.streams[r.Ordinal]; s != nil {
				s.Runs = append(s.Runs, StreamRun{File: d.Sealed.ID, First: r.First, Last: r.Last, Newest: r.Newest})
				s.Next = r.Last + 1
			}
		}
	case "recycle":
		b.files = slices.DeleteFunc(b.files, func(f SealedFile) bool { return f.ID == d.File })
		for _, s := range b.streams {
			s.Runs = slices.DeleteFunc(s.Runs, func(r StreamRun) bool { return r.File == d.File })
		}
	}
	return nil
}

func (b *book) Next(ordinal uint32) (uint64, bool) {
	if s := b.streams[ordinal]; s != nil {
		return s.Next, true
	}
	return 0, false
}

func (b *book) Gone(ordinal uint32) bool { return b.streams[ordinal] == nil && ordinal <= b.made }
