package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/segment"
)

const (
	keepFree  = 4 // recycled files that are kept for the next slots
	keepReady = 2 // files that stand ready: the next one, and one in reserve for decisions
)

// Wants is what the coordinator has to do for appends to go on.
type Wants struct {
	Active   bool // appends are taken in this life
	Activate bool // the first append of this life waits
	Prepare  bool // fewer files stand ready behind the open one than should
}

// Wants says what appends wait for, or will soon.
func (j *Journal) Wants() Wants {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mu.fatal != nil || j.mu.closing {
		return Wants{}
	}
	if !j.mu.active {
		return Wants{Activate: j.mu.full.wanted}
	}
	m := &j.mu.full
	short := len(j.mu.prepared)-j.mu.unbound < keepReady && (j.rolledLocked() < maxRolled || m.deciding || j.mu.unsealable)
	return Wants{Active: true, Prepare: short && (m.err == nil || m.wanted)}
}

// Beat returns how many rounds have ended, and what is closed when one more has: nil when work in the background must not
// give way to appends, because too many complete files wait to be sealed.
func (j *Journal) Beat() (uint64, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	at := j.beat.At()
	if j.mu.closing || j.rolledLocked() > easyRolled {
		return at, nil
	}
	return at, j.beat.Reached(at + 1)
}

func (j *Journal) rolledLocked() int {
	n := 0
	for _, f := range j.mu.files {
		if f.State() == StateRolled {
			n++
		}
	}
	return n
}

// Activate makes the journal ready for the first append of this life. After a
// clean end that end is withdrawn, durably, before anything is written behind
// it, and the same file goes on. After any other end nothing is appended to the
// old file: a new one is prepared, in a new epoch, and its first frame will name
// where the old one's data ends.
func (j *Journal) Activate() error {
	deciding := j.beginAttempt()
	j.holdMeta()
	defer j.releaseMeta()
	var err error
	if j.files.clean {
		c := j.files.current
		c.CleanFile, c.CleanEnd = 0, 0
		err = writeCurrent(j.cfg.FS, &c)
		j.files.current = c
		if err == nil {
			err = j.reopenTail()
		}
		j.files.clean = err != nil
	} else {
		err = j.prepareLocked(deciding)
	}
	if err == nil {
		j.boundFree()
	}
	j.endAttempt(err, true)
	return err
}

// reopenTail opens the file that the last life ended in for writing, and those
// that it had prepared.
func (j *Journal) reopenTail() error {
	j.mu.Lock()
	files := slices.Clone(j.mu.prepared)
	j.mu.Unlock()
	f := j.files.tail
	if f != nil {
		files = append(files, f)
	}
	for _, f := range files {
		if err := f.openWrite(); err != nil {
			return fmt.Errorf("open %s: %w", f.name, err)
		}
	}
	if f == nil {
		return nil
	}
	j.files.goesOn = true
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mu.slot = slot{no: j.mu.slot.no + 1, capacity: f.Size(), used: f.End(), frames: f.frames, lanes: f.lanes}
	return nil
}

// prepareError is what an append hears when no file could be prepared.
func prepareError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fsys.ErrNoSpace):
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// Prepare makes one more hot file ready to be taken. before runs first: when what
// must come before a file failed, there is none. Appends that need a file hear what
// was met until the next attempt.
func (j *Journal) Prepare(before func() error) error {
	deciding := j.beginAttempt()
	err := before()
	if err == nil {
		err = j.prepare(deciding)
	}
	j.endAttempt(err, false)
	return err
}

func (j *Journal) prepare(deciding bool) error {
	j.holdMeta()
	defer j.releaseMeta()
	return j.prepareLocked(deciding)
}

// FileSize is what one hot file takes on the disk.
func (j *Journal) FileSize() int64 { return j.cfg.FileSize }

// DropFree removes one of the files that are kept for the next slots, and reports whether there was one.
func (j *Journal) DropFree() (bool, error) {
	j.holdMeta()
	defer j.releaseMeta()
	if len(j.files.free) == 0 {
		return false, nil
	}
	err := j.dropFreeLocked()
	return err == nil, err
}

// dropFreeLocked removes the newest free file. One that cannot be removed stays free. The caller holds the meta token.
func (j *Journal) dropFreeLocked() error {
	n := len(j.files.free)
	f := j.files.free[n-1]
	if err := errors.Join(f.closeHandle(), j.unname(f.ID)); err != nil {
		return err
	}
	if err := j.cfg.FS.Remove(f.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", f.name, err)
	}
	j.files.free = j.files.free[:n-1]
	return nil
}

