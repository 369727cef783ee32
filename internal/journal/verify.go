package journal

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aof2/aof/internal/segment"
)

// verifyEvery is how many frames are verified between two looks at the context.
const verifyEvery = 1024

// Verifier holds files against every checksum there is, in their order.
type Verifier struct {
	Files           int
	Frames, Records uint64
	Bytes           int64
	Damage          []Damage

	j     *Journal
	only  map[uint32]bool        // nil is every stream, and the journal's own frames
	after map[uint32]digestState // what the digests were at the end of the file before
	gaps  *gaps
}

// NewVerifier returns a verifier of the streams in only, or of everything.
func (j *Journal) NewVerifier(only map[uint32]bool) *Verifier {
	return &Verifier{j: j, only: only, after: map[uint32]digestState{}, gaps: newGaps()}
}

// File verifies one file up to where its data ends. progress is told how much of
// it has been read.
func (v *Verifier) File(ctx context.Context, f *File, progress func(int64)) error {
	if !f.acquire() {
		return nil // recycled meanwhile
	}
	defer f.release()
	v.Files++
	v.gaps.begin()
	held := v.held(f) // before the end is looked at: an open file grows meanwhile
	if f.State() == StateMissing {
		v.missing(f, held)
		return nil
	}
	runs, err := v.footer(f)
	if err != nil {
		return err
	}
	end := f.End()
	r := &summingReader{file: f}
	if _, err := r.ReadAt(make([]byte, segment.HeaderBytes), 0); err != nil {
		return fmt.Errorf("read %s: %w", f.name, err)
	}
	digests := newDigests(runs)
	w := segment.NewWalker(r, f.Nonce, segment.HeaderBytes, min(end, f.Size()), segment.WalkerOptions{Window: scanWindow})
	for n := 1; ; n++ {
		if w.Next() {
			if err := v.frame(f, w, digests); err != nil {
				return err
			}
			if n%verifyEvery == 0 {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				progress(w.Offset())
			}
			continue
		}
		s, more, err := passHole(w, end)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if s != nil {
			v.gaps.holes = append(v.gaps.holes, hole{suspect: *s})
			digests = nil
		}
		if !more {
			break
		}
	}
	if f.Size() < end {
		v.tooShort(f, end)
		digests = nil
	}
	v.attribute(f, held, end)
	v.Bytes += end
	progress(end)
	return v.finish(f, r, runs, digests)
}

// heldRun is what a lane has in a file.
type heldRun struct {
	lane *Lane
	last uint64
}

// held lists what the lanes have in a file, by ordinal.
func (v *Verifier) held(f *File) (held []heldRun) {
	v.j.mu.Lock()
	lanes := slices.Collect(maps.Values(v.j.mu.lanes))
	v.j.mu.Unlock()
	for _, l := range lanes {
		for _, r := range l.Runs() {
			if r.File == f && l.Ordinal != 0 {
				held = append(held, heldRun{l, r.Last})
			}
		}
	}
	slices.SortFunc(held, func(a, b heldRun) int { return cmp.Compare(a.lane.Ordinal, b.lane.Ordinal) })
	return held
}

// missing reports what a file held that is not there.
func (v *Verifier) missing(f *File, held []heldRun) {
	v.gaps.holes = append(v.gaps.holes, hole{suspect: suspect{end: f.Size(), reason: "the file is missing or is not what it should be"}})
	v.attribute(f, held, f.Size()+1)
}

// tooShort makes a hole of what is not there, together with the one before it.
func (v *Verifier) tooShort(f *File, end int64) {
	s := suspect{off: f.Size(), end: end, reason: "the file is too short"}
	if n := len(v.gaps.holes); n > 0 && v.gaps.holes[n-1].end >= f.Size() {
		s.off = v.gaps.holes[n-1].off
		v.gaps.holes = v.gaps.holes[:n-1]
	}
	v.gaps.holes = append(v.gaps.holes, hole{suspect: s})
}

// attribute reports the holes of a file: whose records lay there, as far as that
// can be known.
func (v *Verifier) attribute(f *File, held []heldRun, end int64) {
	for _, r := range held {
		v.add(v.gaps.reach(f, r.lane, r.last+1, end)...)
	}
	v.add(v.gaps.end(f)...)
}

