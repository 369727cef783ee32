package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
waits for more until --to, --limit or Ctrl-C. It needs the store for itself;
--read-only looks at a snapshot instead, beside a running program.

With --format json each line is one of
  {"seq":1,"time":"2006-01-02T15:04:05.000Z","data":"text"}
  {"seq":2,"time":"2006-01-02T15:04:05.000Z","data_base64":"/w=="}`

const catExample = `  aof cat orders
  aof cat orders --from 100 --to 200
  aof cat orders --last 10 -f
  aof cat orders --format json --read-only | jq .data
  aof cat orders --length-prefixed > orders.records`

// catOptions is what one cat was asked for; 0 is not asked.
type catOptions struct {
	from, to, limit number
	last            number
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
			if err := o.check(args[0]); err != nil {
				return err
			}
			return a.cat(cmd.Context(), args[0], o)
		},
	}
	f := cmd.Flags()
	f.Var(&o.from, "from", "begin with this seq")
	f.Var(&o.last, "last", "begin this many records before the end")
	f.Var(&o.to, "to", "end with this seq")
	f.Var(&o.limit, "limit", "end after this many records")
	f.BoolVarP(&o.follow, "follow", "f", false, "wait for more records at the end")
	f.Var(&o.format, "format", "how to write a record")
	f.BoolVar(&o.prefixed, "length-prefixed", false, "write each record behind its 4-byte big-endian length")
	f.BoolVar(&o.readOnly, "read-only", false, "look at a snapshot, without the store's lock")
	return a.storeFlags(cmd)
}

func (o *catOptions) check(name string) error {
	switch {
	case o.from.set && o.last.set:
		return usagef("give one of them", "--from and --last exclude each other")
	case o.follow && o.readOnly:
		return usagef("leave out one of them: following needs the store itself", "--follow and --read-only exclude each other")
	case o.prefixed && o.format.value == "json":
		return usagef("give one of them", "--length-prefixed and --format json exclude each other")
	case o.from.set && o.to.set && o.to.value < o.from.value:
		return usagef("give a --to of at least --from", "--to %d is before --from %d", o.to.value, o.from.value)
	}
	return checkName(name)
}

func (a *app) cat(ctx context.Context, name string, o catOptions) error {
	if o.readOnly {
		return a.withView(ctx, func(v *aof.View) error {
			info, err := v.Stream(name)
			if err != nil {
				return streamError(a.dir, name, v.Recovery(), err)
			}
			err = a.catFrom(ctx, name, info.Bounds, o, func(r aof.ReaderOptions) (*aof.Reader, error) { return v.Reader(name, r) })
			return o.endKnown(name, info.Bounds, v.Recovery(), err)
		})
	}
	return a.withStore(ctx, false, func(s *aof.Store) error {
		stream, err := s.Stream(ctx, name)
		if err != nil {
			return streamError(a.dir, name, s.Recovery(), err)
		}
		b := stream.Bounds()
		return o.endKnown(name, b, s.Recovery(), a.catFrom(ctx, name, b, o, stream.Reader))
	})
}

// catFrom prints the asked range of a stream with these bounds.
func (a *app) catFrom(ctx context.Context, name string, b aof.Bounds, o catOptions, open func(aof.ReaderOptions) (*aof.Reader, error)) error {
	ask, err := o.plan(name, b)
	if err != nil || ask.To < ask.From && !o.endless() {
		return err
	}
	r, err := open(ask)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	p := &printer{w: bufio.NewWriterSize(a.out, 64<<10), json: o.format.value == "json", prefixed: o.prefixed}
	err = p.all(ctx, r, o.limit.value)
	if flushErr := p.w.Flush(); flushErr != nil {
		return outputError(flushErr)
	}
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	return p.explain(err)
}

// endKnown makes a failure of printing up to an end that may not be the end.
func (o *catOptions) endKnown(name string, b aof.Bounds, r aof.Recovery, err error) error {
	asked := o.limit.set || o.to.set && o.to.value <= uint64(b.Durable)
	if err != nil || asked || !lostThread(r) {
		return err
	}
	return &failure{
		code: exitDamage, err: aof.ErrCorrupt,
		what: fmt.Sprintf("stream %s may have records behind seq %d: there is damage, and whose records it held is not known", quoteName(name), b.Durable),
		do:   "`aof verify` shows what is damaged; restore the rest from a copy",
	}
}

// endless reports whether no record is the last one to print.
func (o *catOptions) endless() bool { return o.follow && !o.to.set }

// plan turns the flags into a range of seqs, checked against what there is. To
// below From is an empty range, unless the reading is endless.
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
	return aof.ReaderOptions{From: from, To: to}, nil
}

// printer writes records and knows how far it came.
type printer struct {
	w        *bufio.Writer
	json     bool
	prefixed bool
	enc      *json.Encoder
	records  uint64
	last     aof.Seq
}

// all prints records until the reader ends or limit of them are printed; 0 is no
// limit. What is printed reaches the output before it waits for more.
func (p *printer) all(ctx context.Context, r *aof.Reader, limit uint64) error {
	for limit == 0 || p.records < limit {
		record, err := r.TryNext()
		if errors.Is(err, aof.ErrWouldBlock) {
			if err := p.w.Flush(); err != nil {
				return outputError(err)
			}
			record, err = r.Next(ctx)
		}
		if err != nil {
			return err
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
	at := r.Time.UTC().Format(time.RFC3339Nano)
	if utf8.Valid(r.Data) {
		return p.enc.Encode(struct {
			Seq  aof.Seq `json:"seq"`
			Time string  `json:"time"`
			Data string  `json:"data"`
		}{r.Seq, at, string(r.Data)})
	}
	return p.enc.Encode(struct {
		Seq  aof.Seq `json:"seq"`
		Time string  `json:"time"`
		Data []byte  `json:"data_base64"`
	}{r.Seq, at, r.Data})
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
	} else {
		s.do = "run the same command again"
	}
	var damage *aof.CorruptError
	if errors.As(err, &damage) && damage.Last > 0 {
		s.do = fmt.Sprintf("read on behind the damage with --from %d", damage.Last+1)
	}
	return s
}
