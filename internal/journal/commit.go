package journal

import (
	"errors"
	"fmt"
	"time"

	"github.com/aof2/aof/internal/segment"
)

// placement is where frames of one lane lie side by side in a file.
type placement struct {
	lane   *Lane
	file   *File
	extent segment.Extent
	next   uint64 // one past the last record in it
}

// leadRounds writes rounds until nothing has gathered. An appender that leads
// writes only its own round and leaves what gathered meanwhile to the writer
// goroutine.
func (j *Journal) leadRounds(own *round) {
	for {
		r := j.takeRound()
		if r == nil {
			return
		}
		err := j.commit(r)
		j.settle(r, err)
		if r == own && j.handOver() {
			return
		}
		// Those who have just been told run first: what they append next joins the
		// round that is about to be written, instead of waiting for it to end.
		j.cfg.Yield()
	}
}

// takeRound takes what has gathered. When there is nothing, it writes the mark
// that tells of the last sync, looks again, and steps down.
func (j *Journal) takeRound() *round {
	for {
		j.mu.Lock()
		r := j.mu.gather
		if len(r.buf) > 0 && !j.mu.stopped {
			j.mu.gather = newRound(r.no+1, j.mu.spare)
			j.mu.spare = nil
			j.mu.Unlock()
			return r
		}
		if !j.markDueLocked() {
			j.stepDownLocked()
			j.mu.Unlock()
			return nil
		}
		j.mu.Unlock()
		j.writeMark()
	}
}

// stepDownLocked ends the leadership.
func (j *Journal) stepDownLocked() {
	j.mu.leading = false
	j.clock.rest()
	if j.mu.stopped {
		close(j.rested)
	}
}

// handOver asks the writer goroutine to lead if something has gathered.
func (j *Journal) handOver() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.mu.gather.buf) == 0 || j.mu.stopped {
		return false
	}
	j.kick <- struct{}{}
	return true
}

// commit makes the frames of a round durable, slot by slot.
func (j *Journal) commit(r *round) error {
	if err := j.Err(); err != nil {
		return err
	}
	r.sortEnds()
	j.lead.places = j.lead.places[:0]
	var err error
	r.parts(func(part []byte, begins bool) bool {
		err = j.commitPart(r, part, begins)
		return err == nil
	})
	return err
}

// commitPart writes and syncs the frames of one slot. A file that fails is
// poisoned: nothing is ever written to it again, and the frames, all of them
// unacknowledged and in memory, go to the next prepared file.
func (j *Journal) commitPart(r *round, part []byte, begins bool) error {
	frames := part
	if r.mixed {
		frames = j.lead.arranger.arrange(part)
	}
	placed := len(j.lead.places)
	var errs []error
	for try := range maxPoisonRetries {
		f, err := j.fileFor(begins, try == 0)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		err = j.writeFrames(r, f, frames)
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", f.name, err))
		j.poison(f, err)
		j.lead.places = j.lead.places[:placed]
		begins = true
	}
	return errors.Join(errs...)
}

// fileFor is where the next frames go: the open file, or a prepared one when
// they begin a file. newSlot says that this is the file their slot is bound to
// for the first time.
func (j *Journal) fileFor(begins, newSlot bool) (*File, error) {
	if !begins {
		return j.lead.file, nil
	}
	f, err := j.takePrepared(newSlot)
	if err != nil {
		return nil, fmt.Errorf("no file to go on in: %w", err)
	}
	return f, nil
}

// writeFrames completes the frames for their place in f, writes them at once and
// syncs. A file that holds nothing yet gets its roll frame first.
func (j *Journal) writeFrames(r *round, f *File, frames []byte) error {
	off := j.lead.end
	watermark := f.End()
	if f != j.lead.file {
		off, watermark = segment.HeaderBytes, 0
		j.lead.first = segment.AppendRoll(j.lead.first[:0], f.previous, f.previousEnd, j.cfg.Now().UnixMilli())
		j.lead.first = append(j.lead.first, frames...)
		frames = j.lead.first
	}
	j.place(r, f, frames, off)
	for at := 0; at < len(frames); {
		n := int(segment.Peek(frames[at:]).Length)
		segment.FinishFrame(frames[at:at+n], f.Nonce, off+int64(at), watermark, j.epoch)
		at += n
	}
	h, err := f.open()
	if err != nil {
		return err
	}
	begin := time.Now()
	if _, err := h.WriteAt(frames, off); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	j.metrics.Write.Since(begin)
	begin = time.Now()
	if err := h.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	j.metrics.Sync.Since(begin)
	j.metrics.RoundBytes.Record(uint64(len(frames)))
	j.written(f, off+int64(len(frames)))
	return nil
}

