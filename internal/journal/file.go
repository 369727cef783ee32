package journal

import (
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
	pool  *handlePool // nil: the handle stays open
	name  string
	state atomic.Uint32
	end   atomic.Int64 // where its data ends, as far as it is durable
	size  atomic.Int64

	leases  atomic.Int64  // readers at work, plus one until retired
	retired chan struct{} // closed when the last lease of a retired file is back

	mu struct {
		sync.Mutex
		handle *handle // nil when closed; reopened when needed
		shut   bool    // the journal is closed: nothing is opened any more
		footer *segment.Footer
	}

	// Of an unsealed file that was found at open, or is being written.
	frames   int // frames of records and decisions
	lanes    int // upper bound of the distinct streams in it
	poisoned bool
	sealed   bool // this process has written its footer; of the one who seals
	writable bool // its handle can write; of the one who activates

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

// ReadAt reads from the file. Sealed files are opened when first read. A read
// that the close of the journal overtakes is ErrClosed, whatever it read: the
// lock may be free by then, and another process may have recycled the file and
// written to it in the meantime.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	h, err := f.use()
	if err != nil {
		return 0, err
	}
	n, err := h.ReadAt(p, off)
	_ = h.done() // what was read stays read
	if f.isShut() {
		return 0, ErrClosed
	}
	return n, err
}
