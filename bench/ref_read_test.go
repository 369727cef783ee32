package main

import (
	"encoding/binary"
	"errors"
	"os"
	"testing"
)

// lessData makes the rows that read lay down little, for one test.
func lessData(t *testing.T) {
	scan := scanBytes
	scanBytes = 1 << 20
	t.Cleanup(func() { scanBytes = scan })
}

// harm flips a bit in the middle of a file.
func harm(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, 500_000); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, 500_000); err != nil {
		t.Fatal(err)
	}
}

func closeSide(t *testing.T, s side) {
	t.Helper()
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

func TestTheReadingReferencesReadEverythingAndVerifyIt(t *testing.T) {
	lessData(t)
	for name, of := range map[string]struct {
		open    contestant
		streams int
		each    int64 // records of one pass
	}{
		"walk":            {newWalkLoop, 1, 1024},
		"one stream":      {newExtentLoop, 1, 1024},
		"of four streams": {newExtentLoop, 4, 256},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := of.open(t.TempDir(), work{size: 1 << 10, streams: of.streams})
			if err != nil {
				t.Fatal(err)
			}
			defer closeSide(t, s)
			if got, err := s.run(testRun); err != nil || got.records == 0 || got.records%of.each != 0 {
				t.Errorf("got %+v, %v", got, err)
			}
			harm(t, s.ahead()[0])
			if _, err := s.run(testRun); !errors.Is(err, errChecksum) {
				t.Errorf("a flipped bit: %v", err)
			}
		})
	}
}

func TestAnExtentIsOfTheStream(t *testing.T) {
	lessData(t)
	s, err := newExtentLoop(t.TempDir(), work{size: 1 << 10, streams: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer closeSide(t, s)
	l := s.(*extentLoop)
	l.stream = 2
	if _, err := l.run(0); err != nil {
		t.Fatal(err)
	}
	// The last record of stream 2 is number 255*4+2, and the first of the file has seq 1.
	if seq := binary.LittleEndian.Uint64(l.buf[8:]); seq != 255*4+3 {
		t.Errorf("got seq %d", seq)
	}
}

func TestOursScansAllOfAStream(t *testing.T) {
	lessData(t)
	for streams, each := range map[int]int64{1: 1024, 16: 64} {
		s, err := newOursScan(t.TempDir(), work{size: 1 << 10, streams: streams})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := sampleOf(s, 0); err != nil || got.records != each {
			t.Errorf("%d streams: got %+v, %v", streams, got, err)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestBurstsCountWhatTheyTake(t *testing.T) {
	calls, settled := 0, 0
	got, err := bursts(work{size: 1 << 20}, 0, func(n int) error { calls += n; return nil }, func() error { settled++; return nil })
	if err != nil || calls != 16 || settled != 1 || got.records != 16 || got.elapsed == 0 || got.slowGroup == 0 {
		t.Errorf("%d calls, settled %d times, %+v, %v", calls, settled, got, err)
	}
	broken := errors.New("full")
	if _, err := bursts(work{size: 1 << 20}, 0, func(int) error { return broken }, nil); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
