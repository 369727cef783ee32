package journal

import (
	"errors"
	"fmt"
	"io/fs"
)

// SealedFile is a file that the catalog knows as sealed.
type SealedFile struct {
	ID            uint64
	DataEnd, Size int64
	IndexHash     [32]byte
}

// StreamState is what the catalog knows of a stream.
type StreamState struct {
	Ordinal uint32
	First   uint64
	Next    uint64 // behind the last sealed record
	Runs    []StreamRun
}

// StreamRun is a run in a sealed file.
type StreamRun struct {
	File        uint64
	First, Last uint64
	Bytes       int64
	Newest      int64 // no record of it has a later time, in milliseconds
}

// Attach gives the lanes what the catalog knows: which files are sealed, in the
// order of their sealing, which streams there are, and where their sealed records
// lie. Files that are gone, or are not what was decided, are damage. The journal
// it returns is not started.
func (r *Recovery) Attach(files []SealedFile, streams []StreamState) *Journal {
	j := r.j
	byID := make(map[uint64]*File, len(files))
	for _, s := range files {
		f := r.sealedFile(s)
		byID[s.ID] = f
		j.mu.files = append(j.mu.files, f)
	}
	for _, c := range r.chain {
		if byID[c.file.ID] == nil {
			j.mu.files = append(j.mu.files, c.file)
			if c.footer != nil {
				r.step("%s has its footer and no decision says so: it is sealed again", c.file.name)
			}
		}
	}
	lanes := map[uint32]*Lane{0: j.mu.lanes[0]}
	for i := range streams {
		lanes[streams[i].Ordinal] = r.attachLane(&streams[i], byID)
	}
	j.mu.lanes = lanes
	for _, l := range lanes {
		l.durable.Store(l.next - 1)
		l.tail.Advance(l.next - 1)
	}
	r.collectRecycled(byID)
	if r.found.ReadOnly != nil {
		j.mu.fatal = r.found.ReadOnly
		close(j.failed)
	}
	return j
}

// sealedFile finds a file that the catalog knows and holds it against what was
// decided.
func (r *Recovery) sealedFile(s SealedFile) *File {
	c := r.list.files[s.ID]
	if c == nil {
		why := r.list.broken[s.ID]
		if why == "" {
			why = "it is missing"
		}
		r.add(Damage{File: fileName(s.ID), Length: s.Size, Problem: "a sealed hot file cannot be read: " + why})
		f := newFile(r.j.cfg.FS, s.ID, 0, StateMissing)
		f.end.Store(s.DataEnd)
		f.size.Store(s.Size)
		return f
	}
	f := c.file
	switch {
	case f.Size() != s.Size:
		r.add(Damage{
			File: f.name, Offset: min(f.Size(), s.Size), Length: max(0, s.Size-f.Size()),
			Problem: fmt.Sprintf("the sealed file has %d bytes and should have %d", f.Size(), s.Size),
		})
	case c.footer == nil:
		r.add(Damage{File: f.name, Offset: s.DataEnd, Length: s.Size - s.DataEnd, Problem: "the footer does not verify; the data is read instead"})
	case c.footer.DataEnd != s.DataEnd || c.footer.IndexHash != s.IndexHash:
		r.add(Damage{File: f.name, Offset: s.DataEnd, Length: s.Size - s.DataEnd, Problem: "the footer is not the one that was decided"})
	}
	f.end.Store(s.DataEnd)
	f.state.Store(uint32(StateSealed))
	return f
}

// attachLane puts the sealed runs of a stream before those that the scan found.
func (r *Recovery) attachLane(s *StreamState, byID map[uint64]*File) *Lane {
	l := r.j.mu.lanes[s.Ordinal]
	if l == nil {
		l = newLane(s.Ordinal, s.Next)
	}
	l.next = max(l.next, s.Next, s.First)
	scanned := l.mu.runs
	l.mu.runs = nil
	for _, run := range s.Runs {
		if f := byID[run.File]; f != nil && run.Last >= s.First {
			l.mu.runs = append(l.mu.runs, newRun(f, run))
		}
	}
	for _, run := range scanned {
		if run.last >= s.First && byID[run.file.ID] == nil {
			l.mu.runs = append(l.mu.runs, run)
		}
	}
	l.mu.first = s.First
	return l
}

func newRun(f *File, r StreamRun) *run {
	return &run{file: f, first: r.First, last: r.Last, bytes: r.Bytes, newest: r.Newest}
}

// collectRecycled frees files that were decided to be recycled, before the crash
// came: they are older than the start, and the catalog does not know them.
func (r *Recovery) collectRecycled(byID map[uint64]*File) {
	for _, c := range r.list.sorted() {
		f := c.file
		if byID[f.ID] != nil || r.known[f.ID] || f.ID >= r.start.File {
			continue
		}
		held := int64(0)
		var err error
		if c.footer == nil { // given up before it held anything, or its footer is damaged
			held, err = f.acknowledged()
		}
		_ = f.closeHandle() // it was opened for reading only
		switch {
		case err != nil || held > 0:
			r.found.Notes = append(r.found.Notes, f.name+" is not known to hold nothing that is needed and is left alone")
		case r.found.ReadOnly == nil:
			r.step("%s was decided to be recycled, or given up: it is free", f.name)
			r.j.files.free = append(r.j.files.free, f)
		}
	}
}

// RemoveLeftovers removes what is left of attempts to prepare a file. Nothing
// else is ever removed at open.
func (r *Recovery) RemoveLeftovers() error {
	for _, name := range r.list.tmp {
		if err := r.j.cfg.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	return nil
}

// Recycle takes files that hold nothing that is needed out of use: their decision
// is durable and both kept snapshots are beyond them. It waits for readers that
// are at work in them. What exceeds the files kept for later is removed.
func (j *Journal) Recycle(id uint64) error {
	j.mu.Lock()
	var f *File
	for i, x := range j.mu.files {
		if x.ID == id {
			f = x
			j.mu.files = append(j.mu.files[:i:i], j.mu.files[i+1:]...)
			break
		}
	}
	j.mu.Unlock()
	if f == nil {
		return nil
	}
	j.dropRuns(f)
	f.retire()
	j.indexes.drop(id)
	j.holdMeta()
	defer j.releaseMeta()
	if err := f.closeHandle(); err != nil {
		return fmt.Errorf("close %s: %w", f.name, err)
	}
	if err := j.unname(id); err != nil {
		return err
	}
	if len(j.files.free) < keepFree && f.State() != StateMissing && !j.overBudget() {
		j.files.free = append(j.files.free, f)
	} else if err := j.cfg.FS.Remove(f.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", f.name, err)
	}
	j.event(Event{Kind: Recycled, File: id})
	j.mu.Lock()
	j.mu.full.err, j.mu.full.room = nil, false // there is room again
	j.hopeLocked()
	j.mu.Unlock()
	return nil
}

// dropRuns takes the file out of the journal's own lane, the only one whose runs
// no trim shortens.
func (j *Journal) dropRuns(f *File) {
	l := j.Lane(0)
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.mu.runs[:0:0]
	for _, r := range l.mu.runs {
		if r.file != f {
			kept = append(kept, r)
		}
	}
	l.mu.runs = kept
}
