package main

import (
	"errors"
	"fmt"

	"github.com/aof2/aof"
)

// cursorFlag is the value of a flag that takes a cursor.
type cursorFlag struct {
	cursor aof.Cursor
	set    bool
}

func (f *cursorFlag) String() string {
	if !f.set {
		return ""
	}
	return f.cursor.String()
}

// Type is the word that help shows behind the flag.
func (f *cursorFlag) Type() string { return "CURSOR" }

// Set parses a value from the command line. The zero cursor is of no stream.
func (f *cursorFlag) Set(s string) error {
	c, err := aof.ParseCursor(s)
	if err != nil || c == (aof.Cursor{}) {
		return errors.New("wants a whole cursor as cat --cursor printed it, such as 3e1f5a9c07d2b846-1-100-525ffe88")
	}
	f.cursor, f.set = c, true
	return nil
}

// lost explains why reading cannot go on at a cursor, if that is what err says.
func (f *cursorFlag) lost(name string, b aof.Bounds, err error) error {
	var diverged *aof.DivergedError
	var trimmed *aof.TrimmedError
	switch {
	case errors.As(err, &diverged):
		return &failure{
			code: exitDamage, err: err,
			what: fmt.Sprintf("stream %s is not what it was at the cursor, behind seq %d: %s", quoteName(name), diverged.Seq, diverged.Why),
			do: fmt.Sprintf("what was made of records up to there may rest on some that are not in this stream: think that over, then begin anew without --after; the stream holds %s",
				seqRange(b.First, b.Durable)),
		}
	case errors.As(err, &trimmed) && f.set && trimmed.First > f.cursor.Seq+1:
		return &failure{
			code: exitNotFound, err: err,
			what: fmt.Sprintf("behind the cursor %s of stream %s has been trimmed", seqRange(f.cursor.Seq+1, trimmed.First-1), quoteName(name)),
			do:   fmt.Sprintf("these records cannot be read any more; go on without them with --from %d", trimmed.First),
		}
	}
	return nil
}