// written notes that f is durable up to end.
func (j *Journal) written(f *File, end int64) {
	f.end.Store(end)
	j.lead.unmarked = true
	rolled := f != j.lead.file
	before := j.lead.file
	j.lead.file, j.lead.end = f, end
	j.mu.Lock()
	j.mu.stats.Syncs++
	if rolled {
		j.mu.taken = nil
		f.state.Store(uint32(StateOpen))
		j.mu.files = append(j.mu.files, f)
		if before != nil {
			before.state.Store(uint32(StateRolled))
		}
		j.hopeLocked()
	}
	j.mu.Unlock()
	if rolled && before != nil {
		j.event(Event{Kind: Rolled, File: before.ID, Detail: fmt.Sprintf("%d bytes of data, next is file %d", before.End(), f.ID)})
	}
}

// place notes where the frames of each lane will lie.
func (j *Journal) place(r *round, f *File, frames []byte, off int64) {
	for at := 0; at < len(frames); {
		fr := segment.Peek(frames[at:])
		fr.Offset = off + int64(at)
		e := extentOf(fr)
		at += int(fr.Length)
		if fr.Kind == segment.KindRoll || fr.Kind == segment.KindMark {
			continue
		}
		if n := len(j.lead.places); n > 0 {
			p := &j.lead.places[n-1]
			if p.file == f && p.lane.Ordinal == fr.Ordinal && p.extent.Len+e.Len <= extentBytes {
				p.extent.Len += e.Len
				p.extent.Newest = max(p.extent.Newest, e.Newest)
				p.next = fr.First + uint64(fr.Count)
				continue
			}
		}
		j.lead.places = append(j.lead.places, placement{r.lane(fr.Ordinal), f, e, fr.First + uint64(fr.Count)})
	}
}

// poison ends the use of a file after a failed write or sync. What it holds up
// to its end stays; nothing behind that counts, and the next file says so.
func (j *Journal) poison(f *File, err error) {
	f.poisoned = true
	if f != j.lead.file {
		_ = f.closeHandle() // nothing in it counts, and nothing reads it
	}
	j.mu.Lock()
	j.mu.stats.Poisoned++
	j.mu.Unlock()
	j.event(Event{Kind: Poisoned, File: f.ID, Err: err})
}

// settle publishes a round: first what readers see, then the durable mark, then
// those who wait for it. A round that failed ends the journal's writing life.
func (j *Journal) settle(r *round, err error) {
	if err != nil {
		j.fail(err)
		err = j.Err()
	} else {
		for _, p := range j.lead.places {
			p.lane.publish(p.file, p.extent, p.next)
		}
		for _, after := range r.after {
			after()
		}
	}
	r.err = err
	j.mu.Lock()
	j.mu.unflushed -= int64(len(r.buf))
	j.mu.stats.Rounds++
	if cap(r.buf) <= keepBuffer {
		j.mu.spare = r.buf[:0]
	}
	r.buf = nil
	j.beat.Advance(j.beat.At() + 1)
	j.mu.Unlock()
	if err == nil {
		j.durable.Advance(r.no)
		for _, e := range r.ends {
			e.lane.tail.Advance(e.next - 1)
		}
	}
	r.ends, r.after, r.cuts, r.last = nil, nil, nil, nil
	close(r.done)
}

// markDueLocked reserves room for a mark frame when the last sync is told of
// nowhere yet and the newest slot is the file that is written to.
func (j *Journal) markDueLocked() bool {
	if !j.lead.unmarked || j.mu.unbound > 0 || j.mu.stopped || j.mu.fatal != nil {
		return false
	}
	if !j.mu.slot.fits(markBytes, false) || j.mu.full.err != nil {
		return false
	}
	j.mu.slot.used += markBytes
	return true
}

// writeMark writes a frame that holds nothing but the watermark. It is not
// synced: it narrows the window in which damage to the last acknowledged batch
// could be taken for a torn write, and a store that stops here loses nothing
// with it. A failure is left to the next round, which writes to the same file.
func (j *Journal) writeMark() {
	f := j.lead.file
	j.lead.unmarked = false
	j.lead.mark = segment.AppendMark(j.lead.mark[:0])
	segment.FinishFrame(j.lead.mark, f.Nonce, j.lead.end, f.End(), j.epoch)
	h, err := f.open()
	if err != nil {
		return
	}
	if _, err := h.WriteAt(j.lead.mark, j.lead.end); err == nil {
		j.lead.end += markBytes
	}
}
