package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// machine is what the figures were measured on, as far as the system tells.
type machine struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	System     string `json:"system"`
	FileSystem string `json:"file_system"`
	Go         string `json:"go"`
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, %s, %s, %s.", m.CPU, m.Cores, m.System, m.FileSystem, m.Go)
}

func describe(dir string) machine {
	m := machine{
		CPU:        field("/proc/cpuinfo", "model name"),
		Cores:      runtime.GOMAXPROCS(0),
		System:     runtime.GOOS + "/" + runtime.GOARCH,
		FileSystem: fileSystem(dir),
		Go:         runtime.Version(),
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System += " " + strings.TrimSpace(string(kernel))
	}
	return m
}

// field returns the value behind the first "name : value" of a file.
func field(path, name string) string {
	b, _ := os.ReadFile(path)
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// fileSystem returns the type of the mount that dir lies on.
func fileSystem(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "unknown file system"
	}
	kind, longest := "unknown file system", -1
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) < 3 || len(f[1]) < longest {
			continue
		}
		if f[1] == "/" || dir == f[1] || strings.HasPrefix(dir, f[1]+"/") {
			kind, longest = f[2], len(f[1])
		}
	}
	return kind
}
