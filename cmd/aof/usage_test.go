package main

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestCloseWordsAreSuggested(t *testing.T) {
	verbs := []string{"append", "cat", "ls", "info", "segments", "verify", "seal", "trim", "rm", "version", "demo"}
	for word, want := range map[string]string{
		"apend": "append", "appned": "append", "cta": "cat", "verfy": "verify", "seg": "segments", "ver": "verify",
		"verzion": "version", "trmi": "trim", "l": "ls",
	} {
		if got := suggest("%s", word, verbs, "no"); got != "did you mean "+want+"? no" {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	for _, word := range []string{"", "frobnicate", "push", "xyz"} {
		if got := suggest("%s", word, verbs, "no"); got != "no" {
			t.Errorf("%q: %q, want no suggestion", word, got)
		}
	}
}

func TestDistanceCountsEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "acb", 1}, {"kitten", "sitting", 3},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("from %q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestEveryVerbHasHelpWithExamples(t *testing.T) {
	c := newCLI(t)
	root := (&app{err: io.Discard}).rootCommand()
	for _, verb := range root.Commands() {
		if verb.Hidden || verb.Name() == "help" {
			continue
		}
		for _, args := range [][]string{{verb.Name(), "--help"}, {"help", verb.Name()}} {
			help := c.ok(args...)
			for _, want := range []string{"Examples:", "aof " + verb.Name(), "--dir"} {
				if !strings.Contains(help, want) {
					t.Errorf("aof %s lacks %q", strings.Join(args, " "), want)
				}
			}
		}
		if reports(verb) && verb.Flags().Lookup("json") == nil {
			t.Errorf("aof %s reports and has no --json", verb.Name())
		}
	}
	if help := c.ok("--help"); strings.Contains(help, "demo-writer") {
		t.Errorf("the help of the program:\n%s", help)
	}
}

func TestTheHelpListsTheExitCodes(t *testing.T) {
	help := newCLI(t).ok("--help")
	for code, meaning := range map[int]string{
		exitDone: "done", exitDamage: "damage found", exitUsage: "wrong usage", exitNotFound: "no such store",
		exitUnavailable: "locked", exitIO: "I/O error", exitSignal + 2: "ended by Ctrl-C",
	} {
		if line := fmt.Sprintf("\n%5d  %s", code, meaning); !strings.Contains(help, line) {
			t.Errorf("no line %q in:\n%s", line, help)
		}
	}
}

// keys lists the JSON keys of a report, those of what it contains included.
func keys(t reflect.Type) (names []string) {
	switch t.Kind() {
	case reflect.Slice, reflect.Pointer:
		return keys(t.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
		if f.Anonymous {
			names = append(names, keys(f.Type)...)
		}
	}
	return names
}

func TestTheHelpShowsEveryKeyOfTheJSON(t *testing.T) {
	c := newCLI(t)
	for verb, reports := range map[string][]any{
		"append": {appended{}}, "cat": {recordLine{}}, "ls": {lsReport{}, streamReport{}}, "info": {infoReport{}, paceReport{}},
		"segments": {segmentsReport{}, diskReport{}, fileReport{}, runReport{}}, "verify": {verifyReport{}, damageReport{}},
		"seal": {sealReport{}}, "trim": {trimReport{}}, "rm": {rmReport{}}, "version": {versionReport{}},
		"bench": {benchReport{}, benchRow{}}, "config": {configReport{}, settingReport{}}, "man": {manReport{}}, "demo": {demoReport{}, demoStreamReport{}},
	} {
		help := c.ok(verb, "--help")
		for _, report := range reports {
			for _, key := range keys(reflect.TypeOf(report)) {
				if !strings.Contains(help, `"`+key+`":`) {
					t.Errorf("aof %s --help does not show %q", verb, key)
				}
			}
		}
	}
}

// reports is every verb but those whose output is something else: records, a script.
func reports(verb *cobra.Command) bool { return verb.Name() != "cat" && verb.Name() != "completion" }

func TestWrongUsageExitsWithTwoAndSaysWhatToDo(t *testing.T) {
	c := newCLI(t)
	for _, u := range []struct {
		args  []string
		texts []string
	}{
		{nil, []string{"no verb was given", "aof --help"}},
		{[]string{"apend", "x"}, []string{`unknown verb "apend"`, "did you mean `aof append`?"}},
		{[]string{"frobnicate"}, []string{`unknown verb "frobnicate"`, "aof --help"}},
		{[]string{"--dir", "d", "lss"}, []string{`unknown verb "lss"`, "aof ls"}},
		{[]string{"frobnicate", "--zap"}, []string{`unknown verb "frobnicate"`}},
		{[]string{"help", "catt"}, []string{`unknown verb "catt"`, "aof cat"}},
		{[]string{"ls", "--jsno"}, []string{"unknown flag: --jsno", "did you mean --json?"}},
		{[]string{"cat", "x", "-z"}, []string{"unknown shorthand flag: 'z'", "--"}},
		{[]string{"--version"}, []string{"did you mean `aof version`?"}},
		{[]string{"ls", "x"}, []string{"does not know what to do with x", "usage: aof ls"}},
		{[]string{"cat"}, []string{"aof cat wants STREAM"}},
		{[]string{"cat", "x", "two words"}, []string{`does not know what to do with "two words"`}},
		{[]string{"append"}, []string{"aof append wants STREAM [FILE...]"}},
		{[]string{"info"}, []string{"aof info wants STREAM"}},
		{[]string{"cat", "x", "--from", "-1"}, []string{`"-1"`, "--from", "whole number, 1 or more"}},
		{[]string{"cat", "x", "--from", "0"}, []string{"whole number, 1 or more"}},
		{[]string{"cat", "x", "--from", "1.5"}, []string{"whole number"}},
		{[]string{"cat", "x", "--from", "99999999999999999999"}, []string{"whole number"}},
		{[]string{"cat", "x", "--to", "0"}, []string{"--to", "1 or more"}},
		{[]string{"cat", "x", "--limit", "ten"}, []string{"--limit", "1 or more"}},
		{[]string{"cat", "x", "--last", "-3"}, []string{"--last", "0 or more"}},
		{[]string{"cat", "x", "--from"}, []string{"flag needs an argument: --from"}},
		{[]string{"cat", "x", "--from", "1", "--last", "1"}, []string{"--from and --last exclude each other"}},
		{[]string{"cat", "x", "--from", "5", "--to", "4"}, []string{"--to 4 is before --from 5"}},
		{[]string{"cat", "x", "--from", "1", "--since", "7d"}, []string{"--from and --since exclude each other"}},
		{[]string{"cat", "x", "--last", "1", "--since", "7d", "--from", "2"}, []string{"--from and --last and --since exclude each other"}},
		{[]string{"cat", "x", "--since", "NaN"}, []string{`"NaN"`, "--since", "wants a time such as 2026-11-23T14:30:00Z", "90m, 36h or 7d"}},
		{[]string{"cat", "x", "--since", ""}, []string{"--since", "wants a time such as"}},
		{[]string{"cat", "x", "--until", "-7d"}, []string{`"-7d"`, "--until", "wants a time such as"}},
		{[]string{"cat", "x", "--until", "2026-11-23 14:30"}, []string{"--until", "wants a time such as 2026-11-23T14:30:00Z"}},
		{[]string{"cat", "x", "--since", "1h", "--until", "2h"}, []string{"--since 1h is later than --until 2h", "not before --since"}},
		{[]string{"cat", "x", "--until", "2026-01-01T00:00:00Z", "--since", "2026-01-01T00:00:00.001Z"}, []string{"--since 2026-01-01T00:00:00.001Z is later than --until 2026-01-01T00:00:00Z"}},
		{[]string{"cat", "x", "--after", "3e1f5a9c07d2b846-1-100-525ffe8"}, []string{"--after", "wants a whole cursor as cat --cursor printed it, such as 3e1f5a9c07d2b846-1-100-525ffe88"}},
		{[]string{"cat", "x", "--after", ""}, []string{"--after", "wants a whole cursor"}},
		{[]string{"cat", "x", "--after", "3e1f5a9c07d2b846-1-100-525ffe88", "--from", "1"}, []string{"--from and --after exclude each other"}},
		{[]string{"cat", "x", "--after", "3e1f5a9c07d2b846-1-100-525ffe88", "--since", "1h"}, []string{"--since and --after exclude each other"}},
		{[]string{"cat", "x", "--after", "3e1f5a9c07d2b846-1-100-525ffe88", "--to", "100"}, []string{"--to 100 is not behind the cursor of --after, which is behind seq 100"}},
		{[]string{"cat", "x", "-f", "--read-only"}, []string{"--follow and --read-only"}},
		{[]string{"cat", "x", "--format", "yaml"}, []string{"--format", "wants one of: raw, json"}},
		{[]string{"append", "x", "--expect-next", "0"}, []string{`"0"`, "--expect-next", "whole number, 1 or more"}},
		{[]string{"append", "x", "--expect-next", "-1"}, []string{"--expect-next", "whole number, 1 or more"}},
		{[]string{"append", "x", "--expect-next", "NaN"}, []string{"--expect-next", "whole number, 1 or more"}},
		{[]string{"append", "x", "--delimiter", ""}, []string{"--delimiter is empty"}},
		{[]string{"append", "x", "--delimiter", `\q`}, []string{"--delimiter"}},
		{[]string{"append", "x", "-0", "-d", ";"}, []string{"--delimiter and --null exclude each other"}},
		{[]string{"append", "x", "--length-prefixed", "-0"}, []string{"--length-prefixed and --null exclude each other"}},
		{[]string{"append", "x", "--length-prefixed", "-d", ";"}, []string{"--delimiter and --length-prefixed exclude each other"}},
		{[]string{"append", "x", "--length-prefixed", "--null", "-d", ";"}, []string{"--delimiter and --length-prefixed and --null exclude each other"}},
		{[]string{"cat", "x", "--length-prefixed", "--format", "json"}, []string{"--length-prefixed and --format json exclude each other"}},
		{[]string{"trim", "x"}, []string{"wants --before SEQ"}},
		{[]string{"trim", "x", "--before", "0"}, []string{"--before", "1 or more"}},
		{[]string{"trim", "x", "--before", "soon"}, []string{"--before"}},
		{[]string{"completion"}, []string{"aof completion wants bash|zsh|fish|powershell"}},
		{[]string{"completion", "bsh"}, []string{"there is no completion for bsh", "did you mean aof completion bash?"}},
		{[]string{"man"}, []string{"aof man wants DIRECTORY"}},
		{[]string{"man", ""}, []string{"name is empty"}},
		{[]string{"demo", "--size", "0"}, []string{"--size", "1 or more"}},
		{[]string{"ls", "--dir", ""}, []string{`--dir "" is not a directory name`}},
		{[]string{"append", "x", "--dir", program}, []string{"is not a directory"}},
	} {
		t.Run(strings.Join(u.args, " "), func(t *testing.T) {
			c := &cli{t: t, dir: c.dir}
			if r := c.fails(exitUsage, u.texts, u.args...); r.stdout != "" {
				t.Errorf("stdout is %q", r.stdout)
			}
		})
	}
}
