// Package catalog is what the store's decisions add up to: which streams there are, where each one's
// records begin, which sealed file holds which run of them, and which files hold nothing anybody can
// still read.
//
// It hides how that state is kept small, shared with its clones and written as a snapshot. It is a pure
// fold: Apply takes the decisions one after another and refuses each that would not follow from those
// before it. It knows ids and positions, but no files, no clock and no locks.
//
// A Catalog is guarded by its user. Clone is cheap, and a clone may be read and changed beside its
// original without any guard between the two: they share what neither has changed since.
package catalog

import (
	"encoding/binary"
	"iter"
	"maps"
	"slices"
)

// StreamState is what the catalog knows of one stream. Its slices never change once returned and must
// not be changed by their reader.
type StreamState struct {
	Ordinal     uint32
	Deleted     bool // its name is free again; the state stays while a sealed file holds a run of it
	Name        string
	CreatedMs   int64
	Options     []byte
	First       uint64    // the trim point: records below it are gone; at least 1
	SealedNext  uint64    // one more than the last sealed seq; at least 1
	Runs        []FileRun // runs in sealed files that are not recycled, in the order of their seqs
	Carried     []byte    // digest state at CarriedLast, when the file of the last run was recycled
	CarriedLast uint64    // zero, or SealedNext - 1
}

// FileRun says that a sealed file holds the records First to Last of a stream.
type FileRun struct {
	File        uint64
	First, Last uint64
	Newest      int64 // no record of it has a later time, in milliseconds
}

// FileState is what the catalog knows of one sealed file.
type FileState struct {
	Sealed
	LiveRuns int // runs of streams that are not deleted, reaching their stream's First or beyond
}

// stream is one stream's entry. Only the catalog whose owner it names may change it, and no element of
// a slice it refers to is ever overwritten: that is what lets clones and readers share it.
type stream struct {
	StreamState
	owner *owner
}

// file is one sealed file's entry, shared like a stream's.
type file struct {
	FileState
	owner *owner
}

// Catalog is the sum of the decisions 1 to LastSeq. Reads may run side by side; Apply and Clone need
// the catalog for themselves.
type Catalog struct {
	owner       *owner
	lastSeq     uint64
	nextOrdinal uint32
	streams     table[uint32, *stream] // by ordinal, deleted ones included
	names       table[string, uint32]  // ordinals of the live ones
	files       map[uint64]*file
	order       []uint64 // the files in the order in which they were sealed
	words       int      // bytes of the names and options of all streams
	runs        int      // runs of all files
}

// New returns the catalog before the first decision.
func New() *Catalog {
	return &Catalog{
		owner:       new(owner),
		nextOrdinal: 1,
		streams:     table[uint32, *stream]{place: placeOrdinal},
		names:       table[string, uint32]{place: placeName},
		files:       make(map[uint64]*file),
	}
}

// Clone returns a catalog of the same state that shares memory with c; either changes without the
// other seeing it. The cost grows with the number of sealed files, not with that of the streams.
func (c *Catalog) Clone() *Catalog {
	clone := *c
	clone.files = maps.Clone(c.files)
	clone.order = slices.Clone(c.order)
	// Neither side owns what existed before: the first change of anything copies it.
	c.owner, clone.owner = new(owner), new(owner)
	return &clone
}

// LastSeq returns the number of the last decision applied, 0 before the first.
func (c *Catalog) LastSeq() uint64 { return c.lastSeq }

// NextOrdinal returns the only ordinal the next stream may get. The first is 1; none is given twice.
func (c *Catalog) NextOrdinal() uint32 { return c.nextOrdinal }

// ByName returns the live stream of that name.
func (c *Catalog) ByName(name string) (StreamState, bool) {
	ordinal, ok := c.names.get(name)
	if !ok {
		return StreamState{}, false
	}
	return c.ByOrdinal(ordinal)
}

