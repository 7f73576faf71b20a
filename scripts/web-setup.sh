#!/usr/bin/env bash
# Installs what the viewer is built with; says nothing when nothing is missing.
# Usage: web-setup.sh [test]
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'web-setup: %s\n' "$*" >&2; }
stop() {
    say "$*"
    exit 1
}
quietly() {
    local said
    said=$("$@" 2>&1) || stop "failed: $*"$'\n'"$said"
}
as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

command -v cargo >/dev/null || stop "cargo is missing: install Rust from https://rustup.rs"
command -v npm >/dev/null || stop "npm is missing: install Node.js 20.19 or later"
if ! rustup target list --installed | grep -qx wasm32-unknown-unknown; then
    say "adding the Rust target wasm32-unknown-unknown"
    quietly rustup target add wasm32-unknown-unknown
fi
# The command must be of the version that the binding is compiled with.
version=$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/[^0-9.]/, ""); print; exit }' Cargo.lock)
if [ "$(target/tools/bin/wasm-bindgen --version 2>/dev/null)" != "wasm-bindgen $version" ]; then
    say "compiling wasm-bindgen-cli $version, once; takes some 70 seconds on two cores"
    # The one program of three that is needed, which asks no network. Without --locked, as its lock file
    # names a version that not every registry mirror has.
    quietly env CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --debug --force --no-default-features \
        --bin wasm-bindgen --root target/tools wasm-bindgen-cli --version "$version"
fi
if [ ! -d web/node_modules ] || [ web/package-lock.json -nt web/node_modules/.package-lock.json ]; then
    say "installing the packages of web/package-lock.json"
    quietly npm --prefix web install --no-save --no-audit --no-fund
fi
# The page is packed with xz, and tested in browsers.
missing=()
wanted=(xz)
if [ "${1:-}" = test ]; then wanted+=(chromium firefox-esr); fi
for program in "${wanted[@]}"; do
    command -v "$program" >/dev/null || missing+=("${program/#xz/xz-utils}")
done
if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || stop "missing, and there is no apt-get to install it: ${missing[*]}"
    say "installing the Debian packages ${missing[*]}"
    quietly as_root apt-get -q update
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y "${missing[@]}"
fi
