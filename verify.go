package aof

import (
	"context"
	"fmt"
	"slices"

	"github.com/aof2/aof/internal/catalog"
	"github.com/aof2/aof/internal/coordinator"
	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/journal"
)

// Verify reads every byte of the journal and holds it against its checksums:
// headers, frames, records, run indexes, footers, and the digests of sealed
// records. What does not verify is in the report; an error is that the
// verification could not go on.
func (s *Store) Verify(ctx context.Context, o VerifyOptions) (*Report, error) {
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	rep, err := verify(ctx, s.fs, s.journal, s.ledger, s.recovery, o)
	if err != nil {
		return nil, err
	}
	for _, d := range rep.Damage {
		s.events.damage(d)
	}
	return rep, nil
}

// Files lists the hot files, oldest first.
func (s *Store) Files() []FileInfo { return describeFiles(s.journal, s.ledger) }

// verify looks at every file and every snapshot, and adds what was found at open
// and no file shows: files that are gone.
func verify(ctx context.Context, fsy fsys.FS, j *journal.Journal, ledger *coordinator.Ledger, found Recovery, o VerifyOptions) (*Report, error) {
	only, err := ordinals(ledger, o.Streams)
	if err != nil {
		return nil, err
	}
	rep := &Report{}
	if only == nil {
		bad, err := coordinator.VerifySnapshots(fsy)
		if err != nil {
			return nil, translate(err)
		}
		for _, b := range bad {
			rep.Damage = append(rep.Damage, Damage{File: b.Name, Length: b.Size, Problem: "the snapshot does not verify"})
		}
	}
	files := j.DataFiles()
	var total, done int64
	for _, f := range files {
		total += f.End()
	}
	names := make(map[uint32]string)
	ledger.Read(func(c *catalog.Catalog) {
		for s := range c.Streams() {
			names[s.Ordinal] = s.Name
		}
	})
	v := j.NewVerifier(only)
	for _, f := range files {
		err := v.File(ctx, f, func(read int64) {
			if o.Progress != nil {
				o.Progress(done+read, total)
			}
		})
		if j.Closed() {
			return nil, ErrClosed
		}
		if err != nil {
			return nil, translate(err)
		}
		done += f.End()
	}
	rep.Files, rep.Frames, rep.Records, rep.Bytes = v.Files, v.Frames, v.Records, v.Bytes
	for _, d := range v.Damage {
		rep.Damage = append(rep.Damage, publicDamage(d, names[d.Ordinal]))
	}
	for _, d := range found.Damage {
		wanted := only == nil || slices.Contains(o.Streams, d.Stream)
		if wanted && !covers(rep.Damage, d) && !trimmed(j, ledger, d) {
			rep.Damage = append(rep.Damage, d)
		}
	}
	return rep, nil
}

// covers reports whether damage is known already: that of these records, or where
// they are not known, something in the same place.
func covers(known []Damage, d Damage) bool {
	return slices.ContainsFunc(known, func(k Damage) bool {
		if d.First != 0 && d.Stream != "" {
			return k.Stream == d.Stream && k.First != 0 && k.First <= d.First && d.Last <= k.Last
		}
		return k.File == d.File && k.Offset < d.Offset+max(d.Length, 1) && d.Offset < k.Offset+max(k.Length, 1)
	})
}

// trimmed reports whether nobody can ask for the records any more that damage
// concerns.
func trimmed(j *journal.Journal, ledger *coordinator.Ledger, d Damage) bool {
	if d.First == 0 || d.Stream == "" {
		return false
	}
	var lane *journal.Lane
	ledger.Read(func(c *catalog.Catalog) {
		if s, ok := c.ByName(d.Stream); ok {
			lane = j.Lane(s.Ordinal)
		}
	})
	return lane == nil || lane.First() > uint64(d.Last)
}

// ordinals are the streams of those names, nil for none.
func ordinals(ledger *coordinator.Ledger, names []string) (only map[uint32]bool, err error) {
	if len(names) == 0 {
		return nil, nil
	}
	only = make(map[uint32]bool)
	ledger.Read(func(c *catalog.Catalog) {
		for _, name := range names {
			s, ok := c.ByName(name)
			if !ok {
				err = fmt.Errorf("%w: stream %q", ErrNotFound, name)
				return
			}
			only[s.Ordinal] = true
		}
	})
	return only, err
}
