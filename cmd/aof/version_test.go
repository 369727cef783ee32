package main

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/aof2/aof"
)

func TestVersionTellsWhatTheBuildKnew(t *testing.T) {
	info := &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}}}
	info.Main.Version = "v1.2.3"
	v := readVersion(info)
	if v.Version != "v1.2.3" || v.Revision != "abc" || !v.Modified || v.Format != aof.FormatVersion {
		t.Errorf("got %+v", v)
	}
	var out strings.Builder
	v.text(&out)
	if want := "revision  abc, modified\n"; !strings.Contains(out.String(), want) {
		t.Errorf("%q lacks %q", out.String(), want)
	}
	if v := readVersion(nil); v.Version != "(devel)" || v.Go != runtime.Version() {
		t.Errorf("without build information: %+v", v)
	}
}

func TestVersionNeedsNoStore(t *testing.T) {
	c := newCLI(t)
	if got := decode[versionReport](t, c.ok("version", "--json")); got.Go != runtime.Version() || got.Platform != runtime.GOOS+"/"+runtime.GOARCH {
		t.Errorf("got %+v", got)
	}
	if got := c.ok("version"); !strings.HasPrefix(got, "aof ") || strings.Count(got, "\n") != 4 {
		t.Errorf("got %q", got)
	}
}
