package aoftest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

var ctx = context.Background()

// judge is a testing.TB that keeps what is said against a test, to see that a
// Disk says it.
type judge struct {
	testing.TB
	cleanups []func()
	said     []string
}

func (j *judge) Helper()          {}
func (j *judge) Cleanup(f func()) { j.cleanups = append(j.cleanups, f) }
func (j *judge) Errorf(format string, args ...any) {
	j.said = append(j.said, fmt.Sprintf(format, args...))
}

// end runs the cleanups, the last one first, and returns what was said.
func (j *judge) end() string {
	for len(j.cleanups) > 0 {
		f := j.cleanups[len(j.cleanups)-1]
		j.cleanups = j.cleanups[:len(j.cleanups)-1]
		f()
	}
	return strings.Join(j.said, "\n")
}

// stores is both kinds of disk.
func disks(tb testing.TB) map[string]*aoftest.Disk {
	return map[string]*aoftest.Disk{"memory": aoftest.NewDisk(tb), "directory": aoftest.NewDir(tb)}
}

func TestAStoreIsThereAndGoes(t *testing.T) {
	for name, d := range disks(t) {
		s := d.Open(nil)
		st, err := s.CreateStream(ctx, "s", nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if seq, err := st.Append(ctx, []byte("x")); seq != 1 || err != nil {
			t.Errorf("%s: %d, %v", name, seq, err)
		}
		d.CheckFiles(s)
		aoftest.Check(t, s)
		if d.Handles() == 0 {
			t.Errorf("%s: an open store has no open file", name)
		}
	}
	aoftest.Memory(t, nil)
	aoftest.Dir(t, nil)
}

// What a test that leaves a mess behind is told.
func TestTheEndOfATestTells(t *testing.T) {
	cases := []struct {
		name string
		mess func(d *aoftest.Disk, s *aof.Store)
		want string
	}{
		{"nothing", func(*aoftest.Disk, *aof.Store) {}, ""},
		{"a view that was not closed", func(d *aoftest.Disk, _ *aof.Store) {
			if _, err := aof.Inspect(ctx, d.Path(), d.Options(nil)); err != nil {
				t.Error(err)
			}
		}, "still open"},
		{"damage", func(d *aoftest.Disk, s *aof.Store) {
			d.FlipBit(s.Files()[0].Path, 4100*8)
		}, "damage"},
		{"damage that was announced", func(d *aoftest.Disk, s *aof.Store) {
			d.ExpectDamage()
			d.FlipBit(s.Files()[0].Path, 4100*8)
		}, ""},
		{"a store whose disk failed", func(d *aoftest.Disk, s *aof.Store) {
			d.FailSyncs(-1)
			if _, err := s.CreateStream(ctx, "more", nil); !errors.Is(err, aof.ErrReadOnly) {
				t.Error(err)
			}
		}, "close the store"},
		{"a file that is gone", func(d *aoftest.Disk, s *aof.Store) {
			d.Remove(s.Files()[0].Path)
		}, "journal/"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			j := &judge{TB: t}
			d := aoftest.NewDisk(j)
			s := d.Open(aoftest.Small())
			if _, err := s.CreateStream(ctx, "s", nil); err != nil {
				t.Fatal(err)
			}
			c.mess(d, s)
			said := j.end()
			if c.want == "" && said != "" || !strings.Contains(said, c.want) {
				t.Errorf("said %q, want something about %q", said, c.want)
			}
		})
	}
}

func TestKillAndCrashLeaveTheDiskAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := aoftest.NewDisk(t)
		s := d.Open(aoftest.Small())
		st, err := s.CreateStream(ctx, "s", nil)
		if err != nil {
			t.Fatal(err)
		}
		for n := aof.Seq(1); n <= 10; n++ {
			if _, err := st.Append(ctx, []byte("x")); err != nil {
				t.Fatal(err)
			}
			for _, after := range []*aoftest.Disk{d.Kill(uint64(n)), d.Crash(uint64(n))} {
				again, err := after.Open(aoftest.Small()).Stream(ctx, "s")
				if err != nil || again.Bounds().Durable != n {
					t.Errorf("%d records came back, want %d, %v", again.Bounds().Durable, n, err)
				}
			}
		}
	})
}

func TestFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := aoftest.NewDisk(t)
		s := d.Open(aoftest.Small())
		st, err := s.CreateStream(ctx, "s", nil)
		if err != nil {
			t.Fatal(err)
		}
		hold := d.HoldSyncs()
		if _, err := st.TryAppend([]byte("x")); err != nil {
			t.Fatal(err)
		}
		<-hold.Reached()
		synctest.Wait()
		if b := st.Bounds(); b.Durable != 0 {
			t.Errorf("durable while the sync is held: %+v", b)
		}
		hold.Release()
		hold.Release()
		d.FailSyncs(1)
		if _, err := st.Append(ctx, []byte("y")); err != nil {
			t.Errorf("one failed sync: %v", err)
		}
		if n := s.Stats().Poisoned; n != 1 {
			t.Errorf("%d files were given up", n)
		}
		d.SetFree(0)
		if err := fillUp(st); !errors.Is(err, aof.ErrFull) {
			t.Errorf("a full disk: %v", err)
		}
		d.SetFree(-1)
		if _, err := st.Append(ctx, make([]byte, 8000)); err != nil {
			t.Errorf("room again: %v", err)
		}
	})
}

// fillUp appends until that is an error.
func fillUp(st *aof.Stream) error {
	for {
		if _, err := st.Append(ctx, make([]byte, 4000)); err != nil {
			return err
		}
	}
}
