package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/aof2/aof"
)

func (a *app) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of the program, of Go and of the format on disk",
		Long: `Print the versions of the program, of Go and of the format on disk.

With --json, where revision and modified are absent when the build knew nothing:
  {"version":"v1.0.0","go":"go1.26","format":1,"revision":"abc","modified":true,
   "platform":"linux/amd64"}`,
		Example: "  aof version\n  aof version --json",
		Args:    arguments(0, 0, "no argument"),
		RunE: func(*cobra.Command, []string) error {
			info, _ := debug.ReadBuildInfo()
			v := readVersion(info)
			return a.report(v, v.text)
		},
	}
	return a.jsonFlag(cmd)
}

type versionReport struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Format   int    `json:"format"`
	Revision string `json:"revision,omitempty"` // of the source, when the build knew it
	Modified bool   `json:"modified,omitempty"` // the source differed from the revision
	Platform string `json:"platform"`
}

// readVersion reads what the build left in the binary; info may be nil.
func readVersion(info *debug.BuildInfo) versionReport {
	v := versionReport{Version: "(devel)", Go: runtime.Version(), Format: aof.FormatVersion, Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info == nil {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func (v versionReport) text(w io.Writer) {
	revision := v.Revision
	switch {
	case revision == "":
		revision = "unknown"
	case v.Modified:
		revision += ", modified"
	}
	table(w, "aof\t"+v.Version, "format\t"+fmt.Sprint(v.Format), "revision\t"+revision, "go\t"+v.Go+" "+v.Platform)
}
