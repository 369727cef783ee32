package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/aof2/aof"
)

const appendLong = `Append one record per line, from the files in the order given or from stdin, and
create the stream when it does not exist. "-" is stdin.

The exit code is 0 only when every record is durable; on any failure stderr says
how many are. The bytes between two delimiters are the record, whatever they are:
a carriage return stays, an empty line is an empty record, and a last line without
a delimiter counts. Each file ends its last record.

With --length-prefixed each record stands behind its length, a 4-byte big-endian
number that does not count itself, and nothing is between two records. So records
can hold any bytes, and what cat --length-prefixed prints comes back the same:
  Python  out.write(len(record).to_bytes(4, "big") + record)
  Go      binary.Write(out, binary.BigEndian, uint32(len(record))); out.Write(record)
Input that ends inside a length or a record is damaged, exit code 1: everything
before that record is appended, and stderr says how many bytes are missing.

With --expect-next SEQ the first record is appended only as record SEQ, and each
further one only as the one behind it; 1 expects a stream nothing was ever appended
to. Where the stream's next record is another one, append takes nothing more, says
which it is, and exits with 1; without such a stream or store it makes none, unless
SEQ is 1. This holds without any input too. So what was decided from the records
before SEQ is not appended behind others, and nothing is appended twice.

With --json, where first and last are 0 when nothing was appended, next is the
stream's next record, and expected is there when it was to be another one:
  {"stream":"s","first":1,"last":2,"records":2,"bytes":6,"next":3,"seconds":0.01}
  {"stream":"s","first":0,"last":0,"records":0,"bytes":0,"next":7,"expected":5,"seconds":0}`

const appendExample = `  aof append orders orders.txt more.txt
  tail -F /var/log/syslog | aof append syslog
  aof append orders --expect-next 11 decided.txt
  find . -print0 | aof append files --null
  aof cat orders --length-prefixed | aof append copy --length-prefixed --dir other
  aof append letters --delimiter '\n\n' --json < letters.txt`

// The most that goes into one batch; a single record may be larger.
const (
	maxBatchRecords = 8 << 10
	maxBatchBytes   = 1 << 20
)

