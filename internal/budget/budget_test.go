package budget_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"testing"

	"github.com/aof2/aof/internal/budget"
	"github.com/aof2/aof/internal/fsys"
	"github.com/aof2/aof/internal/fsys/memfs"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func disk(t *testing.T, fsy fsys.FS, limit int64) *budget.Disk {
	t.Helper()
	d, err := budget.New(fsy, limit, "d", "nothing")
	must(t, err)
	return d
}

func create(t *testing.T, d fsys.FS, name string, size int64) fsys.File {
	t.Helper()
	f, err := d.Create(name)
	must(t, err)
	must(t, f.Allocate(size))
	return f
}

// Whatever is done to files, the account is what the file system says, and after
// each step a new one finds the same.
func TestTheAccountIsTheFileSystems(t *testing.T) {
	for seed := range uint64(50) {
		mem := memfs.New(seed)
		must(t, mem.Mkdir("d"))
		d := disk(t, mem, 400<<10)
		rng := rand.New(rand.NewPCG(seed, 1))
		w := walk{t: t, d: d, rng: rng, open: map[string]fsys.File{}}
		for step := range 300 {
			what := w.step()
			if d.Used() != mem.Used() {
				t.Fatalf("seed %d, step %d, %s: %d by the account, %d are taken", seed, step, what, d.Used(), mem.Used())
			}
			if d.Used() > d.Limit() {
				t.Fatalf("seed %d, step %d, %s: %d are taken", seed, step, what, d.Used())
			}
		}
		for _, f := range w.open {
			w.nameless = append(w.nameless, f)
		}
		for _, f := range w.nameless {
			must(t, f.Close())
		}
		if again := disk(t, mem, 0); again.Used() != mem.Used() || d.Used() != mem.Used() {
			t.Errorf("seed %d: %d by the account, %d by a new one, %d are taken", seed, d.Used(), again.Used(), mem.Used())
		}
		if w.refused == 0 {
			t.Errorf("seed %d: nothing was refused", seed)
		}
	}
}

// walk does one thing after the other to a few files.
type walk struct {
	t        *testing.T
	d        *budget.Disk
	rng      *rand.Rand
	open     map[string]fsys.File
	nameless []fsys.File // removed and still open
	refused  int
}

func (w *walk) name() string { return []string{"a", "d/b", "d/c"}[w.rng.IntN(3)] }

func (w *walk) step() string {
	name := w.name()
	f := w.open[name]
	if f == nil {
		f, err := w.d.OpenWrite(name)
		if errors.Is(err, fs.ErrNotExist) {
			f, err = w.d.Create(name)
		}
		must(w.t, err)
		w.open[name] = f
		return "open " + name
	}
	size, err := f.Size()
	must(w.t, err)
	n, what := w.rng.Int64N(200<<10), ""
	switch w.rng.IntN(8) {
	case 0, 1:
		what, err = "allocate", f.Allocate(n)
	case 2, 3:
		what = "write"
		_, err = f.WriteAt(make([]byte, w.rng.IntN(9000)+1), min(n, size+w.rng.Int64N(9000)))
	case 4:
		what, err = "truncate", f.Truncate(min(n, size))
	case 5:
		what, err = "close", f.Close()
		delete(w.open, name)
	case 6:
		what, err = "remove", w.d.Remove(name)
		if w.rng.IntN(2) == 0 {
			err = errors.Join(err, f.Close())
		} else {
			w.nameless = append(w.nameless, f)
		}
		delete(w.open, name)
	case 7:
		to := w.name()
		what, err = "rename to "+to, w.d.Rename(name, to)
		if to != name {
			if old := w.open[to]; old != nil {
				err = errors.Join(err, old.Close())
			}
			w.open[to] = f
			delete(w.open, name)
		}
	}
	var over *budget.Error
	if errors.As(err, &over) {
		w.refused++
		err = nil
	}
	must(w.t, err)
	return what + " " + name
}