// boundFree removes what was found free at open beyond what is kept for the next slots. A file that cannot be removed is
// no reason to take no appends: it stays free, and is written over in its turn.
func (j *Journal) boundFree() {
	for len(j.files.free) > keepFree {
		if j.dropFreeLocked() != nil {
			return
		}
	}
}

// prepareLocked prepares a file: written as .tmp with its header, synced, renamed,
// the directory synced, and named in current, synced. From then on its absence is
// damage. The caller holds the meta token. What is prepared for a decision may take
// the room that the disk is left.
func (j *Journal) prepareLocked(deciding bool) error {
	if err := j.haveCurrent(); err != nil {
		return err
	}
	id := j.files.current.NextID
	nonce := j.nonce()
	j.files.current.NextID++
	f := newFile(j.cfg.FS, id, nonce, StatePrepared)
	f.pool, f.writable = &j.handles, true
	spare := len(j.files.free)
	h, err := j.newHandle(f, deciding)
	if err != nil {
		return fmt.Errorf("prepare hot file %d: %w", id, err)
	}
	if err := f.setHandle(h); err != nil {
		return err
	}
	if err := j.nameFiles(f); err != nil {
		j.files.free = append(j.files.free, f)
		return fmt.Errorf("prepare hot file %d: %w", id, errors.Join(err, f.closeHandle()))
	}
	j.mu.Lock()
	j.mu.prepared = append(j.mu.prepared, f)
	j.mu.stats.Prepared++
	if len(j.files.free) < spare {
		j.mu.stats.Reused++
	}
	j.mu.Unlock()
	j.event(Event{Kind: Prepared, File: id})
	return nil
}

// haveCurrent makes sure that there is a current before there are hot files: one
// without it would be damage.
func (j *Journal) haveCurrent() error {
	c := &j.files.current
	if c.Generation > 0 && !c.broken {
		return nil
	}
	if err := j.cfg.FS.Mkdir(Dir); err != nil {
		return fmt.Errorf("make %s: %w", Dir, err)
	}
	if err := j.cfg.FS.SyncDir("."); err != nil {
		return err
	}
	return j.nameFiles(nil)
}

// nonce is random and its low half is never zero: that is the sync word of every
// frame.
func (j *Journal) nonce() uint64 {
	for {
		if n := j.cfg.Random(); uint32(n) != 0 {
			return n
		}
	}
}

// newHandle makes the file and gives it its name.
func (j *Journal) newHandle(f *File, deciding bool) (fsys.File, error) {
	tmp := f.name + ".tmp"
	h, err := j.blank(tmp, deciding)
	if err != nil {
		return nil, err
	}
	header := make([]byte, segment.HeaderBytes)
	segment.EncodeHeader(header, segment.Header{
		Store: j.files.current.Store, ID: f.ID, Nonce: f.Nonce, Epoch: j.epoch, Capacity: j.cfg.FileSize,
	})
	if _, err = h.WriteAt(header, 0); err == nil {
		err = h.Sync()
	}
	if err == nil {
		err = j.cfg.FS.Rename(tmp, f.name)
	}
	if err == nil {
		err = j.cfg.FS.SyncDir(Dir)
	}
	if err != nil {
		_ = j.cfg.FS.Remove(tmp) // unless it has its name by now: then it is used again
		j.files.free = append(j.files.free, f)
		return nil, errors.Join(err, h.Close())
	}
	f.size.Store(j.cfg.FileSize)
	f.end.Store(segment.HeaderBytes)
	return h, nil
}

// blank returns an open file of full size under the name tmp: a recycled one,
// whose blocks have been written before and so sync faster, or a new one. Where
// there is no room for what was cut off a recycled one, its own is given back,
// and the next one is tried.
func (j *Journal) blank(tmp string, deciding bool) (fsys.File, error) {
	for {
		h, err := j.recycledBlank(tmp)
		recycled := h != nil
		if err == nil && !recycled {
			h, err = j.newBlank(tmp, deciding)
		}
		if err != nil {
			return nil, err
		}
		size, err := h.Size()
		if err == nil && size > j.cfg.FileSize {
			err = h.Truncate(j.cfg.FileSize)
		}
		if err == nil {
			err = h.Allocate(j.cfg.FileSize)
		}
		if err == nil {
			return h, nil
		}
		full := errors.Is(err, fsys.ErrNoSpace)
		err = errors.Join(err, h.Close(), j.cfg.FS.Remove(tmp))
		if !full || !recycled {
			return nil, err
		}
	}
}

// newBlank makes a new file. For appends the disk must have more room than that.
func (j *Journal) newBlank(tmp string, deciding bool) (fsys.File, error) {
	if r := j.cfg.Room; r != nil && !deciding {
		if err := r.Admit(j.cfg.FileSize); err != nil {
			return nil, err
		}
	}
	return j.cfg.FS.Create(tmp)
}

