package lint

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTheLicenceIsApache2(t *testing.T) {
	text := repository(t).read(t, "LICENSE")
	for _, want := range []string{"Apache License", "Version 2.0, January 2004", "END OF TERMS AND CONDITIONS"} {
		if !strings.Contains(text, want) {
			t.Errorf("LICENSE lacks %q", want)
		}
	}
}

var foreignNotice = regexp.MustCompile(`(?i)copyright (\(c\)|©|[0-9]{4})|all rights reserved|SPDX-License-Identifier:`)

// The sources are ours, under the one LICENSE at the root. A notice in a file means that it came from elsewhere.
func TestNoFileCarriesAnotherLicence(t *testing.T) {
	for _, s := range repository(t).sources {
		for _, group := range s.ast.Comments {
			if m := foreignNotice.FindString(group.Text()); m != "" {
				t.Errorf("%s carries a notice: %q", s.path, m)
			}
		}
	}
}

// Every module that is linked or used by tests stands in docs/dependencies.md and is under a licence that lets
// everybody embed it.
func TestEveryModuleIsExplainedAndFree(t *testing.T) {
	r := repository(t)
	explained := r.read(t, "docs/dependencies.md")
	const format = `{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}`
	seen := map[string]bool{}
	for _, line := range r.goList(t, "-deps", "-test", "-f", format, "./...") {
		name, dir, ok := strings.Cut(line, " ")
		if !ok || seen[name] {
			continue
		}
		seen[name] = true
		if !strings.Contains(explained, name) {
			t.Errorf("%s has no line in docs/dependencies.md", name)
		}
		if kind := licenceOf(t, dir); kind == "" {
			t.Errorf("%s: no licence this project may link was recognised in %s", name, dir)
		}
	}
}

// licenceOf recognises the permissive licences by sentences that only they contain.
func licenceOf(t *testing.T, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "LICEN*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(string(b)), " ")
		for kind, sentence := range map[string]string{
			"Apache-2.0": "Apache License Version 2.0",
			"MIT":        "Permission is hereby granted, free of charge, to any person obtaining a copy",
			"BSD":        "Redistributions in binary form must reproduce the above copyright",
		} {
			if strings.Contains(text, sentence) {
				return kind
			}
		}
	}
	return ""
}
