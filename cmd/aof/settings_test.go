package main

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aof2/aof"
)

func TestSizesAreReadWithAndWithoutUnits(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "67108864": 64 << 20, "64MiB": 64 << 20, "64MB": 64e6, "64 MiB": 64 << 20, "1KiB": 1024, "1KB": 1000, "1kB": 1000,
		"512B": 512, "1.5GiB": 3 << 29, "2TiB": 2 << 40, "3TB": 3e12, "1gib": 1 << 30, "1GB": 1e9, "9223372036854775807": math.MaxInt64,
		"0.5KiB": 512,
	} {
		got, err := parseSize(text)
		if err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
		if back, err := parseSize(exactSize(want)); err != nil || back != want {
			t.Errorf("%d is written %q, which is read as %d, %v", want, exactSize(want), back, err)
		}
	}
	for text, want := range map[string]string{
		"": "such as", "MiB": "such as", "big": "such as", "-1": "such as", "+1": "such as", "1e6": "such as", "0x10": "such as", "1/2": "such as", "1.2.3": "such as", "1_000": "such as",
		"64M": `not in "M"`, "1 mibi": `not in "mibi"`, "1.5": "whole bytes", "0.3B": "whole bytes", "9223372036854775808": "below 8 EiB", "8388608TiB": "below 8 EiB", "5 MiB B": "such as",
		"１": "such as", "NaN": "such as", "Inf": "such as", ".": "such as",
	} {
		if got, err := parseSize(text); err == nil || !strings.Contains(err.Error(), want) || got != 0 {
			t.Errorf("%q is %d, %v; want an error with %q", text, got, err, want)
		}
	}
}

func FuzzSizesAreRefusedOrComeBack(f *testing.F) {
	f.Add("64MiB")
	f.Add("1.5 GB")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseSize(text)
		if err != nil {
			return
		}
		if back, err := parseSize(exactSize(n)); err != nil || back != n || n < 0 {
			t.Errorf("%q is %d, written %q, read as %d, %v", text, n, exactSize(n), back, err)
		}
	})
}

// configOf is what aof config says of one setting: its value and where it is from.
func (c *cli) configOf(key string, env []string, args ...string) (value, from string) {
	c.t.Helper()
	cmd := c.command(append([]string{"config", "--json"}, args...)...)
	cmd.Env = append(cmd.Env, env...)
	r := c.finish(cmd)
	if r.code != exitDone || r.stderr != "" {
		c.t.Fatalf("aof config %q: %+v", args, r)
	}
	for _, s := range decode[configReport](c.t, r.stdout).Settings {
		if s.Key == key {
			return s.Value, s.From
		}
	}
	c.t.Fatalf("no setting %s in %s", key, r.stdout)
	return "", ""
}

// Every setting there is, from every source, the later before the earlier.
func TestSettingsComeFromDefaultsThenTheFileThenTheEnvironmentThenFlags(t *testing.T) {
	values := map[string][3]string{ // other than the default, and than each other
		"hot_file_size": {"32MiB", "48MiB", "1000000"},
		"max_record":    {"1MiB", "2MiB", "3KiB"},
		"max_batch":     {"17MiB", "18MiB", "19MiB"},
		"max_unflushed": {"1MiB", "2MiB", "3MiB"},
		"hot_budget":    {"1GiB", "2GiB", "3GiB"},
		"when_full":     {"wait", "wait", "wait"},
		"close_timeout": {"1s", "2m0s", "300ms"},
	}
	for i := range settings {
		s := &settings[i]
		t.Run(s.key, func(t *testing.T) {
			v, ok := values[s.key]
			if !ok {
				t.Fatal("no values for this setting; add some")
			}
			c := newCLI(t)
			if _, from := c.configOf(s.key, nil); from != "default" {
				t.Errorf("nothing is set, and it comes from %s", from)
			}
			file := c.file("conf.toml", "# a comment\n\n"+s.key+" = \""+v[0]+"\"\n")
			config := []string{"AOF_CONFIG=" + file}
			env := append([]string{s.environment() + "=" + v[1]}, config...)
			for _, step := range []struct {
				env         []string
				args        []string
				value, from string
			}{
				{config, nil, v[0], file + ", line 3"},
				{nil, []string{"--config", file}, v[0], file + ", line 3"},
				{env, nil, v[1], s.environment()},
				{env, []string{"--" + s.flag(), v[2]}, v[2], "--" + s.flag()},
			} {
				if value, from := c.configOf(s.key, step.env, step.args...); value != step.value || from != step.from {
					t.Errorf("got %s from %s, want %s from %s", value, from, step.value, step.from)
				}
			}
		})
	}
}

