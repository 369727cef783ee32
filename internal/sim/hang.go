package sim

import (
	"fmt"
	"runtime"
	"strings"
)

// hang is the violation that the panic of a bubble stands for in which nobody
// can go on: it says where everybody stands. Any other panic goes on.
func hang(p any) *Violation {
	why := fmt.Sprint(p)
	if !strings.HasPrefix(why, "deadlock:") {
		panic(p)
	}
	return violation("hang", "%s\n%s", why, Stacks())
}

// Stacks says where every goroutine stands that belongs to a run.
func Stacks() string {
	b := make([]byte, 4<<20)
	b = b[:runtime.Stack(b, true)]
	var own []string
	for g := range strings.SplitSeq(string(b), "\n\n") {
		if strings.Contains(g, "synctest bubble") {
			own = append(own, g)
		}
	}
	return strings.Join(own, "\n\n")
}
