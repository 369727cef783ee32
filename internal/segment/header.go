package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Header is what the first block of a file says about it.
type Header struct {
	Store    [16]byte // the store the file belongs to
	ID       uint64   // the file's id, never 0
	Nonce    uint64   // random, never 0: seeds every checksum behind the header
	Epoch    uint64   // of the store when the file was prepared
	Capacity int64    // bytes allocated
}

func (h Header) valid() bool {
	return h.ID != 0 && h.Nonce != 0 && h.Capacity >= HeaderBytes && h.Capacity <= MaxFileBytes
}

// EncodeHeader writes the HeaderBytes of h to dst. It panics when the id or the
// nonce is 0 or the capacity is not that of a file.
func EncodeHeader(dst []byte, h Header) {
	if !h.valid() {
		panic(fmt.Sprintf("segment: header of no possible file: %+v", h))
	}
	b := dst[:HeaderBytes]
	clear(b)
	putPrologue(b, headerMagic)
	binary.LittleEndian.PutUint32(b[headerSizeAt:], HeaderBytes)
	copy(b[headerStoreAt:], h.Store[:])
	binary.LittleEndian.PutUint64(b[headerIDAt:], h.ID)
	binary.LittleEndian.PutUint64(b[headerNonceAt:], h.Nonce)
	binary.LittleEndian.PutUint64(b[headerEpochAt:], h.Epoch)
	binary.LittleEndian.PutUint64(b[headerCapacityAt:], uint64(h.Capacity))
	binary.LittleEndian.PutUint32(b[headerSumAt:], crc32.Checksum(b[:headerSumAt], castagnoli))
}

// DecodeHeader reads the first HeaderBytes of a file. The error is ErrNotSegment
// when b is short or does not begin as a file does, ErrDamaged when it does and
// its checksum fails, ErrVersion when a newer program is needed.
func DecodeHeader(b []byte) (Header, error) {
	if len(b) < HeaderBytes || !hasMagic(b, headerMagic) {
		return Header{}, ErrNotSegment
	}
	b = b[:HeaderBytes]
	if binary.LittleEndian.Uint32(b[headerSumAt:]) != crc32.Checksum(b[:headerSumAt], castagnoli) {
		return Header{}, ErrDamaged
	}
	if err := checkPrologue(b); err != nil {
		return Header{}, err
	}
	h := Header{
		Store:    [16]byte(b[headerStoreAt:]),
		ID:       binary.LittleEndian.Uint64(b[headerIDAt:]),
		Nonce:    binary.LittleEndian.Uint64(b[headerNonceAt:]),
		Epoch:    binary.LittleEndian.Uint64(b[headerEpochAt:]),
		Capacity: int64(binary.LittleEndian.Uint64(b[headerCapacityAt:])),
	}
	if binary.LittleEndian.Uint32(b[headerSizeAt:]) != HeaderBytes || !h.valid() {
		return Header{}, ErrDamaged
	}
	return h, nil
}
