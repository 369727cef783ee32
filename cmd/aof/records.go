package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// splitter cuts a byte stream into records at a delimiter. It holds at most one
// unfinished record and what was fed last.
type splitter struct {
	delimiter []byte
	limit     int // bytes of the longest record

	buf     []byte
	start   int  // where the unfinished record begins in buf
	scanned int  // no delimiter begins before this place in buf
	ended   bool // nothing more will be fed: what is left is the last record
}

// tooLongError is a record over the limit; number counts the records of its
// input from 1.
type tooLongError struct {
	number uint64
	limit  int
}

func (e *tooLongError) Error() string {
	return fmt.Sprintf("record %d is over the limit of %s", e.number, sizeText(int64(e.limit)))
}

// feed takes the next bytes of the input. What next returned before is no longer
// valid.
func (s *splitter) feed(data []byte) {
	rest := copy(s.buf, s.buf[s.start:])
	s.scanned -= s.start
	s.start = 0
	s.buf = append(s.buf[:rest], data...)
}

// next returns the next complete record, or false when more input is needed.
// long says that the record, complete or not, is over the limit.
func (s *splitter) next() (record []byte, ok, long bool) {
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
		return nil, false, s.scanned-s.start > s.limit
	}
	return record, true, len(record) > s.limit
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
