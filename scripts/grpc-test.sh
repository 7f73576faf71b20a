#!/usr/bin/env bash
# Calls the embedded service with a gRPC client of another make, which node runs.
set -euo pipefail
cd "$(dirname "$0")/.."

stop() {
    printf 'grpc-test: %s\n' "$*" >&2
    exit 1
}
command -v npm >/dev/null || stop "npm is missing: install Node.js 20.19 or later"
installed=tests/grpc/node_modules/.package-lock.json
if [ ! -e "$installed" ] || [ tests/grpc/package-lock.json -nt "$installed" ]; then
    said=$(npm --prefix tests/grpc ci --no-audit --no-fund 2>&1) || stop "npm ci failed"$'\n'"$said"
fi
METACTL=${METACTL:-$(scripts/debug-build.sh)}
export METACTL
node --test --test-reporter=dot tests/grpc/interop.test.mjs
