// Package journal is the one ordered sequence of frames under a store: batches
// of every stream and the store's own decisions, in one buffer, with one writer
// and one sync. It hides hot files: how they are prepared, bound, rolled,
// poisoned, sealed, recycled and scanned after a crash. Above it nobody sees a
// file or an offset except in reports.
//
// # The data's way
//
// An append takes a place in the gather buffer under one mutex: a sequence
// number, a header, a copy. Whoever leads swaps that buffer for an empty one,
// lays the frames of each stream side by side, completes them (nonce, offset,
// watermark, checksums), writes them with one positional write and syncs once.
// Then the round is published: run extents, durable positions, waiters. What
// gathered meanwhile is the next round; there is no timer anywhere on the way.
//
// # Slots
//
// Room is given out in slots, each the capacity of one hot file. A batch that
// does not fit into the newest slot opens the next, and it is refused when no
// prepared file stands ready for it. Which file a slot becomes is decided when
// its first round is written. That is why a file that failed a sync costs
// nothing but itself: its slot, with everything unacknowledged in it, is bound
// to the next prepared file.
//
// # Concurrency
//
// Journal.mu guards what appenders and the leader share and is never held over
// I/O. At most one goroutine leads (the leading flag); the fields in Journal.lead
// are its own. Files are prepared, recycled and renamed by whoever holds the
// journal's meta token. A Lane has a small mutex of its own for its runs; the
// order is Journal.mu, then Lane.mu. The writer goroutine is started by Start
// and has ended when Close returns.
package journal