func TestTheFileOfSettingsIsTheFlagsThenTheVariablesThenTheStores(t *testing.T) {
	c := newCLI(t)
	c.ok("append", "s")
	if err := os.WriteFile(filepath.Join(c.dir, "aof.toml"), []byte("max_record = 1000"), 0o600); err != nil {
		t.Fatal(err)
	}
	flag, variable := c.file("flag.toml", "max_record = 3000"), c.file("variable.toml", "max_record = 2000")
	for _, step := range []struct {
		want string
		env  []string
		args []string
	}{
		{"1000", nil, nil},
		{"1000", []string{"AOF_CONFIG="}, nil},
		{"2000", []string{"AOF_CONFIG=" + variable}, nil},
		{"3000", []string{"AOF_CONFIG=" + variable}, []string{"--config", flag}},
	} {
		if got, _ := c.configOf("max_record", step.env, step.args...); got != step.want {
			t.Errorf("%q %q: max_record is %s, want %s", step.env, step.args, got, step.want)
		}
	}
}

// A store that does not exist yet can have its settings before its first record.
func TestSettingsMayBeThereBeforeTheStore(t *testing.T) {
	c := &cli{t: t, dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(c.dir, "aof.toml"), []byte(`hot_file_size = "1MiB"`), 0o600); err != nil {
		t.Fatal(err)
	}
	c.fails(exitNotFound, []string{"there is no store in"}, "cat", "s")
	c.okPipe("one\n", "append", "s")
	files := decode[segmentsReport](t, c.ok("segments", "--json")).Files
	if len(files) == 0 || files[0].Bytes != 1<<20 {
		t.Errorf("the first file is %+v", files)
	}
	c.ok("verify")
}

// Every verb that opens the store takes the settings from every source: one that
// is wrong stops it, before anything is made or changed.
func TestEveryVerbThatOpensTheStoreUsesTheSettings(t *testing.T) {
	c := ten(t)
	for _, args := range [][]string{{"append", "orders"}, {"cat", "orders"}, {"seal"}, {"trim", "orders", "--before", "2"}, {"rm", "orders"}, {"config"}} {
		with := func(more ...string) []string { return append(append([]string{}, args...), more...) }
		c.wantFailure(c.run(with("--hot-file-size", "1KiB")...), exitUsage, "the settings do not fit together: hot_file_size 1024 is outside")
		c.fails(exitUsage, []string{`"64MX"`, "--hot-file-size", `not in "MX"`}, with("--hot-file-size", "64MX")...)
		c.fails(exitNotFound, []string{"there is no file /nowhere/x.toml"}, with("--config", "/nowhere/x.toml")...)
		cmd := c.command(args...)
		cmd.Env = append(cmd.Env, "AOF_CLOSE_TIMEOUT=10")
		c.wantFailure(c.finish(cmd), exitUsage, `AOF_CLOSE_TIMEOUT is "10": it wants a duration with its unit`)
	}
	if got := strings.Count(c.ok("cat", "orders"), "\n"); got != 10 {
		t.Errorf("%d records are left", got)
	}
}

