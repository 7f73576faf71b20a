#!/usr/bin/env bash
# Everything that has to hold; stops at the first step that fails.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }

step format
cargo fmt --all --check

step lints
cargo clippy --quiet --workspace --all-targets -- -D warnings

step documentation
RUSTDOCFLAGS='-D warnings' cargo doc --quiet --workspace --no-deps --document-private-items

step 'the core builds for 32-bit WebAssembly'
cargo clippy --quiet --package metadump --target wasm32-unknown-unknown -- -D warnings

step licences
scripts/licences.sh

step tests
cargo test --workspace
