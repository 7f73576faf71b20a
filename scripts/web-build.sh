#!/usr/bin/env bash
# Builds the viewer: web/dist/metadump-viewer.html, one file with everything in it.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/web-wasm.sh
npm --silent --prefix web run check
npm --silent --prefix web run lint
npm --silent --prefix web run build
