package lint

import (
	"go/ast"
	"regexp"
	"strings"
	"testing"
)

// What a caller may wait in is on the page that says how to wait: each pair as a row, and every other exported call of
// the root package that takes a context; nothing is on it that does not exist.
func TestThePageListsEveryCallThatWaits(t *testing.T) {
	r := repository(t)
	page := r.read(t, "docs/calls.md")
	pairs := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z]\\w+\\.Try\\w+)` \\| `([\\w.]+)` \\|").FindAllStringSubmatch(page, -1) {
		pairs[m[1]] = m[2]
	}
	exported := map[string]bool{}
	for _, s := range r.packages()[""] {
		for _, d := range s.ast.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || s.test || !f.Name.IsExported() || !exportedReceiver(f) {
				continue
			}
			name := strings.TrimPrefix(receiver(f)+"."+f.Name.Name, ".")
			exported[name] = true
			if verb, isTry := strings.CutPrefix(f.Name.Name, "Try"); isTry {
				if pairs[name] != receiver(f)+"."+verb {
					t.Errorf("docs/calls.md has no row for the pair %s and %s.%s", name, receiver(f), verb)
				}
				delete(pairs, name)
			}
			if takesContext(f) && !strings.Contains(page, "`"+name+"`") {
				t.Errorf("docs/calls.md does not tell of %s, which waits", name)
			}
		}
	}
	for name := range pairs {
		t.Errorf("docs/calls.md has a row for %s, which does not exist", name)
	}
	for _, m := range regexp.MustCompile("`((?:Store|Stream|Reader|View)\\.[A-Z]\\w*)`").FindAllStringSubmatch(page, -1) {
		if !exported[m[1]] {
			t.Errorf("docs/calls.md tells of %s, which does not exist", m[1])
		}
	}
}
