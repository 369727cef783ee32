package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// progress shows on a terminal how far long work has come. It stays silent when
// stderr is no terminal and during the first second, and it is driven by the
// work itself: no goroutine, no timer.
type progress struct {
	w     io.Writer
	on    bool
	start time.Time
	last  time.Time
	shown bool
}

const (
	progressAfter = time.Second
	progressEvery = 200 * time.Millisecond
)

func (a *app) newProgress() *progress {
	f, isFile := a.err.(*os.File)
	return &progress{w: a.err, on: isFile && term.IsTerminal(int(f.Fd())), start: time.Now()}
}

// show replaces the line on the terminal, if it is time to.
func (p *progress) show(format string, args ...any) {
	if !p.on {
		return
	}
	now := time.Now()
	if now.Sub(p.start) < progressAfter || now.Sub(p.last) < progressEvery {
		return
	}
	p.last, p.shown = now, true
	fmt.Fprintf(p.w, "\r\x1b[K"+format, args...)
}

// done removes the line.
func (p *progress) done() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}
