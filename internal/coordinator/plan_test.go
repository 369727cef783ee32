package coordinator

import "testing"

func TestPlan(t *testing.T) {
	failed := func(k ActionKind) (f [kinds]bool) {
		f[k] = true
		return f
	}
	rows := []struct {
		name string
		s    State
		want Action
	}{
		{"nothing to do", State{}, Action{}},
		{"the first append waits", State{WantsActivation: true}, Action{Kind: Activate}},
		{"making ready failed: who appends next asks again", State{WantsActivation: true, Failed: failed(Activate)}, Action{}},
		{"a file is wanted before anything is sealed", State{WantsFile: true, Rolled: 3}, Action{Kind: Prepare}},
		{"no file can be had: the seal is next", State{WantsFile: true, Rolled: 3, Failed: failed(Prepare)}, Action{Kind: Seal, File: 3}},
		{"a file is complete", State{Rolled: 3}, Action{Kind: Seal, File: 3}},
		{"seals go before anything is given up", State{Rolled: 3, Dead: 1, OlderFile: 2}, Action{Kind: Seal, File: 3}},
		{"a seal failed: the rest goes on", State{Rolled: 3, Dead: 1, OlderFile: 2, Failed: failed(Seal)}, Action{Kind: Recycle, File: 1}},
		{"a dead file, and there is no second snapshot", State{Dead: 1}, Action{Kind: Snapshot}},
		{"a dead file in which the older snapshot begins", State{Dead: 1, OlderFile: 1}, Action{Kind: Snapshot}},
		{"a dead file behind which the older snapshot ends", State{Dead: 2, OlderFile: 1}, Action{Kind: Snapshot}},
		{"a dead file, and both snapshots begin behind it", State{Dead: 1, OlderFile: 2}, Action{Kind: Recycle, File: 1}},
		{"a dead file, and its end failed", State{Dead: 1, OlderFile: 2, Failed: failed(Recycle)}, Action{}},
		{"a dead file, and snapshots fail", State{Dead: 1, Failed: failed(Snapshot)}, Action{}},
		{"the first sealed file, and no snapshot", State{Unsaved: true}, Action{Kind: Snapshot}},
		{"the first snapshot failed", State{Unsaved: true, Failed: failed(Snapshot)}, Action{}},
		{"the disk was full: a file that gives room back goes first", State{WantsFile: true, Full: true, Dead: 1, OlderFile: 2}, Action{Kind: Recycle, File: 1}},
		{"the disk was full: the seal goes first", State{WantsFile: true, Full: true, Rolled: 3}, Action{Kind: Seal, File: 3}},
		{"the disk was full, and nothing gives room back", State{WantsFile: true, Full: true}, Action{Kind: Prepare}},
		{"the disk was full, and only the open file is dead", State{WantsFile: true, Full: true, OpenDead: true}, Action{Kind: Roll}},
		{"the open file is dead, and another one too", State{Full: true, OpenDead: true, Dead: 1, OlderFile: 2}, Action{Kind: Recycle, File: 1}},
		{"the open file is dead, and its end failed", State{WantsFile: true, Full: true, OpenDead: true, Failed: failed(Roll)}, Action{Kind: Prepare}},
		{"a sealed file and no snapshot at all", State{Unsaved: true}, Action{Kind: Snapshot}},
		{"few decisions behind the snapshot", State{Behind: snapshotEvery}, Action{}},
		{"many decisions behind the snapshot", State{Behind: snapshotEvery + 1}, Action{Kind: Snapshot}},
		{"many decisions, and many more streams", State{Behind: snapshotEvery + 1, Streams: 4000}, Action{}},
		{"more decisions than a share of the streams", State{Behind: snapshotEvery + 1001, Streams: 4000}, Action{Kind: Snapshot}},
	}
	for _, row := range rows {
		if got := Plan(row.s); got != row.want {
			t.Errorf("%s: %+v, want %+v", row.name, got, row.want)
		}
	}
}
