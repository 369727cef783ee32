package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sort"
	"strconv"
	"strings"

	"github.com/aof2/aof/internal/segment"
)

// Damage is an exact range of acknowledged bytes that do not verify.
type Damage struct {
	File           string
	Offset, Length int64
	Ordinal        uint32 // 0 when the bytes could not be attributed
	First, Last    uint64
	Problem        string
}

// candidate is a hot file as it lies in the directory.
type candidate struct {
	file   *File
	header segment.Header
	footer *segment.Footer // nil when the file is not sealed

	rolls       bool // it begins with a roll frame that verifies
	predecessor uint64
	end         int64 // of the predecessor
}

// listing is what the journal's directory holds.
type listing struct {
	files  map[uint64]*candidate
	broken map[uint64]string // files that carry the name of a hot file and are none of ours
	tmp    []string          // left over from attempts to prepare a file
	notes  []string
}

// discover reads the header, the first frame and the footer of every hot file.
// store is the store's id, all zero while it is not known.
func (j *Journal) discover() (*listing, error) {
	l := &listing{files: map[uint64]*candidate{}, broken: map[uint64]string{}}
	entries, err := j.cfg.FS.List(Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", Dir, err)
	}
	for _, e := range entries {
		id, ok := parseName(e.Name)
		switch {
		case Dir+"/"+e.Name == currentName:
		case isOwnTemporary(e.Name) && !e.Dir:
			l.tmp = append(l.tmp, Dir+"/"+e.Name)
		case !ok || e.Dir:
			l.notes = append(l.notes, fmt.Sprintf("%s/%s is not a file of this store and is left alone", Dir, e.Name))
		default:
			c, err := j.examine(id)
			if errors.Is(err, segment.ErrVersion) || isReadFailure(err) {
				return nil, err
			}
			if err != nil {
				l.broken[id] = err.Error()
				continue
			}
			l.files[id] = c
		}
	}
	return l, nil
}

// isOwnTemporary reports whether a name is one that an attempt to make a file of
// this store leaves behind.
func isOwnTemporary(name string) bool {
	base, ok := strings.CutSuffix(name, ".tmp")
	_, hot := parseName(base)
	return ok && (hot || Dir+"/"+base == currentName)
}

// parseName reads the id in a hot file's name.
func parseName(name string) (uint64, bool) {
	hex, ok := strings.CutSuffix(name, ".aof")
	if !ok || len(hex) != 16 {
		return 0, false
	}
	id, err := strconv.ParseUint(hex, 16, 64)
	return id, err == nil && id != 0 && strings.ToLower(hex) == hex
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// What is wrong with a hot file that has lost its identity.
const (
	badHeader   = "its header does not verify"
	shortHeader = "less than a header"
)

// errBroken wraps why a file is not the hot file that its name says.
type errBroken struct{ why string }

func (e errBroken) Error() string { return e.why }

func isReadFailure(err error) bool {
	var broken errBroken
	return err != nil && !errors.As(err, &broken)
}

// examine reads what identifies a hot file.
func (j *Journal) examine(id uint64) (*candidate, error) {
	f := newFile(j.cfg.FS, id, 0, StatePrepared)
	f.pool = &j.handles
	h, err := f.open()
	if err != nil {
		return nil, err
	}
	size, err := h.Size()
	if err != nil {
		return nil, fmt.Errorf("size of %s: %w", f.name, err)
	}
	b := make([]byte, segment.HeaderBytes)
	if n, err := h.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s: %w", f.name, errors.Join(err, f.closeHandle()))
	} else if n < len(b) {
		return nil, errors.Join(errBroken{fmt.Sprintf("it has %d bytes, %s", n, shortHeader)}, f.closeHandle())
	}
	header, err := segment.DecodeHeader(b)
	switch {
	case errors.Is(err, segment.ErrVersion):
		return nil, fmt.Errorf("%s: %w", f.name, errors.Join(err, f.closeHandle()))
	case err != nil:
		return nil, errors.Join(errBroken{badHeader}, f.closeHandle())
	case header.ID != id:
		return nil, errors.Join(errBroken{fmt.Sprintf("by its header it is file %d: it was renamed or copied", header.ID)}, f.closeHandle())
	case j.files.current.Generation != 0 && header.Store != j.files.current.Store:
		return nil, errors.Join(errBroken{"by its header it belongs to another store"}, f.closeHandle())
	}
	f.Nonce = header.Nonce
	f.size.Store(size)
	f.end.Store(segment.HeaderBytes)
	c := &candidate{file: f, header: header}
	if c.footer, err = f.readFooter(size); err != nil && !errors.Is(err, errNoFooter) {
		return nil, err
	}
	return c, c.readRoll()
}

// readRoll reads the first frame.
func (c *candidate) readRoll() error {
	w := segment.NewWalker(c.file, c.file.Nonce, segment.HeaderBytes, min(c.file.Size(), segment.HeaderBytes+rollBytes), segment.WalkerOptions{Window: 8 << 10})
	if !w.Next() {
		return c.unlessInvalid(w.Err())
	}
	if w.Frame().Kind != segment.KindRoll {
		return nil
	}
	if !w.NextRecord() {
		return c.unlessInvalid(w.RecordErr())
	}
	predecessor, end, err := segment.DecodeRoll(w.Record().Payload)
	if err == nil {
		c.rolls, c.predecessor, c.end = true, predecessor, end
	}
	return nil
}

// unlessInvalid passes on what is more than bytes that do not verify: what cannot
// be read, or not by this version, is not to be taken for what is not there.
func (c *candidate) unlessInvalid(err error) error {
	var frame *segment.InvalidError
	var record *segment.RecordError
	if err == nil || errors.As(err, &frame) || errors.As(err, &record) {
		return nil
	}
	return fmt.Errorf("%s: %w", c.file.name, err)
}

// successor is the file that goes on where id ends: of those that say so, the
// one prepared last. An earlier one was given up before anything in it was
// acknowledged.
func (l *listing) successor(id uint64) *candidate {
	var best *candidate
	for _, c := range l.files {
		if c.rolls && c.predecessor == id && c.file.ID != id && (best == nil || c.file.ID > best.file.ID) {
			best = c
		}
	}
	return best
}

// claimants is how many files say that they follow id.
func (l *listing) claimants(id uint64) (n int) {
	for _, c := range l.files {
		if c.rolls && c.predecessor == id && c.file.ID != id {
			n++
		}
	}
	return n
}

// sorted returns the files by id.
func (l *listing) sorted() []*candidate {
	files := make([]*candidate, 0, len(l.files))
	for _, c := range l.files {
		files = append(files, c)
	}
	sort.Slice(files, func(i, k int) bool { return files[i].file.ID < files[k].file.ID })
	return files
}

// settleDisk makes what an earlier process may have left in memory only a fact:
// it syncs every file that is not sealed, and drops what the cache holds of it,
// so that what is read afterwards is what the disk has. An earlier failed sync
// may have left pages that look clean and are not on the disk.
func (j *Journal) settleDisk(l *listing) error {
	for _, c := range l.sorted() {
		if c.footer != nil {
			continue
		}
		if err := j.settleFile(c.file.name); err != nil {
			return err
		}
	}
	return nil
}

func (j *Journal) settleFile(name string) (err error) {
	h, err := j.cfg.FS.OpenWrite(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	if err := h.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", name, err)
	}
	return h.DropCache()
}
