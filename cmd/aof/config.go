package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/aof2/aof"
)

const configLong = `Show the settings that append, cat, seal, trim, rm and bench would use, and where each
comes from. Later ones win:

  1. the defaults
  2. a TOML file: --config FILE, else the one that AOF_CONFIG names, else aof.toml in
     the store's directory when there is one
  3. the environment
  4. flags

A size is a number of bytes or has a unit: 64MiB and 64MB differ. A duration has its
unit: 10s, 1m30s, 500ms. 0 is the default. In a file a value is a string, or for
plain bytes a number; an unknown key is an error, so that no slip goes unnoticed.

`

const configLongJSON = `
With --json, where bytes or seconds is the value as a number, file is absent when
none was read, and from is default, a file with its line, a variable or a flag:
  {"dir":"d","dir_from":"default","file":"d/aof.toml","settings":[
   {"key":"hot_file_size","value":"64MiB","bytes":67108864,"from":"default"},
   {"key":"close_timeout","value":"10s","seconds":10,"from":"AOF_CLOSE_TIMEOUT"}]}`

const configExample = `  aof config
  aof config --config /etc/aof.toml --json
  echo 'hot_file_size = "16MiB"' > aof-data/aof.toml; aof config`

func (a *app) configCommand() *cobra.Command {
	var table strings.Builder
	settingsTable(&table)
	list := "  " + strings.ReplaceAll(strings.TrimSpace(table.String()), "\n", "\n  ") + "\n"
	cmd := &cobra.Command{
		Use:     "config",
		Short:   "Show the settings and where each comes from",
		Long:    configLong + list + configLongJSON,
		Example: configExample,
		Args:    arguments(0, 0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.showConfig(cmd.Flags().Changed("dir"))
		},
	}
	return a.jsonFlag(a.storeFlags(cmd))
}

// settingsTable lists every setting for the help.
func settingsTable(w io.Writer) {
	rows := []string{"KEY\tVARIABLE\tFLAG\tWHAT"}
	for i := range settings {
		s := &settings[i]
		rows = append(rows, s.key+"\t"+s.environment()+"\t--"+s.flag()+"\t"+s.help)
	}
	table(w, rows...)
}

type configReport struct {
	Dir      string          `json:"dir"`
	DirFrom  string          `json:"dir_from"`
	File     string          `json:"file,omitempty"`
	Settings []settingReport `json:"settings"`
}

type settingReport struct {
	Key     string   `json:"key"`
	Value   string   `json:"value"`
	Bytes   *int64   `json:"bytes,omitempty"`
	Seconds *float64 `json:"seconds,omitempty"`
	From    string   `json:"from"`
}

// showConfig prints the settings. Those that do not fit together are printed as
// they were given, because the user wants to see where they come from.
func (a *app) showConfig(dirGiven bool) error {
	a.noteUnknownVariables()
	e, failed := a.resolve()
	if e == nil {
		return failed
	}
	from := e.options
	if failed != nil {
		from = e.given
	}
	report := configReport{Dir: a.dir, DirFrom: "default", File: e.file}
	switch {
	case dirGiven:
		report.DirFrom = "--dir"
	case os.Getenv("AOF_DIR") != "":
		report.DirFrom = "AOF_DIR"
	}
	for i := range settings {
		s := &settings[i]
		report.Settings = append(report.Settings, reportSetting(s, &from, e.origin(s)))
	}
	return errors.Join(a.report(report, report.text), failed)
}

// reportSetting writes one setting. A zero is a default that is not known, because
// the settings do not fit together.
func reportSetting(s *setting, o *aof.Options, from string) settingReport {
	number := s.value.number(o)
	if number == 0 {
		return settingReport{Key: s.key, Value: "default", From: from}
	}
	row := settingReport{Key: s.key, Value: s.value.text(o), From: from}
	switch s.value.(type) {
	case sizeOf:
		bytes := int64(number)
		row.Bytes = &bytes
	case durationOf:
		row.Seconds = &number
	}
	return row
}

func (r *configReport) text(w io.Writer) {
	rows := []string{"SETTING\tVALUE\tFROM", "dir\t" + r.Dir + "\t" + r.DirFrom}
	for _, s := range r.Settings {
		rows = append(rows, s.Key+"\t"+s.Value+"\t"+s.From)
	}
	table(w, rows...)
	if r.File == "" {
		fmt.Fprintln(w, "no file of settings was read")
		return
	}
	fmt.Fprintf(w, "the file of settings is %s\n", r.File)
}

// noteUnknownVariables tells of variables that look as if they were meant for us.
func (a *app) noteUnknownVariables() {
	known := []string{"AOF_DIR", configVariable}
	for i := range settings {
		known = append(known, settings[i].environment())
	}
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "AOF_") && !slices.Contains(known, name) {
			hint := suggest("%s", name, known, "`aof config --help` lists the variables")
			a.note("the variable %s is no setting and means nothing here; %s", name, hint)
		}
	}
}
