package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The text of a demo is copied before it is used, one file a stream, so that
// nothing that changes meanwhile can be mistaken for a difference.
const (
	demoMaxFile  = 8 << 20  // of each file
	demoMaxFiles = 100_000  // looked at
	demoPiece    = 32 << 10 // how much text goes to one stream at a time
)

// demoText is the copied text.
type demoText struct {
	source string // where it came from
	files  int
	bytes  int64
	parts  []demoPart
}

// demoPart is the text of one stream.
type demoPart struct {
	stream string
	path   string
	lines  uint64
	bytes  int64
}

func (t *demoText) lines() (n uint64) {
	for _, p := range t.parts {
		n += p.lines
	}
	return n
}

func demoPartPath(dir string, i int) string { return filepath.Join(dir, demoStreamName(i)+".txt") }
func demoStreamName(i int) string           { return fmt.Sprintf("text-%d", i+1) }

// gatherText copies at most limit bytes of text from source into dir.
func gatherText(ctx context.Context, source, dir string, limit int64) (demoText, error) {
	match := func(string) bool { return true }
	t := demoText{source: source}
	if source == "" {
		root, err := goroot(ctx)
		if err != nil {
			return t, err
		}
		t.source = filepath.Join(root, "src")
		match = func(name string) bool { return strings.HasSuffix(name, ".go") }
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return t, err
	}
	dealer, err := newDealer(dir)
	if err != nil {
		return t, err
	}
	err = eachFile(ctx, t.source, match, func(path string) error {
		if dealer.bytes >= limit {
			return fs.SkipAll
		}
		return dealer.file(path, limit-dealer.bytes)
	})
	if err := errors.Join(err, dealer.close()); err != nil {
		return t, err
	}
	t.files, t.bytes, t.parts = dealer.files, dealer.bytes, dealer.parts
	if t.bytes == 0 {
		return t, usagef("name a file or a directory with text: aof demo DIRECTORY", "there is no text in %s", t.source)
	}
	return t, nil
}

// goroot finds the Go distribution whose sources are the default text.
func goroot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	root := strings.TrimSpace(string(out))
	if err != nil || root == "" {
		root = os.Getenv("GOROOT")
	}
	if root == "" {
		return "", &failure{
			code: exitNotFound, what: "no Go distribution was found to take text from",
			do: "name a file or a directory with text: aof demo DIRECTORY",
		}
	}
	return root, nil
}

// eachFile visits regular files below source, or source itself, in the order of
// their names, without hidden ones and links.
func eachFile(ctx context.Context, source string, match func(name string) bool, visit func(path string) error) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return visitOne(visit, source)
	}
	seen := 0
	return filepath.WalkDir(source+string(filepath.Separator), func(path string, e fs.DirEntry, err error) error {
		hidden := len(e.Name()) > 1 && e.Name()[0] == '.' && seen > 0
		seen++
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case seen > demoMaxFiles:
			return fs.SkipAll
		case err != nil || hidden && e.IsDir():
			return skipDir(e)
		case hidden || !e.Type().IsRegular() || !match(e.Name()):
			return nil
		}
		return visit(path)
	})
}

func visitOne(visit func(path string) error, path string) error {
	if err := visit(path); !errors.Is(err, fs.SkipAll) {
		return err
	}
	return nil
}

// skipDir passes over what cannot be read; a demo needs some text, not all.
func skipDir(e fs.DirEntry) error {
	if e.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// dealer copies text into one file per stream, piece by piece to the one that
// has least.
type dealer struct {
	out   []*os.File
	w     []*bufio.Writer
	parts []demoPart
	files int
	bytes int64
}

func newDealer(dir string) (*dealer, error) {
	d := &dealer{}
	for i := range demoStreams {
		path := demoPartPath(dir, i)
		f, err := os.Create(path)
		if err != nil {
			return nil, errors.Join(err, d.close())
		}
		d.out, d.w = append(d.out, f), append(d.w, bufio.NewWriter(f))
		d.parts = append(d.parts, demoPart{stream: demoStreamName(i), path: path})
	}
	return d, nil
}

// file deals out the first limit bytes of a file, in whole lines, if it is text.
// What cannot be read is passed over.
func (d *dealer) file(path string, limit int64) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() == 0 {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, min(limit, demoMaxFile)))
	if err != nil || bytes.IndexByte(text, 0) >= 0 {
		return nil
	}
	if cut := bytes.LastIndexByte(text, '\n') + 1; int64(len(text)) < info.Size() && (cut > 0 || d.bytes > 0) {
		text = text[:cut]
	}
	if len(text) == 0 {
		return nil
	}
	d.files++
	for len(text) > 0 {
		cut := len(text)
		if cut > demoPiece {
			if nl := bytes.IndexByte(text[demoPiece:], '\n'); nl >= 0 {
				cut = demoPiece + nl + 1
			}
		}
		if err := d.deal(text[:cut]); err != nil {
			return err
		}
		text = text[cut:]
	}
	return nil
}

// deal gives a piece of whole lines to the stream that has least.
func (d *dealer) deal(piece []byte) error {
	least := 0
	for i, p := range d.parts {
		if p.bytes < d.parts[least].bytes {
			least = i
		}
	}
	if piece[len(piece)-1] != '\n' {
		piece = append(piece[:len(piece):len(piece)], '\n')
	}
	p := &d.parts[least]
	p.bytes += int64(len(piece))
	p.lines += uint64(bytes.Count(piece, []byte{'\n'}))
	d.bytes += int64(len(piece))
	_, err := d.w[least].Write(piece)
	return err
}

func (d *dealer) close() error {
	var errs []error
	for i, f := range d.out {
		errs = append(errs, d.w[i].Flush(), f.Close())
	}
	return errors.Join(errs...)
}

// lineReader returns the lines of a part one by one, as the records they become.
type lineReader struct {
	f *os.File
	r *bufio.Reader
}

func (p demoPart) open() (*lineReader, error) {
	f, err := os.Open(p.path)
	if err != nil {
		return nil, err
	}
	return &lineReader{f, bufio.NewReaderSize(f, 256<<10)}, nil
}

// next returns the next line, or io.EOF; a line is the caller's.
func (l *lineReader) next() ([]byte, error) {
	line, err := l.r.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	return line[:len(line)-1], nil
}

// skip passes over n lines.
func (l *lineReader) skip(n uint64) error {
	for range n {
		if _, err := l.next(); err != nil {
			return err
		}
	}
	return nil
}

func (l *lineReader) close() { l.f.Close() }
