#!/usr/bin/env bash
# Measures the release build against its peers and writes docs/benchmarks.md. BENCH=small is quick, and
# only prints. OFFICIAL_METACTL names the official binary, if it is to be measured too.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --quiet --locked --release --package databend-metactl
cargo build --quiet --locked --release --package metadump-tests --bin bench
place=$(mktemp -d target/bench.XXXXXX)
trap 'rm -rf "$place"' EXIT
bench=(target/release/bench all --metactl "$PWD/target/release/databend-metactl" --place "$place")
if [ "${BENCH:-}" = small ]; then
    "${bench[@]}" --sizes 16 --growth 8,16 --runs 1
else
    "${bench[@]}" --output docs/benchmarks.md
    cat docs/benchmarks.md
fi
