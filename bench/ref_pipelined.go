package main

import "time"

// Reference c, frozen: the writers of reference b do not wait for their records, which become durable
// behind them; only the bound of what may gather holds them up. The time ends when all is durable.
type pipelinedLoop struct {
	*groupLog
	work work
}

func newPipelinedLoop(dir string, w work) (side, error) {
	r, err := newRing(dir, ringFiles, ringFileSize)
	if err != nil {
		return nil, err
	}
	return &pipelinedLoop{newGroupLog(r), w}, nil
}

func (p *pipelinedLoop) run(d time.Duration) (sample, error) {
	before := p.syncs
	start := time.Now()
	out, err := drive(p.work, d, func(int) appender {
		crcs := make([]uint32, p.work.batch)
		return func(recs [][]byte) error {
			if _, leads := p.accept(recs, crcs); leads {
				go p.lead(nil)
			}
			return nil
		}
	})
	if err == nil {
		// One more record comes after all others: when it is durable, they are.
		err = p.append([][]byte{{0}}, make([]uint32, 1))
	}
	out.elapsed = time.Since(start)
	p.mu.Lock()
	defer p.mu.Unlock()
	out.syncs = p.syncs - before
	return out, err
}
