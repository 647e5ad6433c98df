// Package peers pins the Go etcd that benchmarks and conformance tests run beside ours.
package peers
