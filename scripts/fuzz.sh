#!/usr/bin/env bash
# Fuzzes each target, or those named, for a while; stops at the first input that breaks a promise.
# Usage: fuzz.sh SECONDS [TARGET]...
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:?usage: fuzz.sh SECONDS [TARGET]...}
shift
fuzz() { cargo +nightly fuzz "$1" --fuzz-dir tests/fuzz "${@:2}"; }

targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(fuzz list)
[ ${#targets[@]} -gt 0 ] || { echo 'no fuzz target in tests/fuzz' >&2; exit 1; }

for target in "${targets[@]}"; do
    printf '\n== %s, %s seconds\n' "$target" "$seconds"
    # Inputs that were found interesting are kept in target/, where a later run goes on from them.
    mkdir -p "target/fuzz-corpus/$target"
    fuzz run "$target" "$PWD/target/fuzz-corpus/$target" tests/fixtures/valid tests/fixtures/findings \
        -- -max_total_time="$seconds" -timeout=10 -max_len=65536 -print_final_stats=1
done
