//go:build linux || darwin

package fsys_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"
)

func TestAFifoIsRefusedAndNotWaitedFor(t *testing.T) {
	path := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(path, "fifo"), 0o600); err != nil {
		t.Skip("no fifos here:", err)
	}
	tree := openDir(t, path, false)
	defer tree.Close()
	if _, err := tree.Open("fifo"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a fifo: %v, want %v", err, fs.ErrInvalid)
	}
}
