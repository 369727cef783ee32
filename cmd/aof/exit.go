package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/aof2/aof"
)

// The exit codes; the help of the root command explains them to users. A run
// ended by a signal exits with exitSignal plus the signal's number.
const (
	exitDone        = 0
	exitDamage      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitUnavailable = 4
	exitIO          = 5
	exitSignal      = 128
)

// failure is an error whose exit code and advice are known where it arises.
type failure struct {
	code int
	what string // what went wrong
	do   string // what to do about it
	err  error  // the cause, if there is one
}

func (f *failure) Error() string { return f.what }
func (f *failure) Unwrap() error { return f.err }

// usagef is a mistake in the command line.
func usagef(do, format string, args ...any) error {
	return &failure{code: exitUsage, what: fmt.Sprintf(format, args...), do: do}
}

func noStore(dir string) error {
	return &failure{
		code: exitNotFound,
		what: "there is no store in " + dir,
		do:   "name its directory with --dir or AOF_DIR; `aof append STREAM` makes a new one",
		err:  aof.ErrNotFound,
	}
}

func noStream(dir, name string) error {
	return &failure{
		code: exitNotFound,
		what: fmt.Sprintf("there is no stream %s in %s", quoteName(name), dir),
		do:   "`aof ls` shows the streams there are",
		err:  aof.ErrNotFound,
	}
}

// streamError names the stream in an error about it. In a store that has lost its
// thread nobody knows whether there was such a stream.
func streamError(dir, name string, r aof.Recovery, err error) error {
	switch {
	case !errors.Is(err, aof.ErrNotFound):
		return err
	case lostThread(r):
		return &failure{
			code: exitDamage,
			what: fmt.Sprintf("no stream %s is known in %s, and damage may hide it", quoteName(name), dir),
			do:   "`aof verify` shows what is damaged, `aof ls` the streams that are known; restore the rest from a copy",
			err:  aof.ErrCorrupt,
		}
	}
	return noStream(dir, name)
}

// lostThread reports whether there is damage of which nobody knows what it held:
// streams may be missing, or the end of those that are there.
func lostThread(r aof.Recovery) bool { return len(r.Damage) > 0 && r.ReadOnly != nil }

// hides reports whether damage may hide records: it took the store its thread, and
// not all of it is known to have been records of a stream that is there.
func hides(r aof.Recovery) bool {
	return lostThread(r) && slices.ContainsFunc(r.Damage, func(d aof.Damage) bool { return d.Stream == "" })
}

// withoutReadOnly is why a store takes no appends, without saying that it does not.
func withoutReadOnly(err error) string { return strings.TrimPrefix(plain(err), "read-only: ") }

// openFailure gives advice where a directory could not be opened as a store.
func openFailure(dir string, create bool, err error) error {
	switch {
	case errors.Is(err, aof.ErrNotFound) || errors.Is(err, aof.ErrInvalid) && !create:
		return noStore(dir)
	case errors.Is(err, aof.ErrInvalid): // nothing was asked for that could be invalid but the directory
		return &failure{
			code: exitUsage, what: plain(err), err: err,
			do: "--dir or AOF_DIR names the directory of a store; one that does not exist is made",
		}
	case errors.Is(err, aof.ErrCorrupt):
		return &failure{
			code: exitDamage, what: plain(err), err: err,
			do: "without this nothing in the store can be trusted: restore it from a copy; nothing was touched",
		}
	}
	return err
}

// stoppedError is work that ended before it was complete and knows how far it
// came and how to go on.
type stoppedError struct {
	far string // "3 records are durable"
	do  string // how to go on
	err error
}

func (e *stoppedError) Error() string { return plain(e.err) + "; " + e.far }
func (e *stoppedError) Unwrap() error { return e.err }

// outputFailure is a failed write of the result itself.
type outputFailure struct{ err error }

func (e *outputFailure) Error() string { return "write the output: " + e.err.Error() }
func (e *outputFailure) Unwrap() error { return e.err }

func outputError(err error) error {
	if err == nil {
		return nil
	}
	return &outputFailure{err}
}

