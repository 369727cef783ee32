package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// untroff is the text that a page shows, one line of it a line.
func untroff(page string) string {
	var b strings.Builder
	for line := range strings.Lines(page) {
		if request, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " "); strings.HasPrefix(line, ".") {
			if ok && request != ".TH" {
				b.WriteString(strings.Trim(rest, `"`) + "\n")
			}
			continue
		}
		b.WriteString(strings.TrimPrefix(line, `\&`))
	}
	return strings.NewReplacer(`\-`, "-", `\e`, `\`, `\(ga`, "`", `\(aq`, "'", `\(dq`, `"`, `\(ha`, "^", `\(ti`, "~").Replace(b.String())
}

func TestEveryVerbHasAPageThatSaysWhatItsHelpSays(t *testing.T) {
	c := newCLI(t)
	dir := filepath.Join(t.TempDir(), "man", "man1")
	report := decode[manReport](t, c.ok("man", dir, "--json"))
	root := (&app{err: io.Discard}).rootCommand()
	root.InitDefaultHelpCmd()
	for _, verb := range append(visible(root), root) {
		page := manName(verb) + ".1"
		if !slices.Contains(report.Pages, page) {
			t.Errorf("no page %s in %q", page, report.Pages)
		}
		data, err := os.ReadFile(filepath.Join(dir, page))
		if err != nil {
			t.Fatal(err)
		}
		shown := untroff(string(data))
		for line := range strings.Lines(verb.Long + "\n" + verb.Example + "\n" + verb.Short) {
			if line = strings.TrimSuffix(line, "\n"); line != "" && !strings.Contains(shown, line) {
				t.Errorf("%s does not say %q", page, line)
			}
		}
		verb.Flags().VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(shown, "--"+f.Name) {
				t.Errorf("%s has no --%s", page, f.Name)
			}
		})
		if strings.Contains(shown, c.dir) {
			t.Errorf("%s speaks of the directory that AOF_DIR named when it was written", page)
		}
	}
	if pages, err := os.ReadDir(dir); err != nil || len(pages) != len(report.Pages) {
		t.Errorf("%d pages are reported, and there are %v, %v", len(report.Pages), pages, err)
	}
}

func TestNothingInTheTextIsTakenForARequest(t *testing.T) {
	for text, want := range map[string]string{
		".aof is a file": `\&.aof is a file`,
		"'quoted'":       `\(aqquoted\(aq`,
		`a\n`:            `a\en`,
		"--json":         `\-\-json`,
		"`aof ls` ^ ~":   `\(gaaof ls\(ga \(ha \(ti`,
	} {
		if got := troff(text); got != want {
			t.Errorf("%q is written %q, want %q", text, got, want)
		}
		if got := untroff(troff(text)); got != text {
			t.Errorf("%q is shown as %q", text, got)
		}
	}
}

func TestGroffHasNothingToSayAboutThePages(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("there is no groff here")
	}
	c := newCLI(t)
	dir := t.TempDir()
	for _, page := range decode[manReport](t, c.ok("man", dir, "--json")).Pages {
		cmd := exec.CommandContext(t.Context(), groff, "-man", "-Tutf8", "-ww", "-z", filepath.Join(dir, page))
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", page, err, out)
		}
	}
}

func TestAPlaceWherePagesCannotBeWrittenIsSaid(t *testing.T) {
	c := newCLI(t)
	c.fails(exitIO, []string{"make the directory of the pages"}, "man", c.file("file", "")+"/man1")
}
