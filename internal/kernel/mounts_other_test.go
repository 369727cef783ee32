//go:build !linux

package kernel

import (
	"errors"
	"testing"
)

func inOwnMounts(run func() int) int { return run() }

const elsewhere = "it mounts file systems or injects errors into system calls, which is done on Linux only"

func TestAShutDownExt4LosesNothing(t *testing.T) { t.Skip(elsewhere) }

func TestAShutDownXFSLosesNothing(t *testing.T) { t.Skip(elsewhere) }

func TestSystemCallsThatFailLoseNothing(t *testing.T) { t.Skip(elsewhere) }

func TestReadsThatFailGiveErrors(t *testing.T) { t.Skip(elsewhere) }

func TestAFullTmpfsIsAState(t *testing.T) { t.Skip(elsewhere) }

func TestAFullExt4IsAState(t *testing.T) { t.Skip(elsewhere) }

func TestHoursOfMixedLoadLoseNothingAndGrowNothing(t *testing.T) { t.Skip(elsewhere) }

func takeSample(string) (sample, error) { return sample{}, errors.ErrUnsupported }
