package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"

	"github.com/aof2/aof/internal/fsys/memfs"
)

// Damaged says what was done to a disk besides losing power, and so what the
// store may answer. Nil means nothing was.
type Damaged struct {
	What string

	// Silent says that no trace of the damage may be left, because what it hit
	// is the end of the log: then a suffix may be missing without a word.
	Silent bool

	// Exposed says so in more detail. It is not looked at when Silent is set.
	Exposed *Exposure

	// Failed says that the disk is whole and that operations of Open failed, so
	// that the store may be read-only. Everything else holds.
	Failed bool
}

// Exposure is what may go without a word when the end of a log is damaged: the
// acknowledged records that nothing behind them vouches for.
type Exposure struct {
	Decisions bool              // streams made or deleted, and trims
	From      map[uint32]uint64 // by the id of a stream, the first such record

	// Revived says that what ended the file before is lost without a trace:
	// frames behind that end, which were given up, may come back.
	Revived bool
}

// Fragile is a System that knows what may go without a word.
type Fragile interface {
	// Exposed compares a disk before and after it was damaged. tail is the file
	// that holds the log's end.
	Exposed(before, after *memfs.Mem, tail string) (*Exposure, error)
}

// harmed is how often a kind of harm is tried before another is picked.
const harmTries = 30

// harmPoint takes power away and damages the disk besides. The store has to
// have everything nevertheless, or say what is missing. Twice: a report may not
// be gone the next time.
func (l *life) harmPoint(rng *rand.Rand) *Violation {
	fragile, ok := l.System.(Fragile)
	if !ok || l.past == nil {
		return nil
	}
	before := l.disk.Crash(rng, memfs.RandomLoss(rng))
	before.SetFree(-1)
	whole, v := l.inspect(before.Clone(), nil)
	if v != nil {
		return v
	}
	after := before.Clone()
	what := l.harm(after, rng)
	if what == "" {
		return nil
	}
	exposed, err := fragile.Exposed(before, after, whole.Found.TailFile)
	if err != nil {
		return violation("harness", "what %s exposes: %v", what, err)
	}
	l.Report.DamagePoints++
	damage := &Damaged{What: what, Exposed: exposed}
	for range 2 {
		v := l.endure(after, damage)
		if v != nil {
			v.Detail += ", after " + what
			return v
		}
		after = after.Kill(rng)
	}
	return nil
}

// endure opens a disk that was damaged and judges what the store makes of it.
func (l *life) endure(disk *memfs.Mem, damage *Damaged) *Violation {
	ctx := context.Background()
	st, err := l.System.Open(ctx, disk, l.setting())
	if err != nil {
		l.Report.branch("refused by damage")
		l.Report.Refused++
		if errors.Is(err, ErrDamaged) {
			return nil
		}
		return violation("damage-unnamed", "the store does not open and does not say that it is damaged: %v", err)
	}
	verdict, v := l.oracle.Check(ctx, st, damage)
	if v == nil {
		v = verified(ctx, st, verdict)
	}
	found := st.Found()
	if err := st.Close(); err != nil && v == nil {
		v = violation("close-failed", "%v", err)
	}
	l.Report.found(&found)
	disk.Stop()
	if v != nil {
		v.Detail += fmt.Sprintf("; reported: %q, read-only: %q", found.Damage, found.Why)
		return v
	}
	l.Report.Records += int64(verdict.Records)
	switch {
	case verdict.Silent > 0:
		l.Report.Exposed++
	case verdict.Reported > 0 || found.ReadOnly || len(found.Damage) > 0:
		l.Report.Reported++
	default:
		l.Report.Survived++
	}
	return nil
}

// verified demands that a verification sees what a reader saw.
func verified(ctx context.Context, st Store, verdict *Verdict) *Violation {
	err := st.Verify(ctx)
	switch {
	case err != nil && !errors.Is(err, ErrDamaged):
		return violation("verify-failed", "%v", err)
	case err == nil && verdict.Reported > 0:
		return violation("verify-blind", "%d records cannot be read, and a verification finds nothing", verdict.Reported)
	}
	return nil
}

// harm damages a disk in one way and says how.
func (l *life) harm(disk *memfs.Mem, rng *rand.Rand) string {
	files := filesOf(disk)
	if len(files) == 0 {
		return ""
	}
	kind := rng.IntN(8)
	for range harmTries {
		name, other := files[rng.IntN(len(files))], files[rng.IntN(len(files))]
		page := rng.IntN(16)
		var what string
		var done bool
		switch kind {
		case 0:
			bit := somewhere(disk, name, rng)*8 + rng.Int64N(8)
			what, done = fmt.Sprintf("bit %d of %s was flipped", bit, name), disk.FlipBit(name, bit)
		case 1:
			to := rng.IntN(16)
			what, done = fmt.Sprintf("page %d of %s and page %d of %s were swapped", page, name, to, other), disk.SwapPages(name, page, other, to)
		case 2:
			what, done = fmt.Sprintf("page %d of %s was as before", page, name), disk.ReplayPage(name, page)
		case 3:
			size := somewhere(disk, name, rng)
			what, done = fmt.Sprintf("%s was cut to %d bytes", name, size), disk.CutFile(name, size)
		case 4:
			what, done = name+" was deleted", disk.DeleteFile(name)
		case 5:
			to := sibling(name, other, rng)
			what, done = fmt.Sprintf("%s was copied to %s", name, to), name != to && disk.DuplicateFile(name, to)
		case 6:
			if old := filesOf(l.past); len(old) > 0 {
				name = old[rng.IntN(len(old))]
				what, done = name+" was as on an earlier disk", disk.RestoreFile(name, l.past)
			}
		case 7:
			what, done = fmt.Sprintf("%s and %s were swapped", name, other), disk.SwapFiles(name, other)
		}
		if done {
			return what
		}
	}
	return ""
}

// sibling is a name to copy a file to: that of another file, or a new one.
func sibling(name, other string, rng *rand.Rand) string {
	if rng.IntN(2) == 0 {
		return other
	}
	at := strings.LastIndexByte(name, '/') + 1
	return name[:at] + fmt.Sprintf("%016x", 1+rng.IntN(200)) + name[min(at+16, len(name)):]
}

// filesOf lists the files of a store.
func filesOf(disk *memfs.Mem) (names []string) {
	top, _ := disk.List(".")
	for _, dir := range top {
		if !dir.Dir {
			continue
		}
		entries, _ := disk.List(dir.Name)
		for _, e := range entries {
			if !e.Dir {
				names = append(names, dir.Name+"/"+e.Name)
			}
		}
	}
	return names
}

// somewhere picks an offset in a file, as a rule one where something lies.
func somewhere(disk *memfs.Mem, name string, rng *rand.Rand) int64 {
	f, err := disk.Open(name)
	if err != nil {
		return 0
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil || size == 0 {
		return 0
	}
	var b [64]byte
	for range harmTries {
		off := rng.Int64N(size)
		n, err := f.ReadAt(b[:], off)
		if err != nil && !errors.Is(err, io.EOF) || strings.Trim(string(b[:n]), "\x00") != "" {
			return off
		}
	}
	return rng.Int64N(size)
}
