package lint

import (
	"go/ast"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// planItems are the items of the integration plan, by the names that commits, tests and docs/plan.md use for them.
var planItems = strings.Fields(`CFG1 CFG2 CFG3 CFG4 CFG5 CO1 CO2 CO3 CO4 CO5 AO1 AO2 AO3 AO4 AO5 AP1 AP2 AP3 AP4 AP5
	RD1 RD2 RD3 RD4 RD5 RC1 RC2 RC3 RC4 RC5 OBS1 OBS2 OBS3 OBS4 OBS5 VAL1 VAL2 VAL3 VAL4 VAL5 CC1 CC2 CC3 CC4`)

// planStates are the states an item can be in.
var planStates = []string{"done", "part", "open"}

var (
	planRow  = regexp.MustCompile(`(?m)^\| ([A-Z]+[0-9]+) \| ([a-z]+) \| (.*) \|$`)
	testName = regexp.MustCompile("`(?:([a-z][a-z0-9/]*|\\.) )?((?:Test|Fuzz|Benchmark|Example)[A-Za-z0-9_]*)`")
	mdLink   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
)

func TestThePlanHasEveryItemOnce(t *testing.T) {
	var seen []string
	for _, m := range planRow.FindAllStringSubmatch(repository(t).read(t, "docs/plan.md"), -1) {
		id, state, rest := m[1], m[2], m[3]
		if slices.Contains(seen, id) {
			t.Errorf("%s stands in the plan twice", id)
		}
		seen = append(seen, id)
		if !slices.Contains(planItems, id) {
			t.Errorf("%s is no item of the plan", id)
		}
		if !slices.Contains(planStates, state) {
			t.Errorf("%s is %q; an item is one of %v", id, state, planStates)
		}
		if state == "done" && !testName.MatchString(rest) {
			t.Errorf("%s is done, and no test is named that shows it", id)
		}
	}
	for _, id := range planItems {
		if !slices.Contains(seen, id) {
			t.Errorf("%s is missing from docs/plan.md", id)
		}
	}
}

// A document that points at a test promises that the test is there. Names are written in backquotes, with the
// package's directory in front where that helps the reader.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	r := repository(t)
	existing := map[string][]string{}
	for _, s := range r.sources {
		for _, d := range s.ast.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.test && f.Recv == nil {
				existing[f.Name.Name] = append(existing[f.Name.Name], s.dir())
			}
		}
	}
	for _, doc := range r.documents(t) {
		for _, m := range testName.FindAllStringSubmatch(r.read(t, doc), -1) {
			dir, name := m[1], m[2]
			dirs, ok := existing[name]
			switch {
			case !ok:
				t.Errorf("%s names %s, which does not exist", doc, name)
			case dir != "" && !slices.Contains(dirs, strings.TrimPrefix(dir, ".")):
				t.Errorf("%s names %s in %s; it is in %v", doc, name, dir, dirs)
			}
		}
	}
}

func TestLinksBetweenDocumentsResolve(t *testing.T) {
	r := repository(t)
	for _, doc := range r.documents(t) {
		for _, m := range mdLink.FindAllStringSubmatch(r.read(t, doc), -1) {
			to, _, _ := strings.Cut(m[1], "#")
			if to == "" || strings.Contains(to, "://") {
				continue
			}
			name := filepath.Join(r.root, filepath.FromSlash(path.Join(path.Dir(doc), to)))
			if _, err := os.Stat(name); err != nil {
				t.Errorf("%s links to %s, which does not exist", doc, to)
			}
		}
	}
}

// documents lists the Markdown files, relative to the root.
func (t *tree) documents(tb testing.TB) []string {
	tb.Helper()
	var docs []string
	err := filepath.WalkDir(t.root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return t.enter(name, d)
		}
		if strings.HasSuffix(name, ".md") {
			rel, err := filepath.Rel(t.root, name)
			if err != nil {
				return err
			}
			docs = append(docs, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return docs
}
