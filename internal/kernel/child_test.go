package kernel

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/aof2/aof"
)

// childVariable makes the test binary a child with a task instead of a test.
const childVariable = "AOF_KERNEL_CHILD"

// silence is how long a writer may say nothing; after that it counts as hanging.
const silence = 30 * time.Second

// task is what a child does.
type task struct {
	Dir         string
	Life        uint64
	HotFileSize int64
	MaxFailures int
	Opens       int  // how many times it tries to open the store
	ReadFirst   bool // it reads everything before it writes

	Soak *soakTask // what it does besides in a soak
}

func (k task) options(tell func(event)) *aof.Options {
	o := &aof.Options{HotFileSize: k.HotFileSize, OnEvent: func(e aof.Event) {
		switch e.Kind {
		case aof.EventPoisoned:
			tell(event{kind: poisoned, seq: e.File, text: fmt.Sprint(e.Err)})
		case aof.EventFailed:
			tell(event{kind: failed, text: fmt.Sprint(e.Err)})
		case aof.EventReadOnly:
			tell(event{kind: readOnly, text: fmt.Sprint(e.Err)})
		}
	}}
	if k.Soak != nil {
		o.HotBudget, o.WhenFull = k.Soak.Budget, k.Soak.WhenFull
	}
	return o
}

// work opens the store and writes until the process is killed or the store fails.
func (k task) work() int {
	go endWithParent()
	tell := func(e event) {
		if _, err := os.Stdout.WriteString(e.String()); err != nil {
			os.Exit(4) // nobody listens any more
		}
	}
	tell(event{kind: hello, seq: uint64(os.Getpid())})
	var store *aof.Store
	var err error
	for range max(k.Opens, 1) {
		if store, err = aof.Open(context.Background(), k.Dir, k.options(tell)); err == nil {
			break
		}
		tell(event{kind: failed, text: err.Error()})
	}
	if err != nil {
		tell(event{kind: ended, text: "open"})
		return 1
	}
	tell(event{kind: opened})
	w := &writer{store: store, life: k.Life, tell: tell, maxFailures: k.MaxFailures}
	if k.ReadFirst {
		w.readAll()
	}
	if k.Soak != nil {
		w.patience = patience
		defer k.Soak.begin(w, k.Dir)()
	}
	err = w.run(context.Background())
	text := "read-only"
	if !errors.Is(err, aof.ErrReadOnly) {
		text = fmt.Sprint(err)
	}
	tell(event{kind: ended, text: text})
	return 1
}

// endWithParent ends a child whose parent is gone: its standard input is a pipe from there.
func endWithParent() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(3)
}

// child is a running task.
type child struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	stdin io.Closer
	pid   int // of the task itself, when something stands between
}

// start starts a task, below the command in prefix if there is one.
func (k task) start(t *testing.T, prefix ...string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	spec, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	argv := append(prefix, self, "-test.run=^$")
	c := &child{cmd: exec.Command(argv[0], argv[1:]...)}
	c.cmd.Env = append(os.Environ(), childVariable+"="+string(spec))
	c.cmd.Stderr = os.Stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.lines = bufio.NewScanner(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// listen passes on every event until the child has ended. When moment says so, the child is killed, and what it had
// said until then is passed on too.
func (c *child) listen(note func(event), moment func(event) bool) error {
	var errs []error
	killed := false
	watch := time.AfterFunc(silence, func() {
		_ = c.signal(syscall.SIGQUIT) // it says where it hangs, and ends
	})
	defer watch.Stop()
	for c.lines.Scan() {
		e, err := parseEvent(c.lines.Text())
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if e.kind != sampled && !watch.Reset(silence) { // a sample says nothing about the clients
			errs = append(errs, fmt.Errorf("the child said nothing for %v", silence))
		}
		if e.kind == hello {
			c.pid = int(e.seq)
		}
		note(e)
		if !killed && moment(e) {
			killed = true
			errs = append(errs, c.signal(os.Kill))
		}
	}
	if !watch.Stop() {
		errs = append(errs, fmt.Errorf("the child said nothing for %v", silence))
	}
	errs = append(errs, c.lines.Err(), c.stdin.Close())
	var status *exec.ExitError
	if err := c.cmd.Wait(); err != nil && !errors.As(err, &status) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// signal reaches the task itself, whatever stands between.
func (c *child) signal(s os.Signal) error {
	p, err := os.FindProcess(c.pid)
	if err != nil {
		return err
	}
	if err := p.Signal(s); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}
