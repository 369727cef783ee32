package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// offered is what a shell would offer for the last of these words.
func (c *cli) offered(words ...string) []string {
	c.t.Helper()
	r := c.run(append([]string{"__complete"}, words...)...)
	if r.code != exitDone || strings.Contains(r.stderr, "aof: ") {
		c.t.Fatalf("completing %q: %+v", words, r)
	}
	var names []string
	for line := range strings.Lines(r.stdout) {
		if line[0] == ':' {
			break
		}
		name, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		names = append(names, name)
	}
	return names
}

func TestStreamsAreOfferedWhereAStreamIsWanted(t *testing.T) {
	c := ten(t)
	c.ok("append", "other")
	c.ok("append", "two words")
	c.ok("append", "--", "-flag")
	c.ok("append", "--", "a\nb")
	all := []string{"orders", "other", "two words"}
	for _, verb := range []string{"append", "cat", "info", "segments", "verify", "trim", "rm"} {
		if got := c.offered(verb, ""); !slices.Equal(got, all) {
			t.Errorf("aof %s: %q, want %q", verb, got, all)
		}
		if got := c.offered(verb, "o"); !slices.Equal(got, all[:2]) {
			t.Errorf("aof %s o: %q, want %q", verb, got, all[:2])
		}
		if got := c.offered(verb, "orders", ""); len(got) > 0 {
			t.Errorf("aof %s orders: %q is offered for a second argument", verb, got)
		}
	}
	elsewhere := &cli{t: t, dir: t.TempDir()}
	if got := elsewhere.offered("cat", "--dir", c.dir, "--read-only", "two"); !slices.Equal(got, []string{"two words"}) {
		t.Errorf("with --dir: %q", got)
	}
	if got := c.offered("ls", ""); len(got) > 0 {
		t.Errorf("aof ls takes no argument, and %q is offered", got)
	}
}

func TestCompletingTakesNoLockAndMakesNothing(t *testing.T) {
	c := ten(t)
	c.hold()
	if got := c.offered("cat", ""); !slices.Equal(got, []string{"orders"}) {
		t.Errorf("beside a running program: %q", got)
	}
	absent := newCLI(t)
	if got := absent.offered("cat", ""); len(got) > 0 {
		t.Errorf("without a store: %q", got)
	}
	if _, err := os.Stat(absent.dir); !os.IsNotExist(err) {
		t.Errorf("the directory was made: %v", err)
	}
	elsewhere := &cli{t: t, dir: t.TempDir()}
	elsewhere.offered("append", "")
	if entries, err := os.ReadDir(elsewhere.dir); err != nil || len(entries) > 0 {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
}

func TestVerbsAndFlagsAreOffered(t *testing.T) {
	c := newCLI(t)
	for _, row := range []struct {
		words []string
		want  []string
	}{
		{[]string{"se"}, []string{"seal", "segments"}},
		{[]string{"help", ""}, []string{"append", "bench", "cat", "completion"}},
		{[]string{"cat", "--format", ""}, []string{"raw", "json"}},
		{[]string{"cat", "s", "--len"}, []string{"--length-prefixed"}},
		{[]string{"append", "--hot-f"}, []string{"--hot-file-size"}},
		{[]string{"completion", ""}, []string{"bash", "zsh", "fish", "powershell"}},
		{[]string{"demo-w"}, nil},
	} {
		if got := c.offered(row.words...); len(got) < len(row.want) || !slices.Equal(got[:len(row.want)], row.want) || row.want == nil && got != nil {
			t.Errorf("%q: %q, want %q", row.words, got, row.want)
		}
	}
}

func TestThereIsAScriptForEveryShell(t *testing.T) {
	c := newCLI(t)
	for _, name := range shellNames() {
		script := c.ok("completion", name)
		if !strings.Contains(script, "__complete") {
			t.Errorf("the script for %s asks nobody", name)
		}
		shell, err := exec.LookPath(name)
		if err != nil || name == "powershell" {
			continue // there is nobody to ask; the shells that are here check theirs
		}
		check := exec.Command(shell, "-n")
		check.Stdin = strings.NewReader(script)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s does not take its script: %v\n%s", name, err, out)
		}
	}
}

// bash runs the script and completes a command line, as it does for somebody who
// presses the tabulator key.
func TestBashCompletesAStream(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash here")
	}
	c := ten(t)
	const press = `
_get_comp_words_by_ref() { cur=${COMP_WORDS[COMP_CWORD]}; prev=${COMP_WORDS[COMP_CWORD-1]}; words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; }
compopt() { :; }
aof() { "$AOF_PROGRAM" "$@"; }
COMP_TYPE=9 COMP_WORDS=(aof cat or) COMP_CWORD=2 COMP_LINE="aof cat or" COMP_POINT=10
__start_aof
echo "${COMPREPLY[@]}"
`
	cmd := exec.CommandContext(t.Context(), bash)
	cmd.Env = append(c.command().Env, "AOF_PROGRAM="+program)
	cmd.Stdin = strings.NewReader(c.ok("completion", "bash") + press)
	out, err := cmd.CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != "orders" {
		t.Errorf("got %q, %v", got, err)
	}
}
