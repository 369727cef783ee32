// Package aoftest gives stores to tests: on a temporary directory or on a disk
// in memory that can fail syncs, hold them up, run full and lose power. It hides
// how such a disk is put below a store and what is looked at when a test ends.
//
//	func TestOrders(t *testing.T) {
//		store := aoftest.Memory(t, nil)
//		...
//	}
//
// Nothing has to be closed. When the test and its own cleanups have ended, the
// stores on a Disk are verified and closed, every file they opened must have
// been closed again, and what lies on the disk is read once more and held
// against its checksums and against the file system's own account of names and
// sizes. A test that harms its disk on purpose says so with [Disk.ExpectDamage].
//
// A store in memory runs in a testing/synctest bubble: it starts no timer, and
// synctest.Wait returns when its background work has come to rest.
//
// # Concurrency
//
// A Disk may be used by many goroutines. Its methods that can fail end the test
// and are for the test's own goroutine.
package aoftest
