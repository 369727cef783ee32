package sim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aof2/aof"
)

// told are the ways through recovery that a store tells of in a sentence, by
// words of that sentence.
var told = []struct{ branch, words string }{
	{"several claimants", "say that they follow file"},
	{"prepared file kept", "was prepared by the last life and is used"},
	{"leftover recycled", "was prepared and not taken, or given up"},
	{"recycled file collected", "was decided to be recycled"},
	{"cut record", "a frame was begun and its records do not all verify"},
	{"successor after poison", "were given up after a failed write or sync"},
	{"undecided footer", "has its footer and no decision says so"},
	{"undecided footer, torn index", "has a footer and its run index does not verify"},
	{"decisions from a sealed file", "which is sealed"},
	{"torn slot of current", "this slot does not verify"},
	{"older snapshot used", "does not verify and is not used"},
	{"clean end taken back", "was closed at"},
	{"damage: hole", "not a frame"},
	{"damage: record", "the record's checksum does not match"},
	{"damage: missing file", "it is missing"},
	{"damage: broken file", "its header does not verify"},
	{"damage: file renamed or copied", "it was renamed or copied"},
	{"damage: short file", "the file is too short"},
	{"damage: footer", "the footer does not verify"},
	{"damage: size of a sealed file", "bytes and should have"},
}

// Branches implements System.
func (AOF) Branches() []string {
	all := []string{
		"fresh", "clean", "unclean", "torn tail", "snapshot used", "no snapshot", "decisions replayed", "damage found", "read-only",
		"read-only by fault", "refused by fault", "refused by damage", "healed after faults of Open",
		"event: prepared", "event: rolled", "event: sealed", "event: recycled", "event: snapshot",
		"end: crash", "end: crash under load", "end: kill", "end: kill under load", "end: kill-after-fault",
		"end: close", "end: close-kill", "end: crash-in-close",
		"event: poisoned", "event: recovered", "event: failed", "event: read-only", "event: damage", "event: clock",
		"append: as expected", "append: another next record", "time: found", "time: later than all",
		"place: read on", "place: at the end", "place: at the beginning", "place: trimmed", "place: of another stream",
		"place: of a record that was lost", "place: of a record that has a successor",
	}
	for _, t := range told {
		all = append(all, t.branch)
	}
	return all
}

func (s *aofStore) Found() Found {
	r := s.store.Recovery()
	f := Found{ReadOnly: r.ReadOnly != nil, TailFile: r.TailFile, TailEnd: r.TailEnd}
	if r.ReadOnly != nil {
		f.Why = r.ReadOnly.Error()
	}
	var words strings.Builder
	for _, line := range slices.Concat(r.Steps, r.Notes) {
		words.WriteString(line + "\n")
	}
	for _, d := range r.Damage {
		f.Damage = append(f.Damage, fmt.Sprintf("%+v", d))
		words.WriteString(d.Problem + "\n")
		if d.First != 0 {
			f.Ranges = append(f.Ranges, Range{d.Stream, uint64(d.First), uint64(d.Last)})
		}
	}
	f.Branches = branchesOf(r, words.String())
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Events = slices.Clone(s.events)
	return f
}

func branchesOf(r aof.Recovery, words string) (taken []string) {
	for _, b := range []struct {
		branch string
		taken  bool
	}{
		{"fresh", r.Fresh},
		{"clean", r.Clean},
		{"unclean", !r.Clean && !r.Fresh},
		{"torn tail", r.Torn > 0},
		{"snapshot used", r.Snapshot != ""},
		{"no snapshot", r.Snapshot == "" && !r.Fresh},
		{"decisions replayed", r.Replayed > 0},
		{"damage found", len(r.Damage) > 0},
		{"read-only", r.ReadOnly != nil},
	} {
		if b.taken {
			taken = append(taken, b.branch)
		}
	}
	for _, t := range told {
		if strings.Contains(words, t.words) {
			taken = append(taken, t.branch)
		}
	}
	return taken
}
