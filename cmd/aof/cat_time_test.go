package main

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aof2/aof"
)

// day is the time of a record that was stored so many days after the first of 2020.
func day(n int) time.Time { return time.Date(2020, 1, 1+n, 0, 0, 0, 0, time.UTC) }

// wall is a wall clock that is set by hand; a store asks for the time from goroutines of its own.
type wall struct{ at atomic.Pointer[time.Time] }

func (w *wall) set(t time.Time) { w.at.Store(&t) }
func (w *wall) now() time.Time  { return *w.at.Load() }

// stored is a store with the stream orders, whose records 1, 2 and so on came at these times.
func stored(t *testing.T, times ...time.Time) *cli {
	t.Helper()
	c := newCLI(t)
	var clock wall
	clock.set(day(0))
	c.writing(&aof.Options{Now: clock.now}, func(st *aof.Stream) {
		for i, at := range times {
			clock.set(at)
			if _, err := st.Append(t.Context(), []byte(fmt.Sprint(i+1))); err != nil {
				t.Fatal(err)
			}
		}
	})
	return c
}

// writing opens the store and hands over its stream orders, made when it is absent.
func (c *cli) writing(o *aof.Options, use func(*aof.Stream)) {
	c.t.Helper()
	s, err := aof.Open(c.t.Context(), c.dir, o)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			c.t.Error(err)
		}
	}()
	st, err := openStream(c.t.Context(), s, "orders")
	if err != nil {
		c.t.Fatal(err)
	}
	use(st)
}

// prints runs cat on orders, from the store and from a snapshot unless it follows, and wants these records.
func (c *cli) prints(want, flags string) {
	c.t.Helper()
	args := append([]string{"cat", "orders"}, strings.Fields(flags)...)
	modes := [][]string{nil, {"--read-only"}}
	if strings.Contains(flags, "-f") {
		modes = modes[:1]
	}
	for _, mode := range modes {
		if got := strings.Join(strings.Fields(c.ok(append(args, mode...)...)), " "); got != want {
			c.t.Errorf("cat %s %v: %q, want %q", flags, mode, got, want)
		}
	}
}

func TestCatPrintsWhatCameBetweenTwoTimes(t *testing.T) {
	const ms = time.Millisecond
	c := stored(t, day(1), day(2), day(2), day(3).Add(ms), day(5))
	for flags, want := range map[string]string{
		"--since 2020-01-03T00:00:00Z":                                  "2 3 4 5",
		"--since 2020-01-03T00:00:00.000000001Z":                        "4 5",
		"--since 2020-01-03T01:00:00+01:00":                             "2 3 4 5",
		"--since 2020-01-04T00:00:00.001Z":                              "4 5",
		"--since 2020-01-04T00:00:00.002Z":                              "5",
		"--since 0000-01-01T00:00:00Z":                                  "1 2 3 4 5",
		"--since 0001-01-01T00:00:00Z":                                  "1 2 3 4 5",
		"--since 2020-01-06T00:00:00Z":                                  "5",
		"--since 2020-01-06T00:00:00.001Z":                              "",
		"--since 9999-12-31T23:59:59Z":                                  "",
		"--since 1d":                                                    "",
		"--since 106751d":                                               "1 2 3 4 5",
		"--until 2020-01-01T23:59:59.999Z":                              "",
		"--until 2020-01-02T00:00:00Z":                                  "1",
		"--until 2020-01-03T00:00:00Z":                                  "1 2 3",
		"--until 2020-01-04T00:00:00.000999999Z":                        "1 2 3",
		"--until 2020-01-04T00:00:00.001Z":                              "1 2 3 4",
		"--until 0000-01-01T00:00:00Z":                                  "",
		"--until 9999-12-31T23:59:59Z":                                  "1 2 3 4 5",
		"--until 0s":                                                    "1 2 3 4 5",
		"--since 2020-01-03T00:00:00Z --until 2020-01-04T12:00:00Z":     "2 3 4",
		"--since 2020-01-03T00:00:00Z --until 2020-01-03T00:00:00Z":     "2 3",
		"--since 2020-01-05T00:00:00Z --until 2020-01-05T12:00:00Z":     "",
		"--since 106751d --until 1d":                                    "1 2 3 4 5",
		"--since 2020-01-03T00:00:00Z --to 4":                           "2 3 4",
		"--since 2020-01-06T00:00:00Z --to 4":                           "",
		"--since 2020-01-03T00:00:00Z --limit 2":                        "2 3",
		"--from 3 --until 2020-01-04T12:00:00Z":                         "3 4",
		"--last 4 --until 2020-01-04T12:00:00Z":                         "2 3 4",
		"--to 2 --until 2020-01-04T12:00:00Z":                           "1 2",
		"-f --since 2020-01-03T00:00:00Z --until 2020-01-04T12:00:00Z":  "2 3 4",
		"-f --since 2020-01-03T00:00:00Z --to 3":                        "2 3",
		"-f --since 2020-01-03T00:00:00Z --limit 3":                     "2 3 4",
		"--read-only --since 2020-01-04T00:00:00Z --format raw --to 99": "4 5",
	} {
		c.prints(want, flags)
	}
	for n := range 7 { // a date alone is its midnight here
		at, want := time.Date(2020, 1, n, 0, 0, 0, 0, time.Local), ""
		for i, came := range []time.Time{day(1), day(2), day(2), day(3).Add(ms), day(5)} {
			if !came.Before(at) {
				want += fmt.Sprint(" ", i+1)
			}
		}
		c.prints(strings.TrimSpace(want), "--since "+at.Format(time.DateOnly))
	}
	c.ok("trim", "orders", "--before", "4")
	c.prints("4 5", "--since 2020-01-01T00:00:00Z")
	c.prints("4", "--since 2020-01-01T00:00:00Z --until 2020-01-05T00:00:00Z")
	c.ok("trim", "orders", "--before", "6")
	c.prints("", "--since 2020-01-01T00:00:00Z")
	c.prints("", "--until 9999-01-01T00:00:00Z")
}

