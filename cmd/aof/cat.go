package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/aof2/aof"
)

const catLong = `Print the records of a stream: raw writes each record and a newline, json one
object a line with seq, time and data, or data_base64 when the record is not valid
UTF-8. With --length-prefixed each record follows its length, a 4-byte big-endian
number that does not count itself, with nothing in between: records of any bytes can
be told apart, and aof append --length-prefixed takes them back. To read one:
  Python  record = f.read(int.from_bytes(f.read(4), "big"))
  Go      binary.Read(f, binary.BigEndian, &n); record := make([]byte, n); io.ReadFull(f, record)

Without -f it ends at the last record that is durable when it starts; with -f it
waits for more until --to, --until, --limit or Ctrl-C. It needs the store for itself;
--read-only looks at a snapshot instead, beside a running program.

--since begins with the first record that the store took at TIME or later, and
--until ends before the first one behind that it took later than TIME. TIME is RFC
3339, a date, which is its midnight here, or how long ago: 90m, 36h, 7d, 1d12h.
The times are those of the store's clock, to the millisecond. Where that went back,
records behind the first one can be older than --since, and records behind the end
older than --until. With -f it is a record later than --until that ends it.

--cursor tells on stderr, at the end, the cursor behind the last record that was
printed, and --after CURSOR goes on there, also with another process years later. If
the stream is another one by then, or has lost the record at the cursor, --after
fails with exit code 1 and does not skip or repeat records; 3 when what comes next
has been trimmed.

With --format json each line is one of
  {"seq":1,"time":"2006-01-02T15:04:05.000Z","data":"text"}
  {"seq":2,"time":"2006-01-02T15:04:05.000Z","data_base64":"/w=="}
with "event_time":"2006-01-02T15:04:05.000000007Z" behind time where the program
that appended the record gave it a time of its own, and, with --cursor, at its end
"cursor":"3e1f5a9c07d2b846-1-100-525ffe88", the place behind this record.`

const catExample = `  aof cat orders
  aof cat orders --from 100 --to 200
  aof cat orders --last 10 -f
  aof cat orders --since 36h --until 2026-11-23T14:30:00Z
  aof cat orders --format json --read-only | jq .data
  aof cat orders --cursor --after 3e1f5a9c07d2b846-1-100-525ffe88
  aof cat orders --length-prefixed > orders.records`

// catOptions is what one cat was asked for; 0 is not asked.
type catOptions struct {
	from, to, limit number
	last            number
	since, until    moment
	after           cursorFlag
	cursor          bool
	follow          bool
	readOnly        bool
	format          oneOf
	prefixed        bool
}

func (a *app) catCommand() *cobra.Command {
	o := catOptions{
		from: number{least: 1}, to: number{least: 1}, limit: number{least: 1},
		format: oneOf{value: "raw", choices: []string{"raw", "json"}},
	}
	cmd := &cobra.Command{
		Use:     "cat STREAM",
		Short:   "Print records, and follow the stream with -f",
		Long:    catLong,
		Example: catExample,
		Args:    arguments(1, 1, "STREAM"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(args[0], time.Now()); err != nil {
				return err
			}
			return a.cat(cmd.Context(), args[0], o)
		},
	}
	f := cmd.Flags()
	f.Var(&o.from, "from", "begin with this seq")
	f.Var(&o.last, "last", "begin this many records before the end")
	f.Var(&o.since, "since", "begin with the first record of this time or later")
	f.Var(&o.after, "after", "go on behind this cursor")
	f.Var(&o.to, "to", "end with this seq")
	f.Var(&o.until, "until", "end before the first record later than this")
	f.Var(&o.limit, "limit", "end after this many records")
	f.BoolVarP(&o.follow, "follow", "f", false, "wait for more records at the end")
	f.BoolVar(&o.cursor, "cursor", false, "tell where to go on later, for --after")
	f.Var(&o.format, "format", "how to write a record")
	f.BoolVar(&o.prefixed, "length-prefixed", false, "write each record behind its 4-byte big-endian length")
	f.BoolVar(&o.readOnly, "read-only", false, "look at a snapshot, without the store's lock")
	return a.storeFlags(cmd)
}