// What is refused has no effect, and is a full disk to who asked.
func TestWhatIsRefusedHasNoEffect(t *testing.T) {
	mem := memfs.New(1)
	must(t, mem.Mkdir("d"))
	d := disk(t, mem, 100<<10)
	f := create(t, d, "d/a", 40<<10)
	var over *budget.Error
	err := f.Allocate(90 << 10)
	if !errors.As(err, &over) || !errors.Is(err, fsys.ErrNoSpace) || over.Limit != 100<<10 || over.Used != 40<<10 || over.Need != 52<<10 {
		t.Errorf("allocate: %v (%+v)", err, over)
	}
	if n, err := f.WriteAt(make([]byte, 90<<10), 0); n != 0 || !errors.As(err, &over) {
		t.Errorf("write: %d, %v", n, err)
	}
	if size, err := f.Size(); size != 40<<10 || err != nil || mem.Used() != 40<<10 || d.Used() != 40<<10 {
		t.Errorf("%d bytes, %v, %d are taken and %d by the account", size, err, mem.Used(), d.Used())
	}
	if _, err := f.WriteAt(make([]byte, 40<<10), 0); err != nil {
		t.Errorf("a write into its own room: %v", err)
	}
	must(t, f.Close())
}

// A large file leaves room for a small one to be replaced at the limit.
func TestSmallFilesFindRoomBehindLargeOnes(t *testing.T) {
	mem := memfs.New(1)
	must(t, mem.Mkdir("d"))
	d := disk(t, mem, 200<<10)
	small := create(t, d, "d/current", 8<<10)
	for i := 0; ; i++ {
		f, err := d.Create(fmt.Sprint("d/", i))
		must(t, err)
		err = f.Allocate(20 << 10)
		must(t, f.Close())
		if err != nil {
			must(t, d.Remove(fmt.Sprint("d/", i)))
			break
		}
	}
	next := create(t, d, "d/current.tmp", 8<<10)
	must(t, d.Rename("d/current.tmp", "d/current"))
	must(t, errors.Join(small.Close(), next.Close()))
	if d.Used() != mem.Used() {
		t.Errorf("%d by the account, %d are taken", d.Used(), mem.Used())
	}
}

// The room of a file that was removed comes back when nobody has it open.
func TestAnOpenFileTakesRoomWithoutAName(t *testing.T) {
	d := disk(t, memfs.New(1), 0)
	f := create(t, d, "a", 16<<10)
	must(t, d.Remove("a"))
	if d.Used() != 16<<10 {
		t.Errorf("%d are taken while it is open", d.Used())
	}
	must(t, f.Close())
	_ = f.Close() // a second time changes nothing
	if d.Used() != 0 {
		t.Errorf("%d are taken behind it", d.Used())
	}
}

// Without a limit the disk is left a reserve.
func TestTheReserve(t *testing.T) {
	mem := memfs.New(1)
	mem.SetCapacity(100 << 10)
	d := disk(t, mem, 0)
	must(t, d.Admit(98<<10))
	var short *budget.Error
	err := d.Admit(98<<10 + 1)
	if !errors.As(err, &short) || short.Limit != 0 || short.Free != 100<<10 || short.Reserve != 2<<10 || !errors.Is(err, fsys.ErrNoSpace) {
		t.Errorf("%v (%+v)", err, short)
	}
	mem.SetCapacity(1 << 40)
	err = d.Admit(1<<40 - 255<<20)
	if !errors.As(err, &short) || short.Reserve != 256<<20 {
		t.Errorf("%v (%+v)", err, short)
	}
	if limited := disk(t, mem, 1<<20); limited.Admit(1<<50) != nil || limited.Over() {
		t.Error("with a limit the disk is not looked at")
	}
}

// A limit that was lowered is told, and nothing more is handed out.
func TestALimitBelowWhatIsTaken(t *testing.T) {
	mem := memfs.New(1)
	must(t, create(t, mem, "a", 64<<10).Close())
	d := disk(t, mem, 32<<10)
	if !d.Over() || d.Used() != 64<<10 {
		t.Errorf("over %v, %d are taken", d.Over(), d.Used())
	}
	f, err := d.OpenWrite("a")
	must(t, err)
	var over *budget.Error
	if err := f.Allocate(65 << 10); !errors.As(err, &over) {
		t.Errorf("allocate: %v", err)
	}
	must(t, f.Allocate(64<<10)) // what it has already
	must(t, f.Close())
	must(t, mem.Mkdir("nothing"))
	must(t, create(t, d, "nothing/vital", 16<<10).Close())
	must(t, d.Remove("a"))
	f, err = d.OpenWrite("nothing/vital")
	must(t, err)
	if err := f.Allocate(32 << 10); !errors.As(err, &over) {
		t.Errorf("allocate below the limit: %v", err)
	}
	must(t, f.Close())
}
