package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// signalError is why the context of a run ended.
type signalError struct{ signal syscall.Signal }

func (e *signalError) Error() string { return "signal: " + e.signal.String() }

// Is matches context.Canceled, so that it makes no difference whether a call
// returns the error of its context or the cause.
func (e *signalError) Is(target error) bool { return target == context.Canceled }

// untilSignal returns a context that ends at the first SIGINT or SIGTERM. A
// second one ends the process at once, whatever it is doing. A reader of our
// output that goes away is an error of the write that meets it, not a signal.
func untilSignal(parent context.Context) (context.Context, func()) {
	signal.Ignore(syscall.SIGPIPE)
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case s := <-signals:
			signal.Stop(signals)
			number, _ := s.(syscall.Signal)
			cancel(&signalError{number})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
		<-ended
	}
}

// signalOf returns the signal that ended ctx, if one did.
func signalOf(ctx context.Context) (syscall.Signal, bool) {
	var e *signalError
	if !errors.As(context.Cause(ctx), &e) {
		return 0, false
	}
	return e.signal, true
}
