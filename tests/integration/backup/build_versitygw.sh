#!/usr/bin/env bash
# Builds versitygw, an S3 server, and prints the program's path; exit 77 as in go_program.sh.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "$here/../../support/go_program.sh" "$here/versitygw" github.com/versity/versitygw/cmd/versitygw
