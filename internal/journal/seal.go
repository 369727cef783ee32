package journal

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/aof2/aof/internal/segment"
)

// Seal is what a sealed file holds.
type Seal struct {
	File      *File
	DataEnd   int64
	Size      int64
	Checksum  uint64
	IndexHash [32]byte
	Runs      []SealedRun // by ordinal, without the journal's own
}

// SealedRun is the records of one stream in a sealed file.
type SealedRun struct {
	Ordinal     uint32
	First, Last uint64
	Bytes       int64
	Newest      int64 // no record of it has a later time
}

// digestState is the digest of a stream behind a record.
type digestState struct {
	last  uint64
	state []byte
}

// Rolled returns the oldest file that is complete and not sealed, or nil.
func (j *Journal) Rolled() *File {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, f := range j.mu.files {
		if f.State() == StateRolled {
			return f
		}
	}
	return nil
}

// Seal writes the run index and the footer behind the data of a complete file,
// cuts off the room that was not used, and syncs. Nothing before is changed. It
// is called for one file at a time, in order; known supplies digest states that
// outlived their file. A file that has a footer already, because a crash came
// between it and the decision, is read and left as it is. pace is called after
// every paceBytes of data; it may wait.
func (j *Journal) Seal(f *File, known func(ordinal uint32) (last uint64, state []byte), pace func()) (Seal, error) {
	s, err := j.seal(f, known, pace)
	j.mu.Lock()
	defer j.mu.Unlock()
	if failed := err != nil; failed != j.mu.unsealable {
		j.mu.unsealable = failed
		j.bumpLocked()
	}
	return s, err
}

func (j *Journal) seal(f *File, known func(ordinal uint32) (last uint64, state []byte), pace func()) (Seal, error) {
	if !f.sealed {
		if err := j.settleFooter(f); err != nil {
			return Seal{}, fmt.Errorf("seal %s: %w", f.name, err)
		}
	}
	if ft := f.knownFooter(); ft != nil && ft.DataEnd == f.End() {
		s, err := j.sealFound(f, ft)
		if !errors.Is(err, segment.ErrDamaged) && !errors.Is(err, segment.ErrNotSegment) {
			return s, err
		}
		f.forgetFooter() // the crash came before the index was whole: it is written anew
	}
	b := sealBuilder{j: j, file: f, known: known, pace: pace, runs: map[uint32]*sealingRun{}}
	if err := b.walk(); err != nil {
		return Seal{}, fmt.Errorf("seal %s: %w", f.name, err)
	}
	s, err := b.write()
	if err != nil {
		return Seal{}, fmt.Errorf("seal %s: %w", f.name, err)
	}
	j.forgetStates()
	return s, nil
}

// settleFooter makes the footer of a file that was found with one a fact: the
// process that wrote it may have died before it was synced, and its decision must
// not come before that.
func (j *Journal) settleFooter(f *File) error {
	ft := f.knownFooter()
	if ft == nil {
		return nil
	}
	if err := j.settleFile(f.name); err != nil {
		return err
	}
	f.forgetFooter()
	j.indexes.drop(f.ID)
	if _, err := f.readFooter(ft.Size()); err != nil && !errors.Is(err, errNoFooter) {
		return err
	}
	return nil
}

// sealFound describes a file that has its footer.
func (j *Journal) sealFound(f *File, ft *segment.Footer) (Seal, error) {
	x, err := j.index(f)
	if err != nil {
		return Seal{}, err
	}
	s := Seal{File: f, DataEnd: ft.DataEnd, Size: ft.Size(), Checksum: ft.Checksum, IndexHash: ft.IndexHash}
	for i := range x.Len() {
		r, err := x.Run(i)
		if err != nil {
			return Seal{}, fmt.Errorf("%s: %w", f.name, err)
		}
		if r.Ordinal == 0 {
			continue
		}
		s.Runs = append(s.Runs, SealedRun{r.Ordinal, r.First, r.Last, extentsLength(r.Extents), newestOf(r.Extents)})
		j.seals.states[r.Ordinal] = digestState{r.Last, r.After}
	}
	return s, nil
}

// forgetStates lets go of the digest states of streams that are gone, once they
// are many.
func (j *Journal) forgetStates() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.seals.states) <= 2*len(j.mu.lanes)+64 {
		return
	}
	for ordinal := range j.seals.states {
		if j.mu.lanes[ordinal] == nil {
			delete(j.seals.states, ordinal)
		}
	}
}

// newestOf is the latest time among those of extents.
func newestOf(extents []segment.Extent) (newest int64) {
	for i, e := range extents {
		if i == 0 || e.Newest > newest {
			newest = e.Newest
		}
	}
	return newest
}

