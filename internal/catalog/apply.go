package catalog

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// Check reports as an *IllegalError why d may not be the next decision, or nil. It changes nothing.
func (c *Catalog) Check(d Decision) error {
	var why string
	switch d := d.(type) {
	case Created:
		why = c.checkCreated(d)
	case Deleted:
		why = c.checkKnown(d.Ordinal)
	case Trimmed:
		why = c.checkTrimmed(d)
	case Sealed:
		why = c.checkSealed(d)
	case Recycled:
		why = c.checkRecycled(d)
	default:
		panic(fmt.Sprintf("catalog: %T is not a decision", d))
	}
	if why == "" {
		return nil
	}
	return &IllegalError{What: d.what(), Why: why}
}

// Apply makes d the decision seq, which must be LastSeq+1. It refuses what Check refuses; then the
// catalog is as before. It keeps no slice of d.
func (c *Catalog) Apply(seq uint64, d Decision) error {
	if seq != c.lastSeq+1 {
		return &IllegalError{
			What: fmt.Sprintf("%s as decision %d", d.what(), seq),
			Why:  fmt.Sprintf("the last decision was %d", c.lastSeq),
		}
	}
	if err := c.Check(d); err != nil {
		return err
	}
	c.lastSeq = seq
	switch d := d.(type) {
	case Created:
		c.applyCreated(d)
	case Deleted:
		c.applyDeleted(d)
	case Trimmed:
		c.applyTrimmed(d)
	case Sealed:
		c.applySealed(d)
	case Recycled:
		c.applyRecycled(d)
	}
	return nil
}

// CheckName says why name cannot be a stream's name, or nothing when it can.
func CheckName(name string) (why string) {
	switch {
	case name == "":
		return "the name is empty"
	case len(name) > MaxName:
		return fmt.Sprintf("the name has %d bytes, more than %d", len(name), MaxName)
	case !utf8.ValidString(name):
		return "the name is not valid UTF-8"
	case strings.IndexByte(name, 0) >= 0:
		return "the name contains a NUL"
	}
	return ""
}

func (c *Catalog) checkCreated(d Created) (why string) {
	if why := CheckName(d.Name); why != "" {
		return why
	}
	if other, ok := c.names.get(d.Name); ok {
		return fmt.Sprintf("stream %d has this name", other)
	}
	switch {
	case c.nextOrdinal == math.MaxUint32:
		return "all ordinals have been given"
	case d.Ordinal != c.nextOrdinal:
		return fmt.Sprintf("the next ordinal is %d", c.nextOrdinal)
	case len(d.Options) > MaxOptions:
		return fmt.Sprintf("the options have %d bytes, more than %d", len(d.Options), MaxOptions)
	}
	return ""
}

// checkKnown says why the ordinal is not that of a live stream.
func (c *Catalog) checkKnown(ordinal uint32) (why string) {
	s, ok := c.streams.get(ordinal)
	switch {
	case ordinal == 0 || ordinal >= c.nextOrdinal:
		return fmt.Sprintf("there never was a stream %d", ordinal)
	case !ok || s.Deleted:
		return fmt.Sprintf("stream %d is deleted", ordinal)
	}
	return ""
}

func (c *Catalog) checkTrimmed(d Trimmed) (why string) {
	if why := c.checkKnown(d.Ordinal); why != "" {
		return why
	}
	if s, _ := c.streams.get(d.Ordinal); d.First <= s.First {
		return fmt.Sprintf("the stream already begins at %d", s.First)
	}
	return ""
}

func (c *Catalog) checkSealed(d Sealed) (why string) {
	_, sealed := c.files[d.File]
	switch {
	case d.File == 0:
		return "0 is not a file's id"
	case sealed:
		return "the file is already sealed"
	case d.DataEnd <= 0 || d.Size < d.DataEnd:
		return fmt.Sprintf("data up to %d in a file of %d bytes", d.DataEnd, d.Size)
	}
	before := uint32(0)
	for _, r := range d.Runs {
		if r.Ordinal <= before {
			return fmt.Sprintf("run of stream %d after that of stream %d", r.Ordinal, before)
		}
		if why := c.checkRun(r); why != "" {
			return fmt.Sprintf("run %d-%d of stream %d: %s", r.First, r.Last, r.Ordinal, why)
		}
		before = r.Ordinal
	}
	return ""
}

// checkRun says why r cannot be the next sealed run of its stream. Of a stream that is deleted and no
// longer kept only the shape can be judged.
func (c *Catalog) checkRun(r Run) (why string) {
	if why := r.malformed(); why != "" {
		return why
	}
	if r.Ordinal >= c.nextOrdinal {
		return "there never was such a stream"
	}
	s, ok := c.streams.get(r.Ordinal)
	switch {
	case !ok:
		return ""
	case r.First < s.SealedNext:
		return fmt.Sprintf("records below %d are already sealed", s.SealedNext)
	case r.First > s.SealedNext && !r.Gap && !s.Deleted:
		return fmt.Sprintf("it should begin at %d, and it does not say that records were lost", s.SealedNext)
	}
	return ""
}

// malformed says why no stream could have such a run.
func (r Run) malformed() (why string) {
	switch {
	case r.First == 0 || r.Last < r.First:
		return "it holds no records"
	case r.Last == math.MaxUint64:
		return "it ends at the last of all seqs"
	}
	return ""
}

