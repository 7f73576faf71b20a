#!/usr/bin/env bash
# Tests the binding in node and the page in Chromium, against the command line.
# Usage: web-test.sh [large]; with `large` also dumps of 2.5 and 5 GB
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/web-setup.sh test
scripts/web-build.sh
cargo build --quiet --locked --package databend-metactl
tests=(tests/web/api/*.test.mjs tests/web/e2e/{viewer,pool,view}.test.mjs)
if [ "${1:-}" = large ]; then tests+=(tests/web/e2e/large.test.mjs); fi
node --test --test-concurrency=1 --test-reporter=dot "${tests[@]}"
