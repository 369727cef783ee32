package main

import (
	"time"

	"github.com/aof2/aof"
)

// streamReport is a stream in JSON, the same from every verb.
type streamReport struct {
	Name     string  `json:"name"`
	ID       uint32  `json:"id"`
	Created  string  `json:"created"`
	Records  uint64  `json:"records"`
	First    aof.Seq `json:"first"`   // the oldest record, or next when there is none
	Durable  aof.Seq `json:"durable"` // the newest record that can be read
	Next     aof.Seq `json:"next"`
	Bytes    int64   `json:"bytes"` // in the journal, headers included
	Files    int     `json:"files"` // that hold records of it
	Metadata []byte  `json:"metadata_base64,omitempty"`
}

func reportStream(i aof.StreamInfo) streamReport {
	return streamReport{
		Name: i.Name, ID: i.ID, Created: i.Created.UTC().Format(time.RFC3339Nano),
		Records: i.Records(), First: i.Bounds.First, Durable: i.Bounds.Durable, Next: i.Bounds.Next,
		Bytes: i.Bytes, Files: i.Runs, Metadata: i.Metadata,
	}
}

// fileReport is a hot file in JSON.
type fileReport struct {
	ID        uint64      `json:"id"`
	Path      string      `json:"path"`
	State     string      `json:"state"`
	Bytes     int64       `json:"bytes"`
	DataBytes int64       `json:"data_bytes"`
	DiskBytes int64       `json:"disk_bytes,omitempty"` // allocated, where that was looked at
	Runs      []runReport `json:"runs"`
}

// runReport is the part of one stream that lies in one file.
type runReport struct {
	Stream string  `json:"stream"` // "" when it has been deleted
	ID     uint32  `json:"id"`
	First  aof.Seq `json:"first"`
	Last   aof.Seq `json:"last"`
	Bytes  int64   `json:"bytes"`
}

// holds counts the streams and records in a file.
func (f *fileReport) holds() (streams int, records uint64) {
	ids := map[uint32]bool{}
	for _, run := range f.Runs {
		records += uint64(run.Last - run.First + 1)
		ids[run.ID] = true
	}
	return len(ids), records
}

// reportFiles lists the files, or only those with records of one stream.
func reportFiles(files []aof.FileInfo, stream string) []fileReport {
	reports := []fileReport{}
	for _, f := range files {
		r := fileReport{ID: f.ID, Path: f.Path, State: string(f.State), Bytes: f.Bytes, DataBytes: f.DataBytes, Runs: []runReport{}}
		for _, run := range f.Runs {
			if stream == "" || run.Stream == stream {
				r.Runs = append(r.Runs, runReport{run.Stream, run.ID, run.First, run.Last, run.Bytes})
			}
		}
		if stream == "" || len(r.Runs) > 0 {
			reports = append(reports, r)
		}
	}
	return reports
}

// viewReport stands at the head of every report that comes from a view.
type viewReport struct {
	Dir      string `json:"dir"`
	Snapshot bool   `json:"snapshot"` // a program holds the store and may have moved on
}

func (a *app) reportView(v *aof.View) viewReport {
	_, running := v.Running()
	return viewReport{Dir: a.dir, Snapshot: running}
}
