package segment

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// MaxAttributeBytes bounds the attributes of one record.
const MaxAttributeBytes = math.MaxUint16

const (
	attrHeaderBytes = 2
	attrOptional    = 0x80
	attrTime        = 1
	attrTimeBytes   = 12
)

// TimeAttributeBytes is what the caller's time takes in a record.
const TimeAttributeBytes = attrHeaderBytes + attrTimeBytes

// AppendTime appends the attribute of a time that the caller gave. It keeps every instant that a time.Time has, and neither
// its location nor its monotonic reading.
func AppendTime(dst []byte, t time.Time) []byte {
	dst = append(dst, attrTime, attrTimeBytes)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(t.Unix()))
	return binary.LittleEndian.AppendUint32(dst, uint32(t.Nanosecond()))
}

// DecodeTime finds the caller's time among the attributes of a record, the zero Time when it gave none. The error is
// ErrVersion where an attribute must be known and is not, or ErrDamaged.
func DecodeTime(attrs []byte) (t time.Time, err error) {
	for len(attrs) > 0 {
		if len(attrs) < attrHeaderBytes || int(attrs[1]) > len(attrs)-attrHeaderBytes {
			return time.Time{}, fmt.Errorf("attributes of a record: %w", ErrDamaged)
		}
		typ, value := attrs[0], attrs[attrHeaderBytes:][:attrs[1]]
		switch {
		case typ == attrTime:
			if len(value) != attrTimeBytes || binary.LittleEndian.Uint32(value[8:]) >= uint32(time.Second) || !t.IsZero() {
				return time.Time{}, fmt.Errorf("the time of a record: %w", ErrDamaged)
			}
			t = time.Unix(int64(binary.LittleEndian.Uint64(value)), int64(binary.LittleEndian.Uint32(value[8:])))
		case typ&attrOptional == 0:
			return time.Time{}, fmt.Errorf("attribute %d of a record: %w", typ, ErrVersion)
		}
		attrs = attrs[attrHeaderBytes+len(value):]
	}
	return t, nil
}