func (c *Catalog) checkRecycled(d Recycled) (why string) {
	f, ok := c.files[d.File]
	switch {
	case !ok:
		return "the file is not sealed"
	case f.LiveRuns > 0:
		return fmt.Sprintf("%d of its runs can still be read", f.LiveRuns)
	}
	before := uint32(0)
	for _, st := range d.States {
		if st.Ordinal <= before {
			return fmt.Sprintf("state of stream %d after that of stream %d", st.Ordinal, before)
		}
		if why := c.checkState(d.File, st); why != "" {
			return fmt.Sprintf("state of stream %d: %s", st.Ordinal, why)
		}
		before = st.Ordinal
	}
	return ""
}

// checkState says why st cannot be carried out of the file. A state of a deleted stream is of no use,
// but does no harm: the delete may have come between.
func (c *Catalog) checkState(file uint64, st State) (why string) {
	switch {
	case st.Ordinal >= c.nextOrdinal:
		return "there never was such a stream"
	case len(st.State) == 0 || len(st.State) > MaxState:
		return fmt.Sprintf("it has %d bytes, not 1 to %d", len(st.State), MaxState)
	}
	s, ok := c.streams.get(st.Ordinal)
	switch {
	case !ok || s.Deleted:
		return ""
	case len(s.Runs) == 0 || s.Runs[len(s.Runs)-1].File != file:
		return "its last sealed run is not in the file"
	case st.Last+1 != s.SealedNext:
		return fmt.Sprintf("it is the state at %d, the last sealed record is %d", st.Last, s.SealedNext-1)
	}
	return ""
}

func (c *Catalog) applyCreated(d Created) {
	c.nextOrdinal++
	c.words += len(d.Name) + len(d.Options)
	c.names.set(c.owner, d.Name, d.Ordinal)
	c.streams.set(c.owner, d.Ordinal, &stream{owner: c.owner, StreamState: StreamState{
		Ordinal:    d.Ordinal,
		Name:       strings.Clone(d.Name),
		CreatedMs:  d.TimeMs,
		Options:    cloneBytes(d.Options),
		First:      1,
		SealedNext: 1,
	}})
}

func (c *Catalog) applyDeleted(d Deleted) {
	s := c.editStream(d.Ordinal)
	c.buryRuns(s, math.MaxUint64)
	c.names.remove(c.owner, s.Name)
	s.Deleted = true
	s.Carried, s.CarriedLast = nil, 0
	c.forgetIfGone(s)
}

func (c *Catalog) applyTrimmed(d Trimmed) {
	s := c.editStream(d.Ordinal)
	c.buryRuns(s, d.First)
	s.First = d.First
}

// buryRuns takes the live runs of s that lie wholly below first out of their files' accounts.
func (c *Catalog) buryRuns(s *stream, first uint64) {
	dead := sort.Search(len(s.Runs), func(i int) bool { return s.Runs[i].Last >= s.First })
	for _, r := range s.Runs[dead:] {
		if r.Last >= first {
			return
		}
		c.editFile(r.File).LiveRuns--
	}
}

func (c *Catalog) applySealed(d Sealed) {
	d.Runs = slices.Clone(d.Runs)
	f := &file{FileState: FileState{Sealed: d}, owner: c.owner}
	for _, r := range d.Runs {
		if _, ok := c.streams.get(r.Ordinal); !ok {
			continue
		}
		s := c.editStream(r.Ordinal)
		s.Runs = append(s.Runs, FileRun{File: d.File, First: r.First, Last: r.Last, Newest: r.Newest})
		s.SealedNext = r.Last + 1
		s.Carried, s.CarriedLast = nil, 0
		if s.live(r.Last) {
			f.LiveRuns++
		}
	}
	c.files[d.File] = f
	c.order = append(c.order, d.File)
	c.runs += len(d.Runs)
}

func (c *Catalog) applyRecycled(d Recycled) {
	for _, st := range d.States {
		if c.checkKnown(st.Ordinal) == "" {
			s := c.editStream(st.Ordinal)
			s.Carried, s.CarriedLast = cloneBytes(st.State), st.Last
		}
	}
	for _, r := range c.files[d.File].Runs {
		if _, ok := c.streams.get(r.Ordinal); ok {
			s := c.editStream(r.Ordinal)
			s.dropRun(d.File)
			c.forgetIfGone(s)
		}
	}
	c.runs -= len(c.files[d.File].Runs)
	delete(c.files, d.File)
	at := slices.Index(c.order, d.File)
	c.order = slices.Delete(c.order, at, at+1)
}

// dropRun takes the run in that file out of s. Readers may hold the old slice: its elements stay.
func (s *stream) dropRun(file uint64) {
	at := slices.IndexFunc(s.Runs, func(r FileRun) bool { return r.File == file })
	switch {
	case len(s.Runs) == 1:
		s.Runs = nil
	case at == 0:
		s.Runs = s.Runs[1:]
	default:
		s.Runs = slices.Concat(s.Runs[:at], s.Runs[at+1:])
	}
}

// forgetIfGone drops the entry of a deleted stream when no sealed file holds a run of it any more.
func (c *Catalog) forgetIfGone(s *stream) {
	if s.Deleted && len(s.Runs) == 0 {
		c.words -= len(s.Name) + len(s.Options)
		c.streams.remove(c.owner, s.Ordinal)
	}
}

// cloneBytes copies b exactly, and nothing into nil, so that equal states are equal in every way.
func cloneBytes(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}
