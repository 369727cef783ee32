package journal

import (
	"errors"
	"fmt"

	"github.com/aof2/aof/internal/segment"
)

const (
	scanWindow   = 1 << 20 // the memory of a scan
	maxAccounted = 1 << 14 // frames behind a bad place that are counted one by one
)

// suspect is a place in an unsealed file that does not verify: torn if nothing
// says that it was acknowledged, else damage.
type suspect struct {
	off, end int64
	frame    segment.Frame         // the frame, when only records of it are bad
	records  *segment.RecordsError // nil when no frame could be made out
	reason   string
}

// verdict is what is known about an unsealed file after it was read once.
type verdict struct {
	end    int64     // where its data ends
	acked  int64     // up to here it is known to have been acknowledged
	torn   int64     // bytes of frames behind that which nobody was told of
	damage []suspect // acknowledged bytes that do not verify
	cut    *suspect  // the frame at end, when it was begun and not all of its records are there
}

// judge reads an unsealed file from its first frame on, with every checksum, and
// finds out where its data ends. acknowledged is an offset up to which data is
// known to have been durable, from the file that follows or from a clean end. A
// frame with a higher watermark says that more was; whatever does not verify
// below the highest is damage. The first place beyond it that does not verify is
// where the data ends: bytes behind that were never acknowledged.
func (j *Journal) judge(f *File, acknowledged, limit int64) (verdict, error) {
	var suspects []suspect
	v := verdict{end: segment.HeaderBytes}
	var behind []segment.Frame // frames from the first suspect on, for the account of torn bytes
	w := segment.NewWalker(f, f.Nonce, segment.HeaderBytes, limit, segment.WalkerOptions{Window: scanWindow})
	for {
		if w.Next() {
			fr := w.Frame()
			acknowledged = max(acknowledged, fr.Watermark)
			v.end = fr.End()
			err := w.Check()
			var bad *segment.RecordsError
			switch {
			case errors.As(err, &bad):
				fr.Ext = nil
				suspects = append(suspects, suspect{off: fr.Offset, end: fr.End(), frame: fr, records: bad, reason: bad.Error()})
			case err != nil:
				return v, err
			}
			if len(suspects) > 0 && len(behind) < maxAccounted {
				fr.Ext = nil
				behind = append(behind, fr)
			}
			continue
		}
		s, more, err := passHole(w, limit)
		if err != nil {
			return v, err
		}
		if s != nil {
			suspects = append(suspects, *s)
		}
		if !more {
			break
		}
	}
	v.acked = acknowledged
	v.conclude(suspects, acknowledged)
	for _, fr := range behind {
		if fr.Offset >= v.end {
			v.torn += fr.Length
		}
	}
	return v, nil
}

// passHole takes the walker from a place without a frame to the next frame. s is
// nil at the end of the walk.
func passHole(w *segment.Walker, limit int64) (s *suspect, more bool, err error) {
	if w.Err() == nil {
		return nil, false, nil
	}
	var invalid *segment.InvalidError
	if !errors.As(w.Err(), &invalid) {
		return nil, false, w.Err()
	}
	s = &suspect{off: w.Offset(), end: limit, reason: "not a frame: " + invalid.Reason}
	if w.Resync() {
		s.end = w.Offset()
		return s, true, nil
	}
	if !errors.As(w.Err(), &invalid) {
		return nil, false, w.Err()
	}
	return s, false, nil
}

// conclude tells damage from the torn end.
func (v *verdict) conclude(suspects []suspect, acknowledged int64) {
	for _, s := range suspects {
		if s.off >= acknowledged {
			v.end = s.off
			if s.records != nil {
				v.cut = &s
			}
			return
		}
		if s.records == nil && s.end > acknowledged {
			// What comes behind is not acknowledged, and not all of it is there.
			s.end, v.end = acknowledged, acknowledged
			v.damage = append(v.damage, s)
			return
		}
		v.damage = append(v.damage, s)
	}
	v.end = max(v.end, acknowledged)
}

// replay hands the frames of an unsealed file to the lanes and the decisions to
// the sink. Where frames are missing it says which records are.
func (r *Recovery) replay(f *File, v verdict) error {
	w := segment.NewWalker(f, f.Nonce, segment.HeaderBytes, min(v.end, f.Size()), segment.WalkerOptions{Window: scanWindow})
	lanes := map[uint32]bool{}
	for w.Next() || w.Resync() {
		fr := w.Frame()
		if fr.Length == 0 { // a place to go on from
			continue
		}
		f.frames++
		lanes[fr.Ordinal] = true
		r.j.mu.lastTime = max(r.j.mu.lastTime, fr.TimeMs) // the clock may have stepped back meanwhile
		switch fr.Kind {
		case segment.KindControl:
			if err := r.decisions(w); err != nil {
				return err
			}
		case segment.KindData:
			r.data(f, fr)
		}
	}
	f.lanes = len(lanes) + 1
	var invalid *segment.InvalidError
	if err := w.Err(); err != nil && !errors.As(err, &invalid) {
		return err
	}
	for _, s := range v.damage {
		r.damaged(f, s)
	}
	return nil
}

// data adds a data frame to its lane.
func (r *Recovery) data(f *File, fr segment.Frame) {
	if r.j.mu.lanes[fr.Ordinal] == nil && r.sink.Gone(fr.Ordinal) {
		return // the snapshot knows of its deletion, which may lie further on in the journal
	}
	l := r.lane(fr.Ordinal)
	if l == nil {
		r.add(Damage{
			File: f.name, Offset: fr.Offset, Length: fr.Length, Ordinal: fr.Ordinal, First: fr.First, Last: fr.Last(),
			Problem: "records of a stream that no decision created",
		})
		r.readOnly("decisions are missing")
		return
	}
	if fr.First < l.next {
		r.add(Damage{
			File: f.name, Offset: fr.Offset, Length: fr.Length, Ordinal: fr.Ordinal, First: fr.First, Last: fr.Last(),
			Problem: fmt.Sprintf("records that were there before: %d was expected", l.next),
		})
		return
	}
	if fr.First > l.next {
		r.add(Damage{File: f.name, Offset: fr.Offset, Ordinal: fr.Ordinal, First: l.next, Last: fr.First - 1, Problem: "records are missing before this place"})
	}
	l.next = fr.Last() + 1
	l.addLocked(f, extentOf(fr), l.next)
}

// damaged reports a suspect that turned out to be damage. When a frame's header
// does not verify nobody knows whose records it held: streams may have lost
// their last ones, and giving their seqs again would hide that. Such a journal
// is read, and takes no appends.
func (r *Recovery) damaged(f *File, s suspect) {
	if s.records == nil {
		r.add(Damage{File: f.name, Offset: s.off, Length: s.end - s.off, Problem: s.reason})
		r.readOnly(fmt.Sprintf("acknowledged frames in %s at %d..%d do not verify, and it is not known whose they were", f.name, s.off, s.end))
		return
	}
	if s.records.Padding && len(s.records.Faults) == 0 {
		r.add(Damage{File: f.name, Offset: s.off, Length: s.end - s.off, Ordinal: s.frame.Ordinal, Problem: s.reason})
	}
	for _, fault := range s.records.Faults {
		r.add(Damage{
			File: f.name, Offset: fault.Offset, Length: fault.Length, Ordinal: s.frame.Ordinal,
			First: fault.Seq, Last: fault.Seq + uint64(fault.Count) - 1, Problem: "the record's checksum does not match",
		})
	}
}
