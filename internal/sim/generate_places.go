package sim

import "math/rand/v2"

// places gives most plans conditional appends, times of the clients' own, readers that
// begin at a time or at a place they remember, and a clock that jumps. The rest of the
// plan does not depend on that.
func (g *generator) places(p *Plan) {
	rng := rand.New(rand.NewPCG(p.Seed, 0x97ace5))
	if !g.shape.Can(DoKeep) || rng.IntN(4) == 0 {
		return
	}
	timed := g.fixed == 0 && rng.IntN(2) == 0 // else lengths are what they are
	for i := range p.Lives {
		l := &p.Lives[i]
		for _, c := range l.Clients {
			for j := range c {
				if c[j].Kind == DoAppend {
					g.condition(&c[j], rng, timed)
				}
			}
		}
		var c Client
		for range 4 + rng.IntN(12) {
			c = append(c, g.placeOp(rng))
		}
		l.Clients = append(l.Clients, c)
	}
}

// condition makes some appends conditional, gives some their own times, and has the
// places behind some remembered.
func (g *generator) condition(op *Op, rng *rand.Rand, timed bool) {
	n, expect := rng.IntN(12), Expect(1+rng.IntN(int(expectations)-1))
	switch {
	case n < 2:
		op.Expect = ExpectNext
	case n == 2:
		op.Expect = expect
	}
	op.Timed = timed && rng.IntN(3) == 0
	op.Keep = (op.Mode == ModeTry || op.Mode == ModeAccepted) && rng.IntN(3) == 0
}

// placeOp is what one goroutine does that comes back to places.
func (g *generator) placeOp(rng *rand.Rand) Op {
	op := Op{Stream: rng.IntN(g.streams), Arg: rng.IntN(1001)}
	switch n := rng.IntN(12); {
	case n < 5:
		op.Kind = DoKeep
	case n < 8:
		op.Kind = DoResume
	case n < 10:
		op.Kind = DoSince
	default:
		op.Kind = DoClock
	}
	return op
}
