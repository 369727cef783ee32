package lint

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

func TestEveryPackageSaysWhatItHides(t *testing.T) {
	for dir, sources := range repository(t).packages() {
		var docs []string
		for _, s := range sources {
			if s.ast.Doc != nil && !strings.HasSuffix(s.ast.Name.Name, "_test") {
				docs = append(docs, s.ast.Doc.Text())
			}
		}
		name := strings.TrimSuffix(sources[0].ast.Name.Name, "_test")
		switch want := "Package " + name + " "; {
		case len(docs) == 0:
			t.Errorf("package %q has no package comment; an empty line between comment and clause cuts it off", dir)
		case len(docs) > 1:
			t.Errorf("package %q has %d package comments; one place tells it whole", dir, len(docs))
		case name != "main" && !strings.HasPrefix(docs[0], want):
			t.Errorf("package %q: the comment should begin with %q", dir, want)
		}
	}
}

// wellKnown are methods whose meaning is that of the interface they implement, so that a sentence on each would only
// repeat the standard library. Anything surprising about one is explained all the same.
var wellKnown = []string{"Error", "Unwrap", "Is", "As", "String", "Len", "Less", "Swap", "Close"}

func TestEveryExportedNameIsDocumented(t *testing.T) {
	r := repository(t)
	for _, s := range r.sources {
		if s.test || s.ast.Name.Name == "main" {
			continue
		}
		for _, d := range s.ast.Decls {
			for _, name := range undocumented(d) {
				t.Errorf("%s: %s has no comment", r.fset.Position(name.Pos()), name.Name)
			}
		}
	}
}

// undocumented lists the exported names of a declaration that nothing is said about.
func undocumented(d ast.Decl) []*ast.Ident {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc != nil || !d.Name.IsExported() || !exportedReceiver(d) {
			return nil
		}
		if d.Recv != nil && slices.Contains(wellKnown, d.Name.Name) {
			return nil
		}
		return []*ast.Ident{d.Name}
	case *ast.GenDecl:
		return undocumentedSpecs(d)
	}
	return nil
}

// undocumentedSpecs looks at types, constants and variables. A comment on a group of constants or variables speaks
// for all of them; each type has its own.
func undocumentedSpecs(d *ast.GenDecl) []*ast.Ident {
	var names []*ast.Ident
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			single := !d.Lparen.IsValid() && d.Doc != nil
			if spec.Name.IsExported() && spec.Doc == nil && spec.Comment == nil && !single {
				names = append(names, spec.Name)
			}
		case *ast.ValueSpec:
			if d.Doc != nil || spec.Doc != nil || spec.Comment != nil {
				continue
			}
			for _, n := range spec.Names {
				if n.IsExported() {
					names = append(names, n)
				}
			}
		}
	}
	return names
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	return ast.IsExported(receiver(d))
}

// receiver is the name of the type a method belongs to.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	e := d.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// Every call that can be refused for now has a twin that waits: TryX beside X, the latter with a context that ends
// the wait.
func TestEveryTryHasItsWaitingTwin(t *testing.T) {
	methods := map[string]*ast.FuncDecl{}
	r := repository(t)
	for _, s := range r.packages()[""] {
		for _, d := range s.ast.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && !s.test && f.Recv != nil {
				methods[receiver(f)+"."+f.Name.Name] = f
			}
		}
	}
	pairs := 0
	for name, f := range methods {
		verb, isTry := strings.CutPrefix(f.Name.Name, "Try")
		if !isTry || !f.Name.IsExported() {
			continue
		}
		pairs++
		twin := methods[receiver(f)+"."+verb]
		if twin == nil {
			t.Errorf("%s has no %s that waits", name, verb)
			continue
		}
		if !takesContext(twin) || takesContext(f) {
			t.Errorf("%s: the waiting form takes a context first, the Try form none", name)
		}
	}
	if pairs == 0 {
		t.Error("the root package has no Try form at all")
	}
}

func takesContext(f *ast.FuncDecl) bool {
	if len(f.Type.Params.List) == 0 {
		return false
	}
	sel, ok := f.Type.Params.List[0].Type.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Context"
}

// Left-overs say that something is missing and nobody was told; an issue or a line in docs/plan.md tells.
func TestNothingIsLeftForLater(t *testing.T) {
	words := []string{"TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"}
	r := repository(t)
	for _, s := range r.sources {
		for _, group := range s.ast.Comments {
			for word := range strings.FieldsFuncSeq(group.Text(), notLetter) {
				if slices.Contains(words, word) {
					t.Errorf("%s: a %s in a comment", r.fset.Position(group.Pos()), word)
				}
			}
		}
	}
}

func notLetter(c rune) bool { return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') }

func TestNoTestSleeps(t *testing.T) {
	r := repository(t)
	for _, s := range r.sources {
		if !s.test {
			continue
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && isSleep(sel) {
				t.Errorf("%s: a sleep in a test; wait for a mark, or use virtual time", position(r.fset, sel))
			}
			return true
		})
	}
}

func isSleep(sel *ast.SelectorExpr) bool {
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == "time" && sel.Sel.Name == "Sleep"
}

func position(fset *token.FileSet, n ast.Node) token.Position { return fset.Position(n.Pos()) }
