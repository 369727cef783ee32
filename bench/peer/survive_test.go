package peer

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// The tests start this program again as a child, which opens a log and appends, and is killed.
const childVariable = "AOF_PEER_CHILD"

type childJob struct {
	Kind     string
	Dir      string
	Accepted bool
	Appends  int // one by one, and then it ends; 0: by several writers until it is killed
}

const (
	childWriters = 4
	enough       = 300 // acknowledged records before the child is killed
)

func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		if err := child(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(text string) error {
	var j childJob
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	l, err := j.open()
	if err != nil {
		return err
	}
	if j.Appends > 0 {
		for n := range j.Appends {
			if err := l.Append([][]byte{recordOf(0, n)}); err != nil {
				return err
			}
		}
		return nil // without Close: what it syncs does not count
	}
	var wait sync.WaitGroup
	errs := make([]error, childWriters)
	for w := range childWriters {
		wait.Go(func() {
			for n := 0; errs[w] == nil; n += 2 {
				errs[w] = l.Append([][]byte{recordOf(w, n), recordOf(w, n+1)})
				if errs[w] == nil {
					_, errs[w] = fmt.Printf("%d %d\n", w, n+1) // one write, so that lines stay whole
				}
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

func (j childJob) open() (Log, error) {
	o := Options{Accepted: j.Accepted, Writers: childWriters}
	if j.Appends > 0 {
		o.Writers = 1
	}
	if j.Kind == forgetful.Name {
		return forgetful.Open(j.Dir, o)
	}
	k, err := Find(j.Kind)
	if err != nil {
		return nil, err
	}
	return k.Open(j.Dir, o)
}

func recordOf(writer, n int) []byte {
	return fmt.Appendf(nil, "writer %d record %d %s", writer, n, strings.Repeat("x", 50+n%100))
}

func (j childJob) command(t *testing.T, wrapper ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	argv := append(wrapper, self)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	return cmd
}

// kill runs the child until it has acknowledged enough, kills it, and returns for each writer the last
// record of which an acknowledgement came through.
func (j childJob) kill(t *testing.T) (acknowledged [childWriters]int) {
	t.Helper()
	cmd := j.command(t)
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for i := range acknowledged {
		acknowledged[i] = -1
	}
	lines := bufio.NewScanner(out)
	for seen := 0; lines.Scan(); seen++ {
		var w, n int
		if _, err := fmt.Sscanf(lines.Text(), "%d %d", &w, &n); err != nil {
			break // cut by the kill
		}
		acknowledged[w] = n
		if seen == enough {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || problem.Len() > 0 {
		t.Fatalf("the child was not killed: %v: %s", err, problem.String())
	}
	return acknowledged
}

// missing opens what a killed child has left and returns how many acknowledged records are not there.
func missing(t *testing.T, k Kind, dir string, acknowledged [childWriters]int) int {
	t.Helper()
	l, err := k.Open(dir, Options{Writers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer closeLog(t, l)
	there := map[string]bool{}
	if err := l.Scan(func(rec []byte) error { there[string(rec)] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	lost := 0
	for w, last := range acknowledged {
		for n := 0; n <= last; n++ {
			if !there[string(recordOf(w, n))] {
				lost++
			}
		}
	}
	if err := l.Append([][]byte{[]byte("and on")}); err != nil {
		t.Errorf("append after the kill: %v", err)
	}
	return lost
}

func closeLog(t *testing.T, l io.Closer) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatIsAcknowledgedIsThereAfterKill9(t *testing.T) {
	for _, k := range Kinds() {
		t.Run(k.Name, func(t *testing.T) {
			dir := t.TempDir()
			if lost := missing(t, k, dir, childJob{Kind: k.Name, Dir: dir}.kill(t)); lost > 0 {
				t.Errorf("%d acknowledged records are gone", lost)
			}
		})
	}
}

// forgetful acknowledges and writes nothing: the test above must see that.
var forgetful = Kind{Name: "forgetful", Grouped: true, open: func(dir string, o Options) (Log, error) {
	l, err := openTidwall(dir, o)
	return forgetfulLog{l}, err
}}

type forgetfulLog struct{ Log }

func (forgetfulLog) Append([][]byte) error { return nil }

func TestALogThatForgetsIsFoundOut(t *testing.T) {
	dir := t.TempDir()
	if missing(t, forgetful, dir, childJob{Kind: forgetful.Name, Dir: dir}.kill(t)) == 0 {
		t.Error("nothing is missing in a log that writes nothing")
	}
}

// syncsOf counts the calls of the child that make something durable.
func syncsOf(t *testing.T, j childJob) int {
	t.Helper()
	trace := t.TempDir() + "/trace"
	cmd := j.command(t, "strace", "-f", "-qq", "-o", trace, "-e", "trace=fsync,fdatasync,openat,pwrite64,write")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		call := strings.TrimLeft(line, "0123456789 ")
		if strings.HasPrefix(call, "fsync(") || strings.HasPrefix(call, "fdatasync(") {
			n++
		}
	}
	return n
}

func TestADurableAppendAsksTheOperatingSystemToSync(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not there, which counts the syncs")
	}
	const few, many = 5, 45
	for _, k := range Kinds() {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			count := func(appends int, accepted bool) int {
				return syncsOf(t, childJob{Kind: k.Name, Dir: t.TempDir(), Appends: appends, Accepted: accepted})
			}
			if got := count(many, false) - count(few, false); got < many-few {
				t.Errorf("%d syncs for %d appends", got, many-few)
			}
			if !k.Accepts {
				return
			}
			if got := count(many, true) - count(few, true); got >= many-few {
				t.Errorf("%d syncs for %d appends that need not be durable", got, many-few)
			}
		})
	}
}
