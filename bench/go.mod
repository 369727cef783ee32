module github.com/aof2/aof/bench

go 1.26.0

require (
	github.com/aof2/aof v0.0.0-00010101000000-000000000000
	golang.org/x/sys v0.49.0
)

require (
	github.com/klauspost/cpuid/v2 v2.2.9 // indirect
	github.com/minio/crc64nvme v1.1.1 // indirect
)

replace github.com/aof2/aof => ../
