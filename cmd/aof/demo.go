package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/aof2/aof"
)

const demoLong = `Show what the program is for, on real text, in under a minute:

a child process appends text into several streams at once while one of them is
followed; it is killed in the middle of writing, without a warning; the store is
opened again, and what came back is compared record by record with what had been
acknowledged and with the source; the rest is appended, every checksum is verified,
and it shows where the bytes are.

The text is a file or a directory that you name, or else the sources of the Go
distribution on this machine. Everything happens in a directory made for it, below
--dir or where temporary files go, which is removed at the end unless --keep is
given. The exit code is 1 when anything that was acknowledged is missing.

With --json the story goes to stderr, and stdout gets its numbers, where a file is
what segments prints and verified what verify prints:
  {"ok":true,"dir":"d","kept":false,"source":"/usr/local/go/src","text_files":1,
   "text_lines":9,"text_bytes":99,"followed":5,"recovery_ms":9.5,"torn_bytes":0,
   "streams":[{"stream":"text-1","lines":9,"acknowledged":5,"came_back":6,
   "missing":0,"different":0,"end":9}],"verified":{...},"files":[...],"seconds":2.5}`

const demoExample = `  aof demo
  aof demo ~/notes --keep
  aof demo /var/log --size 8 --json`

// What the demo works with.
const (
	demoStreams     = 6
	demoHotFileSize = 8 << 20
)

// demoOptions is what a demo was asked for.
type demoOptions struct {
	source string // "": the Go distribution
	parent string // where the directory is made; "": where temporary files go
	keep   bool
	size   number // MiB of text at most
}

