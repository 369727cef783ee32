package sim

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Bug is a change to the code under test that the simulator has to notice.
// It is written as text:
//
//	# what is wrong with it
//	seeds 20
//	file internal/journal/round.go
//	old
//	<lines that occur exactly once in the file>
//	new
//	<lines that take their place>
//	end
//
// There may be several files, and several changes to one. Seeds is how many
// seeds may pass before it is noticed. A line with the word harm and a number
// says how many disks of each seed are damaged besides, because only there the
// bug is to be seen.
type Bug struct {
	Name    string
	Seeds   int
	Harm    int
	Changes []Change
}

// Change replaces text in one file, named from the module's root.
type Change struct{ File, Old, New string }

// ParseBug reads a bug.
func ParseBug(name, text string) (*Bug, error) {
	b := &Bug{Name: name}
	var file string
	var section *string
	var old, young string
	for n, line := range strings.SplitAfter(text, "\n") {
		word := strings.TrimSuffix(line, "\n")
		switch {
		case word == "old" && section == nil:
			old, young, section = "", "", &old
		case word == "new" && section == &old:
			section = &young
		case word == "end" && section == &young:
			b.Changes = append(b.Changes, Change{file, old, young})
			section = nil
		case section != nil:
			*section += line
		case word == "" || strings.HasPrefix(word, "#"):
		case strings.HasPrefix(word, "file "):
			file = strings.TrimPrefix(word, "file ")
		case strings.HasPrefix(word, "seeds "), strings.HasPrefix(word, "harm "):
			key, value, _ := strings.Cut(word, " ")
			n, err := strconv.Atoi(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %q: %w", name, word, err)
			}
			if key == "seeds" {
				b.Seeds = n
			} else {
				b.Harm = n
			}
		default:
			return nil, fmt.Errorf("%s:%d: %q belongs nowhere", name, n+1, word)
		}
	}
	if section != nil || len(b.Changes) == 0 || b.Seeds == 0 {
		return nil, fmt.Errorf("%s: needs seeds, and changes that end", name)
	}
	return b, nil
}

// Overlay writes the changed files below dir, and the file that tells the go
// command to use them, whose name it returns. Root is the module's directory.
// A change that does not apply exactly once is an error.
func (b *Bug) Overlay(root, dir string) (string, error) {
	changed := make(map[string]string)
	for _, c := range b.Changes {
		path := filepath.Join(root, filepath.FromSlash(c.File))
		if _, ok := changed[path]; !ok {
			text, err := os.ReadFile(path)
			if err != nil {
				return "", fmt.Errorf("%s: %w", b.Name, err)
			}
			changed[path] = string(text)
		}
		if n := strings.Count(changed[path], c.Old); n != 1 || c.Old == "" {
			return "", fmt.Errorf("%s: what it changes in %s is there %d times, not once:\n%s", b.Name, c.File, n, c.Old)
		}
		changed[path] = strings.Replace(changed[path], c.Old, c.New, 1)
	}
	replace := make(map[string]string)
	for path, text := range changed {
		to := filepath.Join(dir, strconv.Itoa(len(replace))+"_"+filepath.Base(path))
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[path] = to
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, list, 0o600)
}
