package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// readOnly makes the store's directory impossible to write to: by permission, or
// for root, whom permission does not bind, by a read-only mount.
func (c *cli) readOnly() {
	c.t.Helper()
	if os.Geteuid() != 0 {
		for _, dir := range c.directories() {
			if err := os.Chmod(dir, 0o500); err != nil {
				c.t.Fatal(err)
			}
			c.t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
		}
		return
	}
	c.mount(c.dir, "", syscall.MS_BIND, "")
	if err := syscall.Mount(c.dir, c.dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		c.t.Skipf("this machine does not let us mount: %v", err)
	}
}

func (c *cli) mount(source, kind string, flags uintptr, options string) {
	c.t.Helper()
	if os.Geteuid() != 0 {
		c.t.Skip("mounting needs root")
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := syscall.Mount(source, c.dir, kind, flags, options); err != nil {
		c.t.Skipf("this machine does not let us mount: %v", err)
	}
	c.t.Cleanup(func() {
		if err := syscall.Unmount(c.dir, syscall.MNT_DETACH); err != nil {
			c.t.Error(err)
		}
	})
}

func TestAReadOnlyDirectoryCanBeLookedAt(t *testing.T) {
	c := ten(t)
	c.readOnly()
	for _, args := range [][]string{{"append", "orders"}, {"trim", "orders", "--before", "2"}, {"rm", "orders"}, {"seal"}} {
		c.fails(exitUnavailable, []string{"cat --read-only"}, args...)
	}
	for _, args := range [][]string{{"ls"}, {"info", "orders"}, {"segments"}, {"verify"}} {
		c.ok2(args...)
	}
	if got := c.ok2("cat", "orders", "--read-only", "--last", "1"); got != "10\n" {
		t.Errorf("got %q", got)
	}
}

// Root may read everything, so there the program runs as somebody else.
func TestSettingsWithoutPermissionAreAnIOError(t *testing.T) {
	c := newCLI(t)
	file := c.file("conf.toml", "max_record = 1000\n")
	if err := os.Chmod(file, 0); err != nil {
		t.Fatal(err)
	}
	cmd := c.command("append", "s", "--config", file)
	if os.Geteuid() == 0 {
		for dir := filepath.Dir(file); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(filepath.Dir(program), 0o755); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	c.wantFailure(c.finish(cmd), exitIO, "the settings cannot be read: open "+file+": permission denied", "--config")
	if _, err := os.Stat(c.dir); !os.IsNotExist(err) {
		t.Errorf("the store was made: %v", err)
	}
}

func TestAFullDiskIsAnIOErrorThatSaysWhatIsDurable(t *testing.T) {
	c := newCLI(t)
	c.mount("none", "tmpfs", 0, "size=2m")
	r := c.pipe(lines(100_000), "append", "s")
	c.wantFailure(r, exitIO, "free space on that disk")
	durable := 0
	if strings.Contains(r.stderr, "durable in stream") {
		durable = numberIn(t, `(\d+) records? (?:is|are) durable in stream s`, r.stderr)
	}
	back := c.run("cat", "s", "--read-only")
	if got := strings.Count(back.stdout, "\n"); got < durable || durable > 0 && back.code != exitDone {
		t.Errorf("it says %d records are durable and %d came back: %s", durable, got, back.stderr)
	}
}

func TestABenchOnAFullDiskSaysSoAndLeavesNothing(t *testing.T) {
	c := newCLI(t)
	c.mount("none", "tmpfs", 0, "size=40m")
	c.fails(exitIO, []string{"the measuring is given up and its directory removed", "free space on that disk"}, "bench", "--seconds", "0.1")
	if entries, err := os.ReadDir(c.dir); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestABenchWhereNothingCanBeWrittenSaysSo(t *testing.T) {
	c := ten(t)
	c.readOnly()
	c.fails(exitUnavailable, []string{"make a directory to measure in"}, "bench")
}
