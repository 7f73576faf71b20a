#!/usr/bin/env bash
# Tests the binding in node and the page in Chromium, against the command line.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/web-setup.sh test
scripts/web-build.sh
METACTL=$(scripts/debug-build.sh)
export METACTL
node --test --test-concurrency=1 --test-reporter=dot tests/web/{api,e2e}/*.test.mjs