// What came before --since is not read to find what came later.
func TestCatSinceATimeLeavesTheSearchToTheReader(t *testing.T) {
	o := catOptions{since: moment{at: day(3), set: true}}
	ask, err := o.plan("s", aof.Bounds{First: 5, Durable: 9, Next: 10})
	if want := (aof.ReaderOptions{FromTime: day(3), To: 9}); err != nil || ask != want {
		t.Errorf("%+v, %v; want %+v", ask, err, want)
	}
}

func TestCatOfAnEmptyStreamBetweenTwoTimesPrintsNothing(t *testing.T) {
	c := stored(t)
	c.prints("", "--since 7d")
	c.prints("", "--since 0000-01-01T00:00:00Z --until 0s")
	c.prints("", "--until 7d")
}

// A clock that went back: the first record that is not older than --since is the first one printed, whatever comes
// behind it, and the first one behind that which is later than --until is the end.
func TestCatBetweenTwoTimesOfAClockThatWentBack(t *testing.T) {
	c := stored(t, day(10), day(500), day(11), day(12), day(600), day(13))
	for flags, want := range map[string]string{
		"--since 2020-01-12T00:00:00Z":                              "2 3 4 5 6",
		"--since 2021-08-01T00:00:00Z":                              "5 6",
		"--until 2020-02-01T00:00:00Z":                              "1",
		"--until 2021-06-01T00:00:00Z":                              "1 2 3 4",
		"--from 3 --until 2020-02-01T00:00:00Z":                     "3 4",
		"--since 2020-01-12T00:00:00Z --until 2020-02-01T00:00:00Z": "",
		"--since 2020-01-12T00:00:00Z --until 2021-06-01T00:00:00Z": "2 3 4",
	} {
		c.prints(want, flags)
	}
}

func TestCatFollowsUntilARecordIsTooLate(t *testing.T) {
	var out strings.Builder
	var clock wall
	clock.set(day(1))
	c := newCLI(t)
	c.writing(&aof.Options{Now: clock.now}, func(st *aof.Stream) {
		add := func(at time.Time, text string) {
			t.Helper()
			clock.set(at)
			if _, err := st.Append(t.Context(), []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		add(day(1), "too old")
		o := catOptions{follow: true, since: moment{at: day(3), set: true}, until: moment{at: day(5), set: true}}
		a := &app{out: &out}
		begun, done := make(chan bool), make(chan error, 1)
		go func() {
			done <- a.catFrom(t.Context(), source{"orders", st.Bounds(), aof.Recovery{}, func(r aof.ReaderOptions) (*aof.Reader, error) {
				defer close(begun) // what comes from now on has not been there for the search
				return st.Reader(r)
			}}, o)
		}()
		<-begun
		add(day(2), "still too old")
		add(day(3), "one")
		add(day(2), "the clock went back")
		add(day(5), "two")
		add(day(5).Add(time.Millisecond), "too late")
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if got, want := out.String(), "one\nthe clock went back\ntwo\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
