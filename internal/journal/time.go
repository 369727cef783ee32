package journal

import (
	"errors"
	"sort"

	"github.com/aof2/aof/internal/segment"
)

// FindTime returns the lane's first record that is not older than timeMs, one past the newest durable one when there is
// none: the first at which the newest time so far reaches timeMs, wherever the clock went in between. Only the stretch
// that holds it is read, all others are passed over by the newest time that is known of them. Where that stretch does not
// verify, the answer is the first record of the damage. The other errors are those of Fill.
func (j *Journal) FindTime(l *Lane, timeMs int64) (uint64, error) {
	c := j.Cursor(l, l.First())
	defer c.Release()
	for {
		from, last, err := c.stretch(timeMs)
		if err != nil || from == 0 {
			return c.next, err
		}
		for c.Seek(from); c.next <= last; {
			seq, err := c.stepTime(timeMs)
			if seq != 0 || err != nil {
				return seq, err
			}
		}
	}
}

// stretch finds the first extent from the next record on that may hold one of that time, and its records from..last. from
// is 0 when there is none; the cursor then stands behind the durable records.
func (c *Cursor) stretch(timeMs int64) (from, last uint64, err error) {
	for {
		behind := c.l.Durable() + 1 // before the look: what comes after it may be of that time
		r, extents, ok := c.l.findNewest(c.next, timeMs)
		if !ok {
			c.next = max(c.next, behind)
			return 0, 0, nil
		}
		if extents == nil {
			if extents, err = c.newestInIndex(r.file); err != nil {
				return 0, 0, err
			}
		}
		next := max(c.next, r.first)
		if len(extents) == 0 {
			return next, r.last, nil
		}
		if from, last = firstNewest(extents, &r, next, timeMs); from != 0 {
			return from, last, nil
		}
		c.next = r.last + 1
	}
}

// newestInIndex returns the extents of a sealed file, none when they cannot be told: reading there says why.
func (c *Cursor) newestInIndex(f *File) ([]segment.Extent, error) {
	if !f.acquire() {
		return nil, nil
	}
	defer f.release()
	extents, err := c.fromIndex(f)
	if errors.Is(err, segment.ErrDamaged) {
		return nil, nil
	}
	return extents, err
}

// firstNewest is the first extent of a run, not wholly before next, that may hold a record of that time.
func firstNewest(extents []segment.Extent, r *run, next uint64, timeMs int64) (from, last uint64) {
	i := max(0, sort.Search(len(extents), func(i int) bool { return extents[i].First > next })-1)
	for ; i < len(extents); i++ {
		if extents[i].Newest < timeMs {
			continue
		}
		last = r.last
		if i+1 < len(extents) {
			last = extents[i+1].First - 1
		}
		return max(extents[i].First, next), last
	}
	return 0, 0
}

// stepTime reads one record, or fetches what holds it. It returns the record's seq when it is not older than timeMs.
func (c *Cursor) stepTime(timeMs int64) (uint64, error) {
	seq := c.next
	var err error
	if !c.Holds() {
		err = c.Fill()
	} else {
		var rec segment.Record
		if rec, err = c.Next(); err == nil && rec.TimeMs >= timeMs {
			return rec.Seq, nil
		}
	}
	var damage *DamageError
	var trimmed *TrimmedError
	switch {
	case errors.As(err, &damage):
		return seq, nil
	case errors.As(err, &trimmed):
		c.Seek(trimmed.First)
		return 0, nil
	}
	return 0, err
}

// findNewest returns the first run that reaches next and may hold a record of that time, and its extents when they are in
// memory, which they are until its file is sealed.
func (l *Lane) findNewest(next uint64, timeMs int64) (r run, extents []segment.Extent, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next = max(next, l.mu.first)
	i := sort.Search(len(l.mu.runs), func(i int) bool { return l.mu.runs[i].last >= next })
	for ; i < len(l.mu.runs); i++ {
		if r := l.mu.runs[i]; r.newest >= timeMs {
			return *r, append([]segment.Extent(nil), r.extents...), true
		}
	}
	return run{}, nil, false
}
