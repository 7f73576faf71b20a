#!/usr/bin/env bash
# Tests the binding in node and the page in Chromium and Firefox, against the command line that METACTL names, or one that
# is built.
# Usage: web-test.sh [build|run]: only what the tests need, or only the tests
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" != run ]; then
    scripts/web-setup.sh test
    scripts/web-build.sh
fi
if [ "${1:-}" = build ]; then exit; fi
METACTL=${METACTL:-$(scripts/debug-build.sh)}
export METACTL
exec node --test --test-concurrency=1 --test-reporter=dot tests/web/{api,e2e,firefox}/*.test.mjs
