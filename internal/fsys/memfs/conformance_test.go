package memfs_test

import (
	"testing"

	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/fsys/fsystest"
	"github.com/aof2/aof/internal/fsys/memfs"
)

func TestMemoryConforms(t *testing.T) {
	fsystest.Run(t, func(*testing.T) fsys.FS { return memfs.New(1) })
}

func TestMemoryAfterDeathConforms(t *testing.T) {
	fsystest.Run(t, func(*testing.T) fsys.FS { return memfs.New(1).Clone() })
}