// check refuses what cannot be meant; now is what flags that say how long ago are
// held against.
func (o *catOptions) check(name string, now time.Time) error {
	o.since.settle(now)
	o.until.settle(now)
	begins := given([]string{"--from", "--last", "--since", "--after"}, o.from.set, o.last.set, o.since.set, o.after.set)
	switch {
	case len(begins) > 1:
		return usagef("give one of them", "%s exclude each other", strings.Join(begins, " and "))
	case o.follow && o.readOnly:
		return usagef("leave out one of them: following needs the store itself", "--follow and --read-only exclude each other")
	case o.prefixed && o.format.value == "json":
		return usagef("give one of them", "--length-prefixed and --format json exclude each other")
	case o.from.set && o.to.set && o.to.value < o.from.value:
		return usagef("give a --to of at least --from", "--to %d is before --from %d", o.to.value, o.from.value)
	case o.after.set && o.to.set && o.to.value <= uint64(o.after.cursor.Seq):
		return usagef("give a --to behind the cursor", "--to %d is not behind the cursor of --after, which is behind seq %d", o.to.value, o.after.cursor.Seq)
	case o.since.set && o.until.past(o.since.at):
		return usagef("give an --until that is not before --since", "--since %s is later than --until %s", o.since.text, o.until.text)
	}
	return checkName(name)
}

// given picks the names of the flags that are set.
func given(names []string, set ...bool) (flags []string) {
	for i, name := range names {
		if set[i] {
			flags = append(flags, name)
		}
	}
	return flags
}

// source is a stream to be printed, of the store or of a view.
type source struct {
	name     string
	bounds   aof.Bounds
	recovery aof.Recovery
	reader   func(aof.ReaderOptions) (*aof.Reader, error)
}

func (a *app) cat(ctx context.Context, name string, o catOptions) error {
	if o.readOnly {
		return a.withView(ctx, func(v *aof.View) error {
			info, err := v.Stream(name)
			if err != nil {
				return streamError(a.dir, name, v.Recovery(), err)
			}
			reader := func(r aof.ReaderOptions) (*aof.Reader, error) { return v.Reader(name, r) }
			return a.catFrom(ctx, source{name, info.Bounds, v.Recovery(), reader}, o)
		})
	}
	return a.withStore(ctx, false, func(s *aof.Store) error {
		stream, err := s.Stream(ctx, name)
		if err != nil {
			return streamError(a.dir, name, s.Recovery(), err)
		}
		return a.catFrom(ctx, source{name, stream.Bounds(), s.Recovery(), stream.Reader}, o)
	})
}

// catFrom prints the asked range of a stream.
func (a *app) catFrom(ctx context.Context, s source, o catOptions) error {
	ask, err := o.plan(s.name, s.bounds)
	if err != nil {
		return err
	}
	p := &printer{
		w: bufio.NewWriterSize(a.out, 64<<10), json: o.format.value == "json", prefixed: o.prefixed,
		limit: o.limit.value, since: o.since.at, until: o.until, cursors: o.cursor,
	}
	r, err := s.reader(ask)
	if err == nil {
		defer func() { _ = r.Close() }()
		p.at = r.Cursor()
		if some := ask.To != 0 && ask.To >= ask.From; some || o.endless() {
			err = p.all(ctx, r)
		}
	}
	if flushErr := p.w.Flush(); flushErr != nil {
		return outputError(flushErr)
	}
	if lost := o.after.lost(s.name, s.bounds, err); lost != nil && p.records == 0 {
		return lost
	}
	if o.cursor && r != nil {
		a.note("go on with --after %s", p.at)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return p.explain(err)
	}
	if p.ended {
		return nil
	}
	return o.endKnown(s)
}

// endKnown is a failure when what was printed goes up to an end that may not be the
// end.
func (o *catOptions) endKnown(s source) error {
	asked := o.limit.set || o.to.set && o.to.value <= uint64(s.bounds.Durable)
	if asked || !lostThread(s.recovery) {
		return nil
	}
	return &failure{
		code: exitDamage, err: aof.ErrCorrupt,
		what: fmt.Sprintf("stream %s may have records behind seq %d: there is damage, and whose records it held is not known", quoteName(s.name), s.bounds.Durable),
		do:   "`aof verify` shows what is damaged; restore the rest from a copy",
	}
}

// endless reports whether no record is the last one to print.
func (o *catOptions) endless() bool { return o.follow && !o.to.set }

