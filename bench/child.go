package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/aof2/aof"
)

// A row about opening needs processes that end, some of them by kill -9. The program starts itself
// again with a job in its environment; the child answers with one line.
const childVariable = "AOF_BENCH_CHILD"

// job is what a child does: open the log, append one record, load, and end.
type job struct {
	Log   string `json:"log"` // "" is ours
	Dir   string `json:"dir"`
	Size  int    `json:"size"`
	Load  int    `json:"load"`  // bytes of records to be appended behind the first one
	Clean bool   `json:"clean"` // it closes the log, and is not killed
}

// answer is what the child found.
type answer struct {
	Elapsed time.Duration `json:"elapsed"` // from open to the first append that is durable
	Scanned int64         `json:"scanned"` // bytes of unsealed files that were walked
	Error   string        `json:"error,omitempty"`
}

// program is a log as a child uses it.
type program interface {
	append(recs [][]byte) error // durable when it returns
	scanned() int64
	close() error
}

// start runs the job in a child and returns what it answered. The child has ended then, on its own or
// by kill -9.
func (j job) start() (answer, error) {
	self, err := os.Executable()
	if err != nil {
		return answer{}, err
	}
	text, err := json.Marshal(j)
	if err != nil {
		return answer{}, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	var problem bytes.Buffer
	cmd.Stderr = &problem
	in, err := cmd.StdinPipe()
	if err != nil {
		return answer{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return answer{}, err
	}
	if err := cmd.Start(); err != nil {
		return answer{}, err
	}
	var a answer
	said := json.NewDecoder(out).Decode(&a)
	if !j.Clean {
		said = errors.Join(said, cmd.Process.Kill())
	}
	in.Close()
	ended := cmd.Wait()
	switch {
	case a.Error != "":
		return a, errors.New(a.Error)
	case said != nil:
		return a, fmt.Errorf("the child did not answer: %w: %s", said, problem.String())
	case j.Clean && ended != nil:
		return a, fmt.Errorf("the child: %w: %s", ended, problem.String())
	}
	return a, nil
}

// runChild is the child's main. Unless it ends cleanly it waits to be killed; it ends by itself when its
// parent is gone.
func runChild(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	a, log, err := j.work()
	if err != nil {
		a.Error = err.Error()
	}
	if err := errors.Join(err, json.NewEncoder(os.Stdout).Encode(a)); err != nil {
		return err
	}
	if j.Clean {
		return log.close()
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// loadBatch is how many bytes of records a child loads with one append.
const loadBatch = 1 << 20

func (j job) work() (a answer, log program, err error) {
	start := time.Now()
	if log, err = j.open(); err != nil {
		return a, nil, err
	}
	record := noise(j.Size)
	if err := log.append([][]byte{record}); err != nil {
		return a, nil, err
	}
	a.Elapsed, a.Scanned = time.Since(start), log.scanned()
	batch := make([][]byte, max(1, loadBatch/j.Size))
	for i := range batch {
		batch[i] = record
	}
	for done := 0; done < j.Load; done += len(batch) * j.Size {
		if err := log.append(batch); err != nil {
			return a, nil, err
		}
	}
	return a, log, nil
}

func (j job) open() (program, error) {
	if j.Log == "" {
		return openProgram(j.Dir)
	}
	return openPeerProgram(j.Log, j.Dir)
}

// ourProgram is our store as a child uses it: one stream is appended to, more may lie there.
type ourProgram struct {
	store  *aof.Store
	stream *aof.Stream
}

func openProgram(dir string) (program, error) {
	ctx := context.Background()
	store, err := aof.Open(ctx, dir, nil)
	if err != nil {
		return nil, err
	}
	st, err := store.Stream(ctx, streamName(0))
	if errors.Is(err, aof.ErrNotFound) {
		st, err = store.CreateStream(ctx, streamName(0), nil)
	}
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &ourProgram{store, st}, nil
}

func (p *ourProgram) append(recs [][]byte) error {
	_, err := p.stream.Append(context.Background(), recs...)
	return err
}

func (p *ourProgram) scanned() int64 { return p.store.Recovery().Scanned }
func (p *ourProgram) close() error   { return p.store.Close() }
