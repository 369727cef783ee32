package sim_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aof2/aof/internal/sim"
)

const moduleRoot = "../.."

// planted runs one test of this package with each bug below dir in turn, and
// demands that it fails with a violation.
func planted(t *testing.T, dir, test string, want int) {
	if testing.Short() {
		t.Skip("builds this package once for each bug")
	}
	if *buggy {
		t.Skip("a bug is planted already")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(files) < want {
		t.Fatalf("%d planted bugs in %s, want %d at least: %v", len(files), dir, want, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			caughtBy(t, file, test)
		})
	}
}

func caughtBy(t *testing.T, file, test string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	bug, err := sim.ParseBug(filepath.Base(file), string(text))
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(moduleRoot)
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := bug.Overlay(root, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "test", "-overlay", overlay, "-count=1", "-run", "^"+test+"$", "./internal/sim",
		"-sim.buggy", "-sim.seeds", strconv.Itoa(bug.Seeds))
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		t.Errorf("not noticed in %d seeds", bug.Seeds)
	case strings.Contains(string(out), "[build failed]") || strings.Contains(string(out), "[setup failed]"):
		t.Errorf("does not build:\n%s", out)
	case !strings.Contains(string(out), "sim: violation: "):
		t.Errorf("fails without a violation:\n%s", out)
	default:
		_, found, _ := strings.Cut(string(out), "sim: violation: ")
		line, _, _ := strings.Cut(found, "\n")
		t.Log(line)
	}
}

func TestToyBugsAreCaught(t *testing.T) {
	planted(t, "testdata/bugs/toy", "TestToySurvives", 5)
}

func TestBugsThatDoNotApply(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.go"), []byte("one\ntwo\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, text, problem string }{
		{"what it changes is there twice", "seeds 1\nfile a.go\nold\ntwo\nnew\nx\nend\n", "2 times"},
		{"what it changes is gone", "seeds 1\nfile a.go\nold\nthree\nnew\nx\nend\n", "0 times"},
		{"the file is gone", "seeds 1\nfile b.go\nold\ntwo\nnew\nx\nend\n", "b.go"},
		{"a change without an end", "seeds 1\nfile a.go\nold\ntwo\nnew\nx\n", "end"},
		{"nothing to change", "seeds 1\n", "changes"},
		{"a stray line", "seeds 1\nwhat\n", "belongs nowhere"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bug, err := sim.ParseBug("bug", tt.text)
			if err == nil {
				_, err = bug.Overlay(dir, t.TempDir())
			}
			if err == nil || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("error %v, want one with %q", err, tt.problem)
			}
		})
	}
}
