package journal

import "testing"

// A value that is dropped and put again and again, as the frames of an extent that grows are, leaves nothing behind, and
// counts as young as it is.
func TestACacheForgetsWhatWasDropped(t *testing.T) {
	c := cache[int, int]{limit: 100}
	c.put(1, 1, 40)
	c.put(2, 2, 40)
	for i := range 10_000 {
		c.drop(1)
		c.put(1, i, 40)
	}
	if n := len(c.mu.order); n > 2*2+65 {
		t.Errorf("the order of 2 values has %d places", n)
	}
	c.put(3, 3, 40)
	if _, ok := c.get(2); ok {
		t.Error("the oldest value has not gone")
	}
	if v, ok := c.get(1); !ok || v != 9999 {
		t.Errorf("a younger value has: %d, %v", v, ok)
	}
	if c.mu.bytes != 80 || len(c.mu.entries) != 2 {
		t.Errorf("%d values of %d bytes are kept", len(c.mu.entries), c.mu.bytes)
	}
}
