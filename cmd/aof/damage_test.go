package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/aof2/aof"
)

// layered is a store with everything in it that a store can have: two snapshots;
// a sealed file with records 1 to 20 of orders, in frames of 5, and 1 to 8 of
// other, in frames of 2; an open file with 21 to 40 and 9 to 16; a prepared one.
func layered(t *testing.T) *cli {
	t.Helper()
	c := newCLI(t)
	events := make(chan aof.EventKind, 100)
	s, err := aof.Open(t.Context(), c.dir, &aof.Options{
		HotFileSize: 64 << 10,
		OnEvent:     func(e aof.Event) { events <- e.Kind },
	})
	if err != nil {
		t.Fatal(err)
	}
	streams := map[string]*aof.Stream{}
	for _, name := range []string{"junk", "orders", "other"} {
		if streams[name], err = s.CreateStream(t.Context(), name, nil); err != nil {
			t.Fatal(err)
		}
	}
	add := func(name string, records ...string) {
		t.Helper()
		var batch aof.Batch
		for _, r := range records {
			batch.Records = append(batch.Records, aof.Entry{Data: []byte(r)})
		}
		if _, err := streams[name].AppendBatch(t.Context(), &batch); err != nil {
			t.Fatal(err)
		}
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	add("junk", "to be deleted")
	check(s.Seal(t.Context()))
	check(s.DeleteStream(t.Context(), "junk"))
	for n := range 8 {
		if n == 4 {
			check(s.Seal(t.Context()))
			for <-events != aof.EventRecycled { // snapshots are made before the file of junk goes
			}
		}
		add("orders", "one of orders", "two", "three", "four", "five")
		add("other", "one of other", "two")
	}
	check(s.Close())
	return c
}

// frameAt is where a frame lies in a file.
type frameAt struct {
	off, length int
	kind        byte
	stream      uint32
	first       uint64
}

const headerBytes, frameHeaderBytes, recordHeaderBytes = 4096, 56, 16

// hotFile is a hot file of the store, taken apart.
type hotFile struct {
	path   string // below the store
	frames []frameAt
	end    int // of the frames
	size   int
}

// ofKind returns the frames of a kind: 1 records, 2 decisions, 3 marks, 4 rolls.
func (f hotFile) ofKind(kind byte) (found []frameAt) {
	for _, fr := range f.frames {
		if fr.kind == kind {
			found = append(found, fr)
		}
	}
	return found
}

// takeApart reads the frames of the store's files in a state.
func (c *cli) takeApart(state aof.FileState) hotFile {
	c.t.Helper()
	var f hotFile
	for _, file := range decode[segmentsReport](c.t, c.ok("segments", "--json")).Files {
		if file.State == string(state) {
			f.path = file.Path
		}
	}
	data, err := os.ReadFile(filepath.Join(c.dir, f.path))
	if err != nil {
		c.t.Fatal(err)
	}
	f.size = len(data)
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(data[at:]) }
	for f.end = headerBytes; f.end+frameHeaderBytes <= len(data) && u32(f.end) == u32(headerBytes) && u32(f.end) != 0; {
		at := f.end
		f.frames = append(f.frames, frameAt{at, int(u32(at + 4)), data[at+12], u32(at + 16), binary.LittleEndian.Uint64(data[at+24:])})
		f.end += int(u32(at + 4))
	}
	return f
}

// flip changes a bit, and changes it back when called again.
func (c *cli) flip(path string, at int) {
	c.t.Helper()
	path = filepath.Join(c.dir, path)
	f, err := os.Open(path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, int64(at)); err != nil {
		c.t.Fatal(err)
	}
	c.write(path, at, []byte{b[0] ^ 0x10})
}

// flipped is a place where a bit is flipped, and what verify has to say about it.
type flipped struct {
	name        string
	path        string
	at          int
	stream      string // "" when the damage is nobody's, or it cannot be known whose
	first, last aof.Seq
	others      bool // records of other streams are damaged too
}