// ByOrdinal returns the stream with that ordinal, also when it is deleted and its state still kept.
func (c *Catalog) ByOrdinal(ordinal uint32) (StreamState, bool) {
	s, ok := c.streams.get(ordinal)
	if !ok {
		return StreamState{}, false
	}
	state := s.StreamState
	state.Runs = slices.Clip(state.Runs)
	return state, true
}

// Len returns the number of live streams.
func (c *Catalog) Len() int { return c.names.size }

// SnapshotBound returns how many bytes EncodeSnapshot takes at most, however many of the sealed files are recycled
// before. The cost does not depend on the size of the catalog.
func (c *Catalog) SnapshotBound() int {
	return bodyAt + crcBytes + 2*binary.MaxVarintLen64 + c.words +
		c.streams.size*maxStream + len(c.order)*maxSealed + c.runs*maxRun
}

// Streams returns the live streams, sorted by name. They are those of the moment the loop begins.
func (c *Catalog) Streams() iter.Seq[StreamState] {
	return func(yield func(StreamState) bool) {
		names := make([]string, 0, c.names.size)
		for name := range c.names.all() {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if s, ok := c.ByName(name); ok && !yield(s) {
				return
			}
		}
	}
}

// Files returns the files that are sealed and not recycled, in the order in which they were sealed.
func (c *Catalog) Files() iter.Seq[FileState] {
	return func(yield func(FileState) bool) {
		for _, id := range slices.Clone(c.order) {
			if f, ok := c.File(id); ok && !yield(f) {
				return
			}
		}
	}
}

// File returns the file with that id, when it is sealed and not recycled.
func (c *Catalog) File(id uint64) (FileState, bool) {
	f, ok := c.files[id]
	if !ok {
		return FileState{}, false
	}
	return f.FileState, true
}

// Dead reports whether the file is sealed and holds no record anybody can still read: it may be
// recycled as far as the catalog is concerned.
func (c *Catalog) Dead(id uint64) bool {
	f, ok := c.files[id]
	return ok && f.LiveRuns == 0
}

// Live reports whether the run holds a record that can still be read.
func (c *Catalog) Live(r Run) bool {
	s, ok := c.streams.get(r.Ordinal)
	return ok && s.live(r.Last)
}

// Pinned names live streams, most of them at most, that have a record in the oldest file that anybody can still read.
func (c *Catalog) Pinned(most int) (names []string) {
	for _, id := range c.order {
		f := c.files[id]
		if f.LiveRuns == 0 {
			continue
		}
		for _, r := range f.Runs {
			if s, ok := c.streams.get(r.Ordinal); ok && s.live(r.Last) && len(names) < most {
				names = append(names, s.Name)
			}
		}
		return names
	}
	return nil
}

// LastRuns returns the runs in a sealed file that are the last sealed ones of a live stream. Their
// digest states belong into the decision that recycles the file, for no other file has them.
func (c *Catalog) LastRuns(id uint64) []Run {
	f, ok := c.files[id]
	if !ok {
		return nil
	}
	var last []Run
	for _, r := range f.Runs {
		s, ok := c.streams.get(r.Ordinal)
		if ok && !s.Deleted && r.Last+1 == s.SealedNext {
			last = append(last, r)
		}
	}
	return last
}

// live reports whether a run of s that ends with last still holds a record that can be read.
func (s *stream) live(last uint64) bool { return !s.Deleted && last >= s.First }

// editStream returns the entry of a known stream for changing; c owns it from then on.
func (c *Catalog) editStream(ordinal uint32) *stream {
	s, _ := c.streams.get(ordinal)
	if s.owner == c.owner {
		return s
	}
	own := &stream{StreamState: s.StreamState, owner: c.owner}
	own.Runs = slices.Clip(own.Runs) // room behind the last run may be the other owner's
	c.streams.set(c.owner, ordinal, own)
	return own
}

// editFile returns the entry of a known file for changing; c owns it from then on.
func (c *Catalog) editFile(id uint64) *file {
	f := c.files[id]
	if f.owner != c.owner {
		f = &file{FileState: f.FileState, owner: c.owner}
		c.files[id] = f
	}
	return f
}
