package main

import "fmt"

// syncSpeed says what to think of how fast a disk syncs.
type syncSpeed string

// The fastest disk that has to flush to something that lasts takes some hundred
// microseconds, one that may answer from a cache with its own power some tens; below
// that nobody has asked a disk at all.
const (
	syncBelievable syncSpeed = "believable"
	syncProtected  syncSpeed = "protected"
	syncImpossible syncSpeed = "impossible"

	protectedBelowMS  = 0.1
	impossibleBelowMS = 0.01
)

// judge says in sentences what the rows mean.
func (r *benchReport) judge() {
	raw, large := r.row("raw", 1), r.row("large", 1)
	r.Sync = judgeSync(raw.P50)
	r.Verdict = append(r.Verdict, syncSentence(r.Sync, raw.P50))
	one, many := r.row("append", 1), r.row("append", benchWriters[len(benchWriters)-1])
	r.Verdict = append(r.Verdict, oneSentence(r.Sync, one, raw), manySentence(r.Sync, many, one, large))
	scan := r.row("scan", 1)
	r.Verdict = append(r.Verdict, fmt.Sprintf("Scan: %s records/s, %s/s, from memory as far as it holds what was just written.", rateText(scan.Rate), sizeText(int64(scan.ByteRate))))
}

// row finds a row; one that is not there is all zero.
func (r *benchReport) row(name string, writers int) benchRow {
	for _, row := range r.Rows {
		if row.Name == name && row.Writers == writers {
			return row
		}
	}
	return benchRow{}
}

func judgeSync(p50 float64) syncSpeed {
	switch {
	case p50 < impossibleBelowMS:
		return syncImpossible
	case p50 < protectedBelowMS:
		return syncProtected
	}
	return syncBelievable
}

func syncSentence(s syncSpeed, p50 float64) string {
	text := "The disk: a write and its sync take " + millisText(p50) + ". "
	switch s {
	case syncImpossible:
		return text + "No disk is so fast: this is memory, or something on the way to the disk ignores syncs. What is reported as durable here may NOT survive a loss of power."
	case syncProtected:
		return text + "Only a disk whose cache survives a loss of power may answer so fast. If this one has no such cache, what is reported as durable may not survive."
	}
	return text + "A disk that really flushes can be like that."
}

// oneSentence compares one writer with the raw loop.
func oneSentence(sync syncSpeed, one, raw benchRow) string {
	if one.Ops == 0 || raw.Ops == 0 {
		return "One writer: nothing was finished in the time; measure longer with --seconds."
	}
	share := one.Rate / raw.Rate
	text := fmt.Sprintf("One writer: %s appends/s, %s of the raw loop. ", rateText(one.Rate), percentText(share))
	switch {
	case sync == syncImpossible:
		return text + "Syncs cost next to nothing here, so this is what the log itself costs."
	case share >= 0.7:
		return text + "The disk's sync limits it; more writers, or batches, share one."
	}
	return text + "Besides the sync, new room in files costs the file system work in each one, which recycled files of a store that is trimmed save; and the log itself costs some."
}

// manySentence says what the most writers get, and what keeps them from more.
func manySentence(sync syncSpeed, many, one, large benchRow) string {
	if many.Ops == 0 || one.Ops == 0 {
		return "Many writers: nothing was finished in the time; measure longer with --seconds."
	}
	text := fmt.Sprintf("%d writers: %s appends/s, %s times one writer, %s records per sync. ", many.Writers, rateText(many.Rate), rateText(many.Rate/one.Rate), rateText(many.PerSync))
	switch {
	case sync == syncImpossible:
		return text + "The processors limit."
	case large.ByteRate > 0 && many.ByteRate >= 0.6*large.ByteRate:
		return text + fmt.Sprintf("That is %s of what the disk takes in large writes: its bandwidth limits.", percentText(many.ByteRate/large.ByteRate))
	case many.PerSync >= 0.6*float64(many.Writers):
		return text + "Nearly all wait for the same sync: its time limits, and more writers, or batches, give more."
	}
	return text + "They do not wait for the same sync: the processors, or starting that many waiters, limit."
}

func percentText(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }
