package mark

// targets is a binary min-heap: no element is smaller than its parent at (i-1)/2. The standard library's heap would
// box every number it is given, and a wait should cost its channel and nothing else.
type targets []uint64

// push adds n.
func (t *targets) push(n uint64) {
	h := append(*t, n)
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent] <= n {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = n
	*t = h
}

// pop removes the smallest element and returns it. The heap must not be empty.
func (t *targets) pop() uint64 {
	h := *t
	smallest, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*t = h
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if right := child + 1; right < len(h) && h[right] < h[child] {
			child = right
		}
		if last <= h[child] {
			break
		}
		h[i] = h[child]
		i = child
	}
	if len(h) > 0 {
		h[i] = last
	}
	return smallest
}
