package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"github.com/aof2/aof"
)

// Where settings come from besides flags. A file in the store's directory is read
// when nothing names another.
const (
	configVariable = "AOF_CONFIG"
	configName     = "aof.toml"
	maxConfigBytes = 1 << 20
)

// effective is what the settings of one run add up to.
type effective struct {
	given   aof.Options       // as asked for; 0 is not asked
	options aof.Options       // with every default
	from    map[string]string // by key: the file and line, the variable or the flag
	file    string            // the file that was read, "" for none
}

// origin says where a setting comes from.
func (e *effective) origin(s *setting) string {
	if from, ok := e.from[s.key]; ok {
		return from
	}
	return "default"
}

// settingFlag is the value of a setting on the command line.
type settingFlag struct {
	setting *setting
	text    string
	set     bool
}

func (f *settingFlag) String() string { return f.text }

// Type is the word that help shows behind the flag.
func (f *settingFlag) Type() string { return f.setting.value.word() }

// Set checks a value from the command line; what it means is decided later, when
// all sources are known.
func (f *settingFlag) Set(text string) error {
	f.text, f.set = text, true
	return f.setting.value.set(new(aof.Options), text)
}

// storeFlags gives a verb that opens a store the flags of all settings.
func (a *app) storeFlags(cmd *cobra.Command) *cobra.Command {
	f := cmd.Flags()
	f.StringVar(&a.config, "config", "", "the TOML `FILE` of the settings; "+configVariable+" changes the default, "+configName+" in the store's directory")
	flags := make([]settingFlag, len(settings))
	for i := range settings {
		flags[i].setting = &settings[i]
		f.Var(&flags[i], settings[i].flag(), settings[i].help)
	}
	cmd.PreRun = func(cmd *cobra.Command, _ []string) {
		a.flags = flags
		a.configGiven = cmd.Flags().Changed("config")
	}
	return cmd
}

// resolve gathers the settings: defaults, then the file, then the environment,
// then the flags. When what was given does not fit together the error is
// ErrInvalid, and the rest of the result holds.
func (a *app) resolve() (*effective, error) {
	e := &effective{from: map[string]string{}}
	if err := a.readConfig(e); err != nil {
		return nil, err
	}
	for i := range settings {
		s := &settings[i]
		text := os.Getenv(s.environment())
		if text == "" {
			continue
		}
		if err := s.value.set(&e.given, text); err != nil {
			return nil, wrongSetting("%s is %q: it %s", s.environment(), text, err)
		}
		e.from[s.key] = s.environment()
	}
	for i := range a.flags {
		f := &a.flags[i]
		if !f.set {
			continue
		}
		if err := f.setting.value.set(&e.given, f.text); err != nil {
			return nil, wrongSetting("--%s is %q: it %s", f.setting.flag(), f.text, err)
		}
		e.from[f.setting.key] = "--" + f.setting.flag()
	}
	var err error
	if e.options, err = e.given.Effective(); err != nil {
		return e, &failure{code: exitUsage, what: "the settings do not fit together: " + withKeys(err), do: "`aof config` shows where each setting comes from", err: err}
	}
	return e, nil
}

func wrongSetting(format string, args ...any) error {
	return usagef("`aof config --help` shows the settings and how their values are written", format, args...)
}

// configFile is the file to read and whether somebody named it.
func (a *app) configFile() (path string, named bool, err error) {
	if a.configGiven {
		if a.config == "" {
			return "", false, usagef("name a file, or leave the flag out", "--config is empty")
		}
		return a.config, true, nil
	}
	if path := os.Getenv(configVariable); path != "" {
		return path, true, nil
	}
	return filepath.Join(a.dir, configName), false, nil
}

// readConfig takes the settings of the file, if there is one.
func (a *app) readConfig(e *effective) error {
	path, named, err := a.configFile()
	if err != nil {
		return err
	}
	data, err := readSmall(path)
	missing := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
	switch {
	case missing && !named:
		return nil
	case missing:
		return &failure{code: exitNotFound, what: "there is no file " + path + " to read settings from", do: "look at --config and " + configVariable, err: err}
	case err != nil:
		return err
	}
	e.file = path
	return e.parse(path, data)
}

