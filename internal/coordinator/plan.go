package coordinator

// Action is something the coordinator can do next.
type Action struct {
	Kind ActionKind
	File uint64 // the hot file it is about, 0 when it is about none
}

// ActionKind names an Action.
type ActionKind uint8

// What the coordinator does, most urgent first.
const (
	Sleep    ActionKind = iota // nothing: until something changes
	Activate                   // the first append of this life waits
	Prepare                    // appends will soon want another file
	Seal                       // a file is complete
	Recycle                    // a file holds nothing that is needed
	Roll                       // the open file holds nothing that is needed, and only its room could be had
	Snapshot                   // the journal behind the last one has grown, or a dead file waits for it
	kinds
)

// State is all that the next action depends on.
type State struct {
	WantsActivation bool
	WantsFile       bool
	Full            bool        // the last attempt to prepare a file failed
	OpenDead        bool        // there is no room, and none is needed of what the open file takes
	Rolled          uint64      // the oldest complete file that is not sealed, 0 when none
	Dead            uint64      // the oldest sealed file without a live run, 0 when none
	OlderFile       uint64      // where the older of the two kept snapshots begins, 0 when there is none
	Behind          uint64      // decisions behind the newer one
	Unsaved         bool        // a file is sealed and there is no snapshot at all
	Streams         int         // live streams: what a snapshot costs
	Failed          [kinds]bool // actions that failed since anything changed
}

// snapshotEvery is how many decisions may gather behind a snapshot; a catalog
// with more streams than that is written more rarely, so that the cost of
// snapshots stays a share of the cost of the decisions.
const snapshotEvery = 1024

// Plan says what to do next. It is a pure function: no clock, no lock, no disk.
//
// A dead file is recycled once both kept snapshots begin behind it: the older one
// must do when the newer is damaged, and it needs every decision since. Until
// then another snapshot is what brings that nearer. The first snapshot comes with
// the first sealed file: without any, the names of all streams would stand in one
// file only. Where there was no room for another file, what gives room back comes
// before the next attempt, or appends that are tried again and again would keep
// it from being done.
func Plan(s State) Action {
	switch {
	case s.WantsActivation && !s.Failed[Activate]:
		return Action{Kind: Activate}
	case s.WantsFile && !s.Full && !s.Failed[Prepare]:
		return Action{Kind: Prepare}
	case s.Rolled != 0 && !s.Failed[Seal]:
		return Action{Kind: Seal, File: s.Rolled}
	case s.Dead != 0 && s.OlderFile > s.Dead && !s.Failed[Recycle]:
		return Action{Kind: Recycle, File: s.Dead}
	case s.Dead != 0 && s.OlderFile <= s.Dead && !s.Failed[Snapshot]:
		return Action{Kind: Snapshot}
	case s.OpenDead && !s.Failed[Roll]:
		return Action{Kind: Roll}
	case s.WantsFile && !s.Failed[Prepare]:
		return Action{Kind: Prepare}
	case s.Unsaved && !s.Failed[Snapshot]:
		return Action{Kind: Snapshot}
	case s.Behind > snapshotEvery+uint64(s.Streams)/4 && !s.Failed[Snapshot]:
		return Action{Kind: Snapshot}
	}
	return Action{Kind: Sleep}
}

// Clears reports whether something is left to be done that may give room back.
func Clears(s State) bool {
	s.WantsActivation, s.WantsFile = false, false
	switch Plan(s).Kind {
	case Seal, Recycle, Roll:
		return true
	case Snapshot:
		return s.Dead != 0
	}
	return false
}
