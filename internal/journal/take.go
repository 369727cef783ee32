package journal

import (
	"errors"
	"fmt"

	"github.com/aof2/aof/internal/segment"
)

// take reads one file of the chain: the run index of a sealed one, the data of
// one that is not.
func (r *Recovery) take(i int, c *candidate) error {
	end, known := int64(0), false
	if i+1 < len(r.chain) && r.chain[i+1].predecessor == c.file.ID {
		end, known = r.chain[i+1].end, true
	}
	if c.footer != nil && (!known || c.footer.DataEnd == end) {
		if i+1 == len(r.chain) {
			r.add(Damage{File: c.file.name, Offset: c.footer.DataEnd, Problem: "the file that followed this one is missing"})
			r.readOnly("the newest hot file is missing")
		}
		return r.takeSealed(c)
	}
	// A file is allocated in full before it is taken: the last one is never shorter.
	limit, acknowledged := max(c.file.Size(), c.header.Capacity), int64(0)
	if known {
		limit, acknowledged = end, end
	} else if r.j.files.current.CleanFile == c.file.ID && r.found.Clean {
		acknowledged = r.j.files.current.CleanEnd
		limit = max(limit, acknowledged)
	}
	if acknowledged == 0 && r.orphaned(i) {
		return r.takeOrphan(c, limit)
	}
	return r.takeOpen(c, acknowledged, limit, known)
}

// orphaned reports whether the file that goes on behind a file of the chain
// cannot be read, or may have been one that cannot.
func (r *Recovery) orphaned(i int) bool {
	id := r.chain[i].file.ID
	if i+1 < len(r.chain) {
		return r.chain[i+1].predecessor != id
	}
	return r.lastMissing > id
}

// takeOrphan scans a file of which only the missing file behind it says where it
// ends. Frames that no watermark vouches for may have been given up, and other
// records may have got their numbers: they are not taken, and reported.
func (r *Recovery) takeOrphan(c *candidate, limit int64) error {
	f := c.file
	v, err := r.j.judge(f, 0, min(limit, f.Size()))
	if err != nil {
		return err
	}
	end := max(segment.HeaderBytes, min(v.end, v.acked))
	w := segment.NewWalker(f, f.Nonce, end, v.end, segment.WalkerOptions{Window: scanWindow})
	for w.Next() {
		fr := w.Frame()
		if fr.Kind == segment.KindData || fr.Kind == segment.KindControl {
			r.add(Damage{
				File: f.name, Offset: fr.Offset, Length: fr.Length, Ordinal: fr.Ordinal, First: fr.First, Last: fr.Last(),
				Problem: "whether these records count is said by the file that goes on behind this one, which cannot be read",
			})
		}
	}
	var invalid *segment.InvalidError
	if err := w.Err(); err != nil && !errors.As(err, &invalid) {
		return err
	}
	return r.takeOpen(c, end, end, true)
}

// takeOpen scans a file that is not sealed.
func (r *Recovery) takeOpen(c *candidate, acknowledged, limit int64, followed bool) error {
	f := c.file
	v, err := r.j.judge(f, acknowledged, min(limit, f.Size()))
	if err != nil {
		return err
	}
	if f.Size() < limit {
		v.damage = append(v.damage, suspect{off: f.Size(), end: limit, reason: "the file is too short"})
	}
	r.found.Scanned += v.end
	f.end.Store(v.end)
	f.state.Store(uint32(StateRolled))
	if v.cut != nil {
		r.step("%s ends at %d, where a frame was begun and its records do not all verify", f.name, v.end)
	}
	if followed && limit < f.Size() {
		r.abandoned(f, limit)
	}
	if !followed {
		f.state.Store(uint32(StateOpen))
		r.found.Torn = v.torn
		if r.j.cfg.DurableOnly {
			v.end = max(segment.HeaderBytes, min(v.end, v.acked))
		}
		if r.found.Clean && v.end != acknowledged {
			r.found.Notes = append(r.found.Notes, fmt.Sprintf("%s was closed at %d and ends at %d", f.name, acknowledged, v.end))
			r.unclean()
		}
	}
	return r.replay(f, v)
}

