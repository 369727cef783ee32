package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// cutter cuts the bytes of one input into records. It holds at most one
// unfinished record and what was fed last.
type cutter interface {
	// feed takes the next bytes of the input. What next returned before is no
	// longer valid.
	feed(data []byte)
	// end says that nothing more will be fed.
	end()
	// next returns the next complete record, or false when more input is needed.
	// Its error is an *inputError, and nothing follows it.
	next() (record []byte, ok bool, err error)
}

// inputError is input that is no record, although all before it was.
type inputError struct {
	code int
	what string
	do   string
}

func (e *inputError) Error() string { return e.what }

// tooLong is the error for a record over the limit; number counts the records of
// its input from 1.
func tooLong(number uint64, limit int64) error {
	return &inputError{exitUsage, fmt.Sprintf("record %d is over the limit of %s", number, sizeText(limit)), "shorten or split it, or allow larger ones with --max-record"}
}

// splitter cuts at a delimiter.
type splitter struct {
	delimiter []byte
	limit     int64 // bytes of the longest record

	buf     []byte
	start   int    // where the unfinished record begins in buf
	scanned int    // no delimiter begins before this place in buf
	count   uint64 // records returned
	ended   bool   // what is left is the last record
}

func (s *splitter) feed(data []byte) {
	rest := copy(s.buf, s.buf[s.start:])
	s.scanned -= s.start
	s.start = 0
	s.buf = append(s.buf[:rest], data...)
}

func (s *splitter) end() { s.ended = true }

func (s *splitter) next() (record []byte, ok bool, err error) {
	i := bytes.Index(s.buf[s.scanned:], s.delimiter)
	switch {
	case i >= 0:
		end := s.scanned + i
		record = s.buf[s.start:end:end]
		s.start = end + len(s.delimiter)
		s.scanned = s.start
	case s.ended && s.start < len(s.buf):
		record = s.buf[s.start:]
		s.start, s.scanned = len(s.buf), len(s.buf)
	default:
		s.scanned = max(s.start, len(s.buf)-len(s.delimiter)+1)
		if int64(s.scanned-s.start) > s.limit {
			return nil, false, tooLong(s.count+1, s.limit)
		}
		return nil, false, nil
	}
	s.count++
	if int64(len(record)) > s.limit {
		return nil, false, tooLong(s.count, s.limit)
	}
	return record, true, nil
}

// prefixBytes is the length that stands before a record in length-prefixed input
// and output: four bytes, big-endian, the record's bytes without these four.
const prefixBytes = 4

// prefixed cuts where the lengths say.
type prefixed struct {
	limit int64 // bytes of the longest record

	buf    []byte
	start  int    // where the next length begins in buf
	offset int64  // and where in the input
	count  uint64 // records returned
	ended  bool
}

func (p *prefixed) feed(data []byte) {
	rest := copy(p.buf, p.buf[p.start:])
	p.start = 0
	p.buf = append(p.buf[:rest], data...)
}

func (p *prefixed) end() { p.ended = true }

func (p *prefixed) next() (record []byte, ok bool, err error) {
	rest := p.buf[p.start:]
	if len(rest) < prefixBytes {
		return nil, false, p.cut("the length of record", prefixBytes-len(rest), len(rest) > 0)
	}
	length := int64(binary.BigEndian.Uint32(rest))
	if length > p.limit {
		return nil, false, &inputError{
			exitUsage,
			fmt.Sprintf("record %d, whose length stands at byte %d, would have %d bytes, over the limit of %s", p.count+1, p.offset, length, sizeText(p.limit)),
			"look whether a 4-byte big-endian length stands there; shorten or split the record, or allow larger ones with --max-record",
		}
	}
	end := prefixBytes + int(length)
	if len(rest) < end {
		return nil, false, p.cut("record", end-len(rest), true)
	}
	p.start += end
	p.offset += int64(end)
	p.count++
	return rest[prefixBytes:end:end], true, nil
}

// cut is the error for input that ends too early, or nil when it goes on or ends
// behind a record.
func (p *prefixed) cut(inside string, missing int, begun bool) error {
	if !p.ended || !begun {
		return nil
	}
	after := "at the very beginning"
	if p.count > 0 {
		after = fmt.Sprintf("after record %d", p.count)
	}
	return &inputError{
		exitDamage,
		fmt.Sprintf("the input ends in the middle of %s %d, %s: %s missing", inside, p.count+1, after, isAre(uint64(missing), "byte")),
		"get the rest of the input",
	}
}

// parseDelimiter reads a delimiter from the command line: the text itself, where
// a backslash begins an escape as in a Go string (\n, \t, \x1e, \\).
func parseDelimiter(s string) ([]byte, error) {
	if s == "" {
		return nil, usagef("name one or more bytes, for example --delimiter ';', or leave the flag out for lines", "--delimiter is empty")
	}
	var text []byte
	for rest := s; rest != ""; {
		if rest[0] != '\\' {
			text, rest = append(text, rest[0]), rest[1:]
			continue
		}
		char, multibyte, tail, err := strconv.UnquoteChar(rest, 0)
		if err != nil {
			return nil, usagef(`write it as text with escapes such as \n, \t, \x1e or \\`, "--delimiter %q does not parse", s)
		}
		if rest = tail; multibyte {
			text = utf8.AppendRune(text, char)
		} else {
			text = append(text, byte(char))
		}
	}
	return text, nil
}

// chunkBytes is how much input is taken at once; what one read returns becomes
// one batch, so that nothing waits for more to come.
const chunkBytes = 256 << 10

// chunk is what one read returned.
type chunk struct {
	data []byte
	err  error
}

// readAhead reads r in a goroutine, so that waiting for input overlaps with
// appending and can be given up. A chunk is valid until the next one is
// received. The goroutine ends after the first error, io.EOF included, or when
// stop closes; a Read that never returns keeps it until the process ends.
func readAhead(r io.Reader, stop <-chan struct{}) <-chan chunk {
	chunks := make(chan chunk)
	go func() {
		defer close(chunks)
		buffers := [2][]byte{make([]byte, chunkBytes), make([]byte, chunkBytes)}
		for i := 0; ; i = 1 - i {
			n, err := r.Read(buffers[i])
			select {
			case chunks <- chunk{buffers[i][:n], err}:
			case <-stop:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return chunks
}
