package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
)

// diskReport is a file or directory of the store, as the file system sees it.
type diskReport struct {
	Path      string `json:"path"` // relative to the store's directory
	State     string `json:"state"`
	Bytes     int64  `json:"bytes"`
	DiskBytes int64  `json:"disk_bytes"` // allocated
}

// walkDisk lists everything in the directory. What goes while it looks, because a
// program runs, is left out.
func walkDisk(ctx context.Context, dir string) (found []diskReport, err error) {
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, fmt.Errorf("look at what the store takes: %w", err)
	}
	err = filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var info fs.FileInfo
		if err == nil {
			info, err = entry.Info()
		}
		if errors.Is(err, fs.ErrNotExist) && name != dir {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look at what the store takes: %w", err)
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return fmt.Errorf("look at what the store takes: %w", err)
		}
		rel = filepath.ToSlash(rel)
		d := diskReport{Path: rel, State: diskState(rel, info.Mode()), DiskBytes: diskBytes(info)}
		if info.Mode().IsRegular() {
			d.Bytes = info.Size()
		}
		found = append(found, d)
		return nil
	})
	return found, err
}

// diskStates says by its name what a file is that the journal does not list.
var diskStates = []struct {
	name  *regexp.Regexp
	state string
}{
	{regexp.MustCompile(`^journal/[0-9a-f]{16}\.aof$`), "free"},
	{regexp.MustCompile(`^journal/(current|[0-9a-f]{16}\.aof)\.tmp$`), "leftover"},
	{regexp.MustCompile(`^journal/current$`), "current"},
	{regexp.MustCompile(`^snapshot/[0-9a-f]{16}-[0-9a-f]{4}$`), "snapshot"},
	{regexp.MustCompile(`^snapshot/spare-[0-9]+$`), "spare"},
	{regexp.MustCompile(`^LOCK$`), "lock"},
	{regexp.MustCompile(`^aof\.toml$`), "settings"},
}

func diskState(name string, mode fs.FileMode) string {
	if mode.IsDir() && (name == "." || name == "journal" || name == "snapshot") {
		return "directory"
	}
	for _, s := range diskStates {
		if mode.IsRegular() && s.name.MatchString(name) {
			return s.state
		}
	}
	return "foreign"
}
