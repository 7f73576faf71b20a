#!/usr/bin/env bash
# Installs what is missing, on Debian or Ubuntu with rustup; says nothing when nothing is missing.
# Usage: setup.sh build|test|bench|fuzz|dist
set -euo pipefail
cd "$(dirname "$0")/.."

CARGO_DENY=0.20.2
CARGO_FUZZ=0.13.2
CARGO_CYCLONEDX=0.5.9

say() { printf 'setup: %s\n' "$*" >&2; }
stop() {
    say "$*"
    exit 1
}

# Runs a command whose output matters only when it fails.
quietly() {
    local said
    said=$("$@" 2>&1) || stop "failed: $*"$'\n'"$said"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# package NAME
package() {
    command -v apt-get >/dev/null || stop "$1 is missing, and there is no apt-get to install it"
    say "installing the Debian package $1"
    quietly as_root apt-get -q update
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$1"
}

# debian PROGRAM PACKAGE
debian() {
    command -v "$1" >/dev/null || package "$2"
}

# component NAME PROGRAM: a part of the Rust toolchain
component() {
    "$2" --version >/dev/null 2>&1 && return
    say "adding the Rust component $1"
    quietly rustup component add "$1"
}

# crate PROGRAM VERSION SECONDS: a tool from crates.io
crate() {
    command -v "$1" >/dev/null && return
    say "compiling $1 $2, once; takes some $3 seconds on two cores"
    # Unoptimized: compiling takes longer than all it will ever do.
    quietly env CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --debug --locked "$1" --version "$2"
}

command -v cargo >/dev/null || stop "cargo is missing: install Rust from https://rustup.rs, then run make again"
debian cc build-essential
case ${1:-} in
build) ;;
bench) debian valgrind valgrind ;;
test)
    command -v rustup >/dev/null || stop "rustup is missing: install Rust from https://rustup.rs, then run make again"
    component rustfmt rustfmt
    component clippy cargo-clippy
    if ! rustup target list --installed | grep -qx wasm32-unknown-unknown; then
        say "adding the Rust target wasm32-unknown-unknown"
        quietly rustup target add wasm32-unknown-unknown
    fi
    crate cargo-deny "$CARGO_DENY" 50
    # Imports are killed at every system call by strace.
    debian strace strace
    # Completions are tried in the shells that they are for.
    debian zsh zsh
    debian fish fish
    # The units of deploy/ are held to it.
    debian systemd-analyze systemd
    ;;
fuzz)
    if ! rustup toolchain list | grep -q '^nightly'; then
        say "installing the nightly toolchain, which sanitizers need"
        quietly rustup toolchain install nightly --profile minimal
    fi
    crate cargo-fuzz "$CARGO_FUZZ" 20
    ;;
dist)
    # The C compiler for both machines, and the linker.
    zig=target/tools/zig
    if ! cmp -s scripts/zig-requirements.txt $zig/installed.txt; then
        debian python3 python3
        python3 -c 'import ensurepip' 2>/dev/null || package python3-venv
        say 'installing zig from PyPI, once'
        rm -rf $zig
        quietly python3 -m venv $zig
        quietly $zig/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
            --require-hashes --requirement scripts/zig-requirements.txt
        cp scripts/zig-requirements.txt $zig/installed.txt
    fi
    for machine in x86_64 aarch64; do
        [ "$machine" = "$(uname -m)" ] || debian qemu-$machine-static qemu-user-static
        if ! rustup target list --installed | grep -qx $machine-unknown-linux-musl; then
            say "adding the Rust target $machine-unknown-linux-musl"
            quietly rustup target add $machine-unknown-linux-musl
        fi
    done
    crate cargo-cyclonedx "$CARGO_CYCLONEDX" 60
    ;;
*) stop "usage: setup.sh build|test|bench|fuzz|dist" ;;
esac
