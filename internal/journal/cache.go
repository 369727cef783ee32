package journal

import (
	"slices"
	"sync"
)

// cache keeps values in memory within a budget of bytes; the oldest go first. The zero value needs a limit.
type cache[K comparable, V any] struct {
	limit int64
	mu    struct {
		sync.Mutex
		entries map[K]cached[V]
		order   []age[K] // oldest first; what was dropped may still stand in it
		puts    uint64
		bytes   int64
	}
}

type cached[V any] struct {
	value V
	bytes int64
	put   uint64 // counts up with every put
}

// age is the place in the order of a value that was put. When the key was dropped since, or put again, it is void.
type age[K comparable] struct {
	key K
	put uint64
}

func (c *cache[K, V]) get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.mu.entries[key]
	return e.value, ok
}

// put keeps a value that is not there yet and lets the oldest go while the budget is exceeded. What is larger than the
// budget is not kept.
func (c *cache[K, V]) put(key K, value V, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.entries == nil {
		c.mu.entries = make(map[K]cached[V])
	}
	if _, ok := c.mu.entries[key]; ok || bytes > c.limit {
		return
	}
	c.mu.puts++
	c.mu.entries[key] = cached[V]{value, bytes, c.mu.puts}
	if len(c.mu.order) > 2*len(c.mu.entries)+64 {
		c.mu.order = slices.DeleteFunc(c.mu.order, c.voidLocked)
	}
	c.mu.order = append(c.mu.order, age[K]{key, c.mu.puts})
	c.mu.bytes += bytes
	for c.mu.bytes > c.limit {
		if oldest := c.mu.order[0]; !c.voidLocked(oldest) {
			c.dropLocked(oldest.key)
		}
		c.mu.order = c.mu.order[1:]
	}
}

func (c *cache[K, V]) voidLocked(a age[K]) bool { return c.mu.entries[a.key].put != a.put }

// drop forgets a value.
func (c *cache[K, V]) drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropLocked(key)
}

func (c *cache[K, V]) dropLocked(key K) {
	c.mu.bytes -= c.mu.entries[key].bytes
	delete(c.mu.entries, key)
}
