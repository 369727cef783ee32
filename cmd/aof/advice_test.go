package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aof2/aof"
)

// What a user is told to do depends on what the damage took with it.
func TestTheAdviceAfterDamageFitsTheDamage(t *testing.T) {
	for _, row := range []struct {
		name string
		harm func(c *cli, sealed, open hotFile)
		want []string
		not  string
	}{
		{"a record", func(c *cli, sealed, _ hotFile) {
			path, at := c.find("one of orders")
			if path != filepath.Join(c.dir, sealed.path) {
				c.t.Fatalf("the needle is in %s", path)
			}
			c.write(path, at, []byte("O"))
		}, []string{"1 range is damaged\n", "all other records can be read: `aof cat orders --from 2` begins behind the first damage; restore the rest from a copy"}, "hidden"},
		{
			"an index", func(c *cli, sealed, _ hotFile) { c.flip(sealed.path, sealed.end+60) },
			[]string{"1 range is damaged\n", "no record is harmed, all can be read", "from a copy"},
			"hidden",
		},
		{
			"the header of the open file", func(c *cli, _, open hotFile) { c.flip(open.path, 100) },
			[]string{"and records may be hidden there: whose and how many is not known", "restore the store from a copy", "aof ls"},
			"all other records",
		},
		{"the open file is missing", func(c *cli, _, open hotFile) {
			if err := os.Remove(filepath.Join(c.dir, open.path)); err != nil {
				c.t.Fatal(err)
			}
		}, []string{"and records may be hidden there", "restore the store from a copy"}, "all other records"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := layered(t)
			row.harm(c, c.takeApart(aof.FileSealed), c.takeApart(aof.FileOpen))
			r := c.run("verify")
			c.wantFailure(r, exitDamage, row.want...)
			if strings.Contains(r.stderr, row.not) {
				t.Errorf("it says %q:\n%s", row.not, r.stderr)
			}
			report := decode[verifyReport](t, c.run("verify", "--json").stdout)
			if report.Hidden != (row.not != "hidden") || report.Hidden != (report.ReadOnly != "") || report.OK {
				t.Errorf("got %+v", report)
			}
		})
	}
}

// A stream that nothing is wrong with as far as anybody knows does not pass where
// its end is not known: that would be a promise.
func TestAStreamWhoseEndIsNotKnownDoesNotVerify(t *testing.T) {
	c := layered(t)
	c.flip(c.takeApart(aof.FileOpen).path, 100)
	r := c.run("verify", "other", "--json")
	c.wantFailure(r, exitDamage, "nothing that is known of stream other is damaged, but damage elsewhere may hide records of it", "`aof verify` shows what is damaged")
	if report := decode[verifyReport](t, r.stdout); report.OK || len(report.Damage) > 0 || !report.Hidden {
		t.Errorf("got %+v", report)
	}
}

// Why a store takes no appends is said once, and not in two wordings.
func TestWhyAStoreIsReadOnlyIsSaidOnce(t *testing.T) {
	c := layered(t)
	open := c.takeApart(aof.FileOpen)
	c.flip(open.path, 100)
	for _, args := range [][]string{
		{"verify"},
		{"verify", "orders"},
		{"ls"},
		{"info", "orders"},
		{"segments"},
		{"cat", "orders"},
		{"cat", "orders", "--read-only"},
		{"append", "orders"},
		{"append", "new"},
		{"seal"},
		{"trim", "orders", "--before", "2"},
		{"rm", "orders"},
	} {
		r := c.pipe("41\n", args...)
		said := strings.Count(r.stderr+r.stdout, "was in use and cannot be read")
		if said != 1 || strings.Count(r.stderr+r.stdout, "read-only") > 1 || strings.Contains(r.stderr+r.stdout, "takes no appends: read-only") {
			t.Errorf("aof %q says it %d times:\n%s%s", args, said, r.stdout, r.stderr)
		}
	}
}

func TestDamageHidesRecordsOnlyWhereItIsNotKnownWhoseItWas(t *testing.T) {
	readOnly := errors.New("why")
	ours, nobodys := aof.Damage{Stream: "s", First: 1, Last: 2}, aof.Damage{File: "f"}
	for _, row := range []struct {
		r    aof.Recovery
		want bool
	}{
		{aof.Recovery{}, false},
		{aof.Recovery{ReadOnly: readOnly}, false},
		{aof.Recovery{Damage: []aof.Damage{nobodys}}, false},
		{aof.Recovery{Damage: []aof.Damage{ours}, ReadOnly: readOnly}, false},
		{aof.Recovery{Damage: []aof.Damage{ours, nobodys}, ReadOnly: readOnly}, true},
	} {
		if got := hides(row.r); got != row.want {
			t.Errorf("%+v: %v", row.r, got)
		}
	}
}