// footer returns the runs of a sealed file, nil for one that is not sealed.
func (v *Verifier) footer(f *File) ([]segment.Run, error) {
	if f.State() != StateSealed {
		return nil, nil
	}
	ft, err := f.readFooter(f.Size())
	if errors.Is(err, errNoFooter) {
		v.add(Damage{File: f.name, Offset: f.End(), Length: f.Size() - f.End(), Problem: "the footer does not verify"})
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b := make([]byte, ft.IndexLen)
	if _, err := f.ReadAt(b, ft.IndexOff); err != nil {
		return nil, fmt.Errorf("read the run index of %s: %w", f.name, err)
	}
	runs, err := segment.DecodeIndex(b)
	if err != nil || sha256.Sum256(b) != ft.IndexHash {
		v.add(Damage{File: f.name, Offset: ft.IndexOff, Length: ft.IndexLen, Problem: "the run index does not verify"})
		return nil, nil
	}
	return runs, nil
}

// frame verifies the walker's frame.
func (v *Verifier) frame(f *File, w *segment.Walker, digests map[uint32]*segment.Digester) error {
	fr := w.Frame()
	if l := v.j.Lane(fr.Ordinal); l != nil && fr.Kind == segment.KindData {
		v.add(v.gaps.frame(f, l, fr)...)
	}
	if !v.wanted(fr.Ordinal) {
		return nil
	}
	v.Frames++
	if fr.Kind == segment.KindData {
		v.Records += uint64(fr.Count)
	}
	var bad *segment.RecordsError
	switch err := w.Check(); {
	case errors.As(err, &bad):
		delete(digests, fr.Ordinal)
		if len(bad.Faults) == 0 {
			v.add(Damage{File: f.name, Offset: fr.Offset, Length: fr.Length, Ordinal: fr.Ordinal, Problem: "the bytes behind the records are not zero"})
		}
		for _, fault := range bad.Faults {
			v.add(Damage{
				File: f.name, Offset: fault.Offset, Length: fault.Length, Ordinal: fr.Ordinal,
				First: fault.Seq, Last: fault.Seq + uint64(fault.Count) - 1, Problem: "the record's checksum does not match",
			})
		}
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", f.name, err)
	}
	if d := digests[fr.Ordinal]; d != nil {
		for w.NextRecord() {
			d.Add(w.Record())
		}
	}
	return nil
}

func (v *Verifier) wanted(ordinal uint32) bool { return v.only == nil || v.only[ordinal] }

func (v *Verifier) add(damage ...Damage) {
	for _, d := range damage {
		if d.Ordinal == 0 || v.wanted(d.Ordinal) {
			v.Damage = append(v.Damage, d)
		}
	}
}

// newDigests begins the digests of a sealed file's runs.
func newDigests(runs []segment.Run) map[uint32]*segment.Digester {
	digests := make(map[uint32]*segment.Digester, len(runs))
	for _, r := range runs {
		if r.Ordinal == 0 || len(r.After) == 0 {
			continue
		}
		if d, err := segment.NewDigester(r.Before); err == nil {
			digests[r.Ordinal] = d
		}
	}
	return digests
}

// finish holds the bytes of a sealed file against the footer's checksum and its
// records against the digests.
func (v *Verifier) finish(f *File, r *summingReader, runs []segment.Run, digests map[uint32]*segment.Digester) error {
	if runs == nil {
		return nil
	}
	for _, run := range runs {
		if before, ok := v.after[run.Ordinal]; ok && !run.Restarted && run.Ordinal != 0 && v.wanted(run.Ordinal) &&
			before.last == run.First-1 && len(before.state) > 0 && !bytes.Equal(before.state, run.Before) {
			v.add(Damage{File: f.name, Offset: f.End(), Ordinal: run.Ordinal, First: run.First, Last: run.Last, Problem: "the digest does not continue that of the file before"})
		}
		v.after[run.Ordinal] = digestState{run.Last, run.After}
		if d := digests[run.Ordinal]; d != nil && v.wanted(run.Ordinal) && !bytes.Equal(d.State(), run.After) {
			v.add(Damage{
				File: f.name, Offset: segment.HeaderBytes, Length: f.End() - segment.HeaderBytes, Ordinal: run.Ordinal,
				First: run.First, Last: run.Last, Problem: "the digest of the records does not match",
			})
		}
	}
	if v.only != nil {
		return nil
	}
	ft, err := f.readFooter(f.Size())
	if err != nil {
		return err
	}
	sum, err := r.finish(f.End())
	if err != nil {
		return fmt.Errorf("read %s: %w", f.name, err)
	}
	if sum != ft.Checksum && digests != nil {
		v.wholeFile(f)
	}
	return nil
}

// wholeFile reports that the checksum of all bytes does not match, unless what is
// wrong is known more closely.
func (v *Verifier) wholeFile(f *File) {
	for _, d := range v.Damage {
		if d.File == f.name {
			return
		}
	}
	v.add(Damage{File: f.name, Length: f.End(), Problem: "the checksum of the file's bytes does not match"})
}

// RunBytes is how many bytes of frames a run has. For a sealed file that nobody
// has looked at yet this reads its run index.
func (j *Journal) RunBytes(l *Lane, r Run) int64 {
	if r.Bytes != 0 {
		return r.Bytes
	}
	extents, err := j.extentsOf(r.File, l.Ordinal)
	if err != nil {
		return 0
	}
	n := extentsLength(extents)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.mu.runs {
		if x.file == r.File && x.first == r.First {
			x.bytes = n
		}
	}
	return n
}