// readerLeft reports whether writing failed because whoever read the output has
// gone, which is their right.
func readerLeft(err error) bool {
	var out *outputFailure
	if !errors.As(err, &out) {
		return false
	}
	var number syscall.Errno
	if runtime.GOOS == "windows" && errors.As(err, &number) {
		const brokenPipe, noData = 109, 232
		return number == brokenPipe || number == noData
	}
	return errors.Is(err, syscall.EPIPE)
}

// complain tells the user what went wrong and what to do, on stderr, and returns
// the exit code.
func (a *app) complain(ctx context.Context, err error) int {
	if readerLeft(err) {
		return exitDone
	}
	if s, ok := signalOf(ctx); ok && errors.Is(err, context.Canceled) {
		far, do := "nothing was changed", "run the same command again"
		var stopped *stoppedError
		if errors.As(err, &stopped) {
			far, do = stopped.far, stopped.do
		}
		fmt.Fprintf(a.err, "aof: interrupted: %s\n%s", far, advice(do))
		return exitSignal + int(s)
	}
	f := classify(err)
	fmt.Fprintf(a.err, "aof: %s\n%s", f.what, advice(f.do))
	return f.code
}

func advice(do string) string {
	if do == "" {
		return ""
	}
	return "     " + do + "\n"
}

// classify finds the exit code and the advice for an error.
func classify(err error) failure {
	f := classifyCause(err)
	var stopped *stoppedError
	if errors.As(err, &stopped) {
		f.what = stopped.Error()
		if stopped.do != "" && f.do != "" {
			f.do += "; then " + stopped.do
		}
	}
	return f
}

func classifyCause(err error) failure {
	var own *failure
	if errors.As(err, &own) {
		return *own
	}
	what := plain(err)
	for _, c := range causes {
		if errors.Is(err, c.err) {
			return failure{code: c.code, what: what, do: c.do}
		}
	}
	return failure{code: exitIO, what: what, do: "look at the disk and at the system's log, then run the same command again"}
}

// causes is tried from the top; the first that matches decides. What the disk
// said comes before what the store made of it.
var causes = []struct {
	err  error
	code int
	do   string
}{
	{aof.ErrLocked, exitUnavailable, "stop that program, or look beside it: ls, info, segments, verify and cat --read-only need no lock"},
	{aof.ErrVersion, exitUnavailable, "use the version of aof that wrote it, or a later one; nothing was touched"},
	{aof.ErrDiverged, exitDamage, "think over what was made of records up to the cursor, then begin anew"},
	{aof.ErrMismatch, exitDamage, "look at the records that somebody else appended, then decide again"},
	{aof.ErrCorrupt, exitDamage, "`aof verify` lists every damaged range; all other records can still be read"},
	{syscall.ENOSPC, exitIO, "free space on that disk, or trim streams with `aof trim`, then run the same command again"},
	{aof.ErrFull, exitIO, "free space on that disk, or trim streams with `aof trim`, then run the same command again"},
	{syscall.EROFS, exitUnavailable, "the disk is read-only: look with ls, info, segments, verify and cat --read-only"},
	{fs.ErrPermission, exitUnavailable, "run as a user who may write there, or look with ls, info, segments, verify and cat --read-only"},
	{syscall.EIO, exitIO, "look at the disk and at the system's log; `aof verify` shows what is still whole"},
	{aof.ErrReadOnly, exitUnavailable, "`aof verify` shows the state of the store; reading still works"},
	{aof.ErrTrimmed, exitNotFound, "`aof info STREAM` shows which records there are"},
	{aof.ErrNotFound, exitNotFound, "`aof ls` shows the streams there are; --dir or AOF_DIR names the store"},
	{aof.ErrTooLarge, exitUsage, "split the record, or allow larger ones with max_record: `aof config` shows it"},
	{aof.ErrInvalid, exitUsage, "`aof --help` shows what is possible"},
	{fs.ErrNotExist, exitNotFound, "look at the name, then run the same command again"},
}

// plain is the text of an error on one line, without the names of the packages
// that it came through and what they repeat.
func plain(err error) string {
	var words []string
	for _, word := range strings.Split(strings.ReplaceAll(err.Error(), "\n", "; "), ": ") {
		if slices.Contains(packages, word) || len(words) > 0 && words[len(words)-1] == word {
			continue
		}
		words = append(words, word)
	}
	return strings.Join(words, ": ")
}

var packages = []string{"aof", "journal", "segment", "catalog", "coordinator", "fsys"}