func (a *app) appendCommand() *cobra.Command {
	var o cutOptions
	expect := number{least: 1}
	cmd := &cobra.Command{
		Use:     "append STREAM [FILE...]",
		Short:   "Append a record per line and wait until all are durable",
		Long:    appendLong,
		Example: appendExample,
		Args:    arguments(1, -1, "STREAM [FILE...]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cut, err := o.cutter(cmd.Flags().Changed("delimiter"))
			if err != nil {
				return err
			}
			return a.append(cmd.Context(), args[0], args[1:], cut, aof.Seq(expect.value))
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.delimiter, "delimiter", "d", `\n`, "what ends a record; escapes as in Go strings")
	f.BoolVarP(&o.null, "null", "0", false, "a NUL byte ends a record")
	f.BoolVar(&o.prefixed, "length-prefixed", false, "each record stands behind its 4-byte big-endian length")
	f.Var(&expect, "expect-next", "append only if the stream's next record is this one")
	return a.jsonFlag(a.storeFlags(cmd))
}

// cutOptions says how the input is cut into records.
type cutOptions struct {
	delimiter string
	null      bool
	prefixed  bool
}

// cutter checks the options, and returns what makes a cutter for one input with a
// limit on its records; given says that there was a --delimiter.
func (o *cutOptions) cutter(given bool) (func(limit int64) cutter, error) {
	var flags []string
	for flag, on := range map[string]bool{"--delimiter": given, "--length-prefixed": o.prefixed, "--null": o.null} {
		if on {
			flags = append(flags, flag)
		}
	}
	slices.Sort(flags)
	if len(flags) > 1 {
		return nil, usagef("give one of them", "%s exclude each other", strings.Join(flags, " and "))
	}
	if o.prefixed {
		return func(limit int64) cutter { return &prefixed{limit: limit} }, nil
	}
	sep := []byte{0}
	if !o.null {
		var err error
		if sep, err = parseDelimiter(o.delimiter); err != nil {
			return nil, err
		}
	}
	return splitAt(sep), nil
}

func splitAt(delimiter []byte) func(limit int64) cutter {
	return func(limit int64) cutter { return &splitter{delimiter: delimiter, limit: limit} }
}

// appended is the report of the verb.
type appended struct {
	Stream   string  `json:"stream"`
	First    aof.Seq `json:"first"` // 0 when nothing was appended
	Last     aof.Seq `json:"last"`
	Records  uint64  `json:"records"`
	Bytes    int64   `json:"bytes"`
	Next     aof.Seq `json:"next"`
	Expected aof.Seq `json:"expected,omitempty"` // what next was to be and is not
	Seconds  float64 `json:"seconds"`
}

// append appends the files; expect is what the first record has to become, 0 is
// anything.
func (a *app) append(ctx context.Context, name string, files []string, cut func(limit int64) cutter, expect aof.Seq) error {
	if err := checkName(name); err != nil {
		return err
	}
	inputs, err := a.openInputs(files)
	if err != nil {
		return err
	}
	defer inputs.close()
	a.writes = true
	create := expect <= 1 // a later record is expected of what there is
	return a.withStore(ctx, create, func(s *aof.Store) error {
		stream, err := s.Stream(ctx, name)
		if create {
			stream, err = openStream(ctx, s, name)
		}
		if err != nil {
			return streamError(a.dir, name, s.Recovery(), err)
		}
		if r := s.Recovery().ReadOnly; r != nil && expect != 0 {
			return r // where records may be hidden, what is next tells nothing
		}
		ap := &appender{stream: stream, expect: expect, limit: a.settings.options.MaxRecord, progress: a.newProgress(), start: time.Now()}
		failed := ap.all(ctx, inputs, cut)
		ap.progress.done()
		unsettled := ap.settle(ctx)
		if unsettled == nil && (failed == nil || ap.done.Records > 0 || a.json && ap.done.Expected != 0) {
			unsettled = a.report(ap.done, ap.text)
		}
		return ap.explain(ctx, failed, unsettled)
	})
}

// openStream opens the stream and creates it when it does not exist.
func openStream(ctx context.Context, s *aof.Store, name string) (*aof.Stream, error) {
	stream, err := s.Stream(ctx, name)
	if errors.Is(err, aof.ErrNotFound) {
		return s.CreateStream(ctx, name, nil)
	}
	return stream, err
}

// input is one place that records come from.
type input struct {
	name string
	r    io.Reader
}

type inputs []input

// openInputs opens everything before anything is appended, so that a misspelt
// name changes nothing.
func (a *app) openInputs(files []string) (inputs, error) {
	if len(files) == 0 {
		files = []string{"-"}
	}
	var ins inputs
	for _, name := range files {
		if name == "-" {
			ins = append(ins, input{"stdin", a.in})
			continue
		}
		f, err := os.Open(name)
		if err == nil {
			ins = append(ins, input{name, f})
			if info, statErr := f.Stat(); statErr == nil && info.IsDir() {
				err = usagef("name its files: aof append STREAM "+name+"/*", "%s is a directory", name)
			}
		}
		if err != nil {
			ins.close()
			return nil, err
		}
	}
	return ins, nil
}

func (ins inputs) close() {
	for _, in := range ins {
		if f, ok := in.r.(*os.File); ok && f != os.Stdin {
			f.Close()
		}
	}
}

// appender moves records from inputs into one stream. It accepts batch after
// batch without waiting for the disk, so that reading, copying and syncing
// overlap; settle waits for all of them at the end.
type appender struct {
	stream   *aof.Stream
	expect   aof.Seq // what the next record has to become; 0 is anything
	limit    int64   // bytes of the longest record
	progress *progress
	start    time.Time
	done     appended // accepted so far; durable once settle returned nil

	in       string      // the input being read
	accepted uint64      // records of that input
	records  []aof.Entry // gathered, not handed over
	bytes    int         // of them
}

// all appends every record of every input.
func (ap *appender) all(ctx context.Context, ins inputs, cut func(limit int64) cutter) error {
	ap.done.Stream = ap.stream.Name()
	for i, in := range ins {
		ap.in, ap.accepted = in.name, 0
		if i == 0 {
			if err := ap.expected(); err != nil {
				return err
			}
		}
		if err := ap.input(ctx, in.r, cut(ap.limit)); err != nil {
			return err
		}
	}
	return nil
}

// expected refuses a wrong expectation before any input is read, and where there is
// none. The store compares again with each batch.
func (ap *appender) expected() error {
	next := ap.stream.Bounds().Next
	if ap.expect == 0 || ap.expect == next {
		return nil
	}
	ap.done.Expected = ap.expect
	return &aof.MismatchError{Stream: ap.stream.Name(), Expected: ap.expect, Next: next}
}

func (ap *appender) input(ctx context.Context, r io.Reader, records cutter) error {
	stop := make(chan struct{})
	defer close(stop)
	chunks := readAhead(r, stop)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c := <-chunks:
			records.feed(c.data)
			ended := errors.Is(c.err, io.EOF)
			if ended {
				records.end()
			}
			if err := ap.take(ctx, records); err != nil || ended {
				return err
			}
			if c.err != nil {
				return fmt.Errorf("read %s: %w", ap.in, c.err)
			}
			ap.progress.show("%s: %s, %s", ap.in, plural(ap.done.Records, "record"), sizeText(ap.done.Bytes))
		}
	}
}

// take appends the complete records, in batches.
func (ap *appender) take(ctx context.Context, records cutter) error {
	for {
		record, ok, err := records.next()
		if err != nil || !ok {
			return errors.Join(ap.flush(ctx), err)
		}
		if len(ap.records) == maxBatchRecords || ap.bytes+len(record) > maxBatchBytes {
			if err := ap.flush(ctx); err != nil {
				return err
			}
		}
		ap.records = append(ap.records, aof.Entry{Data: record})
		ap.bytes += len(record)
	}
}

