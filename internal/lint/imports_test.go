package lint

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// row says what one package may import besides the standard library: packages of this module by their directory
// ("." is the root), and packages of other modules by their path. An entry allows the packages below it too when it
// ends in a slash.
type row struct {
	code  []string // in every file
	tests []string // in test files, besides the former
}

// importTable is the shape of the program. Imports point down only, and a package without a row is refused: whoever
// adds one decides here what it may know.
var importTable = map[string]row{
	"cmd/aof": {
		code:  []string{".", "github.com/pelletier/go-toml/v2", "github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/term"},
		tests: []string{"aoftest"},
	},
	"aoftest": {code: []string{".", "internal/fsys", "internal/fsys/memfs", "internal/segment"}},
	"": {
		code: []string{
			"internal/coordinator", "internal/journal", "internal/catalog",
			"internal/segment", "internal/mark", "internal/metric", "internal/budget", "internal/fsys",
		},
		tests: []string{".", "aoftest"},
	},
	"internal/coordinator": {
		code: []string{"internal/journal", "internal/catalog", "internal/segment", "internal/mark", "internal/metric", "internal/fsys"},
	},
	"internal/journal":       {code: []string{"internal/segment", "internal/mark", "internal/metric", "internal/budget", "internal/fsys"}},
	"internal/budget":        {code: []string{"internal/fsys"}},
	"internal/catalog":       {},
	"internal/segment":       {code: []string{"github.com/minio/crc64nvme"}},
	"internal/mark":          {},
	"internal/metric":        {},
	"internal/fsys":          {code: []string{"golang.org/x/sys/"}},
	"internal/fsys/memfs":    {code: []string{"internal/fsys"}},
	"internal/fsys/fsystest": {code: []string{"internal/fsys"}}, // the conformance suite of file systems

	// Tests of the whole: they stand above everything and nothing imports them.
	"internal/sim": {
		code: []string{
			".", "aoftest", "internal/coordinator", "internal/journal", "internal/catalog", "internal/segment", "internal/mark",
			"internal/fsys", "internal/fsys/memfs",
		},
	},
	"internal/kernel": {code: []string{".", "internal/segment", "internal/fsys", "golang.org/x/sys/"}},
	"internal/lint":   {},
}

// everyTest is what the test files of any package may import: the leak check, and the file systems with their
// conformance suite, which are the seam all faults are injected at.
var everyTest = []string{"go.uber.org/goleak", "internal/fsys", "internal/fsys/memfs", "internal/fsys/fsystest"}

func TestImportsPointDownOnly(t *testing.T) {
	for _, s := range repository(t).sources {
		r, ok := importTable[s.dir()]
		if !ok {
			t.Errorf("%s: package %q has no row in the import table; decide there what it may import", s.path, s.dir())
			continue
		}
		allowed := slices.Clone(r.code)
		if s.test {
			allowed = append(append(append(allowed, r.tests...), everyTest...), s.dir())
		}
		for _, spec := range s.ast.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if name = local(name); !standard(name) && !allows(allowed, name) {
				t.Errorf("%s imports %s, which the import table does not allow for package %q", s.path, name, s.dir())
			}
		}
	}
}

// The table cannot contradict the one sentence it refines: nothing in internal/ knows the root package, tests of the
// whole excepted.
func TestTheTableKeepsTheRootOnTop(t *testing.T) {
	whole := []string{"internal/sim", "internal/kernel"}
	for dir, r := range importTable {
		if !strings.HasPrefix(dir, "internal/") || slices.Contains(whole, dir) {
			continue
		}
		if slices.Contains(append(slices.Clone(r.code), r.tests...), ".") {
			t.Errorf("the import table lets %s import the root package", dir)
		}
	}
}

// A cycle through the table would make "down" mean nothing.
func TestTheTableHasNoCycle(t *testing.T) {
	const entered, left = 1, 2
	state := map[string]int{}
	var visit func(dir string, way []string)
	visit = func(dir string, way []string) {
		if state[dir] == left {
			return
		}
		if state[dir] == entered {
			t.Errorf("the import table has a cycle: %s", strings.Join(append(way, dir), " -> "))
			return
		}
		state[dir] = entered
		for _, to := range importTable[dir].code {
			if to == "." {
				to = ""
			}
			if _, ok := importTable[to]; ok {
				visit(to, append(way, dir))
			}
		}
		state[dir] = left
	}
	for _, dir := range slices.Sorted(maps.Keys(importTable)) {
		visit(dir, nil)
	}
}

// local turns an import path of this module into the directory's name, "." for the root.
func local(name string) string {
	if name == module {
		return "."
	}
	return strings.TrimPrefix(name, module+"/")
}

// standard tells whether an import path belongs to the standard library: its first element has no dot, and it is
// none of this module's directories.
func standard(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return !strings.Contains(first, ".") && first != "internal" && first != "cmd" && first != "aoftest"
}

func allows(allowed []string, name string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool {
		return a == name || strings.HasSuffix(a, "/") && strings.HasPrefix(name, a)
	})
}

// linkable are the modules that a program which embeds the root package links because of it. A new entry needs a
// line in docs/dependencies.md that says what it costs and why it is worth that.
var linkable = []string{
	module,
	"github.com/minio/crc64nvme",
	"github.com/klauspost/cpuid/v2",
	"golang.org/x/sys",
}

// tooHeavy are packages of the standard library that the root package stays away from: they bring a server, a
// certificate store or a process with them. (On Windows golang.org/x/sys itself brings package net.)
var tooHeavy = []string{"net", "net/http", "crypto/tls", "os/exec", "expvar", "text/template", "html/template", "testing"}

func TestTheRootPackageLinksNothingHeavy(t *testing.T) {
	const format = `{{.ImportPath}} {{if .Module}}{{.Module.Path}}{{else}}standard{{end}}`
	for _, target := range []string{"linux", "darwin", "windows"} {
		t.Setenv("GOOS", target)
		t.Setenv("CGO_ENABLED", "0")
		for _, line := range repository(t).goList(t, "-deps", "-f", format, ".") {
			pkg, from, _ := strings.Cut(line, " ")
			if from == "standard" {
				if slices.Contains(tooHeavy, pkg) && (pkg != "net" || target != "windows") {
					t.Errorf("%s: the root package links %s", target, pkg)
				}
				continue
			}
			if !slices.Contains(linkable, from) {
				t.Errorf("%s: the root package links %s of module %s", target, pkg, from)
			}
		}
	}
}
