package kernel

import "fmt"

// event is what a writer says: an intention before the call, or the answer after it. It travels as a line of text.
type event struct {
	kind   kind
	id     batchID // of a batch, or of the incarnation that a creation is to make
	stream string
	inc    batchID // the incarnation of the stream that it is about
	seq    uint64
	text   string
}

// kind is the letter an event's line begins with.
type kind byte

const (
	hello    kind = 'h' // the process is there; nothing was opened yet
	opened   kind = 'o' // the store is open
	sending  kind = 'i' // about to append a batch
	acked    kind = 'a' // the batch is durable at seq
	unclear  kind = 'u' // the batch was accepted at seq, and is not known to be durable
	refused  kind = 'x' // the batch was not taken
	trimming kind = 'T'
	trimmed  kind = 't'
	creating kind = 'C'
	created  kind = 'c'
	deleting kind = 'D'
	deleted  kind = 'd'
	undone   kind = 'N' // the trim, creation or deletion that was intended has not happened; text is its letter
	sealing  kind = 'S'
	sealed   kind = 's'
	shown    kind = 'r' // a reader was given every record up to seq
	wrong    kind = 'w' // a reader was given something else than what was sent
	failed   kind = 'e' // a call failed in a way that the client goes on after
	poisoned kind = 'p' // the store gave up a file after a failed write or sync
	readOnly kind = 'R' // the store says that it takes no more appends
	sampled  kind = 'v' // what the process and the directory take at this moment; text is the numbers
	ended    kind = 'q' // every client has ended
)

func (e event) String() string {
	name := e.stream
	if name == "" {
		name = "-"
	}
	return fmt.Sprintf("%c %d %s %d %d %q\n", e.kind, uint64(e.id), name, uint64(e.inc), e.seq, e.text)
}

func parseEvent(line string) (event, error) {
	var e event
	var k rune
	var id, inc uint64
	if _, err := fmt.Sscanf(line, "%c %d %s %d %d %q", &k, &id, &e.stream, &inc, &e.seq, &e.text); err != nil {
		return e, fmt.Errorf("a line that says nothing: %q: %w", line, err)
	}
	e.kind, e.id, e.inc = kind(k), batchID(id), batchID(inc)
	return e, nil
}
