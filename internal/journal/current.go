package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"

	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/segment"
)

// The file "current" says which hot files exist beyond doubt, and how the last
// life ended. It has two slots, written in turn and synced; the newer valid one
// holds. A file that it names and that is not there is damage.
//
//	 0  magic "AOF2CUR\0"
//	 8  u16 version (1), u16 zero
//	12  u32 required features, u32 optional features
//	20  16 bytes store id
//	36  u64 generation: counts up with every write, never 0
//	44  u64 epoch
//	52  u64 the next file id
//	60  u64 id of the file that was closed cleanly, 0 when none
//	68  i64 its exact end
//	76  u32 number of files, at most maxNamed
//	80  per file: u64 id, u64 nonce; in the order in which they are taken
//	    zeros
//	4092  u32 CRC32C of the 4092 bytes before
const (
	currentName  = Dir + "/current"
	currentMagic = "AOF2CUR\x00"
	slotBytes    = 4096
	currentBytes = 2 * slotBytes
	maxNamed     = 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// named is a hot file as current names it.
type named struct{ ID, Nonce uint64 }

// current is the content of one slot.
type current struct {
	Store      [16]byte
	Generation uint64
	Epoch      uint64
	NextID     uint64
	CleanFile  uint64
	CleanEnd   int64
	Files      []named

	broken bool // a write failed: what its slot holds is unknown, and the file is replaced next time
}

// names reports whether it names the file.
func (c *current) names(id uint64) bool {
	for _, f := range c.Files {
		if f.ID == id {
			return true
		}
	}
	return false
}

func (c *current) encode() []byte {
	b := make([]byte, slotBytes)
	le := binary.LittleEndian
	copy(b, currentMagic)
	le.PutUint16(b[8:], 1)
	copy(b[20:], c.Store[:])
	le.PutUint64(b[36:], c.Generation)
	le.PutUint64(b[44:], c.Epoch)
	le.PutUint64(b[52:], c.NextID)
	le.PutUint64(b[60:], c.CleanFile)
	le.PutUint64(b[68:], uint64(c.CleanEnd))
	le.PutUint32(b[76:], uint32(len(c.Files)))
	for i, f := range c.Files {
		le.PutUint64(b[80+16*i:], f.ID)
		le.PutUint64(b[88+16*i:], f.Nonce)
	}
	le.PutUint32(b[slotBytes-4:], crc32.Checksum(b[:slotBytes-4], castagnoli))
	return b
}

var errSlot = errors.New("checksum does not match")

func decodeCurrent(b []byte) (*current, error) {
	le := binary.LittleEndian
	if len(b) < slotBytes || le.Uint32(b[slotBytes-4:]) != crc32.Checksum(b[:slotBytes-4], castagnoli) {
		return nil, errSlot
	}
	if string(b[:8]) != currentMagic {
		return nil, errors.New("not a current file")
	}
	if le.Uint16(b[8:]) != 1 || le.Uint32(b[12:]) != 0 {
		return nil, fmt.Errorf("%s: %w", currentName, segment.ErrVersion)
	}
	c := &current{
		Generation: le.Uint64(b[36:]), Epoch: le.Uint64(b[44:]), NextID: le.Uint64(b[52:]),
		CleanFile: le.Uint64(b[60:]), CleanEnd: int64(le.Uint64(b[68:])),
	}
	copy(c.Store[:], b[20:])
	n := le.Uint32(b[76:])
	if n > maxNamed || c.Generation == 0 {
		return nil, errors.New("impossible values")
	}
	for i := range int(n) {
		c.Files = append(c.Files, named{le.Uint64(b[80+16*i:]), le.Uint64(b[88+16*i:])})
	}
	return c, nil
}

// readCurrent returns the newer valid slot. whole says that both slots were
// valid, or one was and the other has never been written: only then is a clean
// end believed, for the newest slot may be the one that does not verify.
func readCurrent(fsy fsys.FS) (c *current, whole bool, err error) {
	f, err := fsy.Open(currentName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("open %s: %w", currentName, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b := make([]byte, currentBytes)
	if n, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, false, fmt.Errorf("read %s: %w", currentName, err)
	} else {
		clear(b[n:])
	}
	first, err1 := decodeCurrent(b[:slotBytes])
	second, err2 := decodeCurrent(b[slotBytes:])
	for _, e := range []error{err1, err2} {
		if errors.Is(e, segment.ErrVersion) {
			return nil, false, e
		}
	}
	switch {
	case first == nil && second == nil:
		return nil, false, fmt.Errorf("%s: no slot verifies (%w): %w", currentName, err1, segment.ErrDamaged)
	case second == nil:
		return first, allZero(b[slotBytes:]), nil
	case first == nil:
		return second, allZero(b[:slotBytes]), nil
	case first.Generation > second.Generation:
		return first, true, nil
	}
	return second, true, nil
}

func allZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// writeCurrent makes c the newest slot, durably. The caller holds the meta
// token. The first write makes the file, and so does the one after a failure: a
// slot whose sync failed is never written over while the other one is the only
// slot that is known to be good.
func writeCurrent(fsy fsys.FS, c *current) error {
	c.Generation++
	err := fs.ErrNotExist
	if !c.broken {
		err = writeSlot(fsy, c)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = replaceCurrent(fsy, c)
	}
	c.broken = err != nil
	if err != nil {
		return fmt.Errorf("write %s: %w", currentName, err)
	}
	return nil
}

func writeSlot(fsy fsys.FS, c *current) error {
	f, err := fsy.OpenWrite(currentName)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(c.encode(), int64(c.Generation%2)*slotBytes)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func replaceCurrent(fsy fsys.FS, c *current) error {
	tmp := currentName + ".tmp"
	if err := fsy.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := fsy.Create(tmp)
	if err != nil {
		return err
	}
	err = f.Allocate(currentBytes)
	if err == nil {
		_, err = f.WriteAt(c.encode(), int64(c.Generation%2)*slotBytes)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = fsy.Rename(tmp, currentName)
	}
	if err == nil {
		err = fsy.SyncDir(Dir)
	}
	return err
}
