package aof_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aof2/aof"
)

// exportedErrors reads errors.go: the sentinels and the error types it declares.
func exportedErrors(t *testing.T) (sentinels, types []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range g.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				for _, n := range spec.Names {
					if g.Tok == token.VAR && n.IsExported() {
						sentinels = append(sentinels, n.Name)
					}
				}
			case *ast.TypeSpec:
				if spec.Name.IsExported() && strings.HasSuffix(spec.Name.Name, "Error") {
					types = append(types, spec.Name.Name)
				}
			}
		}
	}
	return sentinels, types
}

func TestDocsListEveryError(t *testing.T) {
	page, err := os.ReadFile("docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|(.*)\\|$").FindAllStringSubmatch(string(page), -1) {
		listed = append(listed, m[1])
		for cell := range strings.SplitSeq(m[2], "|") {
			if strings.TrimSpace(cell) == "" {
				t.Errorf("docs/errors.md leaves something out about %s", m[1])
			}
		}
	}
	sentinels, types := exportedErrors(t)
	want := slices.Concat(sentinels, types)
	if len(sentinels) < 10 || len(types) < 5 {
		t.Fatalf("errors.go was not understood: %v", want)
	}
	slices.Sort(want)
	slices.Sort(listed)
	if !slices.Equal(listed, want) {
		t.Errorf("docs/errors.md lists\n%v\nerrors.go declares\n%v", listed, want)
	}
}

// Each sentinel is a thing of its own, and each type matches its own only.
func TestErrorsAreTellableApart(t *testing.T) {
	sentinels := []error{
		aof.ErrWouldBlock, aof.ErrClosed, aof.ErrNotFound, aof.ErrExists, aof.ErrInvalid, aof.ErrTrimmed,
		aof.ErrTooLarge, aof.ErrFull, aof.ErrLocked, aof.ErrCorrupt, aof.ErrReadOnly, aof.ErrStale, aof.ErrVersion,
		aof.ErrMismatch, aof.ErrDiverged,
	}
	if names, _ := exportedErrors(t); len(names) != len(sentinels) {
		t.Errorf("errors.go has %d sentinels, this test knows %d", len(names), len(sentinels))
	}
	cases := []struct {
		err  error
		want error
		text string
	}{
		{&aof.WouldBlockError{Kind: aof.BlockFlush}, aof.ErrWouldBlock, "flush"},
		{&aof.TrimmedError{First: 7}, aof.ErrTrimmed, "7"},
		{&aof.MismatchError{Stream: "s", Expected: 3, Next: 9}, aof.ErrMismatch, "record 3 was expected to be the next one, and it is 9"},
		{&aof.DivergedError{Stream: "s", Seq: 3, Why: "because"}, aof.ErrDiverged, "record 3: because"},
		{&aof.LockedError{Dir: "d", Holder: "pid 1"}, aof.ErrLocked, "pid 1"},
		{&aof.CorruptError{File: "f", Offset: 9, Problem: "bad"}, aof.ErrCorrupt, "f at offset 9: bad"},
		{&aof.CorruptError{File: "f", Stream: "s", First: 3, Last: 4}, aof.ErrCorrupt, `stream "s", records 3..4`},
		{&aof.UnsettledError{First: 3, Last: 4, Err: aof.ErrClosed}, aof.ErrClosed, "records 3..4 accepted"},
		{&aof.UnsettledError{Err: aof.ErrReadOnly}, aof.ErrReadOnly, "accepted, durability unknown"},
	}
	for _, c := range cases {
		for _, s := range sentinels {
			if got := errors.Is(fmt.Errorf("wrapped: %w", c.err), s); got != (s == c.want) {
				t.Errorf("%v is %v: %v", c.err, s, got)
			}
		}
		if !strings.Contains(c.err.Error(), c.text) {
			t.Errorf("%q does not say %q", c.err, c.text)
		}
	}
	for k, want := range map[aof.BlockKind]string{
		aof.BlockRollover: "rollover", aof.BlockFlush: "flush", aof.BlockHydration: "hydration", aof.BlockTail: "tail", 0: "unknown",
	} {
		if k.String() != want {
			t.Errorf("kind %d is called %q", k, k)
		}
	}
}
