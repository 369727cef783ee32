package journal

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/segment"
)

// FileState is where a hot file is in its life.
type FileState uint8

// The states, in the order of a file's life.
const (
	StatePrepared FileState = iota + 1 // header written, no frame yet
	StateOpen                          // the leader writes to it
	StateRolled                        // complete: a successor names its end
	StateSealed                        // immutable, with run index and footer
	StateMissing                       // it should be there and is not
)

// File is a hot file. Its identity never changes; its state only grows.
type File struct {
	ID    uint64
	Nonce uint64

	fs    fsys.FS
	name  string
	state atomic.Uint32
	end   atomic.Int64 // where its data ends, as far as it is durable
	size  atomic.Int64

	leases  atomic.Int64  // readers at work, plus one until retired
	retired chan struct{} // closed when the last lease of a retired file is back

	mu struct {
		sync.Mutex
		handle fsys.File // nil when closed; reopened when needed
		before fsys.File // the handle that openWrite replaced
		shut   bool      // the journal is closed: nothing is opened any more
		footer *segment.Footer
	}

	// Of an unsealed file that was found at open, or is being written.
	frames   int // frames of records and decisions
	lanes    int // upper bound of the distinct streams in it
	poisoned bool
	sealed   bool // this process has written its footer; of the one who seals

	previous    uint64 // the file before it
	previousEnd int64  // and where that one's data ends
}

func newFile(fs fsys.FS, id, nonce uint64, state FileState) *File {
	f := &File{ID: id, Nonce: nonce, fs: fs, name: fileName(id), retired: make(chan struct{})}
	f.state.Store(uint32(state))
	f.leases.Store(1)
	return f
}

// fileName is where a hot file lies below the store's directory.
func fileName(id uint64) string { return fmt.Sprintf("%s/%016x.aof", Dir, id) }

// Name is where the file lies below the store's directory.
func (f *File) Name() string { return f.name }

// State is where the file is in its life.
func (f *File) State() FileState { return FileState(f.state.Load()) }

// End is where the durable data of the file ends.
func (f *File) End() int64 { return f.end.Load() }

// Size is the length of the file.
func (f *File) Size() int64 { return f.size.Load() }

// acquire takes a lease: until release, the file is neither renamed nor changed.
func (f *File) acquire() bool {
	for {
		n := f.leases.Load()
		if n == 0 {
			return false
		}
		if f.leases.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (f *File) release() {
	if f.leases.Add(-1) == 0 {
		close(f.retired)
	}
}

// retire gives back the file's own lease and waits for those of readers. No new
// ones are given afterwards.
func (f *File) retire() {
	f.release()
	<-f.retired
}

// ReadAt reads from the file. Sealed files are opened when first read.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	h, err := f.open()
	if err != nil {
		return 0, err
	}
	return h.ReadAt(p, off)
}

// open returns the handle. Two readers may open at once; one handle stays.
func (f *File) open() (fsys.File, error) {
	f.mu.Lock()
	h, shut := f.mu.handle, f.mu.shut
	f.mu.Unlock()
	if shut {
		return nil, ErrClosed
	}
	if h != nil {
		return h, nil
	}
	h, err := f.fs.Open(f.name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", f.name, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.shut {
		_ = h.Close() // the journal was closed meanwhile
		return nil, ErrClosed
	}
	if f.mu.handle != nil {
		_ = h.Close() // the other one stays
		return f.mu.handle, nil
	}
	f.mu.handle = h
	return h, nil
}

// setHandle gives the file an open handle, in place of one it may have.
func (f *File) setHandle(h fsys.File) error {
	f.mu.Lock()
	old := f.mu.handle
	f.mu.handle = h
	f.mu.Unlock()
	if old == nil || old == h {
		return nil
	}
	return old.Close()
}

// openWrite replaces the handle of a file that was found at open by one that can
// write. A reader may be at work with the one before: that stays open as long.
func (f *File) openWrite() error {
	f.mu.Lock()
	done := f.mu.before != nil
	f.mu.Unlock()
	if done {
		return nil
	}
	h, err := f.fs.OpenWrite(f.name)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.before, f.mu.handle = f.mu.handle, h
	return nil
}

// close closes the handle for good.
func (f *File) close() error {
	f.mu.Lock()
	f.mu.shut = true
	f.mu.Unlock()
	return f.closeHandle()
}

// closeHandle closes the handles there are.
func (f *File) closeHandle() error {
	f.mu.Lock()
	before := f.mu.before
	f.mu.before = nil
	f.mu.Unlock()
	err := f.setHandle(nil)
	if before != nil {
		err = errors.Join(err, before.Close())
	}
	return err
}
