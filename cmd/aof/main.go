// Command aof appends to, reads, looks into and checks append-only logs from a
// shell: one verb a file, each a thin layer over package aof.
//
// It hides how a run of the program is put together: flags, signals, exit codes,
// where reports, notes and errors go, and how names and numbers are written.
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
