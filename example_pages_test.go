package aof_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var goExcerpt = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// bare is a piece of code without what stands at the ends of its lines.
func bare(code string) string {
	var lines []string
	for line := range strings.Lines(code) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// What a page shows of an example stands in the example, line by line.
func TestThePagesShowTheExamplesAsTheyAre(t *testing.T) {
	files, err := filepath.Glob("example_*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code.WriteString(bare(string(b)) + "\n")
	}
	pages := []string{"docs/embedding.md", "docs/calls.md"}
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		shown := goExcerpt.FindAllStringSubmatch(string(b), -1)
		if len(shown) < 2 {
			t.Errorf("%s shows %d examples; it was not understood", page, len(shown))
		}
		for _, m := range shown {
			if !strings.Contains(code.String(), bare(m[1])+"\n") {
				t.Errorf("%s shows code that no example has:\n%s", page, m[1])
			}
		}
	}
}
