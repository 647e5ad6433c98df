//go:build tools

// Names what the build script builds, so that go.mod pins it.
package tools

import _ "github.com/versity/versitygw/cmd/versitygw"
