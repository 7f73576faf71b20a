#!/usr/bin/env bash
# Measures the release build against its peers and writes docs/benchmarks.md. BENCH=small is quick, and
# only prints; BENCH=instructions only counts these, which a busy machine does not disturb. RUNS=3 takes
# 20 minutes, the usual 5 take 30. OFFICIAL_METACTL names the official binary, BASELINE an older build of
# ours, if they are to be measured too. It fails when a job takes more instructions than
# tests/instructions.tsv has; UPDATE_COUNTS=1 writes that file.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --quiet --locked --release --package databend-metactl
cargo build --quiet --locked --release --package metadump-tests --bin bench
built=$(scripts/target.sh)/release
mkdir -p target
place=$(mktemp -d target/bench.XXXXXX)
trap 'rm -rf "$place"' EXIT
# What it measures writes its temporary files there too, and one that is killed leaves them.
export TMPDIR="$PWD/$place"
counting=("$built/bench" instructions --metactl "$built/databend-metactl" --place "$place" --before tests/instructions.tsv)
[ -z "${UPDATE_COUNTS:-}" ] || counting+=(--update)
"${counting[@]}" | tee "$place/instructions"
[ "${BENCH:-}" != instructions ] || exit 0
# Name, median time and median throughput of each.
kernels() {
    cargo bench --quiet --locked --package metadump --bench kernels -- --noplot "$@" 2>/dev/null | awk '
        /^[a-z].*time:/ { sub(/ *time:.*/, ""); name = $0 }
        /^[a-z].*[^:]$/ && !/time:|change|Found|thrpt/ { name = $0 }
        /thrpt: .*iB\/s/ { gsub(/[][]/, ""); printf "%-50s %8s %s\n", name, $4, $5 }'
}
bench=("$built/bench" all --metactl "$built/databend-metactl" --place "$place" --kernels "$place/kernels"
    --instructions "$place/instructions")
[ -z "${BASELINE:-}" ] || bench+=(--baseline "$BASELINE")
if [ "${BENCH:-}" = small ]; then
    kernels --warm-up-time 0.2 --measurement-time 0.5 >"$place/kernels"
    "${bench[@]}" --sizes 16 --growth 8,16 --runs 1
else
    kernels >"$place/kernels"
    "${bench[@]}" --runs "${RUNS:-5}" --output docs/benchmarks.md
    cat docs/benchmarks.md
fi
