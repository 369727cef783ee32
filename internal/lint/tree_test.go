package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/aof2/aof"

// source is one parsed Go file.
type source struct {
	path  string // slash separated, relative to the repository's root
	test  bool
	lines int
	ast   *ast.File
}

// dir is the package's directory relative to the root: "" for the root package.
func (s *source) dir() string {
	if d := path.Dir(s.path); d != "." {
		return d
	}
	return ""
}

// tree is the repository as the rules see it: this module only, without nested modules and test data.
type tree struct {
	root    string
	fset    *token.FileSet
	sources []*source
}

var loadTree = sync.OnceValues(func() (*tree, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	t := &tree{root: root, fset: token.NewFileSet()}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return t.enter(name, d)
		}
		if strings.HasSuffix(name, ".go") {
			return t.parse(name)
		}
		return nil
	})
	return t, err
})

// enter says whether a directory belongs to the module's own sources.
func (t *tree) enter(name string, d fs.DirEntry) error {
	if name == t.root {
		return nil
	}
	if b := d.Name(); b == "testdata" || strings.HasPrefix(b, ".") || strings.HasPrefix(b, "_") {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func (t *tree) parse(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	f, err := parser.ParseFile(t.fset, name, b, parser.ParseComments)
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(t.root, name)
	if err != nil {
		return err
	}
	t.sources = append(t.sources, &source{
		path:  filepath.ToSlash(rel),
		test:  strings.HasSuffix(name, "_test.go"),
		lines: strings.Count(string(b), "\n"),
		ast:   f,
	})
	return nil
}

// repository parses the module once for all rules.
func repository(t *testing.T) *tree {
	t.Helper()
	r, err := loadTree()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// packages groups the sources by directory.
func (t *tree) packages() map[string][]*source {
	m := map[string][]*source{}
	for _, s := range t.sources {
		m[s.dir()] = append(m[s.dir()], s)
	}
	return m
}

// read returns a file of the repository.
func (t *tree) read(tb testing.TB, name string) string {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(t.root, filepath.FromSlash(name)))
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// goList runs the go command's list in the repository and returns its lines.
func (t *tree) goList(tb testing.TB, args ...string) []string {
	tb.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = t.root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("go list %s: %v", strings.Join(args, " "), err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
