package fsys

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	lockTries    = 5                    // a probe by Locked may be in the way for an instant
	lockPause    = 2 * time.Millisecond // between two tries
	maxNoteBytes = 4096                 // of a note read back
)

// Dir returns the operating system's file system below path. With create it
// makes the directory, and what is missing above it, for its owner only, and
// makes these names durable. Symbolic links below path do not lead out of it.
func Dir(path string, create bool) (FS, error) {
	if create {
		if err := makeDurably(path); err != nil {
			return nil, err
		}
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &dirFS{root: root}, nil
}

// makeDurably makes path and its missing parents, and syncs each directory
// that got a new name.
func makeDurably(path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	var grown []string // directories that get a new name, innermost first
	for dir := abs; ; dir = filepath.Dir(dir) {
		_, err := os.Stat(dir)
		if err == nil || !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		grown = append(grown, filepath.Dir(dir))
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return wrapNoSpace(err)
	}
	for _, dir := range slices.Backward(grown) {
		f, err := os.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(syncDir(f), f.Close()); err != nil {
			return fmt.Errorf("sync %s: %w", dir, err)
		}
	}
	return nil
}

// dirFS is the operating system's directory tree.
type dirFS struct{ root *os.Root }

func (d *dirFS) Create(name string) (File, error) {
	return d.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func (d *dirFS) Open(name string) (File, error) { return d.open(name, os.O_RDONLY) }

func (d *dirFS) OpenWrite(name string) (File, error) { return d.open(name, os.O_RDWR) }

func (d *dirFS) Rename(oldName, newName string) error {
	if err := errors.Join(checkName("rename", oldName), checkName("rename", newName)); err != nil {
		return err
	}
	return wrapNoSpace(d.root.Rename(oldName, newName))
}

func (d *dirFS) Remove(name string) error {
	if err := checkName("remove", name); err != nil {
		return err
	}
	return d.root.Remove(name)
}

func (d *dirFS) Mkdir(name string) error {
	if err := checkName("mkdir", name); err != nil {
		return err
	}
	err := d.root.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		info, statErr := d.root.Stat(name)
		if statErr == nil && info.IsDir() {
			return nil
		}
	}
	return wrapNoSpace(err)
}

func (d *dirFS) List(dir string) ([]Entry, error) {
	f, err := d.openDir("list", dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(names))
	for _, n := range names {
		info, err := n.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since the directory was read
		}
		if err != nil {
			return nil, err
		}
		e := Entry{Name: n.Name(), Dir: info.IsDir()}
		if !e.Dir {
			e.Size, e.Allocated = info.Size(), allocated(info)
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return entries, nil
}

func (d *dirFS) SyncDir(dir string) error {
	f, err := d.openDir("sync", dir)
	if err != nil {
		return err
	}
	return wrapNoSpace(errors.Join(syncDir(f), f.Close()))
}

func (d *dirFS) Lock(name string, note []byte) (io.Closer, error) {
	file, err := d.open(name, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	f := file.(*osFile).f
	if err := lockFile(f, name); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// The note goes over the old one before the file is cut to it, so that a
	// full disk does not stop the lock from being taken.
	_, err = f.WriteAt(note, 0)
	if err == nil {
		err = f.Truncate(int64(len(note)))
	}
	if err = wrapNoSpace(err); err != nil && !errors.Is(err, ErrNoSpace) {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// lockFile takes the lock, or says who has it.
func lockFile(f *os.File, name string) error {
	for try := 1; ; try++ {
		held, err := tryLock(f, true)
		switch {
		case err != nil:
			return fmt.Errorf("lock %s: %w", name, err)
		case !held:
			return nil
		case try == lockTries:
			note, err := readNote(f)
			return errors.Join(&LockedError{Name: name, Note: note}, err)
		}
		time.Sleep(lockPause)
	}
}

func (d *dirFS) Locked(name string) (held bool, note []byte, err error) {
	file, err := d.open(name, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil, nil
	}
	if err != nil {
		return false, nil, err
	}
	defer file.Close()
	f := file.(*osFile).f
	if held, err = tryLock(f, false); err != nil || !held {
		return false, nil, err
	}
	note, err = readNote(f)
	return true, note, err
}

func readNote(f *os.File) ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(f, 0, maxNoteBytes))
}

func (d *dirFS) Usage() (Usage, error) {
	f, err := d.root.Open(".")
	if err != nil {
		return Usage{}, err
	}
	defer f.Close()
	return usage(f)
}

func (d *dirFS) Close() error { return d.root.Close() }

// open opens a regular file. A fifo or a device under one of our names is
// refused and not waited for.
func (d *dirFS) open(name string, flag int) (File, error) {
	if err := checkName("open", name); err != nil {
		return nil, err
	}
	f, err := d.root.OpenFile(name, flag|openFlags, 0o600)
	if err != nil {
		return nil, wrapNoSpace(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: errNotRegular}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &osFile{f: f}, nil
}

func (d *dirFS) openDir(op, name string) (*os.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return d.root.Open(name)
}

var errNotRegular = fmt.Errorf("%w: not a regular file", fs.ErrInvalid)

// checkName refuses names that are not plain relative paths to something.
func checkName(op, name string) error {
	if name == "." || !fs.ValidPath(name) {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return nil
}
