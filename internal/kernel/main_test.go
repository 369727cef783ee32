package kernel

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(childVariable); spec != "" {
		var k task
		if err := json.Unmarshal([]byte(spec), &k); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		os.Exit(k.work())
	}
	os.Exit(inOwnMounts(m.Run))
}

// sized picks how often something is done.
func sized(t *testing.T, short, ci, long int) int {
	t.Helper()
	switch size := os.Getenv("AOF_KERNEL"); size {
	case "":
		return short
	case "ci":
		return ci
	case "long":
		return long
	default:
		t.Fatalf("AOF_KERNEL is %q; it is unset, ci or long", size)
		return 0
	}
}
