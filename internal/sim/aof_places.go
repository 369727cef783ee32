package sim

import (
	"context"
	"time"

	"github.com/aof2/aof"
)

// Since implements Seeking. Of the two ways to begin at a time each serves every second
// millisecond.
func (s *aofStream) Since(ctx context.Context, timeMs int64, to uint64, visit func(Record) error) error {
	at, o := time.UnixMilli(timeMs), aof.ReaderOptions{To: aof.Seq(to)}
	if timeMs%2 == 0 {
		o.FromTime = at
		_, err := s.read(ctx, o, visit)
		return err
	}
	r, err := s.st.Reader(o)
	if err != nil {
		return plain(err)
	}
	defer func() { _ = r.Close() }()
	if err := r.SeekTime(at); err != nil {
		return plain(err)
	}
	_, err = visitAll(ctx, r, visit)
	return err
}

// Cursor implements Seeking.
func (s *aofStream) Cursor(seq uint64) (string, error) {
	c, err := s.st.Cursor(aof.Seq(seq))
	return c.String(), plain(err)
}

// Resume implements Seeking. The place goes through its text, as it does where it is
// kept in a file.
func (s *aofStream) Resume(ctx context.Context, at string, to uint64, visit func(Record) error) (string, error) {
	c, err := aof.ParseCursor(at)
	if err != nil {
		return "", plain(err)
	}
	return s.read(ctx, aof.ReaderOptions{FromCursor: c, To: aof.Seq(to)}, visit)
}
