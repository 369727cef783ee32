package aof

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aof2/aof/internal/budget"
	"github.com/aof2/aof/internal/catalog"
	"github.com/aof2/aof/internal/coordinator"
	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/journal"
)

// loaded is what lies in a directory, read and understood.
type loaded struct {
	journal   *journal.Journal // not started
	ledger    *coordinator.Ledger
	snapshots []coordinator.SnapshotFile
	store     [16]byte
	report    Recovery
}

// loadMode is for what a directory is read.
type loadMode uint8

const (
	loadToOpen     loadMode = iota // to go on writing: what is found is settled on the disk
	loadToView                     // to look: nothing is written
	loadBesideOpen                 // to look while somebody writes: only what is said to be durable
)

// load reads the newest snapshot that verifies and the journal behind it.
func load(fsy fsys.FS, opts *Options, mode loadMode, events *eventFeed) (*loaded, error) {
	if mode == loadToOpen {
		if err := settleSnapshots(fsy); err != nil {
			return nil, err
		}
	}
	snapshots, problems, err := coordinator.LoadSnapshots(fsy)
	if err != nil {
		return nil, err
	}
	cat, start, used := catalog.New(), journal.Start{}, ""
	if n := len(snapshots); n > 0 {
		s := snapshots[n-1]
		cat, used = s.Catalog, s.Name
		start = journal.Start{Seq: s.Position.Seq, File: s.Position.File, Epoch: s.Position.Epoch, Store: s.Store}
		for i := range snapshots {
			snapshots[i].Catalog = nil // only the newest is needed, and it changes from here on
		}
	}
	ledger := coordinator.NewLedger(cat)
	room, _ := fsy.(*budget.Disk) // a view has none
	cfg := journal.Config{
		FS: fsy, Room: room, FileSize: opts.HotFileSize, MaxUnflushed: opts.MaxUnflushed, WaitWhenFull: opts.WhenFull == WaitWhenFull, Now: opts.Now, SharedNow: opts.systemClock,
		Random: randomOf(opts.FS), Yield: yieldOf(opts.FS, "leader"), Event: events.journal, DurableOnly: mode == loadBesideOpen,
	}
	rec, err := journal.Recover(cfg, start, mode != loadToOpen, ledger)
	if err != nil {
		return nil, err
	}
	found := rec.Found()
	if used != "" && found.Store != start.Store {
		return nil, errors.Join(fmt.Errorf("%w: %s belongs to another store than the journal: put the files of one store together again", ErrCorrupt, used), rec.Close())
	}
	if mode == loadToOpen {
		if err := rec.RemoveLeftovers(); err != nil {
			return nil, errors.Join(err, rec.Close())
		}
	}
	files, streams := attachments(cat)
	l := &loaded{journal: rec.Attach(files, streams), ledger: ledger, snapshots: snapshots, store: found.Store}
	ledger.Bind(l.journal)
	l.report = report(found, cat, used, problems)
	return l, nil
}

// settleSnapshots makes the names of the snapshots durable before anything relies
// on them: a process that died may not have.
func settleSnapshots(fsy fsys.FS) error {
	entries, err := fsy.List(".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name == coordinator.SnapshotDir && e.Dir {
			return fsy.SyncDir(coordinator.SnapshotDir)
		}
	}
	return nil
}

// randomOf is where nonces come from: a file system in memory brings its own, so
// that a simulation can be repeated.
func randomOf(fsy fsys.FS) func() uint64 {
	if r, ok := fsy.(interface{ Uint64() uint64 }); ok {
		return r.Uint64
	}
	return func() uint64 {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails: it would end the program
		return binary.LittleEndian.Uint64(b[:])
	}
}

// yieldOf is how a goroutine of the store lets others run first, if not in its
// usual way: a file system in memory brings its own, so that a simulation can
// decide who goes on.
func yieldOf(fsy fsys.FS, who string) func() {
	if y, ok := fsy.(interface{ Yield(who string) }); ok {
		return func() { y.Yield(who) }
	}
	return nil
}

