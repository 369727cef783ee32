package aof

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	"github.com/aof2/aof/internal/catalog"
	"github.com/aof2/aof/internal/fsys"
)

// viewTries bounds how often a view is read again because the program that runs
// on the directory changed it meanwhile.
const viewTries = 5

// View is a directory as it was at one moment, read without its lock: it works
// beside a running program and on a read-only disk, and writes nothing. Beside a
// running program it shows what that program's files say is durable, which can
// be a little less than what it has acknowledged.
type View struct {
	fs      fsys.FS
	ownFS   bool
	loaded  *loaded
	fetches *fetchPool
	holder  string
	running bool
	closed  bool
}

// Inspect reads the directory as Open would, and writes nothing. ErrNotFound:
// there is no store.
func Inspect(ctx context.Context, dir string, opts *Options) (*View, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	v := &View{fs: o.FS, fetches: newFetchPool(maxFetches)}
	if v.fs == nil {
		if v.fs, err = fsys.Dir(dir, false); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("%w: there is no directory %s", ErrNotFound, dir)
			}
			return nil, openError(dir, err)
		}
		v.ownFS = true
	}
	if err := v.load(ctx, &o); err != nil {
		return nil, errors.Join(openError(dir, err), v.closeFS())
	}
	if v.loaded.report.Fresh && !v.running {
		return nil, errors.Join(fmt.Errorf("%w: %s holds no store", ErrNotFound, dir), v.Close())
	}
	return v, nil
}

// load reads until the directory holds still. Beside a running program files can
// go while they are read; what looks like damage then is read again.
func (v *View) load(ctx context.Context, o *Options) error {
	for try := 1; ; try++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		held, note, err := v.fs.Locked(lockName)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		v.running, v.holder = held, string(note)
		mode := loadToView
		if held {
			mode = loadBesideOpen
		}
		v.loaded, err = load(v.fs, o, mode, newEventFeed(&Options{Now: o.Now}))
		after, _, _ := v.fs.Locked(lockName) // a failure here is met again in the next call
		moved := after && (!held || err != nil || len(v.loaded.report.Damage) > 0 || v.loaded.report.ReadOnly != nil)
		if err == nil && (!moved || try == viewTries) {
			return nil
		}
		if !moved || try == viewTries {
			return err
		}
		if err == nil {
			if err := v.loaded.journal.CloseView(); err != nil {
				return err
			}
		}
	}
}

// Running reports whether a program holds the store, and what it says of itself.
func (v *View) Running() (holder string, running bool) { return v.holder, v.running }

// Recovery says what was found.
func (v *View) Recovery() Recovery { return v.loaded.report }

// Streams lists the streams by name.
func (v *View) Streams() iter.Seq2[string, StreamInfo] {
	return func(yield func(string, StreamInfo) bool) {
		var states []catalog.StreamState
		v.loaded.ledger.Read(func(c *catalog.Catalog) { states = slices.Collect(c.Streams()) })
		for _, s := range states {
			l := v.loaded.journal.Lane(s.Ordinal)
			if l == nil {
				continue
			}
			if !yield(s.Name, describe(v.loaded.journal, l, s)) {
				return
			}
		}
	}
}

// Stream describes one stream. ErrNotFound: there is none of that name.
func (v *View) Stream(name string) (StreamInfo, error) {
	s, err := v.state(name)
	if err != nil {
		return StreamInfo{}, err
	}
	return describe(v.loaded.journal, v.loaded.journal.Lane(s.Ordinal), s), nil
}

func (v *View) state(name string) (s catalog.StreamState, err error) {
	ok := false
	v.loaded.ledger.Read(func(c *catalog.Catalog) { s, ok = c.ByName(name) })
	if !ok || v.loaded.journal.Lane(s.Ordinal) == nil {
		return s, fmt.Errorf("%w: stream %q", ErrNotFound, name)
	}
	return s, nil
}

// Pinned names streams with records in the oldest sealed hot file that is needed,
// eight at most: trimming all of them gives it back.
func (v *View) Pinned() []string { return pinned(v.loaded.ledger) }

// Reader returns a reader of the stream's records as of the view: behind the last
// one is io.EOF. Records that the running program has trimmed meanwhile may be an
// error; look again then.
func (v *View) Reader(name string, o ReaderOptions) (*Reader, error) {
	s, err := v.state(name)
	if err != nil {
		return nil, err
	}
	r, err := newReader(v.loaded.journal, v.loaded.journal.Lane(s.Ordinal), name, o, v.fetches)
	if err != nil {
		return nil, err
	}
	r.end = true
	return r, nil
}

// Files lists the hot files, oldest first.
func (v *View) Files() []FileInfo { return describeFiles(v.loaded.journal, v.loaded.ledger) }

// Verify reads every byte of the journal and holds it against its checksums.
func (v *View) Verify(ctx context.Context, o VerifyOptions) (*Report, error) {
	return verify(ctx, v.fs, v.loaded.journal, v.loaded.ledger, v.loaded.report, o)
}

// Close lets go of the files.
func (v *View) Close() error {
	if v.closed {
		return nil
	}
	v.closed = true
	v.fetches.stop()
	return errors.Join(v.loaded.journal.CloseView(), v.closeFS())
}

func (v *View) closeFS() error {
	if !v.ownFS {
		return nil
	}
	return v.fs.Close()
}
