#!/usr/bin/env bash
# Has engines of pinned releases, from PyPI, write meta data, and holds what databend-metactl makes of it
# against what they say. TEST names the tests that run, or their class, or a part of either.
set -euo pipefail
cd "$(dirname "$0")/.."

RELEASES='1.2.784 1.2.895'
place=$PWD/target/interop

say() { printf 'interop: %s\n' "$*" >&2; }
stop() {
    say "$*"
    exit 1
}

[ "$(uname -sm)" = 'Linux x86_64' ] || stop "PyPI has these engines for Linux on x86_64 only, and this is $(uname -sm)"

# Older Pythons are not offered the packages.
python=
for candidate in python3.13 python3.12 python3 "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python3; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || stop 'Python 3.12 or later is missing: tried python3.13, python3.12, python3 and ~/.pyenv/versions'

# environment NAME MODULE WHAT: one of its own, which is complete when it has the list that it was made from
environment() {
    local environment=$place/$1 list=tests/interop/requirements-${1#databend-}.txt said
    if cmp -s "$list" "$environment/installed.txt" && "$environment/bin/python" -c '' 2>/dev/null; then
        return
    fi
    say "installing $3 from PyPI, once"
    rm -rf "$environment"
    said=$("$python" -m venv "$environment" 2>&1) ||
        stop "$python makes no virtual environments; Debian has them in python3-venv"$'\n'"$said"
    said=$("$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        --only-binary :all: --require-hashes --requirement "$list" 2>&1) ||
        stop "$3 cannot be had from PyPI"$'\n'"$said"
    said=$("$environment/bin/python" -c "import $2" 2>&1) ||
        stop "$3 does not run here"$'\n'"$said"
    cp "$list" "$environment/installed.txt"
}
for release in $RELEASES; do
    # It needs glibc 2.28 or later.
    environment "databend-$release" databend "databend $release"
done
environment tests azure.storage.blob 'what the tests need'
environment tables duckdb 'what asks tables'
environment stores moto 'what speaks the protocols of stores'
azurite=tests/interop/azurite
if ! cmp -s $azurite/package-lock.json $azurite/node_modules/installed.json; then
    command -v npm >/dev/null || stop 'npm is missing: install Node.js 20.19 or later'
    say 'installing Azurite from npm, once'
    said=$(npm --prefix $azurite ci --no-audit --no-fund 2>&1) || stop "npm ci failed"$'\n'"$said"
    cp $azurite/package-lock.json $azurite/node_modules/installed.json
fi

METACTL=$(scripts/debug-build.sh)
export METACTL INTEROP_RELEASES="$place" PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8
if [ -z "${TEST:-}" ]; then
    # s3s-fs is a store of S3, too; its tests need no other environment.
    cargo test --locked --quiet --workspace --test object_store
    # The library that newer servers write their log with. Cargo cannot lock two versions that are compatible
    # by number, so this one has a lock file of its own, which follows the workspace by itself.
    CARGO_TARGET_DIR=target/raft-log-0.4.6 \
        cargo test --quiet --manifest-path tests/raft-log-0.4.6/Cargo.toml ${METADUMP_CORPUS:+-- --include-ignored}
fi
cd tests/interop
exec "$place/tests/bin/python" -m unittest ${TEST:+-k "$TEST"} \
    test_interop test_official test_statements test_carry test_recipes test_tables test_stores
