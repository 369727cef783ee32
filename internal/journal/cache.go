package journal

import "sync"

// cache keeps values in memory within a budget of bytes; the oldest go first. The zero value needs a limit.
type cache[K comparable, V any] struct {
	limit int64
	mu    struct {
		sync.Mutex
		entries map[K]cached[V]
		order   []K // oldest first; what was dropped may still stand in it
		bytes   int64
	}
}

type cached[V any] struct {
	value V
	bytes int64
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
	c.mu.entries[key] = cached[V]{value, bytes}
	c.mu.order = append(c.mu.order, key)
	c.mu.bytes += bytes
	for c.mu.bytes > c.limit {
		c.dropLocked(c.mu.order[0])
		c.mu.order = c.mu.order[1:]
	}
}

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
