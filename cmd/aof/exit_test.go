package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/aof2/aof"
)

func TestEveryErrorHasItsExitCodeAndAdvice(t *testing.T) {
	disk := &fs.PathError{Op: "write", Path: "journal/1.aof", Err: syscall.ENOSPC}
	for _, c := range []struct {
		name string
		err  error
		code int
		do   string
	}{
		{"wrong usage", usagef("do this", "wrong"), exitUsage, "do this"},
		{"no store", noStore("d"), exitNotFound, "--dir"},
		{"no stream", streamError("d", "s", aof.Recovery{}, fmt.Errorf("x: %w", aof.ErrNotFound)), exitNotFound, "aof ls"},
		{"a missing file", &fs.PathError{Op: "open", Path: "f", Err: syscall.ENOENT}, exitNotFound, "name"},
		{"locked", &aof.LockedError{Dir: "d", Holder: "pid 1"}, exitUnavailable, "stop that program"},
		{"a newer version", fmt.Errorf("open: %w", aof.ErrVersion), exitUnavailable, "later"},
		{"damage", &aof.CorruptError{File: "f", Offset: 3}, exitDamage, "aof verify"},
		{"a cursor of other records", &aof.DivergedError{Stream: "s", Seq: 3, Why: "lost"}, exitDamage, "begin anew"},
		{"another next record", &aof.MismatchError{Stream: "s", Expected: 3, Next: 5}, exitDamage, "decide again"},
		{"a full disk", fmt.Errorf("append: %w", disk), exitIO, "free space"},
		{"a full store", aof.ErrFull, exitIO, "aof trim"},
		{"full, as the store says it", fmt.Errorf("%w: %w", aof.ErrReadOnly, syscall.ENOSPC), exitIO, "free space"},
		{"a failed sync", fmt.Errorf("%w: %w", aof.ErrReadOnly, syscall.EIO), exitIO, "disk"},
		{"a store that takes nothing", aof.ErrReadOnly, exitUnavailable, "reading still works"},
		{"a read-only disk", &fs.PathError{Op: "open", Path: "d", Err: syscall.EROFS}, exitUnavailable, "read-only"},
		{"no permission", &fs.PathError{Op: "open", Path: "d", Err: syscall.EACCES}, exitUnavailable, "user"},
		{"trimmed", &aof.TrimmedError{First: 5}, exitNotFound, "aof info"},
		{"too large", aof.ErrTooLarge, exitUsage, "max_record"},
		{"invalid", fmt.Errorf("%w: from", aof.ErrInvalid), exitUsage, "help"},
		{"anything else", errors.New("boom"), exitIO, "disk"},
		{"closed", aof.ErrClosed, exitIO, "again"},
		{"with how far it came", &stoppedError{far: "3 records are durable", do: "go on", err: disk}, exitIO, "free space"},
		{"two errors, the first decides", errors.Join(&aof.CorruptError{}, errors.New("close")), exitDamage, "aof verify"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := classify(c.err)
			if f.code != c.code || !strings.Contains(f.do, c.do) || f.what == "" {
				t.Errorf("got %+v, want code %d and advice with %q", f, c.code, c.do)
			}
			if strings.HasPrefix(f.what, "aof:") || strings.Contains(f.what, "\n") {
				t.Errorf("what went wrong is written %q", f.what)
			}
		})
	}
}

func TestAStoppedRunSaysHowFarItCame(t *testing.T) {
	var stderr strings.Builder
	a := &app{err: &stderr}
	err := &stoppedError{far: "3 records are durable", do: "go on with record 4", err: fmt.Errorf("append: %w", syscall.ENOSPC)}
	if code := a.complain(context.Background(), err); code != exitIO {
		t.Errorf("exit code %d", code)
	}
	want := "aof: append: " + syscall.ENOSPC.Error() + "; 3 records are durable\n" +
		"     free space on that disk, or trim streams with `aof trim`, then run the same command again; then go on with record 4\n"
	if stderr.String() != want {
		t.Errorf("got:\n%swant:\n%s", stderr.String(), want)
	}
}

func TestASignalIsToldFromAnError(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(&signalError{syscall.SIGTERM})
	for _, c := range []struct {
		err  error
		code int
		want string
	}{
		{context.Canceled, 143, "aof: interrupted: nothing was changed\n     run the same command again\n"},
		{&stoppedError{far: "2 done", do: "go on", err: context.Canceled}, 143, "aof: interrupted: 2 done\n     go on\n"},
		{fmt.Errorf("open: %w", &signalError{syscall.SIGTERM}), 143, "aof: interrupted: nothing was changed\n     run the same command again\n"},
		{noStream("d", "s"), exitNotFound, "aof: there is no stream s in d\n     `aof ls` shows the streams there are\n"},
	} {
		var stderr strings.Builder
		a := &app{err: &stderr}
		if code := a.complain(ctx, c.err); code != c.code || stderr.String() != c.want {
			t.Errorf("%v: exit code %d and\n%swant %d and\n%s", c.err, code, stderr.String(), c.code, c.want)
		}
	}
}

func TestAReaderThatLeftIsNoFailure(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("this system has other error numbers")
	}
	var stderr strings.Builder
	a := &app{err: &stderr}
	broken := &fs.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}
	if code := a.complain(context.Background(), outputError(broken)); code != exitDone || stderr.Len() > 0 {
		t.Errorf("exit code %d, stderr %q", code, stderr.String())
	}
	if code := a.complain(context.Background(), broken); code != exitIO {
		t.Errorf("a broken pipe that is not our output: exit code %d", code)
	}
}

func TestASecondSignalIsNotHeldBack(t *testing.T) {
	needSignals(t)
	ctx, stop := untilSignal(context.Background())
	defer stop()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if s, ok := signalOf(ctx); !ok || s != syscall.SIGTERM {
		t.Errorf("the context ended because of %v", context.Cause(ctx))
	}
	if _, ok := signalOf(context.Background()); ok {
		t.Error("a context without a signal has one")
	}
}
