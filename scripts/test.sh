#!/usr/bin/env bash
# Everything that has to hold, quickest first; stops at the first step that fails.
set -euo pipefail
cd "$(dirname "$0")/.."

step=
started=$SECONDS
finished() {
    local code=$?
    if [ $code -eq 0 ]; then
        printf '\n== all well, after %s seconds\n' $((SECONDS - started))
    else
        printf '\n== FAILED: %s\n' "$step" >&2
    fi
}
trap finished EXIT

step() {
    step=$1
    printf '\n== %s\n' "$step"
}

step 'format (make fmt repairs it)'
cargo fmt --all --check

step lints
cargo clippy --locked --quiet --workspace --all-targets -- -D warnings

step 'documentation without warnings'
RUSTDOCFLAGS='-D warnings' cargo doc --locked --quiet --workspace --no-deps --document-private-items

step 'the core compiles for 32 bits, without files, threads and clocks'
cargo clippy --locked --quiet --package metadump --target wasm32-unknown-unknown -- -D warnings

step 'licences and sources of dependencies'
scripts/licences.sh

# Last, so that its results are what stands at the end.
step tests
cargo test --locked --workspace
