#!/usr/bin/env bash
# Builds the binding: target/web/node (for tests) and target/web/page (for the viewer).
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/web-setup.sh
# Less inlining than by default: 64 kB less of the page, packed, and a reading as fast.
export RUSTFLAGS="-C target-feature=+simd128 -C llvm-args=-inline-threshold=20"
cargo build --quiet --locked --package metadump-wasm --target wasm32-unknown-unknown --profile wasm
built=$(scripts/target.sh)/wasm32-unknown-unknown/wasm/metadump_wasm.wasm
for kind in nodejs:node web:page; do
    # Names of functions would be a tenth of the page.
    target/tools/bin/wasm-bindgen "$built" --remove-name-section --target "${kind%%:*}" --out-dir "target/web/${kind##*:}"
done
