package main

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/aof2/aof"
)

// shells are those that completion knows, with what writes their script.
var shells = []struct {
	name  string
	write func(root *cobra.Command, w io.Writer) error
}{
	{"bash", func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) }},
	{"zsh", func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) }},
	{"fish", func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) }},
	{"powershell", func(root *cobra.Command, w io.Writer) error { return root.GenPowerShellCompletionWithDesc(w) }},
}

func shellNames() (names []string) {
	for _, s := range shells {
		names = append(names, s.name)
	}
	return names
}

func (a *app) completionCommand() *cobra.Command {
	names := strings.Join(shellNames(), "|")
	return &cobra.Command{
		Use:   "completion " + names,
		Short: "Print a script that completes verbs, flags and stream names",
		Long: `Print a script for a shell that completes verbs, flags, and the names of the streams
in the store. Completing takes no lock and changes nothing. For this shell only:

  bash        source <(aof completion bash)
  zsh         source <(aof completion zsh)
  fish        aof completion fish | source
  powershell  aof completion powershell | Out-String | Invoke-Expression

For every new one, put that line where the shell looks when it starts. bash wants the
package bash-completion; in zsh compinit has to run first.`,
		Example: `  source <(aof completion bash)
  aof completion fish > ~/.config/fish/completions/aof.fish`,
		Args: arguments(1, 1, names),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, s := range shells {
				if s.name == args[0] {
					return outputError(s.write(cmd.Root(), a.out))
				}
			}
			return usagef(suggest("aof completion %s", args[0], shellNames(), "`aof completion --help` shows how to use it"),
				"there is no completion for %s, only for %s", quoteName(args[0]), strings.Join(shellNames(), ", "))
		},
	}
}

// completing reports whether a shell asks for completions with these arguments.
func completing(args []string) bool {
	return len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
}

// completeAll says for every verb and flag what a shell may offer.
func (a *app) completeAll(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		word, rest, _ := strings.Cut(strings.TrimPrefix(cmd.Use, cmd.Name()+" "), " ")
		switch {
		case cmd.Name() == "completion":
			cmd.ValidArgsFunction = cobra.FixedCompletions(shellNames(), cobra.ShellCompDirectiveNoFileComp)
		case word == "STREAM" || word == "[STREAM]":
			cmd.ValidArgsFunction = a.completeStreams(rest == "[FILE...]")
		case cmd.Use == cmd.Name():
			cmd.ValidArgsFunction = cobra.NoFileCompletions
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			switch v := f.Value.(type) {
			case *oneOf:
				offer(cmd, f.Name, cobra.FixedCompletions(v.choices, cobra.ShellCompDirectiveNoFileComp))
			case *number, *moment, *cursorFlag, *settingFlag:
				offer(cmd, f.Name, cobra.NoFileCompletions)
			}
		})
	}
	offer(root, "dir", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
}

// offer registers what completes a flag, which fails only for a flag that is not
// there or for the second time.
func offer(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err)
	}
}

func completeVerbs(cmd *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
	for _, verb := range cmd.Root().Commands() {
		if len(args) == 0 && !verb.Hidden {
			names = append(names, cobra.CompletionWithDesc(verb.Name(), verb.Short))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeStreams offers the streams of the store for the first argument, and
// files, or nothing, for further ones. Whatever keeps the store from being looked
// into is silence here: the verb will say it.
func (a *app) completeStreams(files bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) (names []string, _ cobra.ShellCompDirective) {
		if len(args) > 0 {
			if files {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		v, err := aof.Inspect(cmd.Context(), a.dir, nil)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer func() { _ = v.Close() }()
		for name, info := range v.Streams() {
			if strings.HasPrefix(name, begun) && completable(name) {
				names = append(names, cobra.CompletionWithDesc(name, plural(info.Records(), "record")))
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completable reports whether a name can go through a shell's completion, which
// has one on a line and takes what begins with - for a flag.
func completable(name string) bool {
	return name[0] != '-' && utf8.ValidString(name) && strings.IndexFunc(name, unicode.IsControl) < 0
}
