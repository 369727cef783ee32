package kernel

import (
	"testing"
	"time"
)

// series makes samples over an hour, with one measure at a time going from one value to another.
func series(which int, from, to int64) []sample {
	const n = 200
	out := make([]sample, n)
	for i := range out {
		out[i].run = time.Duration(i) * time.Hour / (n - 1)
		for m := range measures {
			out[i].values[m] = 1000 + int64(i%7)
		}
		out[i].values[which] = from + (to-from)*int64(i)/(n-1) + int64(i%5)
	}
	return out
}

func sinceRun(s sample) time.Duration { return s.run }

func TestWhatGrowsIsFound(t *testing.T) {
	for which, m := range measures {
		for _, tr := range trends(series(which, 1000, 3000+3*m.slack), time.Hour, sinceRun) {
			if tr.grown() != (tr.name == m.name) {
				t.Errorf("%s grew, and of %s it is said that it grew: %v (%+v)", m.name, tr.name, tr.grown(), tr)
			}
		}
		for _, tr := range trends(series(which, 3000+3*m.slack, 1000), time.Hour, sinceRun) {
			if tr.grown() {
				t.Errorf("nothing grew, and it is said of %s: %+v", tr.name, tr)
			}
		}
	}
	if tr := trends(series(0, 1, 1), 10*time.Hour, sinceRun); tr != nil {
		t.Errorf("without samples in the last tenth there is a trend: %+v", tr)
	}
}

func TestSamplesTravelAsText(t *testing.T) {
	want := sample{values: [len(measures)]int64{1, 22, 0, 333, 1 << 40, 7}}
	line := event{kind: sampled, text: want.String()}.String()
	e, err := parseEvent(line)
	if err != nil {
		t.Fatal(err)
	}
	var got sample
	if err := got.parse(e.text); err != nil || got != want {
		t.Errorf("%q: %+v, %v; want %+v", line, got, err, want)
	}
	if err := got.parse("1 2 3"); err == nil {
		t.Error("a sample cut short is believed")
	}
}
