#!/usr/bin/env bash
# Fuzzes each target, or those named, for a while; stops at the first input that breaks a promise.
# Usage: fuzz.sh SECONDS [TARGET]...
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:?usage: fuzz.sh SECONDS [TARGET]...}
shift
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list --fuzz-dir tests/fuzz)
[ ${#targets[@]} -gt 0 ] || { echo 'no fuzz target in tests/fuzz' >&2; exit 1; }

for target in "${targets[@]}"; do
    printf '\n== %s, %s seconds\n' "$target" "$seconds"
    # Inputs that reach new code are kept, so that the next run goes on from them; an input that
    # breaks a promise is kept as well, and its path printed.
    kept=$PWD/target/fuzz-inputs/$target found=$PWD/target/fuzz-found
    mkdir -p "$kept" "$found"
    cargo +nightly fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz "$target" \
        "$kept" tests/fixtures/valid tests/fixtures/findings -- \
        -max_total_time="$seconds" -timeout=10 -max_len=65536 -artifact_prefix="$found/$target-"
done
