package main

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"testing"
	"time"
)

const testRun = 20 * time.Millisecond

// smallRing has files that a short run fills several times.
func smallRing(t *testing.T, size int64) *ring {
	r, err := newRing(t.TempDir(), 3, size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// scan returns the seqs of the records that a groupLog has left in the ring, in no order.
func scan(t *testing.T, r *ring) (seqs []uint64) {
	for _, f := range r.files {
		b := make([]byte, r.size)
		if _, err := f.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
		for len(b) >= groupHeader {
			n := int(binary.LittleEndian.Uint32(b))
			if n > len(b)-groupHeader {
				break
			}
			payload := b[groupHeader : groupHeader+n]
			if crc32.Checksum(payload, castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
				break
			}
			seqs = append(seqs, binary.LittleEndian.Uint64(b[8:]))
			b = b[groupHeader+n:]
		}
	}
	slices.Sort(seqs)
	return seqs
}

func TestTheGroupBufferHoldsWhatItAcknowledged(t *testing.T) {
	w := work{size: 64, writers: 8, batch: 3}
	pipelined := work{size: 64, writers: 1, batch: 1}
	l, p := newGroupLog(smallRing(t, 64<<20)), newGroupLog(smallRing(t, 64<<20))
	tests := []struct {
		name  string
		side  side
		ring  *ring
		extra int64
	}{
		{"waiting writers", &groupLoop{l, w}, l.ring, 0},
		{"a writer that goes on, and the one record that ends the run", &pipelinedLoop{p, pipelined}, p.ring, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.side.run(time.Millisecond) // short: the files must not come round
			if err != nil {
				t.Fatal(err)
			}
			seqs := scan(t, tt.ring)
			for i, seq := range seqs {
				if seq != uint64(i+1) {
					t.Fatalf("record %d has seq %d", i+1, seq)
				}
			}
			if int64(len(seqs)) != got.records+tt.extra || got.syncs == 0 {
				t.Errorf("%d records on disk, %+v counted", len(seqs), got)
			}
		})
	}
}

func TestTheSyncLoopSyncsEachRecord(t *testing.T) {
	s := &syncLoop{ring: smallRing(t, 4096), record: noise(1000)}
	got, err := s.run(testRun)
	if err != nil {
		t.Fatal(err)
	}
	if got.records == 0 || got.syncs != got.records || got.appends != got.records || got.elapsed < testRun {
		t.Errorf("got %+v", got)
	}
}

func TestTheRingNeverSplitsAWriteAndComesRound(t *testing.T) {
	r := smallRing(t, 4096)
	var got []int64
	for range 7 {
		_, off := r.place(1500)
		got = append(got, int64(r.index)*r.size+off)
	}
	if want := []int64{0, 1500, 4096, 5596, 8192, 9692, 0}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
