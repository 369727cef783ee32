package aof_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/aof2/aof/aoftest"
)

// Each part of the store counts what it did, and how long it took.
func TestStatsTellHowLongThingsTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, st := active(t, aoftest.Small())
		fill(t, st, 3, 1000)
		before := s.Stats()
		hold := d.HoldSyncs()
		go func() {
			<-time.After(3 * time.Second)
			hold.Release()
		}()
		fill(t, st, 1, 1000)
		now := s.Stats()
		if n := now.AppendTime.Count - before.AppendTime.Count; n != 1 {
			t.Errorf("%d appends were timed, want 1", n)
		}
		for what, got := range map[string]time.Duration{
			"append": time.Duration(now.AppendTime.Sum - before.AppendTime.Sum),
			"sync":   time.Duration(now.SyncTime.Sum - before.SyncTime.Sum),
		} {
			if got != 3*time.Second {
				t.Errorf("an %s whose sync was held up for 3 s took %v", what, got)
			}
		}
		if p99 := time.Duration(now.SyncTime.Quantile(1)); p99 < 3*time.Second || p99 > 3750*time.Millisecond {
			t.Errorf("the slowest sync took %v", p99)
		}
		if now.SyncTime.Count != now.Syncs || now.WriteTime.Count != now.Syncs || now.RoundBytes.Count != now.Syncs {
			t.Errorf("%d syncs, %d timed, %d writes timed, %d measured", now.Syncs, now.SyncTime.Count, now.WriteTime.Count, now.RoundBytes.Count)
		}
		if size := now.RoundBytes.Sum - before.RoundBytes.Sum; size < 1000 || size > 1500 {
			t.Errorf("a record of 1,000 bytes was written as %d bytes", size)
		}
		fillRounds(t, s, st, 3)
		expect(t, "trim", st.TrimBefore(ctx, st.Bounds().Next), nil)
		expect(t, "seal", s.Seal(ctx), nil)
		synctest.Wait()
		now = s.Stats()
		for what, n := range map[string][2]uint64{
			"prepared": {now.PrepareTime.Count, now.Prepared - 1}, // the first one is part of making ready for appends
			"sealed":   {now.SealTime.Count, now.Sealed},
			"recycled": {now.RecycleTime.Count, now.Recycled},
			"written":  {now.SnapshotTime.Count, now.Snapshots},
		} {
			if n[0] != n[1] || n[1] == 0 {
				t.Errorf("%d were timed, %d %s", n[0], n[1], what)
			}
		}
	})
}
