package sim_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"slices"
	"sync"

	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/sim"
)

// toy is the smallest log worth losing power over: one stream in files of
// fixed size, a batch a frame, a sync an append. Its frames are
//
//	life u32 | checksum u32 | first seq u64 | records u32 | bytes u32 | length u32 each | payloads
//
// The checksum covers everything but itself. Record 0 is the stream's
// metadata. A life is a number made durable before its first append; frames
// of an earlier life behind frames of a later one are what a crash left over.
type toy struct {
	disk fsys.FS
	size int64
	life uint32
	gate chan struct{} // held while the files are changed
	end  int64         // in the last file

	mu      sync.Mutex
	files   []fsys.File
	recs    []place
	durable int
	broken  error
}

// place is where a record is.
type place struct {
	file   fsys.File
	frame  int64
	index  int
	length int64 // of the frame
}

const toyHeader = 24

var errToyClosed = errors.New("toy: closed")

type toySystem struct{}

func (toySystem) Can(k sim.OpKind) bool {
	return slices.Contains([]sim.OpKind{sim.DoAppend, sim.DoAwait, sim.DoRead, sim.DoCreate, sim.DoFull, sim.DoRoom}, k)
}
func (toySystem) Branches() []string      { return nil }
func (toySystem) IsData(name string) bool { return name != "life.tmp" && name != "life" }

// Open finds the end of the log and begins a new life. What the last one left
// in the cache only is synced and read again before it counts.
func (toySystem) Open(_ context.Context, disk fsys.FS, o sim.Setting) (sim.Store, error) {
	t := &toy{disk: disk, size: o.HotFileSize, gate: make(chan struct{}, 1)}
	for {
		f, err := disk.OpenWrite(fmt.Sprintf("%06d.log", len(t.files)))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, err
		}
		t.files = append(t.files, f)
		if err := errors.Join(f.Sync(), f.DropCache()); err != nil {
			return nil, err
		}
	}
	last, err := t.scan()
	if err != nil {
		return nil, err
	}
	return t, t.begin(last)
}

// scan reads every frame up to the first that does not follow.
func (t *toy) scan() (life uint32, err error) {
	kept := 0
	for i, f := range t.files {
		size, err := f.Size()
		if err != nil {
			return 0, err
		}
		for off := int64(0); ; {
			frame, err := readFrame(f, off, size)
			if err != nil {
				return 0, err
			}
			if frame == nil || frame.life < life || frame.first != uint64(len(t.recs)) {
				break
			}
			life, kept, t.end = frame.life, i, off+frame.length
			for j := range frame.recs {
				t.recs = append(t.recs, place{f, off, j, frame.length})
			}
			off = t.end
		}
	}
	t.files = t.files[:min(kept+1, len(t.files))]
	t.durable = len(t.recs)
	return life, nil
}

// begin makes the number of this life durable.
func (t *toy) begin(last uint32) error {
	buf := make([]byte, 4)
	if f, err := t.disk.Open("life"); err == nil {
		if _, err := f.ReadAt(buf, 0); err != nil {
			return err
		}
	}
	t.life = max(last, binary.LittleEndian.Uint32(buf)) + 1
	_ = t.disk.Remove("life.tmp")
	f, err := t.disk.Create("life.tmp")
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(binary.LittleEndian.AppendUint32(nil, t.life), 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := t.disk.Rename("life.tmp", "life"); err != nil {
		return err
	}
	return t.disk.SyncDir(".")
}

type frame struct {
	life   uint32
	first  uint64
	length int64
	recs   [][]byte
}

// readFrame returns nil where there is no whole frame.
func readFrame(f fsys.File, off, size int64) (*frame, error) {
	if off+toyHeader > size {
		return nil, nil
	}
	head := make([]byte, toyHeader)
	if _, err := f.ReadAt(head, off); err != nil {
		return nil, err
	}
	count, bytes := int64(binary.LittleEndian.Uint32(head[16:])), int64(binary.LittleEndian.Uint32(head[20:]))
	fr := &frame{life: binary.LittleEndian.Uint32(head), first: binary.LittleEndian.Uint64(head[8:])}
	fr.length = toyHeader + 4*count + bytes
	if count == 0 || fr.length > size-off {
		return nil, nil
	}
	body := make([]byte, fr.length)
	if _, err := f.ReadAt(body, off); err != nil {
		return nil, err
	}
	if toyChecksum(body) != binary.LittleEndian.Uint32(body[4:]) {
		return nil, nil
	}
	at := toyHeader + 4*count
	for i := range count {
		n := int64(binary.LittleEndian.Uint32(body[toyHeader+4*i:]))
		if at+n > fr.length {
			return nil, nil
		}
		fr.recs = append(fr.recs, body[at:at+n])
		at += n
	}
	return fr, nil
}

func toyChecksum(b []byte) uint32 { return crc32.ChecksumIEEE(b[:4]) ^ crc32.ChecksumIEEE(b[8:]) }

func (t *toy) encode(recs [][]byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, t.life)
	b = binary.LittleEndian.AppendUint64(append(b, 0, 0, 0, 0), uint64(len(t.recs)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(recs)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(slices.Concat(recs...))))
	for _, r := range recs {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(r)))
	}
	b = append(b, slices.Concat(recs...)...)
	binary.LittleEndian.PutUint32(b[4:], toyChecksum(b))
	return b
}

// write puts records behind the last frame. The gate is held.
func (t *toy) write(recs [][]byte) (uint64, error) {
	if t.broken != nil {
		return 0, t.broken
	}
	first, b := uint64(len(t.recs)), t.encode(recs)
	if len(t.files) == 0 || t.end+int64(len(b)) > t.size {
		if err := t.roll(); err != nil {
			return 0, err
		}
	}
	f := t.files[len(t.files)-1]
	_, err := f.WriteAt(b, t.end)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.broken = err // all of it may be there nevertheless
		return first, fmt.Errorf("%w: %w", sim.ErrUnsettled, err)
	}
	for i := range recs {
		t.recs = append(t.recs, place{f, t.end, i, int64(len(b))})
	}
	t.end += int64(len(b))
	return first, nil
}

// roll goes on in a new file, or in one that a crash left without a frame.
func (t *toy) roll() error {
	if err := t.sync(); err != nil {
		return err
	}
	name := fmt.Sprintf("%06d.log", len(t.files))
	f, err := t.disk.Create(name)
	if errors.Is(err, fs.ErrExist) {
		f, err = t.disk.OpenWrite(name)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(f.Allocate(t.size), f.Sync()); err != nil {
		return err
	}
	if err := t.disk.SyncDir("."); err != nil {
		return err
	}
	t.files, t.end = append(t.files, f), 0
	return nil
}

// sync makes what is written durable. After one failure nothing more is
// taken. The gate is held.
func (t *toy) sync() error {
	if t.broken != nil || len(t.files) == 0 {
		return t.broken
	}
	err := t.files[len(t.files)-1].Sync()
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.broken = err
		return err
	}
	t.durable = len(t.recs)
	return nil
}
