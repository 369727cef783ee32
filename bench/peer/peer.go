// Package peer has the other logs that ours is measured beside.
//
// It hides how each of them is opened, appended to, read and trimmed, which of its settings make an
// append durable, and how one is given a group commit that has none. A file for each, and one for the
// group commit. The tests hold each of them to what it acknowledges: it must be there after kill -9, and
// the operating system must have been asked to sync it.
package peer

import (
	"fmt"
	"strings"
)

// Log is one of them, as little of it as a log needs. Records have seqs from 1 without a gap. Append may
// be called by any number of goroutines, Get too; the other methods by one at a time.
type Log interface {
	// Append appends the records, all with one sync if the log can. It returns when they are durable; with
	// Options.Accepted, when the log has taken them.
	Append(recs [][]byte) error
	// Sync makes durable what was accepted.
	Sync() error
	// Last is the seq of the newest record, 0 when there never was one.
	Last() (uint64, error)
	// Get hands over one record; the slice is valid in the call only.
	Get(seq uint64, use func(rec []byte) error) error
	// Scan hands over all records in order; the slices are valid in each call only.
	Scan(use func(rec []byte) error) error
	// TrimBefore gives up the records below seq, or some of them where the log gives up whole files. The
	// newest one stays.
	TrimBefore(seq uint64) error
	// Syncs counts the syncs of appends since the log was opened; -1: nobody counts them.
	Syncs() int64
	Close() error
}

// Options say how a log is used.
type Options struct {
	Accepted bool // an append need not be durable
	Writers  int  // how many goroutines append
	Resident bool // all of it may be kept in memory, for reading
}

// Kind is what can be said of a log before it is opened.
type Kind struct {
	Name     string
	Grouped  bool // it has no group commit, and Open wraps it with ours where several writers append
	Accepts  bool // it can take records without syncing each append
	Random   bool // it reads records by seq
	Scans    bool // it reads all records in order without a client's protocol between
	Verifies bool // it checks what it reads against checksums
	Loads    bool // a GiB can be put into it in a reasonable time
	open     func(dir string, o Options) (Log, error)
}

// Title is the name as a table has it.
func (k Kind) Title() string {
	if k.Grouped {
		return k.Name + " (gc)"
	}
	return k.Name
}

// Kinds returns all of them.
func Kinds() []Kind {
	return []Kind{etcdWAL, raftWAL, pebbleKind, tidwall, bboltKind, jetStream}
}

// Find returns the one of that name.
func Find(name string) (Kind, error) {
	var names []string
	for _, k := range Kinds() {
		if k.Name == name {
			return k, nil
		}
		names = append(names, k.Name)
	}
	return Kind{}, fmt.Errorf("there is no log %q; there are %s", name, strings.Join(names, ", "))
}

// Open opens the log in dir and makes it when there is none; dir exists.
func (k Kind) Open(dir string, o Options) (Log, error) {
	l, err := k.open(dir, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.Name, err)
	}
	if k.Grouped && o.Writers > 1 {
		return &grouped{Log: l}, nil
	}
	return l, nil
}
