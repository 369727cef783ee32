package journal

import (
	"context"
	"errors"
	"io/fs"
	"sync/atomic"
	"testing"

	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/fsys/memfs"
)

// gatedFS can hold up a read of a hot file, before its bytes are read or after,
// and notices a file that is closed under a reader.
type gatedFS struct {
	fsys.FS
	name    string // of that file
	after   bool
	armed   atomic.Bool
	at      chan struct{} // closed when a read is held up
	gate    chan struct{} // closed to let it go on
	pulled  atomic.Int64  // files that were closed under a reader
	opening func()        // what happens while a file is opened, which then fails
}

func newGatedFS(mem *memfs.Mem, id uint64, after bool) *gatedFS {
	return &gatedFS{FS: mem, name: fileName(id), after: after, at: make(chan struct{}), gate: make(chan struct{})}
}

func (g *gatedFS) Open(name string) (fsys.File, error) {
	if g.opening != nil {
		g.opening()
		return nil, fs.ErrClosed
	}
	f, err := g.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return &gatedFile{File: f, fs: g, name: name}, nil
}

type gatedFile struct {
	fsys.File
	fs      *gatedFS
	name    string
	readers atomic.Int64
}

func (f *gatedFile) ReadAt(p []byte, off int64) (int, error) {
	f.readers.Add(1)
	defer f.readers.Add(-1)
	if f.name != f.fs.name || !f.fs.armed.CompareAndSwap(true, false) {
		return f.File.ReadAt(p, off)
	}
	if f.fs.after {
		n, err := f.File.ReadAt(p, off)
		close(f.fs.at)
		<-f.fs.gate
		return n, err
	}
	close(f.fs.at)
	<-f.fs.gate
	return f.File.ReadAt(p, off)
}

func (f *gatedFile) Close() error {
	if f.readers.Load() > 0 {
		f.fs.pulled.Add(1)
	}
	return f.File.Close()
}

// Close does not wait for readers at work, whose read may hang. Their file stays
// open under them, so that they never read from what has got its descriptor; and
// what they read they are not given, for it may be another process's by then.
func TestAReadThatCloseOvertakes(t *testing.T) {
	rows := []struct {
		name        string
		id          uint64 // the records are numbered like their files
		view, after bool
	}{
		{"of an unsealed file, before its bytes are read", 2, false, false},
		{"of an unsealed file, after", 2, false, true},
		{"of a sealed file's index, before", 1, false, false},
		{"of a sealed file's index, after", 1, false, true},
		{"in a view, before", 2, true, false},
		{"in a view, after", 2, true, true},
		{"of an index in a view, before", 1, true, false},
		{"of an index in a view, after", 1, true, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			mem, from := threeFiles(t)
			g := newGatedFS(mem, row.id, row.after)
			from.fs, from.view = g, row.view
			w := open(t, mem, from)
			c := w.j.Cursor(w.j.Lane(1), row.id)
			g.armed.Store(true)
			filled := make(chan error, 1)
			go func() { filled <- c.Fill() }()
			<-g.at

			var err error
			if row.view {
				err = w.j.CloseView()
			} else {
				err = w.j.Close(context.Background())
			}
			w.over = true
			if err != nil {
				t.Errorf("close: %v", err)
			}
			// The lock is free now: somebody else recycles the file.
			poke(t, mem, fileName(row.id), 0, make([]byte, testFileSize))
			close(g.gate)
			if err := <-filled; !errors.Is(err, ErrClosed) {
				t.Errorf("the reader is told %v", err)
			}
			if c.Holds() {
				t.Error("the reader holds what it read")
			}
			if n := g.pulled.Load(); n != 0 {
				t.Errorf("%d files were closed under a reader", n)
			}
			c.Release()
			// Who comes later opens nothing.
			if err := w.j.Cursor(w.j.Lane(1), 3).Fill(); !errors.Is(err, ErrClosed) {
				t.Errorf("a later reader is told %v", err)
			}
		})
	}
}

// A reader that opens its file while the journal and what lies below it are closed
// is told just that.
func TestAnOpenThatCloseOvertakes(t *testing.T) {
	mem, from := threeFiles(t)
	g := newGatedFS(mem, 1, false)
	from.fs = g
	w := open(t, mem, from)
	f := w.j.mu.files[0]
	if err := f.closeHandle(); err != nil {
		t.Fatal(err)
	}
	g.opening = func() { w.close() }
	if _, err := f.ReadAt(make([]byte, 8), 0); !errors.Is(err, ErrClosed) || errors.Is(err, fs.ErrClosed) {
		t.Errorf("the reader is told %v", err)
	}
}

// The last reader closes the file that Close left to it: none stays open.
func TestTheLastReaderClosesTheFile(t *testing.T) {
	mem, from := threeFiles(t)
	w := open(t, mem, from)
	f := w.j.mu.files[1]
	first, err := f.use()
	if err != nil {
		t.Fatal(err)
	}
	second, err := f.use()
	if err != nil || second != first {
		t.Fatalf("another handle, %v", err)
	}
	w.close()
	b := make([]byte, 8)
	if err := first.done(); err != nil {
		t.Error(err)
	}
	if _, err := second.ReadAt(b, 0); err != nil {
		t.Errorf("the last reader reads no more: %v", err)
	}
	if err := second.done(); err != nil {
		t.Error(err)
	}
	if _, err := second.ReadAt(b, 0); err == nil {
		t.Error("the file is still open")
	}
	if second.take() {
		t.Error("a closed handle has got a user")
	}
}