// plan turns the flags into where a reader begins and ends, checked against what
// there is. A To of 0 or below From is an empty range, unless the reading is endless.
func (o *catOptions) plan(name string, b aof.Bounds) (aof.ReaderOptions, error) {
	end := b.Durable + 1 // what the next record to become readable will be
	from := b.First
	switch {
	case o.from.set:
		from = aof.Seq(o.from.value)
	case o.last.set:
		from = end - aof.Seq(min(o.last.value, uint64(end-b.First)))
	}
	there := fmt.Sprintf("stream %s holds %s; the next will be seq %d", quoteName(name), seqRange(b.First, b.Durable), end)
	if from < b.First {
		return aof.ReaderOptions{}, &failure{
			code: exitNotFound, err: aof.ErrTrimmed, do: there,
			what: fmt.Sprintf("record %d of stream %s has been trimmed", from, quoteName(name)),
		}
	}
	if from > end {
		return aof.ReaderOptions{}, usagef(there, "--from %d lies in the future of stream %s", from, quoteName(name))
	}
	to := aof.Seq(o.to.value)
	if !o.follow && (to == 0 || to > b.Durable) {
		to = b.Durable
	}
	switch {
	case o.since.set:
		return aof.ReaderOptions{FromTime: o.since.at, To: to}, nil
	case o.after.set:
		return aof.ReaderOptions{FromCursor: o.after.cursor, To: to}, nil
	}
	return aof.ReaderOptions{From: from, To: to}, nil
}

// printer writes records and knows how far it came.
type printer struct {
	w        *bufio.Writer
	json     bool
	prefixed bool
	limit    uint64    // of the records; 0 is none
	since    time.Time // of the first record
	until    moment    // of the last one
	cursors  bool      // each JSON line has one

	enc     *json.Encoder
	begun   bool // a record of since or later was met
	ended   bool // a record behind until was met
	records uint64
	last    aof.Seq
	at      aof.Cursor // behind the last record that was printed, or is too old
}

// all prints records until the reader, limit or until ends it. Where nothing of since
// or later is there yet, what comes and is older does not count.
func (p *printer) all(ctx context.Context, r *aof.Reader) error {
	for p.limit == 0 || p.records < p.limit {
		record, err := p.next(ctx, r)
		if err != nil {
			return err
		}
		p.begun = p.begun || !record.Time.Before(p.since)
		if p.ended = p.begun && p.until.past(record.Time); p.ended {
			return nil
		}
		p.at = r.Cursor()
		if !p.begun {
			continue
		}
		if err := p.print(record); err != nil {
			return outputError(err)
		}
		p.records++
		p.last = record.Seq
		if p.records%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// next reads a record. What is printed reaches the output before it waits for more.
func (p *printer) next(ctx context.Context, r *aof.Reader) (aof.Record, error) {
	record, err := r.TryNext()
	if !errors.Is(err, aof.ErrWouldBlock) {
		return record, err
	}
	if err := p.w.Flush(); err != nil {
		return aof.Record{}, outputError(err)
	}
	return r.Next(ctx)
}

func (p *printer) print(r aof.Record) error {
	if p.prefixed {
		var length [prefixBytes]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(r.Data)))
		if _, err := p.w.Write(length[:]); err != nil {
			return err
		}
		_, err := p.w.Write(r.Data)
		return err
	}
	if !p.json {
		if _, err := p.w.Write(r.Data); err != nil {
			return err
		}
		return p.w.WriteByte('\n')
	}
	if p.enc == nil {
		p.enc = json.NewEncoder(p.w)
		p.enc.SetEscapeHTML(false)
	}
	line := recordLine{Seq: r.Seq, Time: r.Time.UTC().Format(time.RFC3339Nano)}
	if !r.EventTime.IsZero() {
		line.EventTime = r.EventTime.UTC().Format(time.RFC3339Nano)
	}
	if text := string(r.Data); utf8.ValidString(text) {
		line.Data = &text
	} else {
		line.Base64 = r.Data
	}
	if p.cursors {
		line.Cursor = p.at.String()
	}
	return p.enc.Encode(line)
}

// recordLine is a record in JSON.
type recordLine struct {
	Seq       aof.Seq `json:"seq"`
	Time      string  `json:"time"`
	EventTime string  `json:"event_time,omitempty"` // when the caller gave one
	Data      *string `json:"data,omitempty"`
	Base64    []byte  `json:"data_base64,omitempty"` // when data is not valid UTF-8
	Cursor    string  `json:"cursor,omitempty"`      // with --cursor
}

// explain joins what ended the reading with how far it came.
func (p *printer) explain(err error) error {
	var out *outputFailure
	if errors.As(err, &out) {
		return err
	}
	s := &stoppedError{far: plural(p.records, "record") + " printed", err: err}
	if p.records > 0 {
		s.far += fmt.Sprintf(", the last was seq %d", p.last)
		s.do = fmt.Sprintf("go on with --from %d", p.last+1)
		if p.cursors {
			s.do = "go on with --after " + p.at.String()
		}
	} else {
		s.do = "run the same command again"
	}
	var damage *aof.CorruptError
	if errors.As(err, &damage) && damage.Last > 0 {
		s.do = fmt.Sprintf("read on behind the damage with --from %d", damage.Last+1)
	}
	return s
}
