package memfs

import (
	"fmt"
	"strings"
	"sync/atomic"
)

// Fault is one way in which the disk departs from what was asked of it.
type Fault uint8

// The faults. What comes with a loss of power is counted for each disk that a
// Crash makes.
const (
	FaultPowerLoss       Fault = iota // disks made by Crash
	FaultProcessDeath                 // disks made by Kill
	FaultPageLost                     // dirty page that the disk never got
	FaultPageKept                     // dirty page that it got though nobody synced
	FaultSectors                      // page of which it got some sectors
	FaultPagePrefix                   // page of which it got the beginning
	FaultTornWrite                    // write cut off between two words
	FaultFolio                        // neighbouring pages with one fate
	FaultSizeLost                     // length or allocation not updated
	FaultSizePartial                  // length updated half-way
	FaultNameLost                     // unsynced change of a name that is gone
	FaultNamesReordered               // change that survived an earlier one that did not
	FaultEarlyName                    // names made durable before they were synced
	FaultEarlyRemove                  // removal that survived without a sync
	FaultWriteBackPage                // page written back early, so that an older version persists
	FaultWriteBackFile                // file written back early
	FaultSyncFailed                   // sync that failed
	FaultWriteBackFailed              // write-back that failed before anybody asked
	FaultCleanButWrong                // page that counts as clean though the disk does not have it
	FaultCacheDropped                 // such a page that a reader was shown as it is on the disk
	FaultNoSpace                      // write or allocation refused by a full disk
	FaultShortWrite                   // write that failed half-way
	FaultWriteError                   // write that failed
	FaultReadError                    // read that failed
	FaultOtherError                   // other operation that failed
	FaultBitFlip                      // damage: a bit flipped
	FaultPagesSwapped                 // damage: two pages in each other's place
	FaultPageReplayed                 // damage: a page as it was before
	FaultTruncated                    // damage: a file cut short
	FaultDeleted                      // damage: a file gone
	FaultDuplicated                   // damage: a file under two names
	FaultRestored                     // damage: a file as it was before
	FaultFilesSwapped                 // damage: two files under each other's name
	faults
)

var faultNames = [faults]string{
	"power-loss", "process-death", "page-lost", "page-kept", "torn-sectors", "page-prefix", "torn-write", "folio",
	"size-lost", "size-partial", "name-lost", "names-reordered", "early-name", "early-remove", "write-back-page",
	"write-back-file", "sync-failed", "write-back-failed", "clean-but-wrong", "cache-dropped", "no-space",
	"short-write", "write-error", "read-error", "other-error", "bit-flip", "pages-swapped", "page-replayed",
	"truncated", "deleted", "duplicated", "restored", "files-swapped",
}

// String returns the name of the fault.
func (f Fault) String() string { return faultNames[f] }

// Faults returns every fault there is.
func Faults() []Fault {
	all := make([]Fault, faults)
	for i := range all {
		all[i] = Fault(i)
	}
	return all
}

// Counters count the faults that really happened. They may be used by many
// goroutines.
type Counters struct{ n [faults]atomic.Int64 }

// Count returns how often f happened.
func (c *Counters) Count(f Fault) int64 { return c.n[f].Load() }

// Add adds what o counted.
func (c *Counters) Add(o *Counters) {
	for f := range c.n {
		c.n[f].Add(o.n[f].Load())
	}
}

// String lists every fault with its count.
func (c *Counters) String() string {
	var b strings.Builder
	for _, f := range Faults() {
		fmt.Fprintf(&b, "%-18s %d\n", f, c.Count(f))
	}
	return b.String()
}

func (c *Counters) add(f Fault, n int64) { c.n[f].Add(n) }