func (a *app) demoCommand() *cobra.Command {
	o := demoOptions{size: number{value: 32, least: 1, set: true}}
	cmd := &cobra.Command{
		Use:     "demo [FILE|DIRECTORY]",
		Short:   "Append, get killed, recover, compare: the whole promise in a minute",
		Long:    demoLong,
		Example: demoExample,
		Args:    arguments(0, 1, "[FILE|DIRECTORY]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.source = args[0]
			}
			if cmd.Flags().Changed("dir") {
				o.parent = a.dir
			}
			return a.demo(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.keep, "keep", false, "leave the directory there to look at")
	cmd.Flags().Var(&o.size, "size", "read at most this many MiB of text")
	return a.jsonFlag(cmd)
}

// demoReport is the whole story in numbers.
type demoReport struct {
	OK         bool               `json:"ok"`
	Dir        string             `json:"dir"`
	Kept       bool               `json:"kept"`
	Source     string             `json:"source"`
	TextFiles  int                `json:"text_files"`
	TextLines  uint64             `json:"text_lines"`
	TextBytes  int64              `json:"text_bytes"`
	Followed   aof.Seq            `json:"followed"` // how far the follower of the first stream came
	RecoveryMS float64            `json:"recovery_ms"`
	TornBytes  int64              `json:"torn_bytes"`
	Streams    []demoStreamReport `json:"streams"`
	Verified   *verifyReport      `json:"verified"`
	Files      []fileReport       `json:"files"`
	Seconds    float64            `json:"seconds"`
}

// demoStreamReport compares one stream after the crash with its source.
type demoStreamReport struct {
	Stream       string `json:"stream"`
	Lines        uint64 `json:"lines"`        // of the source
	Acknowledged uint64 `json:"acknowledged"` // reported durable before the kill
	CameBack     uint64 `json:"came_back"`    // after recovery
	Missing      uint64 `json:"missing"`      // acknowledged and not back
	Different    uint64 `json:"different"`    // back with other content than the source
	End          uint64 `json:"end"`          // records at the end of the demo
}

// demoRun is one demo under way.
type demoRun struct {
	app    *app
	tell   io.Writer // stdout, or stderr when stdout is for JSON
	start  time.Time
	store  string // directory of the store
	text   demoText
	report demoReport
	step   int
}

func (a *app) demo(ctx context.Context, o demoOptions) (err error) {
	dir, err := os.MkdirTemp(o.parent, "aof-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for the demo: %w", err)
	}
	if !o.keep {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	d := &demoRun{app: a, tell: a.out, start: time.Now(), store: filepath.Join(dir, "store")}
	if a.json {
		d.tell = a.err
	}
	d.report.Dir, d.report.Kept = dir, o.keep
	if d.text, err = gatherText(ctx, o.source, filepath.Join(dir, "text"), int64(o.size.value)<<20); err != nil {
		return err
	}
	if err := d.tale(ctx); err != nil {
		return err
	}
	d.report.Seconds = time.Since(d.start).Seconds()
	return d.verdict()
}

// tale is the story, step by step.
func (d *demoRun) tale(ctx context.Context) error {
	for _, step := range []func(context.Context) error{d.introduce, d.writeAndKill, d.recover, d.finish} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// say prints one step of the story, numbered.
func (d *demoRun) say(format string, args ...any) {
	d.step++
	fmt.Fprintf(d.tell, "\n%d. "+format+"\n", append([]any{d.step}, args...)...)
}

// block prints text that belongs to the step, such as a table.
func (d *demoRun) block(write func(w io.Writer)) {
	var b strings.Builder
	write(&b)
	for line := range strings.Lines(b.String()) {
		d.detail("%s", strings.TrimSuffix(line, "\n"))
	}
}

// detail prints a line that belongs to the step.
func (d *demoRun) detail(format string, args ...any) {
	fmt.Fprintf(d.tell, "   "+format+"\n", args...)
}

func (d *demoRun) introduce(context.Context) error {
	t, r := d.text, &d.report
	r.Source, r.TextFiles, r.TextLines, r.TextBytes = t.source, t.files, t.lines(), t.bytes
	d.say("The text: %s of %s.", plural(t.files, "file"), t.source)
	d.detail("%s, %s, dealt out to %d streams; every line will be a record.", plural(t.lines(), "line"), sizeText(t.bytes), len(t.parts))
	for _, p := range t.parts {
		r.Streams = append(r.Streams, demoStreamReport{Stream: p.stream, Lines: p.lines})
	}
	return nil
}

// finish appends what the child did not get to, checks everything once more and
// shows where the bytes are.
func (d *demoRun) finish(ctx context.Context) error {
	s, err := d.open(ctx)
	if err != nil {
		return err
	}
	err = d.appendRest(ctx, s)
	if err == nil {
		err = d.verifyAll(ctx, s)
	}
	if err == nil {
		d.showBytes(s)
	}
	return errors.Join(err, s.Close())
}

func (d *demoRun) open(ctx context.Context) (*aof.Store, error) {
	return aof.Open(ctx, d.store, &aof.Options{HotFileSize: demoHotFileSize})
}

// verifyAll reads every byte back: checksums first, then content against source.
func (d *demoRun) verifyAll(ctx context.Context, s *aof.Store) error {
	d.say("Verify: every checksum, then every record against its line in the source.")
	found, err := s.Verify(ctx, aof.VerifyOptions{})
	if err != nil {
		return err
	}
	verified := reportVerify(found, aof.Recovery{}, nil)
	d.report.Verified = &verified
	for _, damage := range verified.Damage {
		d.detail("damage: %s", damage.text())
	}
	d.detail("%s, %s, %s: %s damaged", plural(verified.Files, "file"), plural(verified.Records, "record"), sizeText(verified.Bytes), plural(len(verified.Damage), "range"))
	for i, p := range d.text.parts {
		r := &d.report.Streams[i]
		c, err := compare(ctx, s, p)
		if err != nil {
			return err
		}
		r.End = c.records
		r.Different = max(r.Different, c.different)
		r.Missing += p.lines - min(c.records, p.lines)
	}
	d.detail("%s compared with their source by SHA-256", plural(d.report.sum(func(r demoStreamReport) uint64 { return r.End }), "record"))
	return nil
}

func (d *demoRun) showBytes(s *aof.Store) {
	d.say("Where the bytes are.")
	d.report.Files = reportFiles(s.Files(), "")
	d.block(func(w io.Writer) { filesTable(w, d.report.Files) })
	rows := []string{"STREAM\t>RECORDS\t>BYTES\t>FILES"}
	for name, info := range s.Streams() {
		rows = append(rows, fmt.Sprintf("%s\t%d\t%s\t%d", quoteName(name), info.Records(), sizeCell(info.Bytes), info.Runs))
	}
	d.block(func(w io.Writer) { table(w, rows...) })
}

func (r *demoReport) sum(of func(demoStreamReport) uint64) (n uint64) {
	for _, s := range r.Streams {
		n += of(s)
	}
	return n
}

// verdict ends the story: done, or exit code 1.
func (d *demoRun) verdict() error {
	r := &d.report
	missing := r.sum(func(s demoStreamReport) uint64 { return s.Missing })
	different := r.sum(func(s demoStreamReport) uint64 { return s.Different })
	r.OK = missing == 0 && different == 0 && r.Verified.OK
	if d.app.json {
		if err := d.app.report(r, nil); err != nil {
			return err
		}
	}
	if r.Kept {
		d.say("Kept. Look at it with:")
		d.detail("aof ls --dir %s", d.store)
		d.detail("aof cat %s --dir %s | cmp - %s", d.text.parts[0].stream, d.store, d.text.parts[0].path)
	}
	if !r.OK {
		return &failure{
			code: exitDamage,
			what: fmt.Sprintf("the demo failed: %s missing, %d different, %d damaged ranges", plural(missing, "record"), different, len(r.Verified.Damage)),
			do:   "please report this with the output above; run again with --keep to keep the directory",
		}
	}
	fmt.Fprintf(d.tell, "\nIt worked, in %s: nothing that was acknowledged is missing, and every record is what was written.\n", secondsText(time.Since(d.start)))
	return nil
}