// attachments lists what the catalog knows, for the journal.
func attachments(cat *catalog.Catalog) ([]journal.SealedFile, []journal.StreamState) {
	var files []journal.SealedFile
	for f := range cat.Files() {
		files = append(files, journal.SealedFile{ID: f.File, DataEnd: f.DataEnd, Size: f.Size, IndexHash: f.IndexHash})
	}
	var streams []journal.StreamState
	for s := range cat.Streams() {
		state := journal.StreamState{Ordinal: s.Ordinal, First: s.First, Next: s.SealedNext}
		for _, r := range s.Runs {
			state.Runs = append(state.Runs, journal.StreamRun{File: r.File, First: r.First, Last: r.Last, Newest: r.Newest})
		}
		streams = append(streams, state)
	}
	return files, streams
}

// report tells in public words what was found.
func report(f *journal.Found, cat *catalog.Catalog, snapshot string, problems []string) Recovery {
	r := Recovery{
		Clean: f.Clean, Fresh: f.Fresh, Snapshot: snapshot, Replayed: f.Replayed, Scanned: f.Scanned,
		TailFile: f.TailFile, TailEnd: f.TailEnd, Torn: f.Torn, Notes: slices.Concat(problems, f.Notes), Steps: f.Steps,
	}
	if f.ReadOnly != nil {
		r.ReadOnly = translate(f.ReadOnly)
	}
	for _, d := range f.Damage {
		s, _ := cat.ByOrdinal(d.Ordinal)
		r.Damage = append(r.Damage, publicDamage(d, s.Name))
	}
	return r
}

// publicDamage tells in public words of damage to records of the named stream, or
// to one of the store's own decisions.
func publicDamage(d journal.Damage, stream string) Damage {
	p := Damage{File: d.File, Offset: d.Offset, Length: d.Length, Stream: stream, First: Seq(d.First), Last: Seq(d.Last), Problem: d.Problem}
	if d.Ordinal == 0 && d.First != 0 {
		p.First, p.Last = 0, 0
		p.Problem = fmt.Sprintf("decision %d of the store: %s", d.First, d.Problem)
	}
	return p
}

// refuseForeign refuses a directory that holds other things and no store, so that
// nobody's home directory becomes one by a slip of the keyboard.
func refuseForeign(fsy fsys.FS) error {
	entries, err := fsy.List(".")
	if err != nil {
		return err
	}
	other := ""
	for _, e := range entries {
		switch e.Name {
		case lockName, journal.Dir, coordinator.SnapshotDir:
			return nil
		case "lost+found", "aof.toml": // the command's settings may be there before the store is
		default:
			other = e.Name
		}
	}
	if other != "" {
		return invalidf("the directory holds other files (%q) and no store; name an empty one", other)
	}
	return nil
}

// describe is the information about a stream.
func describe(j *journal.Journal, l *journal.Lane, s catalog.StreamState) StreamInfo {
	info := StreamInfo{Name: s.Name, ID: s.Ordinal, Created: time.UnixMilli(s.CreatedMs), Bounds: bounds(j, l), Metadata: slices.Clone(s.Options)}
	for _, r := range l.Runs() {
		info.Runs++
		info.Bytes += j.RunBytes(l, r)
	}
	return info
}

var fileStates = map[journal.FileState]FileState{
	journal.StatePrepared: FilePrepared, journal.StateOpen: FileOpen, journal.StateRolled: FileRolled,
	journal.StateSealed: FileSealed, journal.StateMissing: FileMissing,
}

// describeFiles lists the hot files and what lies in them.
func describeFiles(j *journal.Journal, ledger *coordinator.Ledger) []FileInfo {
	var states []catalog.StreamState
	ledger.Read(func(c *catalog.Catalog) { states = slices.Collect(c.Streams()) })
	files := j.Files()
	infos := make([]FileInfo, len(files))
	at := make(map[*journal.File]int, len(files))
	for i, f := range files {
		at[f] = i
		infos[i] = FileInfo{ID: f.ID, Path: f.Name(), State: fileStates[f.State()], Bytes: f.Size(), DataBytes: f.End()}
		if f.State() == journal.StatePrepared {
			infos[i].DataBytes = 0
		}
	}
	for _, s := range states {
		l := j.Lane(s.Ordinal)
		if l == nil {
			continue
		}
		for _, r := range l.Runs() {
			if i, ok := at[r.File]; ok {
				infos[i].Runs = append(infos[i].Runs, RunInfo{Stream: s.Name, ID: s.Ordinal, First: Seq(r.First), Last: Seq(r.Last), Bytes: j.RunBytes(l, r)})
			}
		}
	}
	return infos
}
