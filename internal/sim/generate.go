package sim

import "math/rand/v2"

// Shape says what plans are generated.
type Shape struct {
	Points  int // crash points of the whole run
	Streams int
	Can     func(OpKind) bool
	Least   func(hotFileSize int64) int64 // the least budget of a store, nil when it keeps to none
}

// Generate makes the plan of a seed. Every second one is concurrent, with at
// least four appenders, readers and a trimmer.
func Generate(seed uint64, shape Shape) *Plan {
	rng := rand.New(rand.NewPCG(seed, 0x91a5))
	p := &Plan{Seed: seed, Step: seed%2 == 0}
	p.Setting.HotFileSize = int64(16<<10) << rng.IntN(3)
	p.Setting.MaxUnflushed = int64(2<<10) << rng.IntN(6)
	g := generator{rng: rng, shape: shape, streams: 1 + rng.IntN(shape.Streams), room: int(p.Setting.HotFileSize / 4)}
	if rng.IntN(3) == 0 {
		// Equal lengths put the frames of one life where those of another were.
		g.fixed = []int{40, 200, 450, 1000, 2000}[rng.IntN(5)]
		if rng.IntN(2) == 0 {
			g.streams, g.quiet = 1, p.Step // nothing of another length comes between
		}
	}
	g.budget(seed, &p.Setting)
	lives := 5 + rng.IntN(8)
	if rng.IntN(8) == 0 {
		lives += rng.IntN(9)
	}
	for i := range lives {
		points := shape.Points / lives
		if i == 0 {
			points += shape.Points % lives
		}
		p.Lives = append(p.Lives, g.life(points, p.Step, i == 0))
	}
	g.places(p)
	return p
}

// budget gives some stores little room, and lets some appends wait for it. The
// rest of the plan does not depend on that.
func (g *generator) budget(seed uint64, o *Setting) {
	rng := rand.New(rand.NewPCG(seed, 0xb0d6e7))
	if rng.IntN(3) == 0 && g.shape.Least != nil {
		o.Budget = g.shape.Least(o.HotFileSize) + int64(rng.IntN(4))*o.HotFileSize/2
	}
	o.Wait = rng.IntN(3) == 0
}

type generator struct {
	rng     *rand.Rand
	shape   Shape
	streams int
	large   bool // this life has large records
	room    int  // bytes a batch may have
	fixed   int  // if not 0, every batch is one record of this length
	quiet   bool // nobody trims, seals or deletes
}

func (g *generator) life(points int, step, first bool) Life {
	rng := g.rng
	l := Life{Seed: rng.Uint64(), Points: points, Noise: []int{0, 20, 100, 300}[rng.IntN(4)]}
	l.End = End{Kind: EndKind(rng.IntN(int(endKinds)))}
	if g.quiet && rng.IntN(3) > 0 {
		l.End.Kind = EndCrash
	}
	if rng.IntN(4) > 0 {
		l.End.After = 30 + rng.IntN(400)
	}
	appenders, readers := 1+rng.IntN(2), 1
	if !step {
		appenders, readers = 4+rng.IntN(3), 1+rng.IntN(2)
	}
	g.large = rng.IntN(4) == 0
	for range appenders {
		l.Clients = append(l.Clients, g.client(first, g.appenderOp))
	}
	for range readers {
		l.Clients = append(l.Clients, g.client(false, g.readerOp))
	}
	if !g.quiet {
		l.Clients = append(l.Clients, g.client(false, g.keeperOp))
	}
	if rng.IntN(2) == 0 || l.End.Kind == EndKillAfterFault {
		g.faults(&l)
	}
	return l
}

// client makes a client's operations by op, and leaves out what the store
// cannot do.
func (g *generator) client(create bool, op func() Op) Client {
	var c Client
	if create {
		for i := range g.streams {
			c = append(c, Op{Kind: DoCreate, Stream: i})
		}
	}
	for range 3 + g.rng.IntN(20) {
		c = append(c, op())
	}
	kept := c[:0]
	for _, o := range c {
		if g.shape.Can(o.Kind) {
			kept = append(kept, o)
		}
	}
	return kept
}

func (g *generator) appenderOp() Op {
	rng := g.rng
	op := Op{Stream: rng.IntN(g.streams)}
	switch n := rng.IntN(20); {
	case n < 16:
		op.Kind, op.Mode = DoAppend, Mode(rng.IntN(len(modeNames)))
		if g.quiet && rng.IntN(4) > 0 {
			op.Mode = ModeAccepted // much is under way at once
		}
		op.Lengths = g.lengths()
	case n < 19:
		op.Kind = DoAwait
	default:
		op.Kind = DoCreate
	}
	return op
}

// lengths picks the records of a batch: one small record as a rule, sometimes
// many, sometimes empty or large ones.
func (g *generator) lengths() []int {
	if g.fixed > 0 {
		return []int{g.fixed}
	}
	n := 1
	if g.rng.IntN(4) == 0 {
		n = 2 + g.rng.IntN(12)
	}
	all, room := make([]int, n), g.room
	for i := range all {
		switch k := g.rng.IntN(12); {
		case k == 0:
			all[i] = 0
		case k == 1:
			all[i] = g.rng.IntN(idBytes + 1)
		case k == 2 && g.large:
			all[i] = 1000 + g.rng.IntN(3000)
		case k < 6:
			all[i] = 100 + g.rng.IntN(400)
		default:
			all[i] = idBytes + g.rng.IntN(90)
		}
		if room -= all[i]; room < 0 {
			return append(all[:i], idBytes)
		}
	}
	return all
}

func (g *generator) readerOp() Op {
	op := Op{Kind: DoRead, Stream: g.rng.IntN(g.streams), Arg: g.rng.IntN(1001)}
	if g.rng.IntN(3) == 0 {
		op.Kind, op.Arg = DoFollow, 1+g.rng.IntN(5)
	}
	return op
}

// keeperOp is what one goroutine does that looks after the store.
func (g *generator) keeperOp() Op {
	op := Op{Stream: g.rng.IntN(g.streams), Arg: g.rng.IntN(1001)}
	switch n := g.rng.IntN(24); {
	case n < 9:
		op.Kind = DoTrim
		if g.rng.IntN(6) == 0 {
			op.Arg = 1000 // to empty
		}
	case n < 12:
		op.Kind = DoSeal
	case n < 14:
		op.Kind = DoVerify
	case n < 16:
		op.Kind = DoDelete
	case n < 20:
		op.Kind = DoCreate
	case n < 22:
		op.Kind = DoFull
	default:
		op.Kind = DoRoom
	}
	return op
}

// faults adds a few faults, failed syncs above all.
func (g *generator) faults(l *Life) {
	l.Faults = append(l.Faults, Fault{FailSync, 1 + g.rng.IntN(12)})
	for range g.rng.IntN(4) {
		f := Fault{FaultKind(g.rng.IntN(int(failKinds))), 1 + g.rng.IntN(30)}
		if f.Kind == FailWriteBack {
			f.N *= 8
		}
		l.Faults = append(l.Faults, f)
	}
}
