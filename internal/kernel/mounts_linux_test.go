package kernel

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// ownMounts says that this process has a mount namespace of its own already.
const ownMounts = "AOF_KERNEL_OWN_MOUNTS"

// inOwnMounts runs the tests in a process with mounts of its own, so that none outlives it however it ends. Where that
// is not permitted, the tests run here; those that mount say that they cannot.
func inOwnMounts(run func() int) int {
	if os.Geteuid() != 0 || os.Getenv(ownMounts) != "" {
		return run()
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), ownMounts+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return run()
	}
	err := cmd.Wait()
	var status *exec.ExitError
	if errors.As(err, &status) && status.ExitCode() >= 0 {
		return status.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// needRoot skips a test that cannot be run here, and says why.
func needRoot(t *testing.T, commands ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("it mounts file systems, which only root may do")
	}
	for _, c := range commands {
		if _, err := exec.LookPath(c); err != nil {
			t.Skipf("%s is not installed", c)
		}
	}
}

// disk is an image with a file system, and the directory it is mounted on.
type disk struct {
	image   string
	dir     string
	mounted bool
}

// newDisk makes the image in a directory of its own and formats it with the command, whose last argument it is.
func newDisk(t *testing.T, image string, size int64, mkfs ...string) *disk {
	t.Helper()
	d := &disk{image: image, dir: filepath.Join(t.TempDir(), "mnt")}
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		t.Fatal(err)
	}
	command(t, append(mkfs, image)...)
	t.Cleanup(func() {
		if d.mounted {
			_ = unix.Unmount(d.dir, unix.MNT_DETACH) // the test has failed already
		}
	})
	return d
}

func ext4Disk(t *testing.T, image string, size int64) *disk {
	t.Helper()
	return newDisk(t, image, size, "mkfs.ext4", "-q", "-F", "-m", "0", "-J", "size=4")
}

func xfsDisk(t *testing.T, image string) *disk {
	t.Helper()
	return newDisk(t, image, 320<<20, "mkfs.xfs", "-q", "-f")
}

func (d *disk) store() string { return filepath.Join(d.dir, "store") }

func (d *disk) mount(t *testing.T) {
	t.Helper()
	out, err := exec.Command("mount", "-o", "loop", d.image, d.dir).CombinedOutput()
	if err != nil {
		if strings.Contains(string(out), "permission") || strings.Contains(string(out), "loop device") {
			t.Skipf("a loop device cannot be mounted here: %s", out)
		}
		t.Fatalf("mount: %v: %s", err, out)
	}
	d.mounted = true
}

// unmount fails when something of the store is still open.
func (d *disk) unmount(t *testing.T) {
	t.Helper()
	if err := unix.Unmount(d.dir, 0); err != nil {
		t.Fatalf("unmount %s: %v", d.dir, err)
	}
	d.mounted = false
}

// The numbers of ext4 and XFS for "stop at once": what was not written is lost.
const (
	shutDownRequest = 0x8004587d
	flushLog        = 1 // the file system's own journal is written first
	flushNothing    = 2
)

// shutDown cuts the file system off from its disk.
func (d *disk) shutDown(how int32) error {
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.IoctlSetPointerInt(int(f.Fd()), shutDownRequest, int(how))
}

// mountTmpfs mounts a small file system in memory and returns its directory.
func mountTmpfs(t *testing.T, size int64) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("a tmpfs cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

func command(t *testing.T, argv ...string) {
	t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(argv, " "), err, out)
	}
}