func TestMistakesInTheFileAreNamedWithTheirLines(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       []string
	}{
		{"an unknown key, with the nearest", "\nhot_file_sise = 1\n", []string{`line 2: unknown key "hot_file_sise" (did you mean hot_file_size?)`}},
		{"an unknown key, with none near", "colour = 1", []string{`line 1: unknown key "colour"`}},
		{"two of them", "maxrecord = 1\n\nmax_bath = 2", []string{`line 1: unknown key "maxrecord" (did you mean max_record?); line 3: unknown key "max_bath" (did you mean max_batch?)`}},
		{"a table", "[limits]\nmax_record = 1", []string{`line 1: unknown key "limits"`}},
		{"a key with dots", "store.max_record = 1", []string{`line 1: unknown key "store"`}},
		{"the directory", "dir = \"x\"", []string{"line 1: dir cannot be set in a file: use --dir or AOF_DIR"}},
		{"a boolean", "max_record = true", []string{"line 1: max_record is the boolean true: it wants a size such as"}},
		{"a fraction", "max_record = 1.5", []string{"max_record is the fraction 1.5: it wants a size"}},
		{"an array", "max_record = [1]", []string{"max_record is an array: it wants a size"}},
		{"a table for a value", "[max_record]", []string{"line 1: max_record is a table"}},
		{"a date", "max_record = 2020-01-01", []string{"max_record is a date or time"}},
		{"a negative number", "max_record = -1", []string{"max_record is the number -1: it wants a size"}},
		{"a wrong unit", `max_record = "64MX"`, []string{`max_record is "64MX": it wants a size in B, KB`, `not in "MX"`}},
		{"a duration without unit", "close_timeout = 10", []string{"close_timeout is the number 10: it wants a duration with its unit"}},
		{"a duration below nothing", `close_timeout = "-1s"`, []string{`close_timeout is "-1s": it wants a duration`}},
		{"a size for a duration", `close_timeout = "64MiB"`, []string{"it wants a duration with its unit"}},
		{"the same key twice", "max_record = 1\nmax_record = 2", []string{"line 2, column 1 is not TOML", "already defined"}},
		{"no TOML", "max_record: 1\n", []string{"line 1, column ", "is not TOML"}},
		{"no text", "\xff\xfe\x00", []string{"is not TOML"}},
		{"what does not fit together", "hot_file_size = \"64KiB\"\nmax_batch = \"1MiB\"", []string{"the settings do not fit together: max_batch 1048576 does not fit into a hot file of 65536 bytes", "aof config"}},
		{"too much", strings.Repeat("# no settings\n", 80_000), []string{"is over 1 MiB"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newCLI(t)
			c.fails(exitUsage, row.want, "append", "s", "--config", c.file("conf.toml", row.text))
			if _, err := os.Stat(c.dir); !os.IsNotExist(err) {
				t.Errorf("the store was made: %v", err)
			}
		})
	}
}

func TestAnEmptyFileOfSettingsIsFine(t *testing.T) {
	c := newCLI(t)
	if value, from := c.configOf("max_record", nil, "--config", c.file("conf.toml", "# nothing\n")); value != "16MiB" || from != "default" {
		t.Errorf("got %s from %s", value, from)
	}
}

func TestAFileOfSettingsThatCannotBeReadIsAnError(t *testing.T) {
	c := newCLI(t)
	c.fails(exitUsage, []string{"is a directory, not a file of settings"}, "append", "s", "--config", t.TempDir())
	c.fails(exitUsage, []string{"--config is empty"}, "append", "s", "--config", "")
	c.fails(exitNotFound, []string{"there is no file "}, "append", "s", "--config", program+"/x")
	if _, err := os.Stat(c.dir); !os.IsNotExist(err) {
		t.Errorf("the store was made: %v", err)
	}
}