// readSmall reads a file of settings. Whatever keeps it from being read is an I/O
// error, because what it says is not known.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		var data []byte
		if data, err = io.ReadAll(io.LimitReader(f, maxConfigBytes+1)); err == nil {
			if len(data) > maxConfigBytes {
				return nil, usagef("name a TOML file of settings", "%s is over %s and no file of settings", path, sizeText(maxConfigBytes))
			}
			return data, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, err
	}
	if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
		return nil, usagef("name a file", "%s is a directory, not a file of settings", path)
	}
	return nil, &failure{
		code: exitIO, err: err, what: "the settings cannot be read: " + plain(err),
		do: "make the file readable for this user, or name another with --config",
	}
}

// parse takes what a file says. Every mistake in it is named with its line.
func (e *effective) parse(path string, data []byte) error {
	var values map[string]any
	if err := toml.Unmarshal(data, &values); err != nil {
		var wrong *toml.DecodeError
		if errors.As(err, &wrong) {
			line, column := wrong.Position()
			return wrongFile("%s, line %d, column %d is not TOML: %s", path, line, column, strings.TrimPrefix(wrong.Error(), "toml: "))
		}
		return wrongFile("%s is not TOML: %s", path, err)
	}
	lines := keyLines(data)
	var mistakes []string
	for _, key := range inOrder(values, lines) {
		place := fmt.Sprintf("line %d", lines[key])
		if problem := e.take(key, values[key]); problem != "" {
			mistakes = append(mistakes, place+": "+problem)
			continue
		}
		e.from[key] = path + ", " + place
	}
	if len(mistakes) > 0 {
		return wrongFile("%s, %s", path, strings.Join(mistakes, "; "))
	}
	return nil
}

func wrongFile(format string, args ...any) error {
	return usagef("mend the file; `aof config --help` shows the settings and how their values are written", format, args...)
}

// take sets one setting from a file and says what is wrong with it, if anything.
func (e *effective) take(key string, value any) (problem string) {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.key == key })
	if i < 0 {
		if key == "dir" {
			return "dir cannot be set in a file: use --dir or AOF_DIR"
		}
		keys := make([]string, len(settings))
		for i, s := range settings {
			keys[i] = s.key
		}
		problem = fmt.Sprintf("unknown key %q", key)
		if hint := strings.TrimSpace(suggest("%s", key, keys, "")); hint != "" {
			problem += " (" + hint + ")"
		}
		return problem
	}
	var text string
	switch v := value.(type) {
	case string:
		text = v
	case int64:
		text = fmt.Sprint(v)
	}
	err := settings[i].value.set(&e.given, text)
	if err == nil {
		return ""
	}
	return fmt.Sprintf("%s is %s: it %s", key, tomlText(value), err)
}

// tomlText writes a value from a file with what it is.
func tomlText(value any) string {
	switch v := value.(type) {
	case string:
		return fmt.Sprintf("%.60q", v)
	case int64:
		return fmt.Sprintf("the number %d", v)
	case bool:
		return fmt.Sprintf("the boolean %v", v)
	case float64:
		return fmt.Sprintf("the fraction %v", v)
	case []any:
		return "an array"
	case map[string]any:
		return "a table"
	}
	return "a date or time"
}

// keyLines finds the line of each key at the top of a file that parses: to decode
// it strictly into nothing names them all.
func keyLines(data []byte) map[string]int {
	lines := map[string]int{}
	var missing *toml.StrictMissingError
	err := toml.NewDecoder(strings.NewReader(string(data))).DisallowUnknownFields().Decode(&struct{}{})
	if errors.As(err, &missing) {
		for i := range missing.Errors {
			e := &missing.Errors[i]
			line, _ := e.Position()
			if key := e.Key(); len(key) > 0 && lines[key[0]] == 0 {
				lines[key[0]] = line
			}
		}
	}
	return lines
}

// inOrder lists the keys as they stand in the file.
func inOrder(values map[string]any, lines map[string]int) []string {
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if lines[a] != lines[b] {
			return lines[a] - lines[b]
		}
		return strings.Compare(a, b)
	})
	return keys
}