// abandoned notes whether a whole frame lies behind the end that the next file
// names.
func (r *Recovery) abandoned(f *File, end int64) {
	w := segment.NewWalker(f, f.Nonce, end, f.Size(), segment.WalkerOptions{Window: 8 << 10})
	if w.Next() {
		r.step("frames in %s behind %d were given up after a failed write or sync: the next file goes on from there", f.name, end)
	}
}

// unclean takes back that the end was clean.
func (r *Recovery) unclean() {
	if r.found.Clean {
		r.found.Clean, r.j.files.clean = false, false
		r.j.epoch++
	}
}

// takeSealed reads the decisions in a sealed file and where its streams end.
func (r *Recovery) takeSealed(c *candidate) error {
	f := c.file
	f.end.Store(c.footer.DataEnd)
	f.state.Store(uint32(StateRolled))
	x, err := r.j.index(f)
	if err != nil {
		if !errors.Is(err, segment.ErrDamaged) && !errors.Is(err, segment.ErrNotSegment) {
			return err
		}
		// The crash may have come while the file was being sealed. If that had
		// been decided, Attach reports it.
		c.footer = nil
		f.forgetFooter()
		r.step("%s has a footer and its run index does not verify: its data is read instead", f.name)
		return r.takeOpen(c, f.End(), f.End(), true)
	}
	own, ok, err := x.Find(0)
	if err == nil && ok && own.Last > r.start.Seq {
		r.step("decisions up to %d are read from %s, which is sealed", own.Last, f.name)
		for _, e := range own.Extents {
			w := segment.NewWalker(f, f.Nonce, e.Off, e.Off+e.Len, segment.WalkerOptions{})
			for w.Next() {
				if err := r.decisions(w); err != nil {
					return err
				}
			}
			var invalid *segment.InvalidError
			if w.Err() != nil && !errors.As(w.Err(), &invalid) {
				return fmt.Errorf("read decisions: %w", w.Err())
			}
			if w.Err() != nil {
				r.add(Damage{File: f.name, Offset: w.Offset(), Problem: "decisions cannot be read: " + w.Err().Error()})
			}
		}
		if r.nextSeq <= own.Last && !r.gap {
			r.lost(own.Last)
		}
	}
	for i := range x.Len() {
		run, err := x.Run(i)
		if err != nil {
			return fmt.Errorf("run index: %w", err)
		}
		if run.Ordinal == 0 {
			continue
		}
		if l := r.lane(run.Ordinal); l != nil && run.Last >= l.next {
			l.next = run.Last + 1
			l.mu.runs = append(l.mu.runs, newRun(f, StreamRun{First: run.First, Last: run.Last, Bytes: extentsLength(run.Extents), Newest: newestOf(run.Extents)}))
		}
	}
	return nil
}

// decisions folds the decisions in the walker's frame.
func (r *Recovery) decisions(w *segment.Walker) error {
	if w.Frame().Kind != segment.KindControl {
		return nil
	}
	for {
		if !w.NextRecord() {
			if err := w.RecordErr(); err != nil {
				var bad *segment.RecordError
				if !errors.As(err, &bad) {
					return err
				}
				if bad.Seq >= r.nextSeq {
					r.lost(bad.Seq)
				}
				continue
			}
			return nil
		}
		rec := w.Record()
		if rec.Seq < r.nextSeq || r.gap {
			continue
		}
		if rec.Seq > r.nextSeq {
			r.lost(rec.Seq - 1)
			continue
		}
		if err := r.sink.Decision(rec.Seq, rec.Payload); err != nil {
			return fmt.Errorf("decision %d: %w", rec.Seq, err)
		}
		r.nextSeq++
		r.found.Replayed++
		r.j.mu.lanes[0].next = r.nextSeq
	}
}

// lost notes that the decisions up to last cannot be read. What they were nobody
// knows: nothing that comes behind them is folded, and none is ever made in their
// place.
func (r *Recovery) lost(last uint64) {
	if r.gap {
		return
	}
	r.gap = true
	r.readOnly(fmt.Sprintf("decisions %d..%d are missing", r.nextSeq, last))
}

// lane returns the lane of a stream that the decisions so far know, or nil.
func (r *Recovery) lane(ordinal uint32) *Lane {
	if l := r.j.mu.lanes[ordinal]; l != nil {
		return l
	}
	next, known := r.sink.Next(ordinal)
	if !known {
		return nil
	}
	l := newLane(ordinal, next)
	r.j.mu.lanes[ordinal] = l
	return l
}
