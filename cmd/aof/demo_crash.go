package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/aof2/aof"
)

// demoWriteTime bounds how long the child may write on a slow disk before it is
// killed anyway.
const demoWriteTime = 10 * time.Second

// heard is what the parent knows of the child from its lines.
type heard struct {
	acked    [demoStreams]aof.Seq
	followed aof.Seq
	total    uint64
	ready    bool
	done     bool
}

// take counts one whole line.
func (h *heard) take(line string) error {
	var stream int
	var seq aof.Seq
	if n, _ := fmt.Sscanf(line, childAcked, &stream, &seq); n == 2 && stream >= 0 && stream < demoStreams {
		h.total += uint64(seq - h.acked[stream])
		h.acked[stream] = seq
		return nil
	}
	if n, _ := fmt.Sscanf(line, childFollowed, &seq); n == 1 {
		h.followed = seq
		return nil
	}
	switch line {
	case childReady:
		h.ready = true
	case childDone:
		h.done = true
	default:
		return fmt.Errorf("the child process said %q", line)
	}
	return nil
}

// writeAndKill runs the child and kills it somewhere in the middle.
func (d *demoRun) writeAndKill(ctx context.Context) error {
	goal := uint64(float64(d.text.lines()) * (0.3 + 0.3*rand.Float64()))
	d.say("A child process appends to all %d streams at once, durably, while one is followed.", demoStreams)
	h, pid, err := d.runChild(ctx, goal)
	if err != nil {
		return err
	}
	d.report.Followed = h.followed
	d.detail("process %d acknowledged %s; the follower of %s was seen at seq %d", pid, plural(h.total, "record"), demoStreamName(0), h.followed)
	when := "in the middle of writing"
	if h.done {
		when = "after its last write: there was too little text to be in the middle"
	}
	d.detail("then it was killed with SIGKILL, %s", when)
	for i := range d.report.Streams {
		d.report.Streams[i].Acknowledged = uint64(h.acked[i])
	}
	return nil
}

