// Package aof is an embeddable append-only log: many named streams of records
// in one directory, durable by default, recovered exactly after any crash.
//
// A [Store] is one directory and everything that runs over it. A [Stream] is a
// named, ordered sequence of records; a record is opaque bytes with a time and
// a sequence number, its [Seq]. Seqs of a stream are dense: the first is 1, and
// 0 means none. A [Reader] walks one stream and follows its tail.
//
//	store, err := aof.Open(ctx, "data", nil)
//	orders, err := store.CreateStream(ctx, "orders", nil)
//	seq, err := orders.Append(ctx, []byte("first")) // durable when it returns
//
// # What is promised
//
// A record whose append returned without error has been synced. After a crash
// of the process, of the operating system, or a loss of power, opening the
// directory again yields exactly the acknowledged records, plus possibly a
// prefix of those that were still on their way, in order, with no gap and no
// duplicate. Damage is reported as an exact range and never read as data.
// This rests on a disk that keeps what it reported as flushed and that does not
// harm bytes of a sector whose value did not change while the sector was
// rewritten (powersafe overwrite).
//
// # Two forms of every call that can wait
//
// TryAppend and TryNext never wait for the disk; where they cannot go on they
// return a [WouldBlockError] that says why and hands out a channel. Append and
// Next take a context and wait.
//
// # The law of append
//
// The returned Seq is non-zero exactly when the records were accepted. Seq 0 and
// an error: nothing happened, try again freely. Seq > 0 and an error: accepted,
// durability unknown ([UnsettledError]); WaitDurable settles it while the store is
// open. Do not append those records again.
//
// # Concurrency
//
// A Store and its Streams may be used by any number of goroutines. A Reader
// belongs to one goroutine at a time. Every goroutine of a Store has ended when
// Close returns.
//
// # What this package hides
//
// One journal holds the batches of all streams and the store's own decisions in
// one order; its files, their sealing, recycling and recovery are internal. This
// package composes those parts, gives them the names above, and nothing else.
package aof
