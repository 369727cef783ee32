// Package kernel tests the store against a real kernel: processes that are
// killed, file systems that are shut down under load, system calls that fail and
// disks that fill up. It has no code of its own besides its tests; what it hides
// is how a writer is driven, what it was promised, and how a directory is compared
// with that.
//
// A writer tells every intention before the call and every answer after it. The
// ledger gathers what was told, and checks what a store holds after the end of a
// life: every acknowledged record byte by byte, in order, and behind or between
// them nothing but whole batches that were on their way.
//
// AOF_KERNEL is the size of the run: unset for a handful of lives of each kind,
// "ci" for the size of the continuous integration, "long" for a night. AOF_SOAK is
// how long the mixed load lasts, "2h" say: it looks for what grows with time. What
// needs root, Linux or a tool that is not there is skipped and says so.
package kernel