func extentsLength(extents []segment.Extent) (n int64) {
	for _, e := range extents {
		n += e.Len
	}
	return n
}

// SealDecided tells that the decision about a sealed file is durable: from now on
// its run index says where its records lie.
func (j *Journal) SealDecided(s Seal) {
	s.File.state.Store(uint32(StateSealed))
	j.mu.Lock()
	lanes := make([]*Lane, 0, len(s.Runs)+1)
	lanes = append(lanes, j.mu.lanes[0])
	for _, r := range s.Runs {
		if l := j.mu.lanes[r.Ordinal]; l != nil {
			lanes = append(lanes, l)
		}
	}
	j.roomierLocked()
	j.mu.Unlock()
	for _, l := range lanes {
		l.sealed(s.File)
	}
	_ = s.File.closeHandle() // all it wrote is synced; a reader opens the file when it needs it
	j.event(Event{Kind: Sealed, File: s.File.ID, Detail: fmt.Sprintf("%d bytes of data, %d streams", s.DataEnd, len(s.Runs))})
}

// sealBuilder walks a complete file and collects what its index says.
type sealBuilder struct {
	j       *Journal
	file    *File
	known   func(ordinal uint32) (last uint64, state []byte)
	pace    func()
	passed  int // bytes since it was called
	runs    map[uint32]*sealingRun
	frames  uint64
	records uint64
	sum     uint64
}

// sealingRun is a run while it grows.
type sealingRun struct {
	segment.Run
	digest *segment.Digester // nil when the digest of this run cannot be known
}

// walk reads the whole data once: extents, digests and the checksum of the bytes.
func (b *sealBuilder) walk() error {
	if b.file.poisoned {
		h, err := b.file.open()
		if err == nil {
			err = h.DropCache()
		}
		if err != nil {
			return err
		}
	}
	r := &summingReader{file: b.file}
	if _, err := r.ReadAt(make([]byte, segment.HeaderBytes), 0); err != nil {
		return err
	}
	w := segment.NewWalker(r, b.file.Nonce, segment.HeaderBytes, b.file.End(), segment.WalkerOptions{})
	for {
		if !w.Next() {
			var invalid *segment.InvalidError
			if w.Err() == nil {
				break
			}
			if !errors.As(w.Err(), &invalid) {
				return w.Err()
			}
			if !w.Resync() {
				break
			}
			continue
		}
		if err := b.add(w); err != nil {
			return err
		}
	}
	var err error
	b.sum, err = r.finish(b.file.End())
	return err
}

// pass counts bytes that have been dealt with, and lets others go first after enough of them.
func (b *sealBuilder) pass(bytes int) {
	if b.passed += bytes; b.passed >= paceBytes {
		b.passed = 0
		b.pace()
	}
}

// add takes the walker's frame into its run.
func (b *sealBuilder) add(w *segment.Walker) error {
	fr := w.Frame()
	b.pass(segment.FrameHeaderBytes)
	b.frames++
	b.records += uint64(fr.Count)
	if fr.Count == 0 || fr.Kind == segment.KindRoll {
		return nil
	}
	r := b.runs[fr.Ordinal]
	if r != nil && fr.First <= r.Last {
		return nil // found at open and reported: such records are not the stream's
	}
	if r == nil {
		r = &sealingRun{Run: segment.Run{Ordinal: fr.Ordinal, First: fr.First}}
		b.begin(r)
		b.runs[fr.Ordinal] = r
	} else if fr.First != r.Last+1 {
		r.digest = nil
	}
	r.Last = fr.Last()
	r.grow(extentOf(fr))
	for fr.Ordinal != 0 {
		if w.NextRecord() {
			b.pass(segment.RecordHeaderBytes + len(w.Record().Attrs) + len(w.Record().Payload))
			if r.digest != nil {
				r.digest.Add(w.Record())
			}
			continue
		}
		err := w.RecordErr()
		if err == nil {
			return nil
		}
		var bad *segment.RecordError
		if !errors.As(err, &bad) {
			return err
		}
		r.digest = nil
	}
	return nil
}

// grow adds a frame to the last extent, or begins another one.
func (r *sealingRun) grow(e segment.Extent) {
	if n := len(r.Extents); n > 0 {
		if joined(&r.Extents[n-1], e, extentBytes) {
			return
		}
	}
	r.Extents = append(r.Extents, e)
}

// begin finds the state of the stream's digest before the run. When records
// before it were lost it begins anew, and says so.
func (b *sealBuilder) begin(r *sealingRun) {
	if r.Ordinal == 0 {
		return
	}
	state, ok := b.j.stateBefore(r.Ordinal, r.First, b.known)
	if !ok {
		r.Restarted, state = true, nil
	}
	d, err := segment.NewDigester(state)
	if err != nil {
		r.Restarted = true
		d, _ = segment.NewDigester(nil)
		state = nil
	}
	r.Before, r.digest = state, d
}