// overBudget reports whether the store takes more than it may.
func (j *Journal) overBudget() bool { return j.cfg.Room != nil && j.cfg.Room.Over() }

// recycledBlank renames a free file, or returns nil when there is none. What is
// left of an attempt that failed goes first.
func (j *Journal) recycledBlank(tmp string) (fsys.File, error) {
	if err := j.cfg.FS.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for len(j.files.free) > 0 {
		old := j.files.free[len(j.files.free)-1]
		j.files.free = j.files.free[:len(j.files.free)-1]
		if err := errors.Join(old.closeHandle(), j.unname(old.ID)); err != nil {
			return nil, err
		}
		err := j.cfg.FS.Rename(old.name, tmp)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			// Before anything is written: under its old name it may hold only what
			// it held.
			err = j.cfg.FS.SyncDir(Dir)
		} else {
			j.files.free = append(j.files.free, old)
		}
		var h fsys.File
		if err == nil {
			h, err = j.cfg.FS.OpenWrite(tmp)
		}
		if err != nil {
			_ = j.cfg.FS.Remove(tmp) // or every failure would leave one more
			return nil, err
		}
		return h, nil
	}
	return nil, nil
}

// nameFiles writes into current which files exist beyond doubt: the open one,
// the prepared ones, and added.
func (j *Journal) nameFiles(added *File) error {
	c := &j.files.current
	c.Epoch = j.epoch
	c.CleanFile, c.CleanEnd = 0, 0
	c.Files = j.inUse(added)
	return writeCurrent(j.cfg.FS, c)
}

// inUse lists the open file, the prepared ones, and added.
func (j *Journal) inUse(added *File) []named {
	var files []named
	j.mu.Lock()
	defer j.mu.Unlock()
	if n := len(j.mu.files); n > 0 {
		files = append(files, named{j.mu.files[n-1].ID, j.mu.files[n-1].Nonce})
	}
	if f := j.mu.taken; f != nil {
		files = append(files, named{f.ID, f.Nonce})
	}
	for _, f := range j.mu.prepared {
		files = append(files, named{f.ID, f.Nonce})
	}
	if added != nil {
		files = append(files, named{added.ID, added.Nonce})
	}
	return files[max(0, len(files)-maxNamed):]
}

// unname makes sure that current no longer names a file that is about to get
// another name or to go: one that is named and not there is damage.
func (j *Journal) unname(id uint64) error {
	if c := &j.files.current; !c.broken && !c.names(id) {
		return nil
	}
	return j.nameFiles(nil)
}

// takePrepared binds a slot to the next prepared file, and makes one when a
// poisoned file has used up what was ready. Only the leader calls it.
func (j *Journal) takePrepared(newSlot bool) (*File, error) {
	for {
		j.mu.Lock()
		if len(j.mu.prepared) > 0 {
			f := j.mu.prepared[0]
			j.mu.prepared = j.mu.prepared[1:]
			j.mu.taken = f
			if newSlot {
				j.mu.unbound--
			}
			j.bumpLocked()
			j.mu.Unlock()
			if last := j.lead.file; last != nil {
				f.previous, f.previousEnd = last.ID, last.End()
			}
			return f, nil
		}
		j.mu.Unlock()
		j.holdMeta()
		err := j.prepareIfNone()
		j.releaseMeta()
		if err != nil {
			return nil, err
		}
	}
}

func (j *Journal) prepareIfNone() error {
	j.mu.Lock()
	ready := len(j.mu.prepared) > 0
	j.mu.Unlock()
	if ready {
		return nil
	}
	return j.prepareLocked(true) // what was accepted has to go somewhere
}

// recordEnd writes the exact end of the journal into current, so that the next
// life goes on in the same file. Without it the end counts as unclean.
func (j *Journal) recordEnd() error {
	f := j.lead.file
	j.mu.Lock()
	skip := !j.mu.active || j.mu.fatal != nil || f == nil || f.poisoned
	j.mu.Unlock()
	if skip || f == j.files.tail && !j.files.goesOn {
		return nil // behind the end of a file that was cut there may be anything
	}
	h, err := f.open()
	if err != nil {
		return err
	}
	if f.End() < j.lead.end {
		if err := h.Sync(); err != nil {
			return fmt.Errorf("sync %s: %w", f.name, err)
		}
		f.end.Store(j.lead.end)
	}
	j.holdMeta()
	defer j.releaseMeta()
	c := &j.files.current
	c.Files = j.inUse(nil) // the next life takes those that are named and unused as they are
	c.CleanFile, c.CleanEnd = f.ID, f.End()
	return writeCurrent(j.cfg.FS, c)
}
