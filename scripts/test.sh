#!/usr/bin/env bash
# Everything that has to hold, quickest first; stops at the first step that fails.
set -euo pipefail
cd "$(dirname "$0")/.."

step=
started=$SECONDS
scratch=
declare -A processes=() outputs=()
finished() {
    local code=$?
    [ ${#processes[@]} -eq 0 ] || kill "${processes[@]}" 2>/dev/null || :
    [ ${#outputs[@]} -eq 0 ] || rm -f "${outputs[@]}"
    if [ -n "$scratch" ]; then rm -rf "$scratch"; fi
    if [ $code -eq 0 ]; then
        printf '\n== all well, after %s seconds\n' $((SECONDS - started))
    else
        printf '\n== FAILED: %s\n' "$step" >&2
    fi
}
trap finished EXIT

step() {
    step=$1
    printf '\n== %s, from second %s on\n' "$step" $((SECONDS - started))
}

# beside NAME COMMAND…: runs it while others run, most of which leave a core free at times. Of what cargo builds
# in the same directory, one waits for the other.
beside() {
    local name=$1
    shift
    outputs[$name]=$(mktemp)
    "$@" >"${outputs[$name]}" 2>&1 &
    processes[$name]=$!
}

# joined NAME: waits for what runs beside, and shows what it says when it fails.
joined() {
    local code=0
    wait "${processes[$1]}" || code=$?
    unset "processes[$1]"
    if [ $code -ne 0 ]; then
        step=$1
        cat "${outputs[$1]}" >&2
        exit 1
    fi
}

# Tests on real dumps are ignored, and shown as ignored, where there are none.
ignored=()
if [ -n "${METADUMP_CORPUS:-}" ] || [ -d ../shared/corpus ]; then
    METADUMP_CORPUS=$(cd "${METADUMP_CORPUS:-../shared/corpus}" && pwd)
    export METADUMP_CORPUS
    ignored=(-- --include-ignored)
else
    echo 'no METADUMP_CORPUS: the tests that need it are ignored'
fi

# What the tests write is small and synced thousands of times; on a disk most of their time would be
# waiting for that. What has to be synced, and when, they see by system calls.
shared_memory=/dev/shm
if [ -z "${TMPDIR:-}" ] && [ "$(stat --file-system --format %T $shared_memory 2>/dev/null)" = tmpfs ] &&
    [ "$(df --output=avail --block-size=1M $shared_memory | tail -n 1)" -ge 4096 ]; then
    scratch=$(mktemp -d $shared_memory/metadump-tests.XXXXXX)
    # As open as /tmp: some tests run programs as other users.
    chmod 1777 "$scratch"
    export TMPDIR=$scratch
fi

# A clean checkout is built once: what makes the next build quicker makes this one slower, and who reads a
# failure there has no debugger.
if [ "${CI:-}" = true ]; then export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=false; fi

step 'format (make fmt repairs it)'
cargo fmt --all --check

# Its last step has a core for itself, so it comes first.
beside 'the viewer is built' scripts/web-test.sh build

step lints
cargo clippy --locked --quiet --workspace --all-targets -- -D warnings

step 'documentation without warnings'
# With what lints looked at: named targets have the features of dev-dependencies, too, so nothing is checked twice.
RUSTDOCFLAGS='-D warnings' cargo doc --locked --quiet --workspace --lib --bins --examples --no-deps --document-private-items

step 'the command line compiles with the features that it asks for itself'
# But for a clock for tests, which it has no use for: all that speaks to a network would be checked again.
cargo check --locked --quiet --package databend-metactl --features tokio/test-util

step 'the core compiles for 32 bits, without files, threads and clocks'
cargo clippy --locked --quiet --package metadump --target wasm32-unknown-unknown -- -D warnings
cargo clippy --locked --quiet --package metadump --target wasm32-unknown-unknown --all-features -- -D warnings

step 'licences and sources of dependencies'
scripts/licences.sh

step 'what was begun beside: the viewer is built'
joined 'the viewer is built'

step 'the command line for tests, with the viewer in it'
METACTL=$(scripts/debug-build.sh)
export METACTL
# A browser waits half of its time. It goes first, as all of it is one test after the other.
viewer='the viewer: its binding in node, its page in Chromium and Firefox, held against the command line'
beside "$viewer" scripts/web-test.sh run
beside_browser() { nice -n 19 "$@"; }

step 'a gRPC client of another make calls the embedded service'
beside_browser scripts/grpc-test.sh

step 'tests are compiled'
beside_browser cargo test --locked --quiet --workspace --no-run

# Most tests wait for a process that they start.
step tests
RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((3 * $(nproc)))} beside_browser cargo test --locked --workspace "${ignored[@]}"

step "what was begun beside: $viewer"
joined "$viewer"
