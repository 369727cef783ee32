package main

import (
	"context"
	"testing"

	"github.com/aof2/aof"
)

// TestOursRunsOnRecycledFiles takes a store of small files through a whole cell's life.
func TestOursRunsOnRecycledFiles(t *testing.T) {
	w := work{size: 128, writers: 8, batch: 2, streams: 4}
	for name, newAppender := range map[string]func(*aof.Stream) appender{"durable": waitDurable, "pipelined": goOn} {
		t.Run(name, func(t *testing.T) {
			o, err := openOurs(t.TempDir(), w, 1<<20, newAppender)
			if err != nil {
				t.Fatal(err)
			}
			var s side = o
			if name == "pipelined" {
				s = &oursPipelined{o}
			}
			if err := o.prepare(testRun); err != nil {
				t.Fatal(err)
			}
			if o.store.Stats().Recycled == 0 {
				t.Error("the warm-up has recycled nothing")
			}
			got, err := sampleOf(s, testRun)
			if err != nil || got.records == 0 || got.syncs == 0 {
				t.Fatalf("got %+v, %v", got, err)
			}
			if report, err := o.store.Verify(context.Background(), aof.VerifyOptions{}); err != nil || len(report.Damage) > 0 {
				t.Errorf("got %+v, %v", report, err)
			}
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
