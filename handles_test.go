package aof_test

import (
	"testing"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

// maxOpen is more than the store keeps open at once: what readers opened, the
// file it writes to, those it has prepared, and the lock.
const maxOpen = 128 + 16

func TestMoreHotFilesThanAProcessMayOpen(t *testing.T) {
	d, s, st := active(t, aoftest.Small())
	for range 400 {
		fill(t, st, 1, 5000)
		expect(t, "seal", s.Seal(ctx), nil)
	}
	if n := len(s.Files()); n < 400 {
		t.Fatalf("%d files, this test wants more than 400", n)
	}
	for life := range 2 {
		expectSeqs(t, read(t, st, aof.ReaderOptions{}), 1, 400)
		if n := d.Handles(); n > maxOpen {
			t.Errorf("life %d: %d handles are open after reading every file", life, n)
		}
		expect(t, "close", s.Close(), nil)
		s = d.Open(aoftest.Small())
		if n := d.Handles(); n > maxOpen {
			t.Errorf("life %d: %d handles are open after opening the store", life, n)
		}
		st = stream(t, s, "s")
	}
}
