package lint

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// fenced is one block of a page: its language, its text, and the file that the line before it names.
var fenced = regexp.MustCompile("(?ms)(?:^`([^`\n]+)`:\n\n)?^```([a-z]*)\n(.*?)^```$")

// A reader is told to begin beside a clone named aof. This test does, and then does what the page says: a go block is
// written to the file that is named before it, an sh block is run and must succeed, and a text block is what the sh
// block before it printed.
func TestTheTutorialIsTrue(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil || runtime.GOOS == "windows" {
		t.Skip("the tutorial needs a shell and the usual commands of Unix")
	}
	r := repository(t)
	dir := t.TempDir()
	if err := os.Symlink(r.root, filepath.Join(dir, "aof")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	sh := &shell{dir: dir, notes: t.TempDir()}
	var printed string
	seen := map[string]int{}
	for _, m := range fenced.FindAllStringSubmatch(r.read(t, "docs/tutorial.md"), -1) {
		name, language, text := m[1], m[2], m[3]
		seen[language]++
		switch language {
		case "go":
			if name == "" {
				t.Fatalf("no line with a file's name stands before\n%s", text)
			}
			if err := os.WriteFile(filepath.Join(sh.dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		case "sh":
			printed = sh.run(ctx, t, text)
		case "text":
			if !matches(text, printed) {
				t.Fatalf("the page says that this is printed:\n%s\nit was:\n%s", text, printed)
			}
		default:
			t.Fatalf("a block of %q, which nothing checks", language)
		}
	}
	if seen["go"] < 4 || seen["sh"] < 10 || seen["text"] < 8 {
		t.Errorf("the page was not understood: %v", seen)
	}
}

// shell runs one block after the other, each in the directory where the one before ended.
type shell struct {
	dir   string
	notes string // a directory for what the test itself has to know
}

func (s *shell) run(ctx context.Context, t *testing.T, block string) string {
	t.Helper()
	note := filepath.Join(s.notes, "pwd")
	cmd := exec.CommandContext(ctx, "sh", "-e", "-c", block+"\npwd > '"+note+"'\n")
	cmd.Dir = s.dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "AOF_") || strings.HasPrefix(v, "PWD=") // neither settings nor another place
	})
	cmd.Env = append(cmd.Env, "PWD="+s.dir, "LC_ALL=C", "GOWORK=off")
	cmd.WaitDelay = 10 * time.Second
	ownGroup(cmd)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.Process != nil {
		err = errors.Join(err, endGroup(cmd))
	}
	if err != nil {
		t.Fatalf("%v, after\n%s\nit printed\n%s%s", err, block, stdout.String(), stderr.String())
	}
	pwd, err := os.ReadFile(note)
	if err != nil {
		t.Fatal(err)
	}
	s.dir = strings.TrimSpace(string(pwd))
	return stdout.String()
}

// matches compares line by line, without what is white at their ends; "..." stands for anything.
func matches(want, got string) bool {
	var pattern []string
	for line := range strings.Lines(strings.TrimSpace(want)) {
		pattern = append(pattern, strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(line)), `\.\.\.`, ".*"))
	}
	var lines []string
	for line := range strings.Lines(strings.TrimSpace(got)) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return regexp.MustCompile(`\A` + strings.Join(pattern, "\n") + `\z`).MatchString(strings.Join(lines, "\n"))
}
