package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aof2/aof/internal/segment"
)

// Start is where the decisions that a snapshot holds end: the file in which the
// next one may lie, and the number of the last one. The zero Start is the
// beginning of the store.
type Start struct {
	Seq   uint64
	File  uint64
	Epoch uint64
	Store [16]byte
}

// Sink is told the decisions of the journal in their order.
type Sink interface {
	// Decision folds one decision. An error ends the recovery.
	Decision(seq uint64, payload []byte) error
	// Next is the seq behind the last sealed record of a stream, and whether
	// there is such a stream.
	Next(ordinal uint32) (next uint64, known bool)
	// Gone reports whether there was such a stream and it has been deleted. Next
	// may then know nothing of it, or stand before records that nobody sealed
	// for it.
	Gone(ordinal uint32) bool
}

// Found is what recovery found.
type Found struct {
	Fresh    bool
	Clean    bool
	Store    [16]byte
	TailFile string
	TailEnd  int64
	Torn     int64
	Scanned  int64
	Replayed int
	Damage   []Damage
	Notes    []string
	Steps    []string
	ReadOnly error
}

// Recovery is a recovery at work: the inspection is done, the lanes do not know
// yet what the catalog knows.
type Recovery struct {
	j     *Journal
	sink  Sink
	start Start
	found Found
	list  *listing

	chain   []*candidate
	known   map[uint64]bool // files of the chain
	nextSeq uint64          // the decision expected next

	lastMissing uint64 // the newest file that is missing
	torn        bool   // the newest slot of current does not verify
	unnamed     uint64 // with torn: files from this id on may exist that it named
	gap         bool   // decisions are missing: none is folded any more
}

