// Package fsystest holds the tests that every implementation of fsys.FS must
// pass, so that what is proved on the disk in memory holds on the operating
// system's.
package fsystest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"sync"
	"testing"

	"github.com/aof2/aof/internal/fsys"
)

// Run tests the implementation that open returns a fresh, empty tree of.
func Run(t *testing.T, open func(t *testing.T) fsys.FS) {
	tests := []struct {
		name string
		test func(t *testing.T, fsys fsys.FS)
	}{
		{"a created file is empty and its name is taken", testCreate},
		{"what is written is read, and zeros where nothing is", testReadWrite},
		{"reading at the end says so", testReadEnd},
		{"a file opened for reading refuses every change", testReadOnly},
		{"allocating grows and never shrinks", testAllocate},
		{"allocating keeps what is written", testAllocateKeeps},
		{"cutting shortens and what comes back is zeros", testTruncate},
		{"a closed file refuses everything", testClosed},
		{"a rename replaces what had the name", testRename},
		{"an open file outlives its name", testRemoveOpen},
		{"a directory lists its entries by name", testList},
		{"a directory is not a file and a file no directory", testKinds},
		{"names that lead out are refused", testNames},
		{"a lock is held until it is closed", testLock},
		{"a lock of a directory that is not there fails", testLockNowhere},
		{"the disk has room", testUsage},
		{"syncing and dropping the cache keep what is there", testSync},
		{"many goroutines use one file", testConcurrent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := open(t)
			defer func() { must(t, tree.Close()) }()
			tt.test(t, tree)
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

func create(t *testing.T, tree fsys.FS, name, content string) fsys.File {
	t.Helper()
	f, err := tree.Create(name)
	must(t, err)
	n, err := f.WriteAt([]byte(content), 0)
	must(t, err)
	if n != len(content) {
		t.Fatalf("wrote %d of %d bytes", n, len(content))
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func wantContent(t *testing.T, f fsys.File, want string) {
	t.Helper()
	size, err := f.Size()
	must(t, err)
	got := make([]byte, size)
	if n, err := f.ReadAt(got, 0); n != len(got) || err != nil && err != io.EOF {
		t.Fatalf("read %d of %d bytes: %v", n, size, err)
	}
	if string(got) != want {
		t.Fatalf("content %q, want %q", got, want)
	}
}

func testCreate(t *testing.T, tree fsys.FS) {
	f := create(t, tree, "a", "")
	wantContent(t, f, "")
	_, err := tree.Create("a")
	wantError(t, err, fs.ErrExist)
	_, err = tree.Create("no/a")
	wantError(t, err, fs.ErrNotExist)
	_, err = tree.Open("b")
	wantError(t, err, fs.ErrNotExist)
	_, err = tree.OpenWrite("b")
	wantError(t, err, fs.ErrNotExist)
}

func testReadWrite(t *testing.T, tree fsys.FS) {
	f := create(t, tree, "a", "hello")
	_, err := f.WriteAt([]byte("far"), 10_000)
	must(t, err)
	_, err = f.WriteAt([]byte("J"), 0)
	must(t, err)
	wantContent(t, f, "Jello"+string(make([]byte, 9_995))+"far")
	g, err := tree.OpenWrite("a")
	must(t, err)
	defer g.Close()
	_, err = g.WriteAt([]byte("!"), 4)
	must(t, err)
	got := make([]byte, 6)
	_, err = f.ReadAt(got, 0)
	must(t, err)
	if string(got) != "Jell!\x00" {
		t.Fatalf("one handle reads %q after another wrote", got)
	}
	if _, err := f.WriteAt([]byte("x"), -1); err == nil {
		t.Fatal("a write before the start was taken")
	}
	if _, err := f.ReadAt(got, -1); err == nil {
		t.Fatal("a read before the start was taken")
	}
}

func testReadEnd(t *testing.T, tree fsys.FS) {
	f := create(t, tree, "a", "hello")
	got := make([]byte, 8)
	n, err := f.ReadAt(got, 2)
	if n != 3 || err != io.EOF {
		t.Fatalf("read %d, %v across the end, want 3, EOF", n, err)
	}
	n, err = f.ReadAt(got, 100)
	if n != 0 || err != io.EOF {
		t.Fatalf("read %d, %v beyond the end, want 0, EOF", n, err)
	}
	n, err = f.ReadAt(got[:5], 0)
	if n != 5 || err != nil && err != io.EOF {
		t.Fatalf("read %d, %v up to the end", n, err)
	}
}

func testReadOnly(t *testing.T, tree fsys.FS) {
	create(t, tree, "a", "hello")
	f, err := tree.Open("a")
	must(t, err)
	defer f.Close()
	if _, err := f.WriteAt([]byte("x"), 0); err == nil {
		t.Error("a write was taken")
	}
	if f.Truncate(1) == nil {
		t.Error("a cut was taken")
	}
	if f.Allocate(1<<20) == nil {
		t.Error("an allocation was taken")
	}
	wantContent(t, f, "hello")
}

func testAllocate(t *testing.T, tree fsys.FS) {
	f := create(t, tree, "a", "")
	must(t, f.Allocate(100_000))
	wantContent(t, f, string(make([]byte, 100_000)))
	must(t, f.Allocate(10))
	if size, _ := f.Size(); size != 100_000 {
		t.Fatalf("size %d after a smaller allocation", size)
	}
	got, err := f.Allocated()
	must(t, err)
	if got < 100_000 {
		t.Fatalf("%d bytes allocated, want 100000 at least", got)
	}
	if f.Allocate(-1) == nil {
		t.Fatal("a negative allocation was taken")
	}
}

func testAllocateKeeps(t *testing.T, tree fsys.FS) {
	f := create(t, tree, "a", "hello")
	must(t, f.Allocate(5_000))
	wantContent(t, f, "hello"+string(make([]byte, 4_995)))
}

func testTruncate(t *testing.T, tree fsys.FS) {
	f := create(t, tree, "a", string(bytes.Repeat([]byte("x"), 9_000)))
	must(t, f.Truncate(5_000))
	must(t, f.Truncate(5_000))
	wantError(t, f.Truncate(5_001), fs.ErrInvalid)
	must(t, f.Allocate(9_000))
	wantContent(t, f, string(bytes.Repeat([]byte("x"), 5_000))+string(make([]byte, 4_000)))
	must(t, f.Truncate(0))
	got, err := f.Allocated()
	must(t, err)
	if got != 0 {
		t.Fatalf("%d bytes allocated after a cut to nothing", got)
	}
}

func testClosed(t *testing.T, tree fsys.FS) {
	f := create(t, tree, "a", "hello")
	must(t, f.Close())
	_, readErr := f.ReadAt(make([]byte, 1), 0)
	_, writeErr := f.WriteAt(make([]byte, 1), 0)
	_, sizeErr := f.Size()
	for _, err := range []error{readErr, writeErr, sizeErr, f.Sync(), f.Truncate(0), f.Allocate(1), f.Close()} {
		wantError(t, err, fs.ErrClosed)
	}
}

func testRename(t *testing.T, tree fsys.FS) {
	must(t, tree.Mkdir("d"))
	f := create(t, tree, "a.tmp", "new")
	create(t, tree, "d/a", "old")
	must(t, tree.Rename("a.tmp", "d/a"))
	_, err := tree.Open("a.tmp")
	wantError(t, err, fs.ErrNotExist)
	g, err := tree.Open("d/a")
	must(t, err)
	defer g.Close()
	wantContent(t, g, "new")
	_, err = f.WriteAt([]byte("N"), 0)
	must(t, err)
	wantContent(t, g, "New")
	wantError(t, tree.Rename("nothing", "b"), fs.ErrNotExist)
}

func testRemoveOpen(t *testing.T, tree fsys.FS) {
	f := create(t, tree, "a", "hello")
	must(t, tree.Remove("a"))
	wantContent(t, f, "hello")
	wantError(t, tree.Remove("a"), fs.ErrNotExist)
	create(t, tree, "a", "other")
	wantContent(t, f, "hello")
}

// takeAllocated holds what a list says that files take against what each one says,
// and leaves it out.
func takeAllocated(t *testing.T, tree fsys.FS, dir string, entries []fsys.Entry) {
	t.Helper()
	for i, e := range entries {
		if !e.Dir {
			f, err := tree.Open(dir + e.Name)
			must(t, err)
			have, err := f.Allocated()
			must(t, err)
			must(t, f.Close())
			if e.Allocated != have || e.Size > 0 && have == 0 {
				t.Errorf("%s takes %d bytes by the list and %d by its own account", e.Name, e.Allocated, have)
			}
		}
		entries[i].Allocated = 0
	}
}

func testList(t *testing.T, tree fsys.FS) {
	must(t, tree.Mkdir("m"))
	must(t, tree.Mkdir("m"))
	create(t, tree, "z", "12345")
	create(t, tree, "a", "")
	create(t, tree, "m/x", "1")
	got, err := tree.List(".")
	must(t, err)
	takeAllocated(t, tree, "", got)
	want := []fsys.Entry{{Name: "a"}, {Name: "m", Dir: true}, {Name: "z", Size: 5}}
	if !slices.Equal(got, want) {
		t.Fatalf("listed %v, want %v", got, want)
	}
	got, err = tree.List("m")
	must(t, err)
	takeAllocated(t, tree, "m/", got)
	if want := []fsys.Entry{{Name: "x", Size: 1}}; !slices.Equal(got, want) {
		t.Fatalf("listed %v, want %v", got, want)
	}
	if err := tree.Remove("m"); err == nil {
		t.Fatal("a directory with a file in it was removed")
	}
	must(t, tree.Remove("m/x"))
	must(t, tree.Remove("m"))
	_, err = tree.List("m")
	wantError(t, err, fs.ErrNotExist)
	wantError(t, tree.SyncDir("m"), fs.ErrNotExist)
}

func testKinds(t *testing.T, tree fsys.FS) {
	must(t, tree.Mkdir("d"))
	create(t, tree, "f", "")
	if _, err := tree.Open("d"); err == nil {
		t.Error("a directory was opened as a file")
	}
	if _, err := tree.List("f"); err == nil {
		t.Error("a file was listed")
	}
	if _, err := tree.Create("f/x"); err == nil {
		t.Error("a file was made in a file")
	}
	if err := tree.Mkdir("f"); err == nil {
		t.Error("a directory was made where a file is")
	}
}

func testNames(t *testing.T, tree fsys.FS) {
	create(t, tree, "ok", "")
	for _, name := range []string{"", ".", "..", "../x", "/x", "a/../x", "a//x", "x/"} {
		_, createErr := tree.Create(name)
		_, openErr := tree.Open(name)
		_, lockErr := tree.Lock(name, nil)
		for _, err := range []error{
			createErr, openErr, lockErr, tree.Mkdir(name), tree.Remove(name),
			tree.Rename("ok", name), tree.Rename(name, "new"),
		} {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("name %q: %v, want %v", name, err, fs.ErrInvalid)
			}
		}
	}
	_, err := tree.List("..")
	wantError(t, err, fs.ErrInvalid)
	wantError(t, tree.SyncDir("/"), fs.ErrInvalid)
}

func testLock(t *testing.T, tree fsys.FS) {
	held, note, err := tree.Locked("LOCK")
	must(t, err)
	if held || note != nil {
		t.Fatalf("a lock nobody took: %v, %q", held, note)
	}
	lock, err := tree.Lock("LOCK", []byte("a long note of the first holder"))
	must(t, err)
	_, err = tree.Lock("LOCK", []byte("second"))
	wantError(t, err, fsys.ErrLocked)
	var locked *fsys.LockedError
	if !errors.As(err, &locked) || string(locked.Note) != "a long note of the first holder" {
		t.Fatalf("the second got %v", err)
	}
	held, note, err = tree.Locked("LOCK")
	must(t, err)
	if !held || string(note) != "a long note of the first holder" {
		t.Fatalf("a lock held: %v, %q", held, note)
	}
	must(t, lock.Close())
	held, note, err = tree.Locked("LOCK")
	must(t, err)
	if held || note != nil {
		t.Fatalf("a lock released: %v, %q", held, note)
	}
	lock, err = tree.Lock("LOCK", []byte("short"))
	must(t, err)
	if _, note, _ = tree.Locked("LOCK"); string(note) != "short" {
		t.Fatalf("the next holder's note reads %q", note)
	}
	must(t, lock.Close())
}

func testLockNowhere(t *testing.T, tree fsys.FS) {
	_, err := tree.Lock("no/LOCK", nil)
	wantError(t, err, fs.ErrNotExist)
}

func testUsage(t *testing.T, tree fsys.FS) {
	u, err := tree.Usage()
	must(t, err)
	if u.Free <= 0 || u.Total < u.Free {
		t.Fatalf("usage %+v", u)
	}
}

func testSync(t *testing.T, tree fsys.FS) {
	f := create(t, tree, "a", "hello")
	must(t, f.Sync())
	_, err := f.WriteAt([]byte("J"), 0)
	must(t, err)
	must(t, f.DropCache())
	wantContent(t, f, "Jello")
	must(t, f.Sync())
	must(t, f.DropCache())
	must(t, tree.SyncDir("."))
	wantContent(t, f, "Jello")
}

func testConcurrent(t *testing.T, tree fsys.FS) {
	f := create(t, tree, "a", "")
	const workers, each = 8, 100
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			buf := make([]byte, each)
			for i := range each {
				if _, err := f.WriteAt([]byte{byte(w)}, int64(w*each+i)); err != nil {
					t.Error(err)
				}
			}
			if err := f.Sync(); err != nil {
				t.Error(err)
			}
			if n, err := f.ReadAt(buf, int64(w*each)); n != each || !bytes.Equal(buf, bytes.Repeat([]byte{byte(w)}, each)) {
				t.Errorf("worker %d reads %v, %v", w, buf, err)
			}
		})
	}
	wg.Wait()
}
