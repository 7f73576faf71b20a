#!/usr/bin/env bash
# What most often fails, in a few minutes: format, lints, unit tests, the command line on fixtures.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --all --check
cargo clippy --locked --quiet --workspace --all-targets -- -D warnings
cargo test --locked --quiet --workspace --lib --bins
cargo test --locked --quiet --workspace --test checker --test command_line \
    --test findings --test foreign --test output --test readme --test refusals --test restore \
    --test rewrite --test typescript