// Recover reads what lies in the journal's directory and folds the decisions
// behind start into sink. With view it writes nothing and takes nothing for
// settled; else it syncs what an earlier process may not have. Attach or Close
// must follow.
func Recover(cfg Config, start Start, view bool, sink Sink) (*Recovery, error) {
	j := newJournal(cfg)
	j.view = view
	r := &Recovery{j: j, sink: sink, start: start, known: map[uint64]bool{}, nextSeq: start.Seq + 1}
	if err := r.run(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Found is what was found so far.
func (r *Recovery) Found() *Found { return &r.found }

func (r *Recovery) run() error {
	if err := r.read(); err != nil {
		return err
	}
	r.j.mu.lanes[0] = newLane(0, r.start.Seq+1)
	if err := r.follow(); err != nil {
		return err
	}
	for i, c := range r.chain {
		if err := r.take(i, c); err != nil {
			return fmt.Errorf("%s: %w", c.file.name, err)
		}
	}
	return r.finish()
}

// read reads current and the directory, and settles what a process that did not
// close may have left.
func (r *Recovery) read() error {
	j := r.j
	var settle error
	if !j.view {
		settle = j.settleCurrent()
	}
	cur, whole, err := readCurrent(j.cfg.FS)
	if err != nil {
		return err
	}
	if cur != nil {
		j.files.current = *cur
		r.found.Clean = whole && cur.CleanFile != 0
		if !whole {
			r.torn, r.unnamed = true, cur.NextID-1 // the lost slot may have named the same file, after one that took another out
		}
		if !whole && !j.cfg.DurableOnly {
			at := (1 - cur.Generation%2) * slotBytes
			r.found.Notes = append(r.found.Notes, fmt.Sprintf("%s, bytes %d to %d: this slot does not verify, after a crash in the middle of writing it or by damage; the other one holds", currentName, at, at+slotBytes-1))
		}
	}
	if r.list, err = j.discover(); err != nil {
		return err
	}
	if cur == nil && (len(r.list.files) > 0 || r.start.Seq > 0) {
		return fmt.Errorf("%s is missing, though there are hot files or snapshots: %w", currentName, segment.ErrDamaged)
	}
	if !j.view && !r.found.Clean && settle == nil {
		if settle = j.settleDisk(r.list); settle == nil {
			if err := r.closeAll(); err != nil {
				return err
			}
			if r.list, err = j.discover(); err != nil {
				return err
			}
		}
	}
	if settle != nil {
		r.readOnly("the disk does not sync what an earlier process wrote: " + settle.Error())
	}
	r.identify(cur)
	return nil
}

// settleCurrent does for current and the directory what settleDisk does for hot
// files.
func (j *Journal) settleCurrent() error {
	err := j.settleFile(currentName)
	if isNotExist(err) {
		return nil
	}
	if err == nil {
		err = j.cfg.FS.SyncDir(Dir)
	}
	return err
}

// identify makes the store's id and epoch.
func (r *Recovery) identify(cur *current) {
	j := r.j
	if cur == nil {
		r.found.Fresh = true
		c := &j.files.current
		binary.LittleEndian.PutUint64(c.Store[:8], j.cfg.Random())
		binary.LittleEndian.PutUint64(c.Store[8:], j.cfg.Random())
		c.NextID, j.epoch = 1, 1
	} else {
		j.epoch = max(cur.Epoch, r.start.Epoch)
		for _, c := range r.list.files {
			j.epoch = max(j.epoch, c.header.Epoch)
			j.files.current.NextID = max(j.files.current.NextID, c.file.ID+1)
		}
		for id := range r.list.broken {
			j.files.current.NextID = max(j.files.current.NextID, id+1)
		}
		if !r.found.Clean {
			j.epoch++
		}
	}
	j.files.clean = r.found.Clean
	j.store = j.files.current.Store
	r.found.Store = j.store
	r.found.Notes = append(r.found.Notes, r.list.notes...)
}

// follow makes the chain of files from the start on, each named by the roll frame
// of the next.
func (r *Recovery) follow() error {
	c := r.list.files[r.start.File]
	if r.start.File == 0 {
		c = r.list.successor(0)
	} else if c == nil {
		r.missing(r.start.File)
	}
	for {
		for c != nil && !r.known[c.file.ID] {
			r.chain = append(r.chain, c)
			r.known[c.file.ID] = true
			if n := r.list.claimants(c.predecessor); c.rolls && n > 1 {
				r.step("%d files say that they follow file %d; %s does, the others were given up before anything in them was acknowledged", n, c.predecessor, c.file.name)
			}
			c = r.list.successor(c.file.ID)
		}
		if c = r.beyondGap(); c == nil {
			break
		}
		r.missing(c.predecessor)
	}
	r.unnamedMissing()
	if len(r.chain) == 0 && r.start.Seq == 0 && r.j.files.current.Generation > 0 {
		return r.checkUnused()
	}
	for _, f := range r.j.files.current.Files {
		if c := r.list.files[f.ID]; c == nil || c.file.Nonce != f.Nonce {
			r.missing(f.ID)
		}
	}
	return nil
}

// unnamedMissing reports the files that current may have named in the slot that
// does not verify: a hot file has its name only once its header is durable.
func (r *Recovery) unnamedMissing() {
	for id, why := range r.list.broken {
		if r.torn && id >= r.unnamed && (why == badHeader || strings.HasSuffix(why, shortHeader)) {
			r.missing(id)
		}
	}
}

// checkUnused meets a store in which no file was ever taken.
func (r *Recovery) checkUnused() error {
	for _, f := range r.j.files.current.Files {
		if r.list.files[f.ID] == nil {
			r.missing(f.ID)
		}
	}
	return nil
}

// beyondGap finds the file behind a missing one: the lowest whose predecessor
// comes after everything in the chain. That predecessor held acknowledged frames,
// and so is missing even when a file of its name is there.
func (r *Recovery) beyondGap() *candidate {
	var newest uint64
	if n := len(r.chain); n > 0 {
		newest = r.chain[n-1].file.ID
	}
	for _, c := range r.list.sorted() {
		if c.rolls && !r.known[c.file.ID] && c.file.ID > max(newest, r.start.File) &&
			!r.inChain(c.predecessor) && c.predecessor > newest {
			return c
		}
	}
	return nil
}

// inChain reports whether a file has been found to be part of the journal. One
// that is known to be missing is not.
func (r *Recovery) inChain(id uint64) bool {
	return slices.ContainsFunc(r.chain, func(c *candidate) bool { return c.file.ID == id })
}

// missing reports a file that must be there. What it held is not known.
func (r *Recovery) missing(id uint64) {
	if r.known[id] && r.list.files[id] == nil {
		return
	}
	r.known[id] = true
	r.lastMissing = max(r.lastMissing, id)
	why, c := r.list.broken[id], r.list.files[id]
	switch {
	case why == "" && c != nil && !c.rolls:
		why = "its beginning does not verify"
	case why == "" && c != nil:
		why = "it is another file of that name"
	case why == "":
		why = "it is missing"
	}
	r.add(Damage{File: fileName(id), Problem: "a hot file that was in use cannot be read: " + why})
	r.readOnly(fmt.Sprintf("%s was in use and cannot be read (%s)", fileName(id), why))
}

// finish says where the journal ends and what becomes of files outside the chain.
func (r *Recovery) finish() error {
	if n := len(r.chain); n > 0 {
		tail := r.chain[n-1].file
		r.j.files.tail = tail
		r.j.lead.file, r.j.lead.end = tail, tail.End()
		r.found.TailFile, r.found.TailEnd = tail.name, tail.End()
	}
	if r.found.Clean && (r.j.files.tail == nil || r.j.files.tail.ID != r.j.files.current.CleanFile) {
		r.unclean()
	}
	for _, c := range r.list.sorted() {
		if r.known[c.file.ID] || c.file.ID < r.start.File || c.footer != nil {
			continue
		}
		if err := r.leftover(c); err != nil {
			return err
		}
	}
	return nil
}

// leftover is a file that was prepared and not taken, or given up before anything
// in it was acknowledged. If a frame in it says otherwise, the journal has lost
// its thread, and takes no appends.
func (r *Recovery) leftover(c *candidate) error {
	f := c.file
	whole := c.header.Capacity == r.j.cfg.FileSize && f.Size() == c.header.Capacity
	if r.found.Clean && !c.rolls && whole && r.j.files.current.names(f.ID) {
		r.j.mu.prepared = append(r.j.mu.prepared, f)
		r.step("%s was prepared by the last life and is used as it is", f.name)
		return nil
	}
	if f.Size() < c.header.Capacity {
		r.add(Damage{File: f.name, Offset: f.Size(), Length: c.header.Capacity - f.Size(), Problem: "the file is too short"})
		r.readOnly(f.name + " is shorter than it was when it was made")
		return f.closeHandle()
	}
	off, err := f.acknowledged()
	if err = errors.Join(err, f.closeHandle()); err != nil {
		return err
	}
	if off > 0 {
		r.add(Damage{File: f.name, Offset: off, Problem: "acknowledged frames in a file whose beginning does not verify"})
		r.readOnly(f.name + " holds acknowledged frames and its beginning does not verify")
		return nil
	}
	r.step("%s was prepared and not taken, or given up: it is free", f.name)
	r.j.files.free = append(r.j.files.free, f)
	return nil
}

// acknowledged looks for a frame that says that frames before it in this file were
// acknowledged, and returns where it is, 0 when there is none.
func (f *File) acknowledged() (off int64, err error) {
	w := segment.NewWalker(f, f.Nonce, segment.HeaderBytes, f.Size(), segment.WalkerOptions{Window: scanWindow})
	for w.Next() || w.Resync() {
		if fr := w.Frame(); fr.Watermark > segment.HeaderBytes {
			return fr.Offset, nil
		}
	}
	var invalid *segment.InvalidError
	if err := w.Err(); err != nil && !errors.As(err, &invalid) {
		return 0, err
	}
	return 0, nil
}

// step notes a turn that recovery took.
func (r *Recovery) step(format string, args ...any) {
	r.found.Steps = append(r.found.Steps, fmt.Sprintf(format, args...))
}

func (r *Recovery) add(d Damage) { r.found.Damage = append(r.found.Damage, d) }

// readOnly notes the first reason for taking no appends.
func (r *Recovery) readOnly(why string) {
	if r.found.ReadOnly == nil {
		r.found.ReadOnly = fmt.Errorf("%w: %s", ErrReadOnly, why)
	}
}

// Close gives up the recovery.
func (r *Recovery) Close() error { return r.closeAll() }

// closeAll closes what discover opened.
func (r *Recovery) closeAll() error {
	if r.list == nil {
		return nil
	}
	var errs []error
	for _, c := range r.list.files {
		errs = append(errs, c.file.closeHandle())
	}
	return errors.Join(errs...)
}
