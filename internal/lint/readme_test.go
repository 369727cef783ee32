package lint

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	goBlock   = regexp.MustCompile("(?s)```go\n(package main\n.*?)```")
	textBlock = regexp.MustCompile("(?s)```text\n(.*?)```")
)

// The README's program is built from the README itself, as a package that exists in an overlay only, and run where it
// may leave files behind. It prints what the README says.
func TestTheExampleInTheReadmeRuns(t *testing.T) {
	r := repository(t)
	readme := r.read(t, "README.md")
	program, output := goBlock.FindStringSubmatch(readme), textBlock.FindStringSubmatch(readme)
	if program == nil || output == nil {
		t.Fatal("README.md has no program in a go block, or no output in a text block")
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte(program[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{
		"Replace": map[string]string{filepath.Join(r.root, "internal", "lint", "readme", "main.go"): source},
	})
	if err != nil {
		t.Fatal(err)
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "example.exe")
	build := exec.Command("go", "build", "-overlay", overlayFile, "-o", binary, "./internal/lint/readme")
	build.Dir = r.root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the README's program does not compile: %v\n%s", err, out)
	}
	run := exec.Command(binary)
	run.Dir = dir
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("the README's program failed: %v\n%s", err, out)
	}
	if got, want := strings.TrimSpace(string(out)), strings.TrimSpace(output[1]); got != want {
		t.Errorf("the README's program printed\n%s\nand the README says\n%s", got, want)
	}
}
