package catalog

import (
	"hash/maphash"
	"iter"
	"maps"
)

// tableParts is how many maps a table consists of. Copying one part must be cheap at 100,000 entries,
// and copying the list of parts cheap at any number.
const tableParts = 256

// owner is the identity of the one catalog that may change a part or an entry. It must not be of size
// zero: then all owners might have the same address.
type owner struct{ _ byte }

// table is a map in parts. Copying the struct shares all of them; set and remove first copy a part
// that does not belong to the owner who asks.
type table[K comparable, V any] struct {
	place func(K) uint8
	parts [tableParts]part[K, V]
	size  int
}

type part[K comparable, V any] struct {
	owner   *owner
	entries map[K]V
}

func (t *table[K, V]) get(key K) (V, bool) {
	v, ok := t.parts[t.place(key)].entries[key]
	return v, ok
}

func (t *table[K, V]) set(o *owner, key K, value V) {
	entries := t.own(o, key)
	before := len(entries)
	entries[key] = value
	t.size += len(entries) - before
}

func (t *table[K, V]) remove(o *owner, key K) {
	entries := t.own(o, key)
	before := len(entries)
	delete(entries, key)
	t.size += len(entries) - before
}

// all returns every entry, in no order. The table must not change meanwhile.
func (t *table[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for i := range t.parts {
			for k, v := range t.parts[i].entries {
				if !yield(k, v) {
					return
				}
			}
		}
	}
}

// own returns the part that key falls into, as one that o may change.
func (t *table[K, V]) own(o *owner, key K) map[K]V {
	p := &t.parts[t.place(key)]
	if p.entries == nil {
		p.entries, p.owner = make(map[K]V), o
	} else if p.owner != o {
		p.entries, p.owner = maps.Clone(p.entries), o
	}
	return p.entries
}

// nameSeed differs from process to process; nothing that leaves the package depends on it.
var nameSeed = maphash.MakeSeed()

func placeName(name string) uint8 { return uint8(maphash.String(nameSeed, name)) }

func placeOrdinal(ordinal uint32) uint8 { return uint8(ordinal) }
