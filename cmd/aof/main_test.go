package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write the golden files anew")

// program is the binary under test, built once.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(buildAndTest(m))
}

func buildAndTest(m *testing.M) int {
	dir, err := os.MkdirTemp("", "aof-cli-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program = filepath.Join(dir, "aof")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program under test: %v\n%s", err, out)
		return 1
	}
	code := m.Run()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// result is how one run of the program ended.
type result struct {
	stdout string
	stderr string
	code   int
}

// cli runs the program on one store.
type cli struct {
	t   *testing.T
	dir string
}

// newCLI is a program with a store directory that does not exist yet.
func newCLI(t *testing.T) *cli {
	t.Helper()
	return &cli{t: t, dir: filepath.Join(t.TempDir(), "store")}
}

func (c *cli) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(c.t.Context(), program, args...)
	for _, pair := range os.Environ() { // ours, such as AOF_SIM, are no business of the program's
		if !strings.HasPrefix(pair, "AOF_") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	cmd.Env = append(cmd.Env, "AOF_DIR="+c.dir)
	return cmd
}

// run runs the program to its end with nothing on stdin.
func (c *cli) run(args ...string) result {
	c.t.Helper()
	return c.pipe("", args...)
}

// pipe runs the program to its end with text on stdin.
func (c *cli) pipe(stdin string, args ...string) result {
	c.t.Helper()
	cmd := c.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	return c.finish(cmd)
}

func (c *cli) finish(cmd *exec.Cmd) result {
	c.t.Helper()
	var stdout, stderr bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &stdout
	}
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		c.t.Fatalf("run %q: %v", cmd.Args, err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// ok runs the program and wants exit code 0 and a silent stderr.
func (c *cli) ok(args ...string) string {
	c.t.Helper()
	return c.okPipe("", args...)
}

func (c *cli) okPipe(stdin string, args ...string) string {
	c.t.Helper()
	r := c.pipe(stdin, args...)
	if r.code != exitDone || r.stderr != "" {
		c.t.Fatalf("aof %q: exit code %d, stderr:\n%s", args, r.code, r.stderr)
	}
	return r.stdout
}

// fails runs the program and wants an exit code and every text on stderr, in the
// form all errors have: what went wrong, then what to do.
func (c *cli) fails(code int, texts []string, args ...string) result {
	c.t.Helper()
	r := c.run(args...)
	c.wantFailure(r, code, texts...)
	return r
}

func (c *cli) wantFailure(r result, code int, texts ...string) {
	c.t.Helper()
	if r.code != code {
		c.t.Errorf("exit code %d, want %d; stderr:\n%s", r.code, code, r.stderr)
	}
	lines := strings.Split(strings.TrimSuffix(r.stderr, "\n"), "\n")
	for len(lines) > 0 && strings.HasPrefix(lines[0], "aof: note: ") {
		lines = lines[1:]
	}
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "aof: ") || !strings.HasPrefix(lines[1], "     ") {
		c.t.Errorf("stderr should be one line on what went wrong and one on what to do:\n%s", r.stderr)
	}
	c.wantText(r.stderr, texts...)
}

func (c *cli) wantText(stderr string, texts ...string) {
	c.t.Helper()
	for _, text := range texts {
		if !strings.Contains(stderr, text) {
			c.t.Errorf("stderr does not say %q:\n%s", text, stderr)
		}
	}
}

// decode reads what a verb printed with --json: exactly one object.
func decode[T any](t *testing.T, stdout string) T {
	t.Helper()
	var v T
	d := json.NewDecoder(strings.NewReader(stdout))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("more than one object in %s", stdout)
	}
	return v
}

// running is a program that has not ended yet.
type running struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	out    io.Closer // the reading end of its stdout
	stdout *bufio.Reader
	stderr bytes.Buffer
}

// start runs the program in the background; the end of the test ends it.
func (c *cli) start(args ...string) *running {
	c.t.Helper()
	r := &running{t: c.t, cmd: c.command(args...)}
	var err error
	if r.stdin, err = r.cmd.StdinPipe(); err != nil {
		c.t.Fatal(err)
	}
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	r.out, r.stdout = stdout, bufio.NewReader(stdout)
	r.cmd.Stderr = &r.stderr
	if err := r.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if r.cmd.ProcessState == nil {
			_ = r.cmd.Process.Kill()
			_ = r.cmd.Wait()
		}
	})
	return r
}

// line waits for the next line on stdout.
func (r *running) line() string {
	r.t.Helper()
	line, err := r.stdout.ReadString('\n')
	if err != nil {
		r.t.Fatalf("waiting for a line: %v; stderr:\n%s", err, r.stderr.String())
	}
	return strings.TrimSuffix(line, "\n")
}

// signal sends a signal and waits for the end.
func (r *running) signal(s os.Signal) result {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
	return r.wait()
}

// wait reads what is left on stdout and waits for the end.
func (r *running) wait() result {
	r.t.Helper()
	rest, err := io.ReadAll(r.stdout)
	if err != nil {
		r.t.Fatal(err)
	}
	end := r.end()
	end.stdout = string(rest)
	return end
}

// end waits for the end of a program whose stdout is of no interest any more.
func (r *running) end() result {
	r.t.Helper()
	var exit *exec.ExitError
	if err := r.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return result{"", r.stderr.String(), r.cmd.ProcessState.ExitCode()}
}

// hold starts a program that keeps the store locked until the test ends. The
// stream orders must have a record.
func (c *cli) hold() *running {
	c.t.Helper()
	holder := c.start("cat", "orders", "-f")
	holder.line()
	return holder
}

// needSignals skips where a process cannot be sent a signal.
func needSignals(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("this system cannot send SIGINT to a process")
	}
}

const interrupted = exitSignal + int(syscall.SIGINT)

// golden compares output with testdata/name after taking out what differs from
// run to run; go test -update writes it anew.
func (c *cli) golden(name, output string) {
	c.t.Helper()
	got := normalise(c.dir, output)
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			c.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			c.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		c.t.Fatal(err)
	}
	if got != string(want) {
		c.t.Errorf("%s differs; got:\n%s\nwant:\n%s", path, got, want)
	}
}

var changing = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?`), "TIME"},
	{regexp.MustCompile(`\d+\.\d{3} s`), "N s"},
	{regexp.MustCompile(`"seconds":[0-9.e-]+`), `"seconds":N`},
	// A short life may have no length, and then there are no rates.
	{regexp.MustCompile(`rate .*\n`), ""},
	{regexp.MustCompile(`"records_per_second":[^,]*,"bytes_per_second":[^,]*,`), ""},
	// Whether a frame without records follows a sync depends on what came next.
	{regexp.MustCompile(` +\d+(\.\d)? KiB`), " N KiB"},
	{regexp.MustCompile(`\d+ frames`), "N frames"},
	{regexp.MustCompile(`"frames":\d+`), `"frames":N`},
	{regexp.MustCompile(`"(bytes|data_bytes)":\d{4}([,}])`), `"$1":N$2`},
}

func normalise(dir, s string) string {
	s = strings.ReplaceAll(s, dir, "DIR")
	for _, c := range changing {
		s = c.pattern.ReplaceAllString(s, c.with)
	}
	return s
}
