package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func fakeCurve(log *[]string, broken error) curve {
	open := func(f *fake) contestant { return func(string, work) (side, error) { return f, nil } }
	one := func(int) work { return work{} }
	return curve{name: "writers", title: "A < B", axis: "writers", at: []int{1, 10, 100}, series: []series{
		{name: "slow & steady", open: open(&fake{"slow", 50, log, nil}), work: one},
		{name: "small", open: open(&fake{"small", 5000, log, nil}), work: one, most: 10},
		{name: "broken", open: open(&fake{"broken", 1, log, broken}), work: one},
	}}
}

func TestACurveLeavesOutWhatFailsAndSaysSo(t *testing.T) {
	var log []string
	got, err := fakeCurve(&log, errors.New("on fire")).trace(context.Background(), t.TempDir(), 3, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.Series[0].Points); n != 3 || got.Series[0].Points[2] != (point{100, 50}) {
		t.Errorf("got %+v", got.Series[0])
	}
	if len(got.Series[1].Points) != 2 || len(got.Series[2].Points) != 0 {
		t.Errorf("got %+v", got.Series[1:])
	}
	if len(got.Errors) != 3 || !strings.Contains(got.Errors[0], "on fire") || (report{Curves: []curveResult{got}}).failures() != 3 {
		t.Errorf("got %q", got.Errors)
	}
	if opened, closed := strings.Count(strings.Join(log, ","), "run"), strings.Count(strings.Join(log, ","), "close"); opened == 0 || closed != 8 {
		t.Errorf("%d closed after %q", closed, log)
	}
}

func TestThePlotIsWellFormedAndHasEveryPoint(t *testing.T) {
	var log []string
	full, err := fakeCurve(&log, nil).trace(context.Background(), t.TempDir(), 1, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]curveResult{"full": full, "empty": {Title: "none"}, "one point": {Series: []seriesResult{{"a", []point{{1, 1}}}}}} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := c.writeSVG(&b); err != nil {
				t.Fatal(err)
			}
			points, circles := 0, 0
			for _, s := range c.Series {
				points += len(s.Points)
			}
			d := xml.NewDecoder(&b)
			for {
				token, err := d.Token()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if e, ok := token.(xml.StartElement); ok && e.Name.Local == "circle" {
					circles++
				}
			}
			if circles != points || strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
				t.Errorf("%d circles for %d points", circles, points)
			}
		})
	}
}

func TestTheReportIsSavedWhereTheUserSays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	r := report{Curves: []curveResult{{Name: "writers"}}}
	if err := r.save(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bench.md", "bench.json", "writers.svg"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := r.save(""); err != nil {
		t.Error(err)
	}
}

func TestTheShortRunGivesWayToWhatTheUserSays(t *testing.T) {
	s, err := parse([]string{"-quick", "-pairs", "7"})
	if err != nil || s.pairs != 7 || s.seconds != quickSeconds {
		t.Errorf("got %+v, %v", s, err)
	}
	for _, bad := range [][]string{{"-pairs", "0"}, {"-seconds", "-1"}, {"P2"}} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
