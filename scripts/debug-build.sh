#!/usr/bin/env bash
# Builds the command line for tests, and prints where it is. It is built with the features that `cargo test
# --workspace` builds dependencies with, so that none of them is compiled twice: that is what the example is
# for, since only tests and examples add those of dev-dependencies.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --quiet --locked --workspace --bin databend-metactl --example check
printf '%s/debug/databend-metactl\n' "$(scripts/target.sh)"
