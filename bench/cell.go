package main

// cell is one comparison: work by our store, the same or what stands for it by somebody else, and what
// must come of it.
type cell struct {
	row       string
	name      string
	work      work
	reference string // what stands beside us
	ours      contestant
	other     contestant // nil where the bar is a number of its own
	checks    []check
	quick     bool // it belongs to the short run
}

// contestant opens a side in an empty directory.
type contestant func(dir string, w work) (side, error)

// check is one verdict on the samples of a cell. A pair's figure is the ratio of ours to the other's, or
// our own where there is no other's.
type check struct {
	measure string
	unit    unit
	ours    func(sample) float64
	other   func(ours, other sample) float64 // nil: the bar is in the measure's own unit
	atMost  bool                             // the bar is an upper one
	bar     float64                          // 0 of a lower one is no bar: the figure is only shown
}

// unit says how the values of a measure are written.
type unit string

const (
	perSecond unit = "1/s"
	seconds   unit = "s"
	byteCount unit = "B"
	number    unit = "1"
)

// rate asks for at least bar times the other's records per second.
func rate(bar float64) check {
	return check{
		measure: "records/s", unit: perSecond, bar: bar,
		ours:  sample.rate,
		other: func(_, other sample) float64 { return other.rate() },
	}
}

// limit asks for at most so much of something that only we are asked for.
func limit(measure string, u unit, most float64, of func(sample) float64) check {
	return check{measure: measure, unit: u, atMost: true, bar: most, ours: of}
}

// times asks for at most bar times the seconds that the other takes.
func times(measure string, bar float64, of func(sample) float64) check {
	return check{
		measure: measure, unit: seconds, atMost: true, bar: bar, ours: of,
		other: func(_, other sample) float64 { return of(other) },
	}
}

// judge makes a result of the samples of both sides, pair by pair.
func (k check) judge(c cell, samples [2][]sample) result {
	r := c.result()
	r.Measure, r.Unit, r.Bar, r.AtMost, r.Absolute = k.measure, k.unit, k.bar, k.atMost, k.other == nil
	var ours, others []float64
	for i, s := range samples[0] {
		mine := k.ours(s)
		ours = append(ours, mine)
		if k.other == nil {
			r.Ratios = append(r.Ratios, mine)
			continue
		}
		other := k.other(s, samples[1][i])
		others = append(others, other)
		r.Ratios = append(r.Ratios, mine/other)
	}
	r.Ours = median(ours)
	if k.other != nil {
		r.Other = median(others)
	}
	r.Ratio = bootstrap(r.Ratios)
	if k.atMost {
		r.Holds = r.Ratio.Upper <= k.bar
	} else {
		r.Holds = r.Ratio.Lower >= k.bar
	}
	r.OursSyncs, r.OtherSyncs = syncsPerAppend(samples[0]), syncsPerAppend(samples[1])
	for _, s := range samples[0] {
		r.FreshFiles += s.fresh
	}
	return r
}

// syncsPerAppend is -1 where nobody counted.
func syncsPerAppend(samples []sample) float64 {
	appends, syncs := int64(0), int64(0)
	for _, s := range samples {
		if s.syncs < 0 {
			return -1
		}
		appends, syncs = appends+s.appends, syncs+s.syncs
	}
	if appends == 0 {
		return -1
	}
	return float64(syncs) / float64(appends)
}
