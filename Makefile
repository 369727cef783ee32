# Each target says what it does in `make help`. The checks themselves live in .ci/run, so that a developer and the
# continuous integration run the same lines.

.DEFAULT_GOAL := help
.PHONY: help check fmt test fuzz fuzz-short crash kernel soak bench bench-quick demo man cross ci clean

BENCHTIME ?= 1s
OUT ?= bench/results

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check: ## Format, vet, lint, layering and race tests: run it before you send a change
	.ci/run modules format vet lint layering race

fmt: ## Format the way `make check` wants it
	@.ci/run --need-linter
	.cache/bin/golangci-lint fmt

test: ## All tests of this module
	go test ./...

fuzz: ## Fuzz every target for twenty million inputs: some ten minutes each
	.ci/run --fuzz-each 20000000x

fuzz-short: ## Fuzz every target for a million inputs
	.ci/run --fuzz-each 1000000x

crash: ## The simulator's long run: a million crash points
	AOF_SIM=long CRASH_TIMEOUT=12h .ci/run crash

kernel: ## Real kernels, long (root): kill -9, ext4 and XFS shut down under load, EIO, ENOSPC
	AOF_KERNEL=long KERNEL_TIMEOUT=12h .ci/run kernel

soak: ## Two hours of mixed load, kills and full disks (root; without, no full disks): AOF_SOAK=1m make soak is shorter
	AOF_SOAK=$${AOF_SOAK:-2h} go test -count=1 -v -timeout 0 -run '^TestHoursOfMixedLoad' ./internal/kernel

bench: ## Benchmarks of the packages, then every row of docs/benchmarks.md, about three hours; OUT=dir for the report
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...
	cd bench && GOWORK=off go run . -out $(abspath $(OUT))

bench-quick: ## A look at the same rows in five minutes: 1 KiB, few pairs, no verdict; OUT=dir for the report
	cd bench && GOWORK=off go run . -quick -out $(abspath $(OUT))

demo: ## Append, follow, kill, recover, verify, on this machine's own files
	go run ./cmd/aof demo

man: ## Write the manual pages of the command into man/man1
	go run ./cmd/aof man man/man1

cross: ## Compile for linux/arm64, darwin and windows
	.ci/run cross

ci: ## Everything .ci/run does
	.ci/run

clean: ## Remove what builds and tools left behind
	rm -rf .cache aof
