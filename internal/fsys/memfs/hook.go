package memfs

import (
	"cmp"
	"fmt"
	"slices"
)

// Hook sees an operation before it takes effect, on the goroutine that asked
// for it. It may park that goroutine, during which Crash and Kill count the
// operation as under way. An error it returns is what the operation returns,
// without effect, but for two: a write first applies Op.Partial bytes, and a
// sync fails the way kernels fail it (see File.Sync of this package).
type Hook func(op *Op) error

// OpKind says what an operation does.
type OpKind uint8

// The kinds of operation.
const (
	OpCreate OpKind = iota
	OpOpen
	OpOpenWrite
	OpRename
	OpRemove
	OpMkdir
	OpList
	OpSyncDir
	OpLock
	OpLocked
	OpUsage
	OpRead
	OpWrite
	OpSize
	OpAllocate
	OpTruncate
	OpAllocated
	OpSync
	OpDropCache
	OpYield
	opKinds
)

var opNames = [opKinds]string{
	"create", "open", "open-write", "rename", "remove", "mkdir", "list", "sync-dir", "lock", "locked",
	"usage", "read", "write", "size", "allocate", "truncate", "allocated", "sync", "drop-cache", "yield",
}

// String returns the name of the kind.
func (k OpKind) String() string { return opNames[k] }

// Changes reports whether operations of this kind change the disk or what is
// known about it.
func (k OpKind) Changes() bool {
	switch k {
	case OpOpen, OpOpenWrite, OpList, OpLocked, OpUsage, OpRead, OpSize, OpAllocated, OpYield:
		return false
	}
	return true
}

// Op is one operation, as its hook sees it.
type Op struct {
	Kind OpKind
	Name string // as the file was called when it was opened
	To   string // new name of a rename
	Off  int64  // of a read or a write
	Len  int64  // bytes of a read or a write; size of an allocation or truncation
	Data []byte // of a write; valid and constant while the operation is under way

	// Partial, set by a hook that returns an error for a write, is how many
	// bytes are written nevertheless.
	Partial int

	node     *node
	handle   *handle
	captured *capture // of a sync
	written  int      // of a write that failed half-way
	number   uint64
}

// String describes the operation on one line, the same way every time.
func (o *Op) String() string {
	switch o.Kind {
	case OpRename:
		return fmt.Sprintf("%s %s %s", o.Kind, o.Name, o.To)
	case OpRead, OpWrite:
		return fmt.Sprintf("%s %s %d+%d", o.Kind, o.Name, o.Off, o.Len)
	case OpAllocate, OpTruncate:
		return fmt.Sprintf("%s %s %d", o.Kind, o.Name, o.Len)
	}
	return fmt.Sprintf("%s %s", o.Kind, o.Name)
}

// do carries out one operation: the hook first, then the effect under the
// mutex.
func (m *Mem) do(op *Op, effect func() error) error {
	hook, err := m.begin(op)
	if err != nil {
		return err
	}
	if hook != nil {
		err = hook(op)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if hook != nil {
		m.finish(op)
	}
	if m.dead {
		return ErrDead
	}
	if err != nil {
		return m.inject(op, err)
	}
	return effect()
}

// begin enters op among those under way. What a sync covers is settled here:
// what is written while it runs need not be in it.
func (m *Mem) begin(op *Op) (Hook, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return nil, ErrDead
	}
	m.opened++
	op.number = m.opened
	if op.Kind == OpSync {
		op.captured = m.capture(op.node)
	}
	if m.hook != nil {
		m.inflight = append(m.inflight, op)
	}
	return m.hook, nil
}

func (m *Mem) finish(op *Op) {
	m.inflight = slices.DeleteFunc(m.inflight, func(o *Op) bool { return o == op })
}

// inject gives op the error its hook asked for.
func (m *Mem) inject(op *Op, err error) error {
	switch op.Kind {
	case OpSync:
		m.failSync(op.node, op.captured)
		op.handle.seen = op.node.failures
	case OpWrite:
		if n := min(op.Partial, len(op.Data)); n > 0 {
			m.counters.add(FaultShortWrite, 1)
			op.written, _ = m.write(op.node, op.Data[:n], op.Off)
		} else {
			m.counters.add(FaultWriteError, 1)
		}
	case OpRead:
		m.counters.add(FaultReadError, 1)
	default:
		m.counters.add(FaultOtherError, 1)
	}
	return err
}

// underWay returns the operations parked in hooks, in an order that does not
// depend on which goroutine came first.
func (m *Mem) underWay() []*Op {
	ops := slices.Clone(m.inflight)
	slices.SortFunc(ops, func(a, b *Op) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.To, b.To),
			cmp.Compare(a.Off, b.Off), cmp.Compare(a.Len, b.Len), cmp.Compare(a.number, b.number))
	})
	return ops
}