// runChild starts the child, kills it once goal records are acknowledged or its
// time is over, and returns all that it had said by then.
func (d *demoRun) runChild(ctx context.Context, goal uint64) (heard, int, error) {
	self, err := os.Executable()
	if err != nil {
		return heard{}, 0, fmt.Errorf("find this program to start it as the child: %w", err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(self, "demo-writer", filepath.Dir(d.text.parts[0].path), "--dir", d.store)
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return heard{}, 0, err
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return heard{}, 0, err
	}
	if err := cmd.Start(); err != nil {
		return heard{}, 0, fmt.Errorf("start the child process: %w", err)
	}
	h, listenErr := listen(ctx, stdout, goal, cmd.Process.Kill)
	// The child is killed, or has ended by itself: neither call has news.
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err := ctx.Err(); err != nil {
		return h, 0, err
	}
	if !h.ready || listenErr != nil {
		return h, 0, errors.Join(listenErr, fmt.Errorf("the child process failed: %s", bytes.TrimSpace(stderr.Bytes())))
	}
	return h, cmd.Process.Pid, nil
}

// listen counts the child's lines. It calls kill at the goal, at done, when the
// time is over or ctx ends, and then still takes what is in the pipe: whatever
// was acknowledged before the kill counts.
func listen(ctx context.Context, r io.Reader, goal uint64, kill func() error) (heard, error) {
	over, cancel := context.WithTimeout(ctx, demoWriteTime)
	defer context.AfterFunc(over, func() { _ = kill() })()
	defer cancel()
	var h heard
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return h, ignoreEOF(err)
		}
		if err := h.take(line[:len(line)-1]); err != nil {
			return h, err
		}
		if h.done || h.total > goal {
			cancel()
		}
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// recover opens the store that the child left and compares.
func (d *demoRun) recover(ctx context.Context) error {
	d.say("The store is opened again.")
	start := time.Now()
	s, err := d.open(ctx)
	if err != nil {
		return err
	}
	d.tellRecovery(time.Since(start), s.Recovery())
	return errors.Join(d.compareAll(ctx, s), s.Close())
}

func (d *demoRun) tellRecovery(took time.Duration, r aof.Recovery) {
	d.report.RecoveryMS, d.report.TornBytes = float64(took.Microseconds())/1000, r.Torn
	d.detail("recovered in %s: %s of the journal's tail read, %s torn off behind its end", secondsText(took), sizeText(r.Scanned), plural(r.Torn, "byte"))
	for _, n := range r.Notes {
		d.detail("%s", n)
	}
}

// compareAll holds what came back against what was acknowledged and against the
// source.
func (d *demoRun) compareAll(ctx context.Context, s *aof.Store) error {
	rows := []string{"STREAM\t>ACKNOWLEDGED\t>CAME BACK\tDIFFERENCE"}
	for i, p := range d.text.parts {
		c, err := compare(ctx, s, p)
		if err != nil {
			return err
		}
		row := &d.report.Streams[i]
		row.CameBack, row.Different = c.records, c.different
		row.Missing = row.Acknowledged - min(row.Acknowledged, c.records)
		rows = append(rows, fmt.Sprintf("%s\t%d\t%d\t%s", p.stream, row.Acknowledged, row.CameBack, row.difference()))
	}
	if back := d.report.Streams[0].CameBack; uint64(d.report.Followed) > back {
		d.report.Streams[0].Missing = max(d.report.Streams[0].Missing, uint64(d.report.Followed)-back)
	}
	acknowledged := d.report.sum(func(r demoStreamReport) uint64 { return r.Acknowledged })
	back := d.report.sum(func(r demoStreamReport) uint64 { return r.CameBack })
	missing := d.report.sum(func(r demoStreamReport) uint64 { return r.Missing })
	rows = append(rows, fmt.Sprintf("all\t%d\t%d\t%s missing", acknowledged, back, plural(missing, "acknowledged record")))
	d.block(func(w io.Writer) { table(w, rows...) })
	d.detail("Every record that came back was compared with its line in the source by SHA-256.")
	d.detail("Records beyond the acknowledged ones were on their way: they may come back, in order.")
	return nil
}

// difference is what happened to a stream, in words.
func (r demoStreamReport) difference() string {
	switch {
	case r.Missing > 0:
		return fmt.Sprintf("%d ACKNOWLEDGED RECORDS ARE MISSING", r.Missing)
	case r.Different > 0:
		return fmt.Sprintf("%d RECORDS DIFFER FROM THE SOURCE", r.Different)
	case r.CameBack > r.Acknowledged:
		return fmt.Sprintf("nothing missing, %d more", r.CameBack-r.Acknowledged)
	}
	return "nothing missing"
}

// comparison is how the records of a stream relate to the lines they were.
type comparison struct {
	records   uint64
	different uint64 // other content than the line, or no line at all
}

// compare reads the whole stream beside its source, by hash, record by record. A
// stream that does not exist has no records.
func compare(ctx context.Context, s *aof.Store, p demoPart) (comparison, error) {
	stream, err := s.Stream(ctx, p.stream)
	if errors.Is(err, aof.ErrNotFound) {
		return comparison{}, nil
	}
	if err != nil {
		return comparison{}, err
	}
	lines, err := p.open()
	if err != nil {
		return comparison{}, err
	}
	defer lines.close()
	var c comparison
	end := stream.Bounds().Durable
	if end == 0 {
		return c, nil
	}
	r, err := stream.Reader(aof.ReaderOptions{From: 1, To: end})
	if err != nil {
		return c, err
	}
	defer func() { _ = r.Close() }()
	for record, err := range r.All(ctx) {
		if err != nil {
			return c, err
		}
		c.records++
		line, err := lines.next()
		if ignoreEOF(err) != nil {
			return c, err
		}
		if err != nil || uint64(record.Seq) != c.records || sha256.Sum256(line) != sha256.Sum256(record.Data) {
			c.different++
		}
	}
	return c, nil
}

// appendRest appends what the child did not get to, all streams at once.
func (d *demoRun) appendRest(ctx context.Context, s *aof.Store) error {
	d.say("The rest is appended, from where each stream ended.")
	start := time.Now()
	errs := make([]error, len(d.text.parts))
	var wait sync.WaitGroup
	for i, p := range d.text.parts {
		wait.Go(func() { errs[i] = appendTail(ctx, s, p) })
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	rest := d.text.lines() - d.report.sum(func(r demoStreamReport) uint64 { return r.CameBack })
	d.detail("%s durable after %s", isAre(rest, "record"), secondsText(time.Since(start)))
	return nil
}

// appendTail appends the lines of a part that its stream does not have yet.
func appendTail(ctx context.Context, s *aof.Store, p demoPart) error {
	stream, err := openStream(ctx, s, p.stream)
	if err != nil {
		return err
	}
	lines, err := p.open()
	if err != nil {
		return err
	}
	defer lines.close()
	if err := lines.skip(uint64(stream.Bounds().Next) - 1); err != nil {
		return fmt.Errorf("%s has more records than its source has lines: %w", p.stream, err)
	}
	ap := &appender{stream: stream, limit: aof.DefaultMaxRecord, progress: &progress{}, start: time.Now()}
	if err := ap.all(ctx, inputs{{p.path, lines.r}}, splitAt([]byte{'\n'})); err != nil {
		return err
	}
	return ap.settle(ctx)
}
