//go:build tools

// Names what ../e2e/prometheus.py builds, so that go.mod pins it.
package tools

import _ "github.com/prometheus/prometheus/cmd/prometheus"