// stateBefore looks for the digest's state before record first of a stream.
func (j *Journal) stateBefore(ordinal uint32, first uint64, known func(uint32) (uint64, []byte)) ([]byte, bool) {
	if first == 1 {
		return nil, true
	}
	if s, ok := j.seals.states[ordinal]; ok {
		return s.state, s.last == first-1 && len(s.state) > 0
	}
	if l := j.Lane(ordinal); l != nil {
		for _, r := range l.Runs() {
			if r.Last != first-1 || r.File.State() != StateSealed {
				continue
			}
			if x, err := j.index(r.File); err == nil {
				if found, ok, err := x.Find(ordinal); err == nil && ok {
					return found.After, len(found.After) > 0
				}
			}
		}
	}
	last, state := known(ordinal)
	return state, last == first-1 && len(state) > 0
}

// StateAfter is the digest's state behind the last record that a sealed file
// holds of a stream, nil when it is not known.
func (j *Journal) StateAfter(file uint64, ordinal uint32) []byte {
	for _, f := range j.Files() {
		if f.ID != file {
			continue
		}
		if x, err := j.index(f); err == nil {
			if r, ok, err := x.Find(ordinal); err == nil && ok {
				return r.After
			}
		}
	}
	return nil
}

// write puts index and footer behind the data.
func (b *sealBuilder) write() (Seal, error) {
	f := b.file
	runs := make([]segment.Run, 0, len(b.runs))
	for _, r := range b.runs {
		if r.digest != nil {
			r.After = r.digest.State()
		}
		runs = append(runs, r.Run)
	}
	slices.SortFunc(runs, func(a, b segment.Run) int { return cmp.Compare(a.Ordinal, b.Ordinal) })
	out := segment.EncodeIndex(nil, runs)
	index := out
	ft := segment.Footer{
		ID: f.ID, Nonce: f.Nonce, DataEnd: f.End(), IndexOff: f.End(), IndexLen: int64(len(out)),
		IndexHash: sha256.Sum256(out), Checksum: b.sum, Frames: b.frames, Records: b.records,
	}
	out = append(out, make([]byte, segment.FooterBytes)...)
	segment.EncodeFooter(out[len(index):], ft)
	if err := b.put(out); err != nil {
		return Seal{}, err
	}
	f.mu.Lock()
	f.mu.footer = &ft
	f.mu.Unlock()
	f.sealed = true
	b.j.indexes.drop(f.ID)
	if x, err := segment.OpenIndex(index); err == nil {
		b.j.indexes.put(f.ID, x, int64(len(index)))
	}
	s := Seal{File: f, DataEnd: f.End(), Size: ft.Size(), Checksum: b.sum, IndexHash: ft.IndexHash}
	for _, r := range runs {
		if r.Ordinal != 0 {
			s.Runs = append(s.Runs, SealedRun{r.Ordinal, r.First, r.Last, extentsLength(r.Extents), newestOf(r.Extents)})
			b.j.seals.states[r.Ordinal] = digestState{r.Last, r.After}
		}
	}
	return s, nil
}

// put writes the end of the file, makes that its end, and syncs.
func (b *sealBuilder) put(tail []byte) (err error) {
	f := b.file
	h, err := f.fs.OpenWrite(f.name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	if _, err := h.WriteAt(tail, f.End()); err != nil {
		return err
	}
	size := f.End() + int64(len(tail))
	if have, err := h.Size(); err != nil {
		return err
	} else if have > size {
		if err := h.Truncate(size); err != nil {
			return err
		}
	}
	if err := h.Sync(); err != nil {
		return err
	}
	f.size.Store(size)
	return nil
}

// summingReader computes the checksum of all bytes that a walker reads in order.
// A walker may read a stretch again; that adds nothing.
type summingReader struct {
	file *File
	sum  uint64
	end  int64
}

func (r *summingReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.file.ReadAt(p, off)
	if off <= r.end && off+int64(n) > r.end {
		r.sum = segment.Checksum(r.sum, p[r.end-off:n])
		r.end = off + int64(n)
	}
	return n, err
}

// finish reads what the walker has not, the header before its start and what is
// left before end.
func (r *summingReader) finish(end int64) (uint64, error) {
	b := make([]byte, 64<<10)
	for r.end < end {
		n := min(int64(len(b)), end-r.end)
		if _, err := r.ReadAt(b[:n], r.end); err != nil {
			return 0, err
		}
	}
	return r.sum, nil
}
