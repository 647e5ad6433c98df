//go:build tools

// Package tools pins the published conformance clients that the scripts beside it build.
package tools

import (
	_ "github.com/summerwind/h2spec/cmd/h2spec"
	_ "google.golang.org/grpc/interop/client"
)
