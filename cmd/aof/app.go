package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/aof2/aof"
)

// defaultDir is where a store is when neither --dir nor AOF_DIR says so.
const defaultDir = "./aof-data"

// app is one run of the program: where it reads and writes, and what every verb
// can be asked.
type app struct {
	in       io.Reader
	out, err io.Writer
	dir      string // --dir, AOF_DIR or the default
	json     bool   // --json of the verb that runs
	checks   bool   // the verb itself reports damage
	writes   bool   // the verb fails by itself where nothing can be appended

	// Of a verb that opens a store.
	config      string        // --config
	configGiven bool          // there was one
	flags       []settingFlag // what the command line says of the settings
	settings    *effective    // what all sources add up to, while the store is open
}

// run executes one command line and returns the exit code of the process.
func run(args []string, in io.Reader, out, errw io.Writer) int {
	ctx, stop := untilSignal(context.Background())
	defer stop()
	a := &app{in: in, out: out, err: errw}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	if err := checkVerb(root, args); err != nil {
		return a.complain(ctx, err)
	}
	if err := root.ExecuteContext(ctx); err != nil {
		return a.complain(ctx, err)
	}
	return exitDone
}

const rootLong = `aof keeps append-only logs: a store is one directory, it holds any number of
named streams, and a stream is a sequence of records numbered 1, 2, 3 and so on.
What an append reported as done survives any crash.

The store is the directory given by --dir, else by AOF_DIR, else ./aof-data. Its
settings come from flags, AOF_ variables and a file; aof config shows them.
append, cat, seal, trim and rm need it for themselves. ls, info, segments, verify
and cat --read-only only look: they take no lock, work beside a running program
and on a read-only disk, and see the state at the moment they start.

Results go to stdout. Notes, and what went wrong with what to do about it, go to
stderr. With --json a verb that reports prints one JSON object on one line; the
help of the verb shows which.

Exit codes:
    0  done
    1  damage found, or a check failed
    2  wrong usage, or input over a limit
    3  no such store, stream, record or file
    4  locked by another program, of a newer version, read-only, or unavailable
    5  I/O error, or the disk is full
  130  ended by Ctrl-C, after saying how far it came (143: by SIGTERM)`

const rootExample = `  printf 'one\ntwo\n' | aof append orders
  aof cat orders
  aof cat orders --last 10 -f
  aof bench
  aof demo`

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "aof",
		Short:         "Append-only logs that survive any crash",
		Long:          rootLong,
		Example:       rootExample,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(*cobra.Command, []string) error {
			return usagef("`aof --help` lists the verbs, `aof demo` shows what it is for", "no verb was given")
		},
	}
	dir := os.Getenv("AOF_DIR")
	if dir == "" {
		dir = defaultDir
	}
	root.PersistentFlags().StringVar(&a.dir, "dir", dir, "the directory of the store; AOF_DIR changes the default")
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(helpCommand(root))
	root.AddCommand(
		a.appendCommand(), a.catCommand(),
		a.lsCommand(), a.infoCommand(), a.segmentsCommand(), a.verifyCommand(),
		a.sealCommand(), a.trimCommand(), a.rmCommand(),
		a.configCommand(), a.versionCommand(), a.completionCommand(), a.manCommand(),
		a.benchCommand(), a.demoCommand(), a.demoWriterCommand(),
	)
	a.completeAll(root)
	return root
}

// jsonFlag gives a verb that reports the flag --json.
func (a *app) jsonFlag(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&a.json, "json", false, "print the report as one JSON object")
	return cmd
}

// report prints what a verb found: v as JSON with --json, else the text.
func (a *app) report(v any, text func(w io.Writer)) error {
	var b bytes.Buffer
	if a.json {
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			return fmt.Errorf("write the report as JSON: %w", err)
		}
	} else {
		text(&b)
	}
	_, err := a.out.Write(b.Bytes())
	return outputError(err)
}

// note tells the user something on stderr that is neither result nor failure.
func (a *app) note(format string, args ...any) {
	fmt.Fprintf(a.err, "aof: note: "+format+"\n", args...)
}

// withStore opens the store, runs use and closes it. With create the store is
// made when it is absent; otherwise its absence is ErrNotFound.
func (a *app) withStore(ctx context.Context, create bool, use func(*aof.Store) error) error {
	if err := a.checkDir(create); err != nil {
		return err
	}
	e, err := a.resolve()
	if err != nil {
		return err
	}
	a.settings = e
	s, err := aof.Open(ctx, a.dir, &e.given)
	if err != nil {
		return openFailure(a.dir, create, err)
	}
	a.noteRecovery(s.Recovery())
	return errors.Join(use(s), s.Close())
}

// withView inspects the store without its lock, says so when a program holds it,
// runs use and closes the view.
func (a *app) withView(ctx context.Context, use func(*aof.View) error) error {
	if err := a.checkDir(false); err != nil {
		return err
	}
	v, err := aof.Inspect(ctx, a.dir, nil)
	if err != nil {
		return openFailure(a.dir, false, err)
	}
	if holder, running := v.Running(); running {
		a.note("a program is using this store (%s); this is a snapshot of it", holder)
	}
	a.noteRecovery(v.Recovery())
	return errors.Join(use(v), v.Close())
}

// checkDir refuses what can be seen to be no store, before anything is made.
func (a *app) checkDir(create bool) error {
	if a.dir == "" || strings.ContainsRune(a.dir, 0) {
		return usagef("name a directory: --dir DIR", "--dir %q is not a directory name", a.dir)
	}
	info, err := os.Stat(a.dir)
	switch {
	case err == nil && !info.IsDir():
		return usagef("name a directory: --dir DIR", "%s is not a directory", a.dir)
	case errors.Is(err, fs.ErrNotExist) && !create:
		return noStore(a.dir)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the store's directory: %w", err)
	}
	if !create && isEmptyDir(a.dir) {
		return noStore(a.dir)
	}
	return nil
}

// isEmptyDir reports whether a directory holds nothing but what may be there before
// a store is.
func isEmptyDir(dir string) bool {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return false
	}
	defer d.Close()
	names, err := d.Readdirnames(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	return !slices.ContainsFunc(names, func(name string) bool { return name != configName && name != "lost+found" })
}

// noteRecovery says on stderr what the last life left behind, if it is news.
func (a *app) noteRecovery(r aof.Recovery) {
	for _, n := range r.Notes {
		a.note("%s", n)
	}
	if len(r.Damage) > 0 && !a.checks {
		a.note("%s not verify; `aof verify` shows exactly which", plural(len(r.Damage), "range of acknowledged bytes does", "ranges of acknowledged bytes do"))
	}
	if r.ReadOnly != nil && !a.checks && !a.writes {
		a.note("the store takes no appends: %s", withoutReadOnly(r.ReadOnly))
	}
}
