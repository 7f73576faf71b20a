#!/usr/bin/env bash
# Installs what is missing on a Debian or Ubuntu machine that has rustup; quiet when nothing is.
# Usage: setup.sh rust|all
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs Debian packages whose programs are missing: apt_missing PROGRAM PACKAGE
apt_missing() {
    command -v "$1" >/dev/null 2>&1 && return
    say "installing the Debian package $2"
    as_root apt-get -qq update >/dev/null
    DEBIAN_FRONTEND=noninteractive as_root apt-get -qq install -y --no-install-recommends "$2" >/dev/null
}

if ! command -v cargo >/dev/null 2>&1; then
    say "cargo is missing: install Rust with rustup (https://rustup.rs), then run make again"
    exit 1
fi
apt_missing cc build-essential
[ "${1:-rust}" = all ] || exit 0

for component in rustfmt clippy; do
    cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 && continue
    say "adding the Rust component $component"
    rustup component add "$component" >/dev/null 2>&1
done
if ! rustup target list --installed 2>/dev/null | grep -qx wasm32-unknown-unknown; then
    say "adding the Rust target wasm32-unknown-unknown"
    rustup target add wasm32-unknown-unknown >/dev/null 2>&1
fi
# The import is killed at every system call by strace.
apt_missing strace strace
