package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Footer is the end of a sealed file: what the file is and where its data ends.
type Footer struct {
	ID, Nonce          uint64 // those of the file's header
	DataEnd            int64  // behind the last frame
	IndexOff, IndexLen int64  // the index lies between data and footer
	IndexHash          [32]byte
	Checksum           uint64 // CRC64-NVME of the bytes before DataEnd
	Frames, Records    uint64
}

// Size is the size of the sealed file.
func (f Footer) Size() int64 { return f.IndexOff + f.IndexLen + FooterBytes }

// valid also says that no byte of the file is left between header, frames,
// index and footer.
func (f Footer) valid() bool {
	return f.ID != 0 && f.Nonce != 0 &&
		f.DataEnd >= HeaderBytes && f.DataEnd <= MaxFileBytes && f.DataEnd%FrameAlign == 0 &&
		f.IndexOff == f.DataEnd &&
		f.IndexLen > 0 && f.IndexLen%FrameAlign == 0 && f.IndexLen <= MaxFileBytes-FooterBytes-f.DataEnd
}

// EncodeFooter writes the FooterBytes of f to dst. It panics when f is the
// footer of no file.
func EncodeFooter(dst []byte, f Footer) {
	if !f.valid() {
		panic(fmt.Sprintf("segment: footer of no possible file: %+v", f))
	}
	b := dst[:FooterBytes]
	clear(b)
	putPrologue(b, footerMagic)
	binary.LittleEndian.PutUint32(b[footerSizeAt:], FooterBytes)
	binary.LittleEndian.PutUint64(b[footerIDAt:], f.ID)
	binary.LittleEndian.PutUint64(b[footerNonceAt:], f.Nonce)
	binary.LittleEndian.PutUint64(b[footerDataEndAt:], uint64(f.DataEnd))
	binary.LittleEndian.PutUint64(b[footerIndexAt:], uint64(f.IndexOff))
	binary.LittleEndian.PutUint64(b[footerIndexLenAt:], uint64(f.IndexLen))
	copy(b[footerHashAt:], f.IndexHash[:])
	binary.LittleEndian.PutUint64(b[footerChecksumAt:], f.Checksum)
	binary.LittleEndian.PutUint64(b[footerFramesAt:], f.Frames)
	binary.LittleEndian.PutUint64(b[footerRecordsAt:], f.Records)
	binary.LittleEndian.PutUint32(b[footerSumAt:], footerSum(b, f.Nonce))
}

func footerSum(b []byte, nonce uint64) uint32 {
	seed := binary.LittleEndian.AppendUint64(nil, nonce)
	return crc32.Update(crc32.Checksum(seed, castagnoli), castagnoli, b[:footerSumAt])
}

// DecodeFooter reads the last FooterBytes of a file with this nonce. The error
// is ErrNotSegment when b is short or does not begin as a footer does,
// ErrDamaged when it does and is not the file's, ErrVersion when a newer
// program is needed.
func DecodeFooter(b []byte, nonce uint64) (Footer, error) {
	if len(b) < FooterBytes || !hasMagic(b, footerMagic) {
		return Footer{}, ErrNotSegment
	}
	b = b[:FooterBytes]
	if binary.LittleEndian.Uint32(b[footerSumAt:]) != footerSum(b, nonce) {
		return Footer{}, ErrDamaged
	}
	if err := checkPrologue(b); err != nil {
		return Footer{}, err
	}
	f := Footer{
		ID:        binary.LittleEndian.Uint64(b[footerIDAt:]),
		Nonce:     binary.LittleEndian.Uint64(b[footerNonceAt:]),
		DataEnd:   int64(binary.LittleEndian.Uint64(b[footerDataEndAt:])),
		IndexOff:  int64(binary.LittleEndian.Uint64(b[footerIndexAt:])),
		IndexLen:  int64(binary.LittleEndian.Uint64(b[footerIndexLenAt:])),
		IndexHash: [32]byte(b[footerHashAt:]),
		Checksum:  binary.LittleEndian.Uint64(b[footerChecksumAt:]),
		Frames:    binary.LittleEndian.Uint64(b[footerFramesAt:]),
		Records:   binary.LittleEndian.Uint64(b[footerRecordsAt:]),
	}
	if binary.LittleEndian.Uint32(b[footerSizeAt:]) != FooterBytes || f.Nonce != nonce || !f.valid() {
		return Footer{}, ErrDamaged
	}
	return f, nil
}
