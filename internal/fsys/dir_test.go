package fsys_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/fsys/fsystest"
)

func openDir(t *testing.T, path string, create bool) fsys.FS {
	t.Helper()
	tree, err := fsys.Dir(path, create)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestOperatingSystemConforms(t *testing.T) {
	fsystest.Run(t, func(t *testing.T) fsys.FS { return openDir(t, t.TempDir(), false) })
}

func TestDirMakesOnlyWhatItIsToldTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	if _, err := fsys.Dir(path, false); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a directory that is not there: %v", err)
	}
	for range 2 { // the second time it is there
		tree := openDir(t, path, true)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
			t.Errorf("mode %v, want only the owner's", info.Mode())
		}
		tree.Close()
	}
	file := filepath.Join(path, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := fsys.Dir(file, true); err == nil {
		t.Error("a file was opened as a directory")
	}
}

func TestFilesAreTheirOwnersOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes here")
	}
	path := t.TempDir()
	tree := openDir(t, path, false)
	defer tree.Close()
	f, err := tree.Create("a")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	info, err := os.Stat(filepath.Join(path, "a"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestSymbolicLinksDoNotLeadOut(t *testing.T) {
	outside, path := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(path, "link")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	tree := openDir(t, path, false)
	defer tree.Close()
	if _, err := tree.Open("link"); err == nil {
		t.Error("a link led out of the tree")
	}
}

func TestTwoTreesOfOneDirectoryShareTheLock(t *testing.T) {
	path := t.TempDir()
	one, two := openDir(t, path, false), openDir(t, path, false)
	defer one.Close()
	defer two.Close()
	lock, err := one.Lock("LOCK", []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	var locked *fsys.LockedError
	if _, err := two.Lock("LOCK", []byte("two")); !errors.As(err, &locked) || string(locked.Note) != "one" {
		t.Fatalf("the second tree got %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	lock, err = two.Lock("LOCK", []byte("two"))
	if err != nil {
		t.Fatal(err)
	}
	lock.Close()
}