// flush hands the gathered records to the store.
func (ap *appender) flush(ctx context.Context) error {
	err := ap.hand(ctx, ap.records)
	clear(ap.records)
	ap.records, ap.bytes = ap.records[:0], 0
	return err
}

// hand appends records as one batch, or in smaller ones where the settings allow
// no batch of that size. By the law of append they are counted exactly when a seq
// came back.
func (ap *appender) hand(ctx context.Context, records []aof.Entry) error {
	n := len(records)
	if n == 0 {
		return nil
	}
	first, err := ap.stream.AppendBatch(ctx, &aof.Batch{Records: records, ExpectNext: ap.expect, Ack: aof.AckAccepted})
	if errors.Is(err, aof.ErrTooLarge) && n > 1 {
		if err := ap.hand(ctx, records[:n/2]); err != nil {
			return err
		}
		return ap.hand(ctx, records[n/2:])
	}
	if first > 0 {
		if ap.done.First == 0 {
			ap.done.First = first
		}
		ap.done.Last = first + aof.Seq(n) - 1
		if ap.expect != 0 {
			ap.expect = ap.done.Last + 1
		}
		ap.done.Records += uint64(n)
		ap.accepted += uint64(n)
		for _, r := range records {
			ap.done.Bytes += int64(len(r.Data))
		}
	}
	if errors.Is(err, aof.ErrMismatch) {
		ap.done.Expected = ap.expect
	}
	return err
}

// settle waits until everything accepted is durable. A signal does not end this
// wait, because it is one sync long and tells the user where to go on; a second
// signal ends the process.
func (ap *appender) settle(ctx context.Context) error {
	ap.done.Next = ap.stream.Bounds().Next
	if ap.done.Last == 0 {
		ap.done.Seconds = time.Since(ap.start).Seconds()
		return nil
	}
	err := ap.stream.WaitDurable(context.WithoutCancel(ctx), ap.done.Last)
	ap.done.Seconds = time.Since(ap.start).Seconds()
	return err
}

// explain joins what failed with how far the work came.
func (ap *appender) explain(ctx context.Context, failed, unsettled error) error {
	if failed == nil && unsettled == nil {
		return nil
	}
	err := failed
	if err == nil {
		err = unsettled
	}
	var out *outputFailure
	if errors.As(err, &out) {
		return err
	}
	var bad *inputError
	if errors.As(err, &bad) {
		err = &failure{code: bad.code, err: err, what: ap.in + ": " + bad.what, do: bad.do}
	}
	var mismatch *aof.MismatchError
	if errors.As(err, &mismatch) {
		err = unexpected(mismatch)
	}
	durable := ap.durable()
	far := fmt.Sprintf("%s durable in stream %s", isAre(durable, "record"), quoteName(ap.done.Stream))
	if durable > 0 {
		far += fmt.Sprintf(" (%s)", seqRange(ap.done.First, ap.done.First+aof.Seq(durable)-1))
	}
	lost := ap.done.Records - durable
	do := fmt.Sprintf("go on with record %d of %s", ap.accepted-min(lost, ap.accepted)+1, ap.in)
	if lost > ap.accepted {
		do = fmt.Sprintf("go on with record %d of all the input", durable+1)
	}
	return &stoppedError{far: far, do: do, err: err}
}

// unexpected explains a wrong expectation.
func unexpected(m *aof.MismatchError) error {
	f := &failure{
		code: exitDamage, err: m,
		what: fmt.Sprintf("the next record of stream %s is %d, and %d was expected", quoteName(m.Stream), m.Next, m.Expected),
		do:   fmt.Sprintf("look at the records from %d on, which somebody else appended or this input has become already; decide again with --expect-next %d", m.Expected, m.Next),
	}
	if m.Next < m.Expected {
		f.do = fmt.Sprintf("the stream has fewer records than were counted on: look whether it is the right one; decide again with --expect-next %d", m.Next)
	}
	return f
}

// durable counts the accepted records that are known to be durable.
func (ap *appender) durable() uint64 {
	end := min(ap.stream.Bounds().Durable, ap.done.Last)
	if ap.done.First == 0 || end < ap.done.First {
		return 0
	}
	return uint64(end + 1 - ap.done.First)
}

func isAre(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return plural(n, noun) + " are"
}

func (ap *appender) text(w io.Writer) {
	d := ap.done
	if d.Records == 0 {
		fmt.Fprintf(w, "%s: nothing to append\n", quoteName(d.Stream))
		return
	}
	fmt.Fprintf(w, "%s: %s durable, %s, %s, %.3f s\n", quoteName(d.Stream),
		isAre(d.Records, "record"), seqRange(d.First, d.Last), sizeText(d.Bytes), d.Seconds)
}