// places lists a place in each region of a hot file.
func places(f hotFile, sealed bool, first aof.Seq) []flipped {
	data, control, mark, roll := f.ofKind(1), f.ofKind(2), f.ofKind(3), f.ofKind(4)
	orders, last := data[2], data[len(data)-1] // the second frame of orders, the last of other
	list := []flipped{
		{name: "sync word", at: orders.off, stream: "orders", first: first + 5, last: first + 9},
		{name: "length", at: orders.off + 4, stream: "orders", first: first + 5, last: first + 9},
		{name: "frame header", at: orders.off + 30, stream: "orders", first: first + 5, last: first + 9},
		{name: "watermark", at: orders.off + 48, stream: "orders", first: first + 5, last: first + 9},
		{name: "record header", at: orders.off + frameHeaderBytes + 4, stream: "orders", first: first + 5, last: first + 9},
		{name: "payload of the first record", at: orders.off + frameHeaderBytes + 5*recordHeaderBytes, stream: "orders", first: first + 5, last: first + 5},
		{name: "payload of the last record", at: orders.off + frameHeaderBytes + 5*recordHeaderBytes + len("one of orderstwothreefour"), stream: "orders", first: first + 9, last: first + 9},
		{name: "zeros behind the records", at: orders.off + orders.length - 1, stream: "orders"},
		{name: "header of a mark", at: mark[0].off + 30},
		{name: "header of a decision", at: control[0].off + 30},
		{name: "payload of a decision", at: control[0].off + frameHeaderBytes + recordHeaderBytes + 1},
		{name: "header of the roll", at: roll[0].off + 30},
		{name: "payload of the roll", at: roll[0].off + frameHeaderBytes + recordHeaderBytes},
		{name: "header of the last frame of records", at: last.off + 30},
		{name: "magic", at: 0},
		{name: "id in the header", at: 40},
		{name: "zeros in the header", at: 1000},
		{name: "checksum of the header", at: headerBytes - 1},
	}
	if sealed {
		list[13].stream, list[13].first, list[13].last = "other", 7, 8
		for i := 14; i < 18; i++ {
			list[i].stream, list[i].first, list[i].last, list[i].others = "orders", first, first+19, true
		}
		list = append(list,
			flipped{name: "head of the run index", at: f.end + 1},
			flipped{name: "run index", at: f.end + 60},
			flipped{name: "footer", at: f.size - 40},
			flipped{name: "magic of the footer", at: f.end + (f.size-f.end)*2/3},
			flipped{name: "last byte", at: f.size - 1})
	}
	for i := range list {
		list[i].path, list[i].name = f.path, f.path+": "+list[i].name
	}
	return list
}

func TestAFlippedBitAnywhereIsReportedWithItsPlaceAndRecords(t *testing.T) {
	c := layered(t)
	sealed, open := c.takeApart(aof.FileSealed), c.takeApart(aof.FileOpen)
	list := append(places(sealed, true, 1), places(open, false, 21)...)
	for _, name := range c.names("snapshot")[:2] { // the rest is room for the next ones, and what is in it means nothing
		list = append(list, flipped{name: name + ": magic", path: name}, flipped{name: name + ": body", path: name, at: 80})
	}
	hot := c.names("journal")
	list = append(list, flipped{name: "prepared file", path: hot[len(hot)-2], at: 100}) // the last name is current
	for _, f := range list {
		t.Run(f.name, func(t *testing.T) {
			c := &cli{t: t, dir: c.dir}
			c.flip(f.path, f.at)
			defer c.flip(f.path, f.at)
			r := c.run("verify", "--json")
			c.wantFailure(r, exitDamage, "damaged")
			report := decode[verifyReport](t, r.stdout)
			f.expect(t, report)
			switch {
			case f.stream != "orders" || f.others:
			case report.Hidden:
				c.fails(exitDamage, []string{"nothing that is known of stream other is damaged, but damage elsewhere may hide records of it"}, "verify", "other")
			default:
				c.ok("verify", "other")
			}
		})
	}
	c.ok("verify")
}

