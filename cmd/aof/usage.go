package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// checkVerb refuses an unknown verb before its flags are looked at, because
// flags mean nothing without it.
func checkVerb(root *cobra.Command, args []string) error {
	root.InitDefaultHelpCmd()
	if completing(args) {
		return nil
	}
	found, rest, err := root.Find(args)
	if err == nil || found != root {
		return nil
	}
	word := firstWord(rest)
	var verbs []string
	for _, c := range root.Commands() {
		if !c.Hidden {
			verbs = append(verbs, c.Name())
		}
	}
	return usagef(suggest("`aof %s`", word, verbs, "`aof --help` lists the verbs"), "unknown verb %q", word)
}

// firstWord is the first argument that is neither a flag nor the value of --dir.
func firstWord(args []string) string {
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "--dir":
			i++
		case !strings.HasPrefix(args[i], "-"):
			return args[i]
		}
	}
	return ""
}

// flagError turns what the flag parser found into usage with a suggestion.
func flagError(cmd *cobra.Command, err error) error {
	help := "`" + cmd.CommandPath() + " --help` shows the flags"
	word, isLong := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !isLong {
		if strings.HasPrefix(err.Error(), "unknown shorthand flag") {
			help += "; put -- before a name that begins with -"
		}
		return usagef(help, "%s", err)
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if cmd == cmd.Root() {
		for _, c := range cmd.Commands() {
			if c.Name() == word {
				return usagef("did you mean `aof "+word+"`?", "%s", err)
			}
		}
	}
	return usagef(suggest("--%s", word, names, help), "%s", err)
}

// suggest offers the candidate closest to word in the given form, or the
// fallback when none is close.
func suggest(form, word string, candidates []string, fallback string) string {
	best, bestDistance := "", 1+max(1, len(word)/3)
	for _, c := range candidates {
		d := distance(word, c)
		if len(word) >= 2 && strings.HasPrefix(c, word) {
			d = 1
		}
		if d < bestDistance {
			best, bestDistance = c, d
		}
	}
	if best == "" {
		return fallback
	}
	return "did you mean " + fmt.Sprintf(form, best) + "? " + fallback
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour to get from a to b.
func distance(a, b string) int {
	before, previous := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, previous[j]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, previous = previous, row
	}
	return previous[len(b)]
}

func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [VERB]",
		Short: "Explain a verb",

		ValidArgsFunction: completeVerbs,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkVerb(root, args); err != nil {
				return err
			}
			cmd, _, err := root.Find(args)
			if err != nil {
				return usagef("`aof --help` lists the verbs", "%s", err)
			}
			return outputError(cmd.Help())
		},
	}
}

// arguments checks how many arguments a verb got; names is how its help calls
// them, most -1 for any number.
func arguments(least, most int, names string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		help := "usage: " + cmd.CommandPath() + " " + names + "; `" + cmd.CommandPath() + " --help` shows examples"
		switch {
		case len(args) < least:
			return usagef(help, "%s wants %s", cmd.CommandPath(), names)
		case most >= 0 && len(args) > most:
			extra := make([]string, 0, len(args)-most)
			for _, arg := range args[most:] {
				extra = append(extra, quoteName(arg))
			}
			return usagef(help, "%s does not know what to do with %s", cmd.CommandPath(), strings.Join(extra, " "))
		}
		return nil
	}
}

// number is the value of a flag that counts: a whole number of at least least.
// Being a type of its own makes the message one sentence in our words.
type number struct {
	value uint64
	least uint64
	set   bool
}

func (n *number) String() string {
	if !n.set {
		return ""
	}
	return strconv.FormatUint(n.value, 10)
}

// Type is the word that help shows behind the flag.
func (n *number) Type() string { return "N" }

// Set parses a value from the command line.
func (n *number) Set(s string) error {
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil || v < n.least {
		return fmt.Errorf("wants a whole number, %d or more", n.least)
	}
	n.value, n.set = v, true
	return nil
}

// oneOf is the value of a flag that chooses.
type oneOf struct {
	value   string
	choices []string
}

func (o *oneOf) String() string { return o.value }

// Type is the word that help shows behind the flag.
func (o *oneOf) Type() string { return strings.Join(o.choices, "|") }

// Set parses a value from the command line.
func (o *oneOf) Set(s string) error {
	if !slices.Contains(o.choices, s) {
		return fmt.Errorf("wants one of: %s", strings.Join(o.choices, ", "))
	}
	o.value = s
	return nil
}
