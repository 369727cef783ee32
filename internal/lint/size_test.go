package lint

import (
	"go/ast"
	"testing"
)

// A function fits a screen and a file has one subject.
const (
	maxFunctionLines = 70
	maxFileLines     = 500
)

// longFunctions and longFiles are the exceptions, by "path name" and by path, each with the reason.
var (
	longFunctions = map[string]string{}
	longFiles     = map[string]string{}
)

func TestFunctionsFitAScreen(t *testing.T) {
	r := repository(t)
	needed := map[string]bool{}
	for _, s := range r.sources {
		for _, d := range s.ast.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || s.test {
				continue
			}
			lines := r.fset.Position(f.End()).Line - r.fset.Position(f.Pos()).Line + 1
			if lines <= maxFunctionLines {
				continue
			}
			key := s.path + " " + f.Name.Name
			needed[key] = true
			if longFunctions[key] == "" {
				t.Errorf("%s: %s is %d lines long, more than %d", position(r.fset, f), f.Name.Name, lines, maxFunctionLines)
			}
		}
	}
	checkExceptions(t, longFunctions, needed)
}

func TestFilesHaveOneSubject(t *testing.T) {
	needed := map[string]bool{}
	for _, s := range repository(t).sources {
		if s.lines <= maxFileLines {
			continue
		}
		needed[s.path] = true
		if longFiles[s.path] == "" {
			t.Errorf("%s is %d lines long, more than %d", s.path, s.lines, maxFileLines)
		}
	}
	checkExceptions(t, longFiles, needed)
}

// checkExceptions fails for an exception that nothing needs any more.
func checkExceptions(t *testing.T, exceptions map[string]string, needed map[string]bool) {
	t.Helper()
	for key := range exceptions {
		if !needed[key] {
			t.Errorf("the exception for %q is no longer needed; take it out", key)
		}
	}
}
