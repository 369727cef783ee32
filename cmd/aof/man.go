package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (a *app) manCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "man DIRECTORY",
		Short: "Write manual pages, one for each verb",
		Long: `Write manual pages in section 1, one for the program and one for each verb, into a
directory, which is made when it does not exist. Pages that are there are replaced.
What they say is what --help says.

With --json: {"dir":"man/man1","pages":["aof.1","aof-append.1"]}`,
		Example: `  aof man man/man1; man -l man/man1/aof-cat.1
  sudo aof man /usr/local/share/man/man1`,
		Args: arguments(1, 1, "DIRECTORY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.man(cmd.Context(), cmd.Root(), args[0])
		},
	}
	return a.jsonFlag(cmd)
}

type manReport struct {
	Dir   string   `json:"dir"`
	Pages []string `json:"pages"`
}

func (a *app) man(ctx context.Context, root *cobra.Command, dir string) error {
	if dir == "" {
		return usagef("name a directory: aof man man/man1", "the directory's name is empty")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the directory of the pages: %w", err)
	}
	root.PersistentFlags().Lookup("dir").DefValue = defaultDir // whatever AOF_DIR says here
	report := manReport{Dir: dir}
	for _, cmd := range append([]*cobra.Command{root}, visible(root)...) {
		if ctx.Err() != nil {
			return &stoppedError{far: plural(len(report.Pages), "page") + " written", do: "run the same command again", err: ctx.Err()}
		}
		page := manName(cmd) + ".1"
		var b bytes.Buffer
		manPage(&b, cmd)
		if err := os.WriteFile(filepath.Join(dir, page), b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("write a manual page: %w", err)
		}
		report.Pages = append(report.Pages, page)
	}
	return a.report(report, func(w io.Writer) {
		fmt.Fprintf(w, "%s in %s\n", plural(len(report.Pages), "page"), dir)
	})
}

// visible lists the verbs that users see.
func visible(root *cobra.Command) (verbs []*cobra.Command) {
	for _, cmd := range root.Commands() {
		if !cmd.Hidden {
			verbs = append(verbs, cmd)
		}
	}
	return verbs
}

func manName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manPage writes the page of a verb, or of the whole program, in the man macros.
// It has no date in it, so that the same program always writes the same.
func manPage(w io.Writer, cmd *cobra.Command) {
	name := manName(cmd)
	fmt.Fprintf(w, ".TH %s 1 \"\" \"aof\" \"aof manual\"\n", troffWord(strings.ToUpper(name)))
	section(w, "NAME")
	fmt.Fprintf(w, "%s \\- %s\n", troff(name), troff(cmd.Short))
	section(w, "SYNOPSIS")
	use := cmd.UseLine()
	if cmd.HasSubCommands() {
		use = cmd.Name() + " VERB [ARGUMENTS] [flags]"
	}
	fmt.Fprintln(w, troff(use))
	section(w, "DESCRIPTION")
	manText(w, cmd.Long)
	if cmd.HasSubCommands() {
		section(w, "VERBS")
		for _, verb := range visible(cmd) {
			item(w, manName(verb)+"(1)", verb.Short)
		}
	}
	section(w, "OPTIONS")
	cmd.InitDefaultHelpFlag()
	for _, flags := range []*pflag.FlagSet{cmd.NonInheritedFlags(), cmd.InheritedFlags()} {
		flags.VisitAll(func(f *pflag.Flag) { manFlag(w, f) })
	}
	if cmd.Example != "" {
		section(w, "EXAMPLES")
		preformatted(w, strings.Split(cmd.Example, "\n"))
	}
	section(w, "SEE ALSO")
	if cmd.HasParent() {
		fmt.Fprintln(w, troff(manName(cmd.Parent())+"(1), which lists the exit codes"))
		return
	}
	var pages []string
	for _, verb := range visible(cmd) {
		pages = append(pages, manName(verb)+"(1)")
	}
	fmt.Fprintln(w, troff(strings.Join(pages, ", ")))
}

func section(w io.Writer, title string) { fmt.Fprintf(w, ".SH %s\n", troffWord(title)) }

// item writes a word and, set in, what is said about it.
func item(w io.Writer, word, text string) {
	fmt.Fprintf(w, ".TP\n.B %s\n%s\n", troffWord(word), troff(text))
}

func manFlag(w io.Writer, f *pflag.Flag) {
	if f.Hidden {
		return
	}
	kind, text := pflag.UnquoteUsage(f)
	word := "--" + f.Name
	if f.Shorthand != "" {
		word = "-" + f.Shorthand + ", " + word
	}
	if kind != "" {
		word += " " + kind
	}
	if f.DefValue != "" && f.DefValue != "false" {
		text += fmt.Sprintf(" (default %s)", f.DefValue)
	}
	item(w, word, text)
}

// manText writes help: what stands at the margin is running text, what is set in
// stays as it is, and an empty line begins a paragraph.
func manText(w io.Writer, text string) {
	var set []string
	for line := range strings.Lines(text + "\n") {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, " ") {
			set = append(set, line)
			continue
		}
		preformatted(w, set)
		set = nil
		if line == "" {
			fmt.Fprintln(w, ".PP")
			continue
		}
		fmt.Fprintln(w, troff(line))
	}
	preformatted(w, set)
}

func preformatted(w io.Writer, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintln(w, ".nf")
	for _, line := range lines {
		fmt.Fprintln(w, troff(line))
	}
	fmt.Fprintln(w, ".fi")
}

// troff writes a line of text so that nothing in it is taken for a request or an
// escape, and a hyphen can be copied as one.
func troff(line string) string {
	line = strings.NewReplacer(`\`, `\e`, "-", `\-`, "`", "\\(ga", "'", `\(aq`, "^", `\(ha`, "~", `\(ti`).Replace(line)
	if strings.HasPrefix(line, ".") {
		line = `\&` + line
	}
	return line
}

// troffWord is text as one argument of a request.
func troffWord(text string) string {
	return `"` + strings.ReplaceAll(troff(text), `"`, `\(dq`) + `"`
}