func TestSettingsTakeEffect(t *testing.T) {
	c := newCLI(t)
	r := c.pipe("short\n"+strings.Repeat("x", 11)+"\n", "append", "s", "--max-record", "10")
	c.wantFailure(r, exitUsage, "record 2 is over the limit of 10 B", "1 record is durable", "--max-record")
	c = newCLI(t)
	text := lines(3000)
	c.okPipe(text, "append", "small", "--hot-file-size", "16KiB", "--max-batch", "2KiB")
	if got := c.ok("cat", "small"); got != text {
		t.Errorf("%d bytes came back, not the %d that were appended", len(got), len(text))
	}
	files := decode[segmentsReport](t, c.ok("segments", "small", "--json")).Files
	if n := len(files); n < 10 || files[n-1].Bytes != 16<<10 {
		t.Errorf("%d files, the last of %d bytes", n, files[n-1].Bytes)
	}
}

func TestConfigShowsWhereTheSettingsComeFrom(t *testing.T) {
	c := newCLI(t)
	file := c.file("conf.toml", "max_record = \"1MiB\"\n")
	cmd := c.command("config", "--config", file, "--close-timeout", "1m")
	cmd.Env = append(cmd.Env, "AOF_MAX_BATCH=2000000", "AOF_MAX_BACH=1", "AOF_=1")
	r := c.finish(cmd)
	want := "SETTING        VALUE    FROM\n" +
		"dir            DIR      AOF_DIR\n" +
		"hot_file_size  64MiB    default\n" +
		"max_record     1MiB     FILE, line 1\n" +
		"max_batch      2000000  AOF_MAX_BATCH\n" +
		"max_unflushed  32MiB    default\n" +
		"hot_budget     default  default\n" +
		"when_full      default  default\n" +
		"close_timeout  1m0s     --close-timeout\n" +
		"the file of settings is FILE\n"
	got := strings.ReplaceAll(strings.ReplaceAll(r.stdout, file, "FILE"), c.dir, "DIR"+strings.Repeat(" ", len(c.dir)-3))
	if strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") || r.code != exitDone {
		t.Errorf("exit code %d, got:\n%swant:\n%s", r.code, got, want)
	}
	c.wantText(r.stderr, "aof: note: the variable AOF_MAX_BACH is no setting and means nothing here; did you mean AOF_MAX_BATCH?", "the variable AOF_ is no setting")
	if report := decode[configReport](t, c.ok("config", "--dir", "x", "--json")); report.DirFrom != "--dir" || report.File != "" || *report.Settings[0].Bytes != 64<<20 || *report.Settings[6].Seconds != 10 {
		t.Errorf("got %+v", report)
	}
}

// What does not fit together is shown all the same, so that one sees whose fault
// it is.
func TestConfigShowsSettingsThatDoNotFitTogether(t *testing.T) {
	c := newCLI(t)
	r := c.run("config", "--hot-file-size", "16KiB", "--max-batch", "16KiB")
	c.wantFailure(r, exitUsage, "the settings do not fit together: max_batch 16384 does not fit")
	for _, want := range []string{"max_batch      16KiB", "--max-batch", "max_record     default"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("it does not show %q:\n%s", want, r.stdout)
		}
	}
}

// The table knows every limit of aof.Options by its name, so that no error speaks
// of a name the user never wrote.
func TestErrorsOfOptionsSpeakOfSettings(t *testing.T) {
	for i := range settings {
		s := &settings[i]
		var o aof.Options
		switch v := s.value.(type) {
		case sizeOf:
			*v(&o) = -1
		case durationOf:
			*v(&o) = -1
		case choiceOf:
			continue // a word that is none is refused before
		}
		_, err := o.Effective()
		if !errors.Is(err, aof.ErrInvalid) || !strings.HasPrefix(withKeys(err), s.key+" is negative") {
			t.Errorf("%s: %q", s.key, withKeys(err))
		}
	}
}

func TestTheDocumentHasEverySetting(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "cli.md"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range settings {
		s := &settings[i]
		if line := "| `" + s.key + "` | `" + s.environment() + "` | `--" + s.flag() + "` | " + s.help + " |\n"; !strings.Contains(string(doc), line) {
			t.Errorf("docs/cli.md has no line %s", line)
		}
	}
}