// expect looks for the damage in the report, and for nothing else.
func (f flipped) expect(t *testing.T, report verifyReport) {
	t.Helper()
	placed, attributed := false, f.stream == ""
	for _, d := range report.Damage {
		if d.File == f.path && (d.Length == 0 || d.Offset <= int64(f.at) && int64(f.at) < d.Offset+d.Length) {
			placed = true
		}
		switch {
		case d.Stream == f.stream && d.First == f.first && d.Last == f.last:
			attributed = true
		case d.Stream != "" && !f.others:
			t.Errorf("records that are whole are called damaged: %+v", d)
		}
	}
	if !placed || !attributed || report.OK {
		t.Errorf("byte %d, want %q %d to %d; got %+v", f.at, f.stream, f.first, f.last, report)
	}
}

// names lists the files in a directory of the store.
func (c *cli) names(dir string) (names []string) {
	c.t.Helper()
	entries, err := os.ReadDir(filepath.Join(c.dir, dir))
	if err != nil || len(entries) < 2 {
		c.t.Fatalf("%s: %v, %v", dir, entries, err)
	}
	for _, e := range entries {
		names = append(names, dir+"/"+e.Name())
	}
	return names
}

// The two slots of current are written in turn and in place, so one that does not
// verify may be what a crash left: worth a note, and no damage. Without either
// there is nothing to go by.
func TestASlotOfCurrentThatDoesNotVerifyIsNoted(t *testing.T) {
	const current = "journal/current"
	c := layered(t)
	for at, want := range map[int]string{100: "journal/current, bytes 0 to 4095", 4196: "journal/current, bytes 4096 to 8191"} {
		c.flip(current, at)
		r := c.run("verify")
		if r.code != exitDone {
			t.Errorf("%+v", r)
		}
		c.wantText(r.stderr, "aof: note: "+want)
		c.flip(current, at)
	}
	c.flip(current, 100)
	c.flip(current, 4196)
	for _, args := range [][]string{{"verify"}, {"ls"}, {"cat", "orders"}, {"append", "orders"}} {
		c.fails(exitDamage, []string{current, "no slot verifies", "restore it from a copy"}, args...)
	}
	if err := os.Remove(filepath.Join(c.dir, current)); err != nil {
		t.Fatal(err)
	}
	c.fails(exitDamage, []string{current, "missing", "restore it from a copy"}, "verify")
}

// What lies in damage that cannot be attributed nobody knows: reading to the end
// must not look as if that were all.
func TestAnEndThatIsNotKnownIsAFailure(t *testing.T) {
	c := layered(t)
	open := c.takeApart(aof.FileOpen)
	c.flip(open.path, 100)
	for _, mode := range [][]string{nil, {"--read-only"}} {
		r := c.run(append([]string{"cat", "orders", "--from", "20"}, mode...)...)
		c.wantFailure(r, exitDamage, "stream orders may have records behind seq 20", "aof verify")
		if r.stdout != "five\n" {
			t.Errorf("got %q", r.stdout)
		}
		c.ok2(append([]string{"cat", "orders", "--to", "20"}, mode...)...)
		c.ok2(append([]string{"cat", "orders", "--until", "7d"}, mode...)...) // a record that is too late is an end
		c.wantFailure(c.run(append([]string{"cat", "orders", "--until", "0s"}, mode...)...), exitDamage, "may have records behind seq 20")
		c.wantFailure(c.run(append([]string{"cat", "unknown"}, mode...)...), exitDamage, "no stream unknown is known", "damage may hide it")
	}
	r := c.pipe("41\n", "append", "orders")
	c.wantFailure(r, exitUnavailable, "read-only", open.path)
	r = c.pipe("41\n", "append", "orders", "--expect-next", "41") // whether 41 is next nobody knows
	c.wantFailure(r, exitUnavailable, "read-only", open.path)
}
